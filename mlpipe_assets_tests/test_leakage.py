"""Leaks planted through the real builders: each is caught by a named check, and yesterday's partition stays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.versions import lint_sql
from mlpipe_assets.leakage import different, sample_days
from mlpipe_assets.partitions import days_between
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.stages.features import build_features, feature_asset
from mlpipe_assets.stages.processed import build_training_set, training_asset
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.planted import (
    RETURNING_SQL,
    SPEND_SQL,
    START,
    Customer,
    Returning,
    Spend,
    day,
    failed_checks,
    materialize,
    one_a_day,
    planted_catalog,
    planted_lake,
    returning,
    spend,
)

WHO = ("ann", "bob", "cyd")
ORDERS = [
    o
    for n in range(1, 21)
    for o in one_a_day(n, n, [w for i, w in enumerate(WHO) if (n * 7 + i * 3) % 4 < 2] or ["ann"])
]
SNAPSHOTS: Mapping[date, Sequence[Customer]] = {
    START: [(who, 30, "north", START) for who in WHO],
    day(13): [(who, 31, "north", START) for who in WHO],
}


def edited(sql: str, old: str, new: str) -> str:
    """SQL with one passage replaced, which must be there."""
    assert old in sql
    return sql.replace(old, new)


LEAKS = {
    "a window to the wrong side": edited(
        SPEND_SQL, "o.date > d.day - 3 and o.date <= d.day", "o.date > d.day - 3 and o.date < d.day + 3"
    ),
    "the end of the range instead of the day": edited(SPEND_SQL, "o.date <= d.day", "o.date <= $end"),
    "no lower bound": edited(SPEND_SQL, "o.date > d.day - 3 and o.date <= d.day", "o.date <= d.day"),
    "a window longer than the lookback": edited(SPEND_SQL, "d.day - 3", "d.day - 9"),
    "the newest snapshot": edited(
        SPEND_SQL, "k.date = d.customers_snapshot", "k.date = (select max(date) from customers)"
    ),
    "any snapshot": edited(SPEND_SQL, " and k.date = d.customers_snapshot", " and k.date >= d.customers_snapshot"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_feature_that_knows_the_future_is_not_written(leak: str, tmp_path: Path) -> None:
    honest = planted_catalog(tmp_path / "honest")
    lake = planted_lake(tmp_path / "data", honest, ORDERS, SNAPSHOTS)
    build_features(lake, Engine(), honest, spend, days_between(day(8), day(12)))
    before = file_digests(lake.root, "features/spend")
    catalog = planted_catalog(tmp_path / "leaky", spend_sql=LEAKS[leak])

    result = materialize(feature_asset(catalog, spend), lake, day(10), day(18))

    assert not result.success
    assert "features_ignore_the_future" in failed_checks(result)
    assert file_digests(lake.root, "features/spend") == before
    assert [e for e in result.all_events if e.is_step_materialization] == []


@pytest.mark.parametrize("leak", ["the end of the range instead of the day", "no lower bound", "the newest snapshot"])
def test_a_run_of_one_day_cannot_leak_because_no_later_file_is_handed_over(leak: str, tmp_path: Path) -> None:
    honest, leaky = planted_catalog(tmp_path / "honest"), planted_catalog(tmp_path / "leaky", spend_sql=LEAKS[leak])
    lake = planted_lake(tmp_path / "data", honest, ORDERS, SNAPSHOTS)
    build_features(lake, Engine(), honest, spend, [day(12)])
    expected = lake.read("features", "spend", day(12))

    _, proof = build_features(lake, Engine(), leaky, spend, [day(12)])

    assert lake.read("features", "spend", day(12)).equals(expected)
    assert proof.passed
    assert proof.description == "2026-01-12 was built alone: no file of a later day was read."


@pytest.mark.parametrize(
    "clock", ["current_date", "now()", "current_timestamp", "today()", "random()", "uuid()", "get_current_timestamp()"]
)
def test_sql_that_asks_the_clock_or_chance_is_refused(clock: str, tmp_path: Path) -> None:
    sql = edited(SPEND_SQL, "max(k.age)", f"max(case when cast({clock} as varchar) > '' then k.age end)")
    catalog = planted_catalog(tmp_path / "sql", spend_sql=sql)
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3))

    result = materialize(feature_asset(catalog, spend), lake, day(3))

    assert "time comes from the partition" in failed_checks(result)["features_ignore_the_future"]
    assert lake.days("features", "spend") == []


def test_a_word_of_one_engine_only_is_named() -> None:
    assert lint_sql("select unnest(x) as y from t", "a.sql", ["t"]) == [
        "a.sql: uses unnest, which not every engine reads alike"
    ]


@pytest.mark.parametrize(
    "table", ["'/data/interim/orders/date=2026-01-09/part.parquet'", "read_parquet('x')", "feats.spend", "payments"]
)
def test_a_table_that_was_not_handed_over_is_refused(table: str) -> None:
    (line,) = lint_sql(
        f"with own as (select 1 as a) select a from own union all select a from {table}", "a.sql", ["orders", "days"]
    )[:1]

    assert "is not among its inputs (orders, days)" in line


def test_a_comment_or_a_column_that_mentions_the_clock_is_no_offence() -> None:
    assert lint_sql("select renowned, today_count -- not now()\nfrom t", "a.sql", ["t"]) == []


# Training sets


def training_lake(tmp_path: Path, catalog: Catalog) -> Lake:
    lake = planted_lake(tmp_path / "data", catalog, ORDERS, SNAPSHOTS)
    build_features(lake, Engine(), catalog, catalog.feature_views[0], days_between(day(1), day(20)))
    return lake


def with_yesterday(tmp_path: Path, leaky: Catalog) -> tuple[Lake, dict[str, str]]:
    """A lake with features of the leaky catalog's view, and an honest training set as of the 19th."""
    honest = planted_catalog(tmp_path / "honest")
    lake = planted_lake(tmp_path / "data", honest, ORDERS, SNAPSHOTS)
    build_features(lake, Engine(), honest, spend, days_between(day(1), day(20)))
    outcome, _ = build_training_set(lake, Engine(), honest, honest.models[0], day(19))
    assert outcome.refused is None
    before = file_digests(lake.root, "processed/returning")
    if leaky.feature_views != honest.feature_views or leaky.read_sql("spend.sql") != SPEND_SQL:
        outcomes, _ = build_features(lake, Engine(), leaky, leaky.feature_views[0], days_between(day(1), day(20)))
        assert [o.refused for o in outcomes if o.refused] == []
    return lake, before


class Giveaway(Spend):
    """Spend with a column that is called like the label. Grain: customer_id."""

    label: bool

    class Config:
        strict = True


class Twin(Returning):
    """A training set with a feature that is the label under another name. Grain: customer_id, as_of."""

    came_back: pl.Int64

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


def refused_training(tmp_path: Path, catalog: Catalog) -> tuple[dg.ExecuteInProcessResult, dict[str, str]]:
    """The failed run of a planted training set; nothing of the lake has changed."""
    lake, before = with_yesterday(tmp_path, catalog)
    result = materialize(training_asset(catalog, catalog.models[0]), lake, day(20))
    assert not result.success
    assert file_digests(lake.root, "processed/returning") == before
    return result, failed_checks(result)


def test_a_label_among_the_features_by_name_is_refused(tmp_path: Path) -> None:
    view: FeatureView = replace(spend, contract=Giveaway)
    with_label = edited(
        SPEND_SQL, "cast(max(k.age) as bigint) as age", "cast(max(k.age) as bigint) as age, count(*) > 1 as label"
    )
    only = edited(RETURNING_SQL, "f.*exclude (date), exists(", "f.*exclude (date, label), exists(")
    catalog = planted_catalog(tmp_path / "leaky", spend_sql=with_label, returning_sql=only, view=view)

    _, failed = refused_training(tmp_path, catalog)

    assert failed["label_is_no_feature"] == "label is a column of spend"


def test_a_label_among_the_features_under_another_name_is_refused(tmp_path: Path) -> None:
    twin = f"select *, cast(label as bigint) as came_back from ({RETURNING_SQL}) as r order by as_of, customer_id"
    model: Model = replace(returning, contract=Twin)
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=twin, model=model)

    _, failed = refused_training(tmp_path, catalog)

    assert failed["label_is_no_feature"] == "came_back holds the label"


@pytest.mark.parametrize("embargo", [0, 1])
def test_an_embargo_shorter_than_the_horizon_is_refused(embargo: int, tmp_path: Path) -> None:
    model: Model = replace(returning, embargo=timedelta(days=embargo))
    catalog = planted_catalog(tmp_path / "leaky", model=model)

    _, failed = refused_training(tmp_path, catalog)

    assert f"the embargo of {embargo} days is shorter than the horizon of 2" in failed["labels_do_not_cross_splits"]


WRONG_LABELS = {
    "beyond the horizon": ("o.date <= f.date + $horizon", "o.date <= f.date + $horizon + 3"),
    "from the day of the features on": ("o.date > f.date", "o.date >= f.date"),
    "at the whole future": (" and o.date <= f.date + $horizon", ""),
}


@pytest.mark.parametrize("wrong", WRONG_LABELS)
def test_a_label_that_looks_outside_its_window_is_refused(wrong: str, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=edited(RETURNING_SQL, *WRONG_LABELS[wrong]))

    _, failed = refused_training(tmp_path, catalog)

    assert "labels_look_at_their_window" in failed


def test_features_changed_behind_the_feature_store_are_refused(tmp_path: Path) -> None:
    ahead = edited(RETURNING_SQL, "f.*exclude (date)", "f.* exclude (date) replace (orders_3d + 1 as orders_3d)")
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=ahead)

    _, failed = refused_training(tmp_path, catalog)

    assert "orders_3d" in failed["training_features_ignore_the_future"]


# What the proof compares


def test_the_days_sampled_are_the_ends_and_the_same_inner_ones_each_time() -> None:
    days = days_between(day(1), day(30))

    sampled = sample_days(days)

    assert sampled == sample_days(days)
    assert len(sampled) == 3
    assert (sampled[0], sampled[-1]) == (day(1), day(30))
    assert sample_days(days[:2]) == days[:2]


def test_sums_of_floats_may_differ_in_their_last_bits_and_nulls_may_not() -> None:
    stored = pl.DataFrame({"k": ["a", "b"], "x": [0.1 + 0.2, 1.0], "y": [1.0, 2.0]})
    alone = pl.DataFrame({"k": ["a", "b"], "x": [0.3, 1.0], "y": [1.0, None]})

    assert different(stored, alone, "k") == ["y: 1 of 2 differ (e.g. 2.0 against None)"]


def test_a_key_that_exists_only_by_the_future_is_a_difference() -> None:
    stored, alone = pl.DataFrame({"k": ["a", "b"]}), pl.DataFrame({"k": ["a"]})

    assert different(stored, alone, "k") == ["k: 2 rows against 1 recomputed, 1 in both"]
