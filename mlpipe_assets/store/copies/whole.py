"""Whether the copy of a lake is whole when it is published: a cache that was swept away must not become an empty lake."""

from collections.abc import Collection, Iterable
from pathlib import Path

from mlpipe_assets.errors import spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.known_files import ABSENT, Known
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import Manifest, parse
from mlpipe_assets.store.objects import StoreError
from mlpipe_assets.store.pins import pinned_contents


def expect_whole(root: Path, known: Known, there: Collection[str]) -> None:
    """Make sure that files which were there before were taken away by a run, and not by somebody who tidies up.

    A run never takes the manifest of a table away, nor a file of a day that a manifest names, nor a content that a tag names.

    Args:
        root: The folder of the copy.
        known: What was there before.
        there: The keys of the files that are there, and of those that the bucket keeps.

    Raises: StoreError when files are lost; LakeError when contents are gone and a tag, which may name them, cannot be read.
    """
    gone = [key for key in known.files if key not in there]
    lost = {key for key in gone if key.startswith(f"{keys.TABLES}/")}
    for table, names in _by_table(gone).items():
        manifest = _manifest(root, table, there) or Manifest()
        lost |= names & (_faces(table, manifest) | _contents(table, manifest.contents()) | _pinned(root, table, names))
    if lost:
        first = min(lost)
        more = f" and {spell_count(len(lost) - 1, 'more file')} were" if len(lost) > 1 else " was"
        raise StoreError(
            f"{root / first}{more} taken away while the lake was in use, and not by a run. Nothing was published; run again: what the "
            "bucket has is fetched again.",
            reason="files of the copy were taken away",
        )


def still_elsewhere(root: Path, known: Known, there: Collection[str]) -> list[str]:
    """Files of days that only the bucket has, and that a manifest or a tag names: what none names any more is let go.

    Args:
        root: The folder of the copy.
        known: What was there before, or was in the bucket only.
        there: The keys of the files that are here.

    Raises: LakeError when a manifest or a tag cannot be read.
    """
    found: set[str] = set()
    for table, names in _by_table(
        key for key, (_, stat) in known.files.items() if stat == ABSENT and key not in there
    ).items():
        manifest = _manifest(root, table, there)
        if manifest is None:  # who asks for the manifest is told that it is gone
            found |= names
            continue
        contents = _contents(table, {*manifest.contents(), *manifest.old})
        found |= names & (_faces(table, manifest) | contents | _pinned(root, table, names))
    return sorted(found)


def _by_table(names: Iterable[str]) -> dict[str, set[str]]:
    """The files of days among some, by their table."""
    found: dict[str, set[str]] = {}
    for key in names:
        if table := keys.dated_table(Path(key.removeprefix(f"{keys.CONTENTS}/"))):
            found.setdefault(table, set()).add(key)
    return found


def _manifest(root: Path, table: str, there: Collection[str]) -> Manifest | None:
    key = keys.manifest(table)
    return parse((root / key).read_bytes()) if key in there else None


def _faces(table: str, manifest: Manifest) -> set[str]:
    return {f"{table}/{keys.name_day(day)}/{file}" for day, files in manifest.days.items() for file in files}


def _contents(table: str, contents: Iterable[str]) -> set[str]:
    return {f"{keys.contents(table)}/{content}" for content in contents}


def _pinned(root: Path, table: str, names: Collection[str]) -> set[str]:
    """What tags name, where a content is among what is asked for."""
    if any(key.startswith(f"{keys.CONTENTS}/") for key in names):
        return _contents(table, pinned_contents(LocalObjects(root), table))
    return set()
