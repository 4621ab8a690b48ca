"""Small tables of facts under data/meta/, one Parquet file each, replaced whole."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import MissingError, StoreError
from mlpipe_assets.store.records import spell_reason

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
    with lake.writing("meta", table):
        stored = read_registry(lake, table, key)
        old = stored.to_dicts() if stored is not None else []
        merged = {tuple(row[name] for name in key): row for row in [*old, *rows]}
        if list(merged.values()) != old:
            content = pl.DataFrame(list(merged.values()), infer_schema_length=None).sort(*key)
            lake.commit(lake.stage(lake.root / keys.registry(table), content, {}))


def drop_columns(lake: Lake, table: str, names: Sequence[str]) -> None:
    """Take columns out of a registry that say what is kept elsewhere by now.

    Raises: LakeError when the registry cannot be read; it stays as it is.
    """
    with lake.writing("meta", table):
        stored = read_registry(lake, table, ())
        if stored is not None and set(names) & set(stored.columns):
            content = stored.drop(names, strict=False)
            lake.commit(lake.stage(lake.root / keys.registry(table), content, {}))


def read_registry(lake: Lake, table: str, needed: Sequence[str]) -> pl.DataFrame | None:
    """A registry; None when there is none yet.

    Raises: LakeError, with what to do, when it is not Parquet or lacks a needed column.
    """
    key, cure = keys.registry(table), _CURES.get(table, _CURE)
    where = lake.objects.locate(key)
    try:
        frame = pl.read_parquet(lake.objects.get(key).content, hive_partitioning=False)
    except MissingError:
        return None
    except (StoreError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise LakeError(f"{where} cannot be read: {spell_reason(error)}. {cure}") from error
    if lacking := [name for name in needed if name not in frame.columns]:
        raise LakeError(f"{where} cannot be read: it has no column {', '.join(lacking)}. {cure}")
    return frame
