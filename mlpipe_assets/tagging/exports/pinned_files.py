"""The Parquet files of a table as a tag has it, and how another folder comes to have them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store import keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.manifest import Part
from mlpipe_assets.store.private_files import create_file, make_folder
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import Tag
from mlpipe_assets.tagging.checkout import pinned_tables
from mlpipe_assets.tagging.own_lake import Written


@dataclass(frozen=True, kw_only=True)
class PinnedFile:
    """A file of a table.

    Attributes:
        day: Its partition.
        file: What it is called there.
        part: What it is known to hold.
        path: Where it is read now.
        content: Where it is for as long as a tag names it.
    """

    day: date
    file: str
    part: Part
    path: Path
    content: Path

    @property
    def key(self) -> str:
        """What it is called in an export: by day, name and digest."""
        return f"{keys.name_day(self.day)}/{self.content.name}"

    def schema(self) -> dict[str, pl.DataType]:
        """Its columns."""
        return dict(pl.read_parquet_schema(self.path))

    def rows(self) -> int:
        """How many rows it has."""
        count: int = pl.scan_parquet(self.path, glob=False).select(pl.len()).collect().item()
        return count


@dataclass(kw_only=True)
class Exported:
    """What became of one table.

    Attributes:
        table: As `mlpipe status` calls it.
        folder: Where it is.
        files: How many files it has.
        rows: And rows; None where nobody counted.
        written: What was linked and copied.
        is_new: Whether the tag was not there before.
    """

    table: str
    folder: Path
    files: int
    rows: int | None = None
    written: Written = field(default_factory=Written)
    is_new: bool = True


def tables_to_export(catalog: Catalog, tag: Tag, names: Sequence[str]) -> list[Table]:
    """The tables of some names whose rows a tag pins; all of those where none is named.

    Raises: SettingsError for a table that it does not pin, or that has no rows.
    """
    chosen = pinned_tables(catalog, tag, names)
    found = [table for table in chosen if "/".join(table.place) in tag.tables and _in_parquet(table)]
    if lacking := [table.key for table in chosen if names and table not in found]:
        raise SettingsError(f"{lacking[0]} is no table of rows, so there is nothing of it to export.")
    return found


def files_of(lake: Lake, tag: Tag, table: Table) -> Iterator[PinnedFile]:
    """The files that the rows of a table are in, as a tag has it, in the order in which a project reads them.

    Raises: DamagedError for one that does not hold what was written to it.
    """
    tagged = TaggedLake(data_dir=lake.data_dir, tag=tag)
    state, contents = tagged.state(*table.place), Contents(root=lake.root, table="/".join(table.place))
    for name in _in_parquet(table):
        for day in state.days(name):
            part, path = state.manifest.days[day][name], state.locate(day, name)
            yield PinnedFile(day=day, file=name, part=part, path=path, content=contents.content(day, name, part))


def take_file(source: Path, target: Path, *, root: Path, written: Written) -> None:
    """The same file under another name, a link or a copy, whole or not at all.

    Raises: StoreError when the disk says no.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        written.take(source, temporary, root=root)
        temporary.replace(target)
    except OSError as error:
        raise explain_writing(error, target, root) from error


def write_file(target: Path, content: bytes, *, root: Path) -> None:
    """Write a file whole or not at all.

    Raises: StoreError when the disk says no.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        make_folder(root, target.parent)
        create_file(temporary)
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        raise explain_writing(error, target, root) from error


def _in_parquet(table: Table) -> list[str]:
    return [name for name in table.files if name.endswith(".parquet")]
