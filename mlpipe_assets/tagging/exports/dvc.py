"""Tables of a tag as DVC knows data: a pointer for each, and its files in DVC's cache by their MD5.

Where the folder lies in a repository of DVC its cache takes them; else the folder becomes one, without git.
Source: https://dvc.org/doc/user-guide/project-structure
"""

import configparser
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import DamagedError, SettingsError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag
from mlpipe_assets.tagging.exports.pinned_files import (
    Exported,
    PinnedFile,
    files_of,
    tables_to_export,
    take_file,
    write_file,
)
from mlpipe_assets.tagging.own_lake import Written

_REPOSITORY = ".dvc"
_CONFIG = b"[core]\n    no_scm = True\n"
_IGNORED = b"/config.local\n/tmp\n/cache\n"
_BLOCK = 1 << 20


def export_dvc(
    lake: Lake, catalog: Catalog, tag: Tag, out: Path, *, tables: Sequence[str], copy: bool, now: datetime
) -> list[Exported]:
    """Write a pointer for each table into a folder, in place of that of another tag, and its files into the cache.

    Args:
        lake: The lake that has the tag.
        catalog: What exists.
        tag: The tag.
        out: Where to.
        tables: Such as `interim/orders`; none for all that the tag pins.
        copy: Of no account: DVC keeps its files by itself, so they always go along, as links or copies.
        now: In UTC.

    Raises: SettingsError where the cache cannot be found; DamagedError when a content is not what the tag says; StoreError.
    """
    del copy, now
    out = out.absolute()
    chosen = [(table, list(files_of(lake, tag, table))) for table in tables_to_export(catalog, tag, tables)]
    repository = next((path for path in (out, *out.parents) if (path / _REPOSITORY).is_dir()), None)
    if repository is None:
        for name, content in (("config", _CONFIG), (".gitignore", _IGNORED)):
            write_file(out / _REPOSITORY / name, content, root=out)
    cache = _find_cache((repository or out) / _REPOSITORY)
    done = []
    for table, files in chosen:
        exported = Exported(table=table.key, folder=out / table.key.replace("/", "."), files=len(files))
        listed = [{"md5": _keep(cache, file, exported.written), "relpath": _relative(file)} for file in files]
        text = json.dumps(sorted(listed, key=lambda one: one["relpath"]), sort_keys=True).encode()
        name = f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
        write_file(cache / name[:2] / name[2:], text, root=cache)
        pointer = _spell_pointer(tag, exported.folder.name, name, files)
        target = out / f"{exported.folder.name}.dvc"
        exported.is_new = not target.is_file() or target.read_bytes() != pointer
        write_file(target, pointer, root=out)
        done.append(exported)
    _ignore(out, [one.folder.name for one in done])
    return done


def _find_cache(settings: Path) -> Path:
    """Where a repository keeps what it has by MD5.

    Raises: SettingsError when its settings cannot be read.
    """
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read([settings / "config", settings / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(f"{settings / 'config'} cannot be read: {f'{error}'.splitlines()[0]}") from error
    return settings / found.get("cache", "dir", fallback="cache") / "files" / "md5"


def _keep(cache: Path, file: PinnedFile, written: Written) -> str:
    """The MD5 of a file, once the cache has it.

    Raises: DamagedError; StoreError.
    """
    found, expected = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with file.path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            found.update(block)
            expected.update(block)
    if expected.hexdigest() != file.part.sha256:
        raise DamagedError(f"{file.path} does not hold what was written to it. Next: mlpipe verify")
    name = found.hexdigest()
    target = cache / name[:2] / name[2:]
    if not target.exists() or target.stat().st_size != file.part.size:
        take_file(file.path, target, root=cache, written=written)
    return name


def _relative(file: PinnedFile) -> str:
    return f"{file.content.parent.name}/{file.file}"


def _spell_pointer(tag: Tag, path: str, name: str, files: Sequence[PinnedFile]) -> bytes:
    """The pointer: YAML, of which JSON's texts are a part."""
    size = sum(file.part.size for file in files)
    lines = [
        "outs:",
        f"- md5: {name}",
        f"  size: {size}",
        f"  nfiles: {len(files)}",
        "  hash: md5",
        f"  path: {json.dumps(path)}",
        "meta:",
        "  mlpipe:",
        f"    tag: {json.dumps(tag.name)}",
        f"    made_at: {json.dumps(tag.made_at)}",
    ]
    return "\n".join([*lines, ""]).encode()


def _ignore(out: Path, names: Sequence[str]) -> None:
    """Keep git from taking what DVC puts beside its pointers."""
    path = out / ".gitignore"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if fresh := [f"/{name}" for name in names if f"/{name}" not in lines]:
        write_file(path, "\n".join([*lines, *fresh, ""]).encode(), root=out)
