"""The benchmark of retrieval, small: ours and DuckDB's own as-of join find the same."""

from pathlib import Path

from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets_tests.benchmarks.feature_lakes import NARROW, lake_catalog, write_flat, write_lake, write_spine
from mlpipe_assets_tests.benchmarks.retrieval import bare_join


def test_a_lake_is_joined_as_duckdb_joins_one_sorted_file(tmp_path: Path) -> None:
    catalog = lake_catalog(tmp_path / "sql", 1, NARROW)
    lake = write_lake(tmp_path / "lake", catalog, 300, 12)
    write_spine(tmp_path / "spine.parquet", 2_000, 320, 12)
    write_flat(tmp_path / "flat.parquet", lake, "view_0")

    found = Retrieval(lake, catalog, ["view_0:*"], tmp_path / "spine.parquet", Wording()).frame()

    expected = bare_join(f"{tmp_path}/flat.parquet", f"{tmp_path}/spine.parquet")
    assert found.rename({"view_0__as_of": "as_of"}).select(expected.columns).equals(expected)
    assert 0 < found["orders_7d"].null_count() < found.height
