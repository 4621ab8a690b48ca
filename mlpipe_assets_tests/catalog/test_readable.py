"""SQL that the engine of a process would read otherwise is refused when the catalog loads, with file and line."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.loading import catalog_of
from mlpipe_assets.catalog.validation.readable import expect_readable
from mlpipe_assets.errors import CatalogError, SettingsError
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.settings import read_settings
from mlpipe_assets_tests.nycflights.catalog import CATALOG as FLIGHTS

MEDIAN = """with middle as (
    select customer_id, median(amount) as label
    from orders
    group by customer_id
)
select f.customer_id, f.as_of, m.label from features as f inner join middle as m on f.customer_id = m.customer_id
"""


@pytest.mark.parametrize("catalog", [CATALOG, FLIGHTS])
@pytest.mark.parametrize("kind", ["duckdb", "spark"])
def test_every_text_of_ours_is_read_by_every_engine(catalog: object, kind: str) -> None:
    expect_readable(catalog, kind)  # type: ignore[arg-type]


def test_a_text_off_the_subset_is_refused_with_file_and_line_for_spark_alone(tmp_path: Path) -> None:
    (tmp_path / "median.sql").write_text(MEDIAN)
    catalog = object.__new__(type(CATALOG))  # what it promises is another test's
    catalog.__dict__.update({**CATALOG.__dict__, "sql_dir": tmp_path, "feature_views": ()})
    catalog.__dict__["models"] = (replace(CATALOG.models[0], sql="median.sql"),)

    expect_readable(catalog, "duckdb")
    with pytest.raises(
        CatalogError,
        match=r"median\.sql:2: model '\w+': not for MLPIPE_ENGINE=spark: median\(\) may not be exact there: write percentile_cont",
    ):
        expect_readable(catalog, "spark")


def test_whoever_loads_a_catalog_asks_for_the_engine_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for module in ("mlpipe_assets.catalog.loading", "mlpipe_assets.pipeline"):
        monkeypatch.setattr(f"{module}.expect_readable", lambda _, kind: asked.append(kind))
    settings = replace(read_settings(), engine="spark")

    catalog_of(settings)
    with pytest.raises(SettingsError, match="MLPIPE_EXECUTOR names"):
        build_definitions(CATALOG, settings)

    assert asked == ["spark", "spark"]
