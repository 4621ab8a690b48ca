"""Branches: the whole lake under another name, without a copy, in which anything may be run and changed.

A branch is a lake of its own below the one it began from. Files that nobody writes into are hard links, small documents
copies, and the folders of the drop zone are links to the shared ones, which are only read. It is made beside its place and
renamed, so it is there whole or not at all; whatever the other lake takes away later, the branch has its own names of it.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import BusyError, SettingsError, shorten, spell_count
from mlpipe_assets.flow import tables_of
from mlpipe_assets.store import keys
from mlpipe_assets.store.branches import (
    Base,
    branch_folder,
    expect_branch,
    main_folder,
    read_base,
    save_base,
    share_drop_zone,
)
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import explain_writing, sync_folder
from mlpipe_assets.store.manifest import Manifest, spell
from mlpipe_assets.store.run_locks import living_runs
from mlpipe_assets.store.tags import Pinned, list_tags, pin
from mlpipe_assets.tagging.own_lake import Written, take_the_rest

_REGISTRIES = ("dataset_splits", "feature_registry", "model_registry")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a branch has that it did not have when it began, or was promoted last.

    Attributes:
        tables: Days of each table, by the folder of its days.
        documents: Files that are of no day, such as models, by key.
    """

    tables: Mapping[str, tuple[date, ...]]
    documents: tuple[str, ...]

    def spell(self) -> list[str]:
        """A line for each table, and one for the rest."""
        lines = [f"{place}: {spell_count(len(days), 'day')}" for place, days in self.tables.items()]
        return [*lines, *([f"models and records: {shorten([*self.documents], 3)}"] if self.documents else [])]


def make_branch(lake: Lake, catalog: Catalog, name: str, *, now: datetime) -> Written:
    """Begin a branch of what the lake holds now, all of it of one moment: no run writes a table meanwhile.

    Args:
        lake: The lake.
        catalog: What exists.
        name: What the branch is called.
        now: In UTC.

    Raises: SettingsError for a name that is taken or cannot be one, in a branch, and while a tag is checked out; BusyError while
        a run writes a table; StoreError when the disk says no. Nothing is left then.
    """
    folder = branch_folder(lake.root, name)
    _expect_free(lake, name, folder)
    beside = folder.with_name(f".{name}.tmp")
    written = Written(tables=tuple(sorted(_places(lake))))
    try:
        with ExitStack() as turns:
            for table in tables_of(catalog):
                turns.enter_context(lake.writing(table.stage, table.name))
            shutil.rmtree(beside, ignore_errors=True)  # of one that was killed
            beside.mkdir(parents=True)
            take_the_rest(lake, beside, written)
            tables = {place: _take_table(lake, place, beside, written) for place in written.tables}
        share_drop_zone(lake.root, beside)
        objects = Lake(data_dir=f"{beside}").objects
        base = Base(name=name, made_at=now.isoformat(timespec="seconds"), tables=tables, documents=documents_of(beside))
        save_base(objects, base)
        beside.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise explain_writing(error, folder, lake.root) from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return written


def drop_branch(lake: Lake, name: str, *, force: bool) -> None:
    """Take a branch away.

    Raises: SettingsError where there is none of that name, or it has what was not promoted and `force` is not given; BusyError
        while a run writes to it; LakeError when its record cannot be read and `force` is not given.
    """
    folder = expect_branch(lake.root, name)
    if runs := living_runs(folder):
        raise BusyError(f"{spell_count(len(runs), 'run')} under way in branch {name}. Drop it when nothing runs there.")
    if not force and (lines := find_changes(Lake(data_dir=f"{folder}")).spell()):
        raise SettingsError(
            f"Branch {name} has what was not promoted: {shorten(lines, 5)}. Next: mlpipe promote {name}; or to lose it: "
            f"mlpipe drop {name} --force"
        )
    gone = folder.with_name(f".{name}.gone.tmp")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise explain_writing(error, folder, lake.root) from error


def find_changes(branch: Lake) -> Changes:
    """What a branch has that is not promoted.

    Raises: LakeError when its record, or a manifest, cannot be read.
    """
    base, now = read_base(branch.objects), pins_of(branch)
    tables = {
        place: days
        for place in sorted({*base.tables, *now})
        if (days := differing_days(base.tables.get(place, Pinned()), now.get(place, Pinned())))
    }
    found = documents_of(branch.root)
    documents = tuple(sorted(key for key, digest in found.items() if base.documents.get(key) != digest))
    return Changes(tables=tables, documents=documents)


def pins_of(lake: Lake) -> dict[str, Pinned]:
    """What every table of a lake holds."""
    return {place: pin(lake.state(*place.rsplit("/", 1)).manifest) for place in _places(lake)}


def differing_days(before: Pinned, after: Pinned) -> tuple[date, ...]:
    """Days whose files, or whose refusal, differ."""
    days = {*before.days, *after.days, *before.refused, *after.refused}
    return tuple(sorted(day for day in days if held_of(before, day) != held_of(after, day)))


def held_of(pinned: Pinned, day: date) -> tuple[object, object]:
    """What tells the state of a day: the digests of its files, and why it was refused."""
    return {file: part.sha256 for file, part in pinned.days.get(day, {}).items()}, pinned.refused.get(day)


def documents_of(root: Path) -> dict[str, str]:
    """The digests of files that are of no day and belong to what tables say: models, who leads, what was accepted."""
    named = [keys.ACCEPTANCES, *map(keys.registry, _REGISTRIES)]
    paths = [root / key for key in named]
    for folder in (keys.MODELS, keys.CHAMPIONS, keys.golden("x").rpartition("/")[0], keys.BASELINES):
        paths += sorted((root / folder).rglob("[!.]*"))
    found = [path for path in paths if path.is_file() and keys.dated_table(path.relative_to(root)) is None]
    return {f"{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _expect_free(lake: Lake, name: str, folder: Path) -> None:
    if main := main_folder(lake.root):
        raise SettingsError(
            f"{lake.root.name} is a branch itself; branches begin from {main}. First: unset MLPIPE_BRANCH"
        )
    if folder.exists():
        raise SettingsError(f"There is a branch {name!r} already. Choose another name; or first: mlpipe drop {name}")
    if name in list_tags(lake.objects):
        raise SettingsError(f"{name!r} is a tag, and mlpipe diff could not tell both apart. Choose another name.")
    if hold := read_hold(lake.objects):
        raise SettingsError(
            f"Tag {hold.tag} is checked out, and a branch would build over it. First: mlpipe checkout now"
        )


def _places(lake: Lake) -> Iterator[str]:
    yield from (keys.table_of_manifest(path.name) for path in sorted((lake.root / keys.TABLES).glob("[!.]*.json")))


def _take_table(lake: Lake, place: str, root: Path, written: Written) -> Pinned:
    """The contents, faces and manifest of one table."""
    state, own = lake.state(*place.rsplit("/", 1)), Lake(data_dir=f"{root}").table(*place.rsplit("/", 1)).contents
    days = {day: files for day, files in state.manifest.days.items() if all(state.has(day, file) for file in files)}
    for day, files in days.items():
        for file, part in files.items():
            written.take(state.locate(day, file), own.content(day, file, part), root=root)
            own.show(day, file, part)
            written.copied += 0 if written.links else part.size
    manifest = Manifest(gen=state.manifest.gen, days=days, refused=state.manifest.refused)
    Lake(data_dir=f"{root}").objects.put(keys.manifest(place), spell(manifest))
    return pin(manifest)
