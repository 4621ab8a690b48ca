"""The formats that a tag is exported in, and the one way they are written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag, read_tag
from mlpipe_assets.tagging.exports.dvc import export_dvc
from mlpipe_assets.tagging.exports.iceberg import export_iceberg
from mlpipe_assets.tagging.exports.pinned_files import Exported


class Export(Protocol):
    """Writes tables of a tag in one format."""

    def __call__(
        self, lake: Lake, catalog: Catalog, tag: Tag, out: Path, *, tables: Sequence[str], copy: bool, now: datetime
    ) -> list[Exported]:
        """Write them into a folder, and say what became of each."""
        ...


FORMATS: Mapping[str, Export] = {"iceberg": export_iceberg, "dvc": export_dvc}


def export_tag(
    lake: Lake, catalog: Catalog, name: str, kind: str, out: Path, *, tables: Sequence[str], copy: bool, now: datetime
) -> list[Exported]:
    """Write tables of a tag in one of the formats; see there.

    Raises: SettingsError where there is no such tag or table, and for a folder within the lake; else as the format.
    """
    root, where = lake.root.resolve(), out.resolve()
    if where.is_relative_to(root) or root.is_relative_to(where):
        raise SettingsError(f"{out} and the data folder {lake.root} lie in each other. Name another folder with --out.")
    return FORMATS[kind](lake, catalog, read_tag(lake.objects, name), out, tables=tables, copy=copy, now=now)
