"""Registries: replaced whole, and never over one that cannot be read."""

import polars as pl
import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import register

ROW: dict[str, object] = {"view": "spend", "version": "1", "lookback_days": 3}


@pytest.mark.parametrize(
    ("table", "key", "cure"),
    [
        ("feature_registry", "view", "delete it and run again: a table's row is written again"),
        ("model_registry", "model", "restore it from a copy. Without one, delete it and materialize"),
    ],
)
def test_a_registry_cut_short_is_named_with_what_brings_it_back(lake: Lake, table: str, key: str, cure: str) -> None:
    row = {**ROW, key: "spend"}
    register(lake, table, [row], key=(key, "version"))
    path = lake.root / "meta" / f"{table}.parquet"
    half = path.read_bytes()[:-20]
    path.write_bytes(half)

    with pytest.raises(LakeError, match=rf"{table}\.parquet cannot be read: .+\. .*{cure}"):
        register(lake, table, [row], key=(key, "version"))

    assert path.read_bytes() == half
    path.unlink()
    register(lake, table, [row], key=(key, "version"))
    assert pl.read_parquet(path).to_dicts() == [row]


def test_a_table_of_other_columns_is_no_registry(lake: Lake) -> None:
    path = lake.root / "meta" / "feature_registry.parquet"
    lake.commit(lake.stage(path, pl.DataFrame({"view": ["spend"]}), {}))

    with pytest.raises(LakeError, match=r"feature_registry\.parquet cannot be read: it has no column version\. "):
        register(lake, "feature_registry", [ROW])
