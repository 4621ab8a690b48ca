"""A tag as a lake of its own: its tables as they were, the rest of the lake as it is, in another folder.

Files that nobody writes into are hard links where both folders are on one file system; small documents, of which some
are added to, are copies. The lake is made beside its place and renamed, so it is there whole or not at all.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.hold import Hold, save_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import explain_writing, sync_folder
from mlpipe_assets.store.manifest import Manifest, spell
from mlpipe_assets.store.private_files import create_file, make_folder
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import Tag, read_tag, save_tag
from mlpipe_assets.tagging.checkout import pinned_tables
from mlpipe_assets.tagging.making import places_of

# What belongs to this lake alone: other tables, what is served, who writes what now.
_LEFT = (
    *(keys.CONTENTS, keys.TABLES, keys.TAGS, keys.CHECKOUT, keys.SWAP, keys.BRANCHES, keys.BRANCH),
    *(keys.ONLINE, keys.SNAPSHOTS, keys.PUSHED, keys.PROTOTYPE, keys.WAREHOUSE, keys.ASIDE),
    *(keys.LINEAGE, keys.LINEAGE_LOG),
)
_LOCKS = "meta/locks"
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(kw_only=True)
class Written:
    """What was put into a folder.

    Attributes:
        tables: As `mlpipe status` calls them.
        linked: Bytes of files that both lakes have.
        copied: Bytes that were written.
        links: Whether hard links could be made.
    """

    tables: tuple[str, ...] = ()
    linked: int = 0
    copied: int = 0
    links: bool = True

    def take(self, source: Path, target: Path, *, root: Path) -> None:
        """The same file in another folder: as a link, or as a copy where there are none."""
        make_folder(root, target.parent)
        if self.links:
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self.links = False
            else:
                self.linked += source.stat().st_size
                return
        self.copy(source, target, root=root)

    def copy(self, source: Path, target: Path, *, root: Path) -> None:
        """A copy of a file, with its times."""
        make_folder(root, target.parent)
        create_file(target)
        shutil.copyfile(source, target)
        found = source.stat()
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        self.copied += found.st_size


def write_lake(
    lake: Lake, catalog: Catalog, name: str, folder: Path, *, tables: Iterable[str], now: datetime
) -> Written:
    """Write a lake whose tables are those of a tag, and held there; of tables that are not pinned it has none.

    Args:
        lake: The lake that has the tag.
        catalog: What exists.
        name: The tag.
        folder: Where to; it must not be there, or be empty.
        tables: Such as `interim/orders`; none for all that the tag pins.
        now: In UTC.

    Raises: SettingsError for a folder that is in use, or within the lake, and where there is no such tag; DamagedError when a
        content is not what the tag says; StoreError when the disk says no. Nothing is left then.
    """
    return write_tagged(lake, catalog, read_tag(lake.objects, name), folder, tables=tables, now=now)


def write_tagged(
    lake: Lake, catalog: Catalog, tag: Tag, folder: Path, *, tables: Iterable[str], now: datetime
) -> Written:
    """The same of what a tag says, which need not be on record."""
    _expect_free(lake, folder)
    chosen = pinned_tables(catalog, tag, [*tables])
    beside = folder.with_name(f".{folder.name}.checkout.tmp")
    written = Written(tables=tuple(table.key for table in chosen))
    try:
        shutil.rmtree(beside, ignore_errors=True)  # of a checkout that was killed
        beside.mkdir(parents=True)
        take_the_rest(lake, beside, written)
        tagged = TaggedLake(data_dir=lake.data_dir, tag=tag)
        for place in (place for table in chosen for place in places_of(table) if place in tag.tables):
            _take_table(tagged, place, beside, written)
        objects = Lake(data_dir=f"{beside}").objects
        save_tag(objects, tag)
        since = now.isoformat(timespec="seconds")
        save_hold(objects, Hold(tag=tag.name, since=since, tables=written.tables, whole=True))
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise explain_writing(error, folder, folder.parent) from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return written


def _expect_free(lake: Lake, folder: Path) -> None:
    root = lake.root.resolve()
    where = folder.resolve()
    if where == root or where.is_relative_to(root) or root.is_relative_to(where):
        raise SettingsError(f"{folder} and the data folder {lake.root} lie in each other. Name another folder.")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SettingsError(f"{folder} is there already, and not an empty folder. Name another one.")


def _take_table(tagged: TaggedLake, place: str, root: Path, written: Written) -> None:
    """The contents, faces and manifest of one table as it was."""
    state, own = tagged.pinned_state(place), Lake(data_dir=f"{root}").table(*place.rsplit("/", 1)).contents
    days = {day: {file: state.part(day, file) for file in files} for day, files in state.manifest.days.items()}
    for day, files in days.items():
        for file, part in files.items():
            written.take(state.locate(day, file), own.content(day, file, part), root=root)
            own.show(day, file, part)
            written.copied += 0 if written.links else part.size
    manifest = Manifest(gen=1, days=days, refused=state.manifest.refused)
    Lake(data_dir=f"{root}").objects.put(keys.manifest(place), spell(manifest))


def take_the_rest(lake: Lake, root: Path, written: Written) -> None:
    """Events, models, records: all that is no table of days."""
    for path in _files(lake):
        key = path.relative_to(lake.root)
        if keys.is_below(key, keys.META):
            written.copy(path, root / key, root=root)
        else:
            written.take(path, root / key, root=root)


def _files(lake: Lake) -> Iterator[Path]:
    for folder, folders, files in os.walk(lake.root):
        here = Path(folder).relative_to(lake.root)
        folders[:] = [name for name in folders if _is_wanted(here / name)]
        for name in files:
            key = here / name
            if _is_wanted(key) and not name.startswith(".") and keys.dated_table(key) is None:
                yield Path(folder, name)


def _is_wanted(key: Path) -> bool:
    """Whether a file, or what is in a folder, goes along; the drop zone is its senders'."""
    if any(keys.is_below(key, left) for left in (*_LEFT, _LOCKS)):
        return False
    own = keys.is_below(key, keys.EVENTS)
    return own or not keys.is_below(key, keys.DROP_ZONE) or key == Path(keys.DROP_ZONE)
