"""The list of what needs a person: one entry for each cause, the same for alerts and for status."""

from datetime import UTC, datetime

import polars as pl

from mlpipe_assets.automation.freshness import freshness_of
from mlpipe_assets.automation.problems import late_tables, problems_now, skewed_features
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import clear, refuse
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, one_a_day

SKEWED = {
    "table": "predictions/repeat_purchase",
    "comparison": "skew",
    "method": "psi",
    "value": 0.91,
    "threshold": 0.1,
    "n_reference": 100,
    "n_current": 90,
    "note": "",
}


def measure(lake: Lake, number: int, verdicts: dict[str, str]) -> None:
    """A day of measurements of predictions: a verdict for each feature."""
    rows = [{**SKEWED, "date": day(number), "column": name, "verdict": v} for name, v in verdicts.items()]
    path = lake.path(DRIFT, "predictions.repeat_purchase", day(number))
    lake.commit(lake.stage(path, pl.DataFrame(rows, schema=SCHEMA), {"inputs": "a"}))


def test_skewed_features_of_the_newest_day_are_one_problem_of_their_predictions(lake: Lake) -> None:
    measure(lake, 5, {"age": "drift"})
    assert [p.how_many for p in skewed_features(lake, CATALOG)] == ["1 feature: age"]

    measure(lake, 6, {"age": "none", "orders_7d": "drift", "orders_30d": "drift"})
    [problem] = skewed_features(lake, CATALOG)
    assert (problem.where, problem.how_many) == ("predictions/repeat_purchase", "2 features: orders_7d, orders_30d")

    measure(lake, 7, {"age": "possible"})
    assert skewed_features(lake, CATALOG) == []


def test_a_table_late_because_its_day_was_refused_is_reported_as_refused_alone(lake: Lake, catalog: Catalog) -> None:
    drop_orders(lake, "orders.csv", one_a_day(1, 3))
    bring_in(lake, catalog)
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)  # the third was due at six
    lake.path("interim", "orders", day(3)).unlink()
    assert [p.where for p in late_tables(lake, catalog, freshness_of(lake, catalog, now))] == ["interim/orders"]
    refuse(lake, "interim", "orders", day(3), problem="30 of 30 rows refused", inputs="x")

    found = problems_now(lake, catalog, now)

    assert "interim/orders" not in [p.where for p in found.get("freshness", [])]
    assert [(p.where, p.what, p.how_many) for p in found["checks"]] == [
        ("interim/orders", "refused", "1 day: 2026-01-03")
    ]
    assert found["checks"][0].example == "[2026-01-03] 30 of 30 rows refused"


def test_features_that_stop_at_a_refused_day_of_their_source_are_not_reported_late_as_well(
    lake: Lake, catalog: Catalog
) -> None:
    drop_orders(lake, "orders.csv", one_a_day(1, 3))
    bring_in(lake, catalog)
    lake.commit(lake.stage(lake.path("features", "spend", day(1)), pl.DataFrame({"spend": [1.0]}), {}))
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert [p.where for p in late_tables(lake, catalog, freshness_of(lake, catalog, now))] == ["features/spend"]

    refuse(lake, "interim", "orders", day(2), problem="30 of 30 rows refused", inputs="x")
    assert late_tables(lake, catalog, freshness_of(lake, catalog, now)) == []

    clear(lake, "interim", "orders", day(2))
    refuse(lake, "interim", "orders", day(1), problem="30 of 30 rows refused", inputs="x")  # not what stops them
    assert [p.where for p in late_tables(lake, catalog, freshness_of(lake, catalog, now))] == ["features/spend"]
