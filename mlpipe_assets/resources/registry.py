"""Small tables of facts under data/meta/, one Parquet file each, replaced whole."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.resources.lake import Lake


def register(
    lake: Lake, table: str, rows: Sequence[dict[str, object]], key: Sequence[str] = ("view", "version")
) -> None:
    """Add rows to a registry; those with the same key are replaced, and nothing is written when nothing is new.

    Tables of several stages share a registry: one run at a time reads and replaces it.
    """
    path = lake.root / "meta" / f"{table}.parquet"
    with lake.writing("meta", table):
        old = pl.read_parquet(path.read_bytes(), hive_partitioning=False).to_dicts() if path.exists() else []
        merged = {tuple(row[name] for name in key): row for row in [*old, *rows]}
        if list(merged.values()) != old:
            content = pl.DataFrame(list(merged.values()), infer_schema_length=None).sort(*key)
            lake.commit(lake.stage(path, content, {}))
