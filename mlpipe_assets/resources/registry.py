"""Small tables of facts under data/meta/, one Parquet file each, replaced whole."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.resources.documents import read_table
from mlpipe_assets.resources.lake import Lake

_CURES = {
    "model_registry": "It knows every version of every model: restore it from a copy. Without one, delete it and materialize the "
    "models again."
}
_CURE = (
    "Restore it from a copy, or delete it and run again: a table's row is written again when the table is next built; "
    "rows of older versions are not."
)


def register(
    lake: Lake, table: str, rows: Sequence[dict[str, object]], key: Sequence[str] = ("view", "version")
) -> None:
    """Add rows to a registry; those with the same key are replaced, and nothing is written when nothing is new.

    Tables of several stages share a registry: one run at a time reads and replaces it.

    Raises: LakeError when the registry cannot be read; it stays as it is.
    """
    path = lake.root / "meta" / f"{table}.parquet"
    with lake.writing("meta", table):
        stored = read_table(path, key, cure=_CURES.get(table, _CURE))
        old = stored.to_dicts() if stored is not None else []
        merged = {tuple(row[name] for name in key): row for row in [*old, *rows]}
        if list(merged.values()) != old:
            content = pl.DataFrame(list(merged.values()), infer_schema_length=None).sort(*key)
            lake.commit(lake.stage(path, content, {}))
