"""Leaks planted through the real builders: each is caught by a named check, and yesterday's partition stays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.validation import catalog as validation
from mlpipe_assets.engines import duckdb_connection
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import CatalogError, SqlError
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.proof import different
from mlpipe_assets.stages.features.asset import build_features, feature_asset
from mlpipe_assets.stages.processed.asset import training_asset
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build_training_set, file_digests
from mlpipe_assets_tests.lake_copies import copy_lake
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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Orders and customers, as clean tables."""
    root = tmp_path_factory.mktemp("shop")
    return planted_lake(root / "data", planted_catalog(root / "sql"), ORDERS, SNAPSHOTS)


@pytest.fixture
def lake(shop: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copy_lake(shop, tmp_path / "data")


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
def test_a_feature_that_knows_the_future_is_not_written(leak: str, shop_of_yesterday: Lake, tmp_path: Path) -> None:
    lake = copy_lake(shop_of_yesterday, tmp_path / "data")
    before = file_digests(lake.root, "features/spend")
    catalog = planted_catalog(tmp_path / "leaky", spend_sql=LEAKS[leak])

    result = materialize(feature_asset(catalog, spend), lake, day(10), day(18))

    assert not result.success
    assert "features_ignore_the_future" in failed_checks(result)
    assert file_digests(lake.root, "features/spend") == before
    assert [e for e in result.all_events if e.is_step_materialization] == []


ON_SOME_DAYS = {
    "on Wednesdays": "dayofweek(d.day) = 3",
    "on one day of the month": "extract(day from d.day) = 17",
    "on the first day of the run": "d.day = $start",
}


@pytest.mark.parametrize("when", ON_SOME_DAYS)
def test_a_leak_on_some_days_only_is_found(when: str, lake: Lake, tmp_path: Path) -> None:
    leak = f"o.date > d.day - 3 and o.date <= d.day + case when {ON_SOME_DAYS[when]} then 2 else 0 end"
    catalog = planted_catalog(
        tmp_path / "leaky", spend_sql=edited(SPEND_SQL, "o.date > d.day - 3 and o.date <= d.day", leak)
    )

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(6), day(18)))

    assert "spend.sql knows the future" in str(proof.description)
    assert {str(o.refused)[:26] for o in outcomes} == {"spend.sql knows the future"}


LEAKS_OF_ONE_DAY = {
    "the end of the range instead of the day": LEAKS["the end of the range instead of the day"],
    "a window to the wrong side": LEAKS["a window to the wrong side"],
    "how far the end of the run is": edited(SPEND_SQL, "count(*)", "count(*) + max($end - d.day)"),
}


@pytest.mark.parametrize("leak", LEAKS_OF_ONE_DAY)
def test_a_single_day_at_the_end_of_all_rows_shows_a_leak_too(leak: str, lake: Lake, tmp_path: Path) -> None:
    leaky = planted_catalog(tmp_path / "leaky", spend_sql=LEAKS_OF_ONE_DAY[leak])

    outcomes, proof = build_features(lake, DuckDBEngine(), leaky, spend, [day(20)])

    assert not proof.passed
    assert "It would leak" in str(outcomes[0].refused)
    assert lake.days("features", "spend") == []


def test_what_a_lookback_hides_is_called_that(lake: Lake, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "leaky", spend_sql=LEAKS["a window longer than the lookback"])

    _, proof = build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(10), day(18)))

    said = "spend.sql reads further back than the lookback of 3 days of spend. Declare a longer lookback, or bound"
    assert str(proof.description).startswith(said)


CHANCE = {
    "first() without an order": "first(o.amount)",
    "a tie of mode()": "mode(o.amount)",
    "a tie of arg_max()": "arg_max(o.amount, o.date)",
    "the first of a list": "list(o.amount)[1]",
}


@pytest.mark.parametrize(("chance", "days"), [*((one, 1) for one in CHANCE), ("a tie of mode()", 4)])
def test_a_value_that_depends_on_the_order_of_rows_is_refused(
    chance: str, days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = edited(SPEND_SQL, "max(k.age)", f"coalesce(max(k.age), 0) + {CHANCE[chance]}")
    catalog = planted_catalog(tmp_path / "leaky", spend_sql=sql)
    many = [f"c{n:02}" for n in range(40)]  # of a few, each tie may fall the same way twice
    rows = [
        (f"{who}{n}{i}", who, day(n), f"{n * 10 + i}.00", "web") for n in range(1, 10) for who in many for i in (1, 2)
    ]
    lake = planted_lake(tmp_path / "data", catalog, rows, SNAPSHOTS)

    # Two threads break ties as they come: once in a while all of them as the opposite order does.
    monkeypatch.setitem(duckdb_connection.ALONE, "threads", 1)

    _, proof = build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(10 - days), day(9)))

    assert "depends on the order of rows" in str(proof.description)


HONEST = {
    "an order without ties": "max(k.age) + first(o.amount order by o.order_ts, o.order_id)",
    "a sum of floats": "sum(cast(o.amount as double) * 0.1)",
    "a distinct count": "count(distinct o.channel)",
    "a day of the week": "max(dayofweek(d.day))",
    "ends of an interval": "max(date_diff('day', o.date, d.day))",
}


@pytest.mark.parametrize(
    ("honest", "days"), [*((one, 1) for one in HONEST), ("a distinct count", 6), ("a day of the week", 6)]
)
def test_an_honest_feature_is_written(honest: str, days: int, lake: Lake, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql", spend_sql=edited(SPEND_SQL, "max(k.age)", HONEST[honest]))

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(21 - days), day(20)))

    assert proof.passed, proof.description
    assert [o.refused for o in outcomes if o.refused] == []
    assert len(proof.metadata["days"]) == days  # every day is covered


RANKED = """
select customer_id, as_of, orders_3d, cast(percent_rank() over (partition by as_of order by orders_3d) * 100 as bigint) as age
from ({}) as own
order by as_of, customer_id
"""


@pytest.mark.parametrize("days", [1, 6])
def test_a_feature_over_the_whole_population_is_refused_as_that_and_not_as_a_leak(
    days: int, lake: Lake, tmp_path: Path
) -> None:
    catalog = planted_catalog(tmp_path / "sql", spend_sql=RANKED.format(SPEND_SQL))

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(21 - days), day(20)))

    assert str(proof.description).startswith(
        "spend.sql:2: PERCENT_RANK() over (...) is not partitioned by customer_id: it looks at other customer rows. "
        "A view is per entity"
    )
    assert all("scope=" in str(o.refused) and "leak" not in str(o.refused) for o in outcomes)


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


# Training sets


@pytest.fixture(scope="module")
def shop_of_yesterday(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same with honest features, and a training set as of the 19th."""
    root = tmp_path_factory.mktemp("yesterday")
    lake, honest = copy_lake(shop, root / "data"), planted_catalog(root / "sql")
    build_features(lake, DuckDBEngine(), honest, spend, days_between(day(1), day(20)))
    outcome, _ = build_training_set(lake, DuckDBEngine(), honest, honest.models[0], day(19))
    assert outcome.refused is None
    return lake


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


def refused_training(lake: Lake, catalog: Catalog) -> dict[str, str]:
    """The checks that failed in the run of a planted training set; nothing of the lake has changed."""
    before = file_digests(lake.root, "processed/returning")
    result = materialize(training_asset(catalog, catalog.models[0]), lake, day(20))
    assert not result.success
    assert before
    assert file_digests(lake.root, "processed/returning") == before
    return failed_checks(result)


@pytest.fixture
def yesterday(shop_of_yesterday: Lake, tmp_path: Path) -> Lake:
    """A copy of the lake with the training set of yesterday."""
    return copy_lake(shop_of_yesterday, tmp_path / "data")


def test_a_label_among_the_features_by_name_is_refused(tmp_path: Path) -> None:
    view: FeatureView = replace(spend, contract=Giveaway)
    with_label = edited(
        SPEND_SQL, "cast(max(k.age) as bigint) as age", "cast(max(k.age) as bigint) as age, count(*) > 1 as label"
    )
    only = edited(RETURNING_SQL, "f.*exclude (date), exists(", "f.*exclude (date, label), exists(")

    with pytest.raises(CatalogError, match="label 'label' is a column of spend already; give it a name of its own"):
        planted_catalog(tmp_path / "leaky", spend_sql=with_label, returning_sql=only, view=view)


def test_a_label_among_the_features_under_another_name_is_refused(yesterday: Lake, tmp_path: Path) -> None:
    twin = f"select *, cast(label as bigint) as came_back from ({RETURNING_SQL}) as r order by as_of, customer_id"
    model: Model = replace(returning, contract=Twin)
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=twin, model=model)

    failed = refused_training(yesterday, catalog)

    assert failed["label_is_no_feature"] == "came_back holds the label"


@pytest.mark.parametrize("embargo", [pytest.param(0, marks=pytest.mark.long), 1])
def test_an_embargo_shorter_than_the_horizon_is_refused_by_the_days_themselves(
    embargo: int, yesterday: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "problems_of", lambda _: [])  # the catalog would say it first
    model: Model = replace(returning, embargo=timedelta(days=embargo))
    catalog = planted_catalog(tmp_path / "leaky", model=model)

    failed = refused_training(yesterday, catalog)

    assert f"the embargo of {embargo} days is shorter than the horizon of 2" in failed["labels_do_not_cross_splits"]


WRONG_LABELS = {
    "beyond the horizon": ("o.date <= f.date + $horizon", "o.date <= f.date + $horizon + 3"),
    "from the day of the features on": ("o.date > f.date", "o.date >= f.date"),
    "at the whole future": (" and o.date <= f.date + $horizon", ""),
}


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(one, marks=[pytest.mark.long] if one == "at the whole future" else []) for one in WRONG_LABELS],
)
def test_a_label_that_looks_outside_its_window_is_refused(wrong: str, yesterday: Lake, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=edited(RETURNING_SQL, *WRONG_LABELS[wrong]))

    failed = refused_training(yesterday, catalog)

    assert "labels_look_at_their_window" in failed


@pytest.mark.long
def test_features_changed_behind_the_feature_store_are_refused(yesterday: Lake, tmp_path: Path) -> None:
    ahead = edited(RETURNING_SQL, "f.*exclude (date)", "f.* exclude (date) replace (orders_3d + 1 as orders_3d)")
    catalog = planted_catalog(tmp_path / "leaky", returning_sql=ahead)

    failed = refused_training(yesterday, catalog)

    assert "orders_3d" in failed["training_features_ignore_the_future"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Sixty customers who order on about every third day, and their spend."""
    orders = [
        (f"{who}-{n}", f"c{who:02}", day(n), f"{1 + (who * n) % 7}.00", "web")
        for n in range(1, 21)
        for who in range(60)
        if (who * 7 + n * n * 5 + who * n) % 11 < 4
    ]
    root = tmp_path_factory.mktemp("many")
    catalog = planted_catalog(root / "sql")
    lake = planted_lake(root / "data", catalog, orders)
    build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(1), day(20)))
    return lake


@pytest.fixture
def many_customers(many: Lake, tmp_path: Path) -> Lake:
    """A copy of them."""
    return copy_lake(many, tmp_path / "data")


class Told(Returning):
    """A training set with one more feature. Grain: customer_id, as_of."""

    told: pl.Float64 = pa.Field(nullable=True)

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


GIVEN_AWAY = {
    "how often the customer comes back": (
        "cast((select count(*) from orders as o where o.customer_id = f.customer_id and o.date > f.date "
        "and o.date <= f.date + $horizon) as double)"
    ),
    "null where the customer stays away": "case when label then 1.5 end",
    "a copy with one null": "case when customer_id = 'c07' and date = date '2026-01-05' then null when label then 1.0 else 0.0 end",
}


@pytest.mark.parametrize("told", GIVEN_AWAY)
def test_a_feature_that_tells_the_label_of_every_row_is_refused(
    told: str, many_customers: Lake, tmp_path: Path
) -> None:
    labelled = edited(RETURNING_SQL, "f.*exclude (date)", "f.*")
    sql = f"select * exclude (date), cast({GIVEN_AWAY[told]} as double) as told from ({labelled}) as f order by as_of, customer_id"
    catalog = planted_catalog(tmp_path / "sql", returning_sql=sql, model=replace(returning, contract=Told))

    outcome, checks = build_training_set(many_customers, DuckDBEngine(), catalog, catalog.models[0], day(20))

    (said,) = [str(c.description) for c in checks if c.check_name == "label_is_no_feature"]
    assert said.startswith(("told alone tells the label of every row", "told holds the label"))
    assert "label_is_no_feature" in str(outcome.refused)


def test_an_honest_training_set_of_many_customers_passes_every_check(many_customers: Lake, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")

    outcome, checks = build_training_set(many_customers, DuckDBEngine(), catalog, catalog.models[0], day(20))

    assert [(c.check_name, c.description) for c in checks if not c.passed] == []
    assert outcome.refused is None


def test_a_label_that_uses_part_of_its_horizon_is_reported_with_the_days_it_uses(
    many_customers: Lake, tmp_path: Path
) -> None:
    short = edited(RETURNING_SQL, "o.date <= f.date + $horizon", "o.date <= f.date + 3 and $horizon > 0")
    model: Model = replace(returning, horizon=timedelta(days=7), embargo=timedelta(days=7))
    catalog = planted_catalog(tmp_path / "sql", returning_sql=short, model=model)

    outcome, checks = build_training_set(many_customers, DuckDBEngine(), catalog, catalog.models[0], day(20))

    (warned,) = [c for c in checks if not c.passed and c.check_name == "label_needs_its_horizon"]
    assert str(warned.description).startswith("returning.sql looks at 3 of the 7 days of the horizon")
    assert outcome.refused is None  # a warning: the labels are right, only later than need be


def test_a_training_set_without_a_row_to_learn_from_is_refused(many_customers: Lake, tmp_path: Path) -> None:
    nothing = edited(RETURNING_SQL, "from features as f", "from features as f where f.orders_3d > 1000")
    catalog = planted_catalog(tmp_path / "sql", returning_sql=nothing)

    outcome, _ = build_training_set(many_customers, DuckDBEngine(), catalog, catalog.models[0], day(20))

    assert "train has no row, though it takes" in str(outcome.refused)
    assert many_customers.days("processed", "returning", "train.parquet") == []


def test_sql_that_fails_on_a_value_is_named_with_its_file_and_without_the_value(tmp_path: Path) -> None:
    catalog = planted_catalog(
        tmp_path / "sql", spend_sql=edited(SPEND_SQL, "max(k.age)", "max(cast(o.channel as int))")
    )
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3))

    with pytest.raises(SqlError, match=r"^spend\.sql: The SQL engine refused the query: Conversion Error") as raised:
        build_features(lake, DuckDBEngine(), catalog, spend, [day(3)])

    assert "web" not in str(raised.value)


# What the proof compares


class Compared(pa.DataFrameModel):
    """What is compared by hand below."""

    k: str
    x: float
    y: float
    z: pl.Int64
    salary: pl.Int64 = pa.Field(metadata={"personal": True})
    phone: pl.Int64


def test_sums_of_floats_may_differ_in_their_last_bits_and_nulls_may_not() -> None:
    stored = pl.DataFrame({"k": ["a", "b"], "x": [0.1 + 0.2, 1.0], "y": [1.0, 2.0]})
    alone = pl.DataFrame({"k": ["a", "b"], "x": [0.3, 1.0], "y": [1.0, None]})

    assert different(stored, alone, ["k"], Compared) == ["y: 1 of 2 differ (e.g. 2.0 against null)"]


def test_a_difference_quotes_no_personal_number_no_telephone_and_no_column_without_a_promise() -> None:
    stored = pl.DataFrame({"k": ["a"], "salary": [52_000], "phone": [491_701_234_567], "other": [1], "z": [3]})
    alone = pl.DataFrame({"k": ["a"], "salary": [53_000], "phone": [7], "other": [2], "z": [4]})

    assert different(stored, alone, ["k"], Compared) == [
        "salary: 1 of 1 differ",
        "phone: 1 of 1 differ",
        "other: 1 of 1 differ",
        "z: 1 of 1 differ (e.g. 3 against 4)",
    ]


def test_a_key_that_exists_only_by_the_future_is_a_difference() -> None:
    stored, alone = pl.DataFrame({"k": ["a", "b"]}), pl.DataFrame({"k": ["a"]})

    assert different(stored, alone, ["k"], Compared) == ["k: 2 rows against 1 recomputed, 1 in both"]
