"""A tag is made: which tables it pins, and what else was so at that moment."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.versions import learner_version, model_version, source_version, view_version
from mlpipe_assets.errors import MlpipeError, SettingsError, shorten
from mlpipe_assets.flow import tables_of
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.store.tags import Pinned, Tag, delete_tag, expect_name, list_tags, pin, read_tag, save_tag
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.versions import ModelVersion, find_version

_PATIENCE = 10  # seconds for git, which may have a large repository to look at


@dataclass(frozen=True, kw_only=True)
class Made:
    """A tag that was made.

    Attributes:
        size: Bytes of the files it names, each content once; none of them was written again.
        is_new: Whether it was not there before.
    """

    tag: Tag
    size: int
    is_new: bool = True


def make_tag(
    lake: Lake,
    catalog: Catalog,
    name: str,
    *,
    tables: Sequence[str],
    message: str,
    now: datetime,
    root: Path,
    or_same: bool = False,
) -> Made:
    """Pin tables as they are now, all of them at the same moment: no run writes any of them meanwhile.

    Args:
        lake: The lake.
        catalog: What exists.
        name: What the tag is called.
        tables: Such as `interim/orders`; none for all that have partitions.
        message: Why it was made.
        now: In UTC.
        root: The folder whose commit of git is put on record.
        or_same: Take a tag of that name that pins the same for the one that was asked for.

    Raises: SettingsError for a name that is taken or cannot be one, an unknown table, and where there is nothing to pin; BusyError
        while a run writes one of the tables; DamagedError when a file of them does not hold what was written to it.
    """
    is_there = expect_name(name) in list_tags(lake.objects)
    if is_there and not or_same:
        save_tag(lake.objects, Tag(name=name, made_at=""))  # raises, with what to do
    chosen = choose_tables(catalog, tables)
    with ExitStack() as turns:
        for table in chosen:
            turns.enter_context(lake.writing(table.stage, table.name))
        states = {place: lake.state(*place.rsplit("/", 1)) for table in chosen for place in places_of(table)}
        pinned = {place: _pin(state) for place, state in states.items()}
        pinned = {place: table for place, table in pinned.items() if table.days or table.refused}
        if is_there:
            return _same(read_tag(lake.objects, name), pinned)
        if not any(table.days for table in pinned.values()):
            raise SettingsError(
                f"There is no partition to tag of {shorten([t.key for t in chosen], 5)}. Next: mlpipe run"
            )
        about = describe_moment(lake, catalog, root)
        tag = Tag(name=name, made_at=now.isoformat(timespec="seconds"), message=message, tables=pinned, about=about)
        save_tag(lake.objects, tag)
    return Made(tag=tag, size=_size(pinned))


def _same(tag: Tag, pinned: Mapping[str, Pinned]) -> Made:
    """A tag that is there, when it pins the same."""
    places = sorted({*tag.tables, *pinned})
    if other := [p for p in places if _digest(tag.tables.get(p)) != _digest(pinned.get(p))]:
        raise SettingsError(
            f"There is a tag {tag.name!r} already, of {tag.made_at[:16]}Z, and it pins something else of {shorten(other, 3)}. What a "
            "name stands for does not change: choose another one."
        )
    return Made(tag=tag, size=_size(pinned), is_new=False)


def _digest(pinned: Pinned | None) -> tuple[str, Mapping[date, object]] | None:
    return (digest_of_table(pinned), pinned.refused) if pinned else None


def _size(pinned: Mapping[str, Pinned]) -> int:
    """Bytes of the files that are pinned, each content once."""
    parts = [part for table in pinned.values() for files in table.days.values() for part in files.values()]
    return sum({part.sha256: part.size for part in parts}.values())


def remove_tag(lake: Lake, name: str) -> None:
    """Take a tag away; what only it named goes with the next `mlpipe gc`.

    Raises: SettingsError where there is none of that name, or it is checked out.
    """
    hold = read_hold(lake.objects)
    if hold and hold.tag == name:
        raise SettingsError(f"{name} is checked out, and the way back is told by it. First: mlpipe checkout now")
    delete_tag(lake.objects, name)


def choose_tables(catalog: Catalog, names: Sequence[str]) -> list[Table]:
    """The tables of some names, as assets or SQL call them; all that have partitions of days where none is named.

    Raises: SettingsError for a name that is none of them.
    """
    dated = [table for table in tables_of(catalog) if table.files]
    if not names:
        return dated
    known = {spelled: table for table in dated for spelled in (table.key, f"{table.schema}.{table.name}")}
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"There is no table {unknown[0]!r} with partitions of days; there are {', '.join(t.key for t in dated) or 'none'}."
        )
    return list({known[name].key: known[name] for name in names}.values())


def places_of(table: Table) -> Iterator[str]:
    """The folders of days that the runs of a table write."""
    yield from ("/".join(place) for place in (table.place, *table.beside))


def digest_of_table(pinned: Pinned) -> str:
    """Digest of what is pinned of a table: of every file of every day."""
    return digest({f"{day}": {file: part.sha256 for file, part in files.items()} for day, files in pinned.days.items()})


def describe_moment(lake: Lake, catalog: Catalog, root: Path) -> dict[str, Any]:
    """What is on record beside the tables: models with their numbers, code versions, and the commit of git."""
    code = describe_code(catalog)
    return {
        "catalog": digest(sorted(code.items())),
        "code_versions": code,
        "models": {model.name: led for model in catalog.models if model.learner and (led := _led(lake, model.name))},
        "git": find_commit(root),
        "mlpipe_assets": library_version("mlpipe_assets"),
    }


def describe_code(catalog: Catalog) -> dict[str, str]:
    """The code version of each table that is declared with one."""
    code = {f"interim/{source.name}": source_version(source) for source in catalog.sources}
    code |= {f"features/{view.name}": view_version(catalog, view) for view in catalog.feature_views}
    code |= {f"processed/{model.name}": model_version(catalog, model) for model in catalog.models}
    return code | {f"models/{model.name}": learner_version(model) for model in catalog.models if model.learner}


def find_commit(root: Path) -> dict[str, Any] | None:
    """The commit that a folder is at, and whether files of it differ; None outside of git."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        commit, changed = (
            subprocess.run(  # noqa: S603 (the arguments are ours)
                [git, "-C", str(root), *asked], capture_output=True, text=True, check=True, timeout=_PATIENCE
            ).stdout.strip()
            for asked in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _led(lake: Lake, model: str) -> dict[str, Any] | None:
    """The champion of a model and the version of its newest training set, with their digests and main numbers."""
    try:
        led = champion(lake, model)
        days = lake.days("models", model)
        newest = find_version(lake, model, lake.read("models", model, days[-1])["version"].item()) if days else None
    except MlpipeError:  # `mlpipe status` says what is wrong with its record
        return None
    if newest == led:
        newest = None
    return {role: _describe_version(v) for role, v in (("champion", led), ("newest", newest)) if v} or None


def _describe_version(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "as_of": f"{version.as_of}",
        "file_digest": version.file_digest,
        "training_digest": version.training_digest,
        "metrics": {name: value for name, value in version.metrics.items() if value is not None},
    }


def _pin(state: TableState) -> Pinned:
    """A table as it is, once every file of it is known to be there under its digest."""
    for day, files in state.manifest.days.items():
        for file in files:
            state.expect_content(day, file)
    return pin(state.manifest)
