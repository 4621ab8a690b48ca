"""Whether the copy of a lake is whole when it is published: a cache that was swept away must not become an empty lake."""

from collections.abc import Collection
from pathlib import Path

from mlpipe_assets.errors import spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.known_files import Known
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import content_key, parse
from mlpipe_assets.store.objects import StoreError
from mlpipe_assets.store.pins import pinned_contents


def expect_whole(root: Path, known: Known, there: Collection[str]) -> None:
    """Make sure that files which were there before were taken away by a run, and not by somebody who tidies up.

    A run never takes the manifest of a table away, nor a file of a day that a manifest names, nor a content that a tag names.

    Args:
        root: The folder of the copy.
        known: What was there before.
        there: The keys of the files that are there.

    Raises: StoreError when files are lost; LakeError when contents are gone and a tag, which may name them, cannot be read.
    """
    gone = [key for key in known.files if key not in there]
    lost = sorted({key for key in gone if key.startswith(f"{keys.TABLES}/")} | _named(root, gone, there))
    if lost:
        more = f" and {spell_count(len(lost) - 1, 'more file')} were" if len(lost) > 1 else " was"
        raise StoreError(
            f"{root / lost[0]}{more} taken away while the lake was in use, and not by a run. Nothing was published; run again: what the "
            "bucket has is fetched again.",
            reason="files of the copy were taken away",
        )


def _named(root: Path, gone: Collection[str], there: Collection[str]) -> set[str]:
    """Files of days that are gone, and that the manifest of their table names."""
    by_table: dict[str, list[str]] = {}
    for key in gone:
        own = key.removeprefix(f"{keys.CONTENTS}/")
        if table := keys.dated_table(Path(own)):
            by_table.setdefault(table, []).append(key)
    lost: set[str] = set()
    for table, names in by_table.items():
        folder = f"{keys.contents(table)}/"
        if any(key.startswith(folder) for key in names):
            lost |= {f"{folder}{pinned}" for pinned in pinned_contents(LocalObjects(root), table)} & set(names)
        if (manifest := keys.manifest(table)) not in there:
            continue
        days = parse((root / manifest).read_bytes()).days
        named = {
            name
            for day, files in days.items()
            for file, part in files.items()
            for name in (
                f"{keys.contents(table)}/{content_key(day, file, part.sha256)}",
                keys.partition(*_split(table), day, file),
            )
        }
        lost |= named & set(names)
    return lost


def _split(table: str) -> tuple[str, str]:
    stage, _, name = table.partition("/")
    return stage, name
