"""A model of moments: each order, as of its own time, with what was known by then, and whether another followed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.asked import RetrievalError, parse_features
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Monitor
from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.explain.explaining import explain
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.project import Project
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.planted import (
    ANN,
    SPEND_SQL,
    START,
    UtcTime,
    _drop,
    bring_in,
    day,
    drop_customers,
    spend,
    write_sql,
)

Placed = tuple[str, int, str]  # who, day, time of day

SPINE = """
-- Each order, and the how manieth of its customer it is on its day.
select
    customer_id,
    order_ts as as_of,
    count(*) over (
        partition by customer_id, date
        order by order_ts
        range between unbounded preceding and current row
    ) as place
from orders
where date >= $start and date <= $end
order by as_of, customer_id
"""
KNOWS_THE_DAY = SPINE.replace("""
        order by order_ts
        range between unbounded preceding and current row
""", "")  # fmt: skip
LABEL = """
select f.* exclude (date), exists(
    select 1 from orders as o
    where o.customer_id = f.customer_id and o.order_ts > f.as_of and o.order_ts < f.as_of + $horizon * interval '1' day
) as label
from features as f
order by f.as_of, f.customer_id
"""


class Followed(pa.DataFrameModel):
    """Orders with whether another followed. Grain: customer_id, as_of. Null for who was not described the day before."""

    customer_id: str
    as_of: UtcTime
    place: pl.Int64
    orders_3d: pl.Int64 = pa.Field(nullable=True)
    age: pl.Int64 = pa.Field(nullable=True)
    label: bool = pa.Field(metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


def catalog_of(folder: Path, *, spine: str = SPINE, label: str = LABEL) -> Catalog:
    write_sql(folder, spend=SPEND_SQL, moments=spine, followed=label)
    followed = Model(
        name="followed",
        features=("spend:*",),
        spine="moments.sql",
        spine_at="any_time",
        inputs=("orders",),
        sql="followed.sql",
        contract=Followed,
        horizon=timedelta(days=2),
        embargo=timedelta(days=2),
        every=timedelta(days=1),
    )
    return Catalog(sources=(orders, customers), feature_views=(spend,), models=(followed,), sql_dir=folder)


def lake_of(folder: Path, catalog: Catalog, placed: Iterable[Placed]) -> Lake:
    lake = Lake(data_dir=f"{folder}")
    write_orders(lake, placed)
    bring_in(lake, catalog)
    return lake


def write_orders(lake: Lake, placed: Iterable[Placed], name: str = "orders_2026-06-30.csv") -> None:
    lines = ["order_id,customer_id,order_ts,amount,quantity,product_id,channel,region"]
    lines += [f"{who}-{on}-{at},{who},{day(on)}T{at},1.00,1,P00001,web,north" for who, on, at in placed]
    _drop(lake, "orders", name, lines)
    drop_customers(lake, f"customers_{START}.csv", ANN)


def view_of(catalog: Catalog) -> FeatureView:
    return catalog.model("followed").view


def describe(lake: Lake, catalog: Catalog, first: int, last: int) -> tuple[list[Outcome], CheckResult]:
    days = days_between(day(first), day(last))
    build_features(lake, DuckDBEngine(), catalog, spend, days)
    return build_features(lake, DuckDBEngine(), catalog, view_of(catalog), days)


def rows_of(lake: Lake, on: int) -> list[tuple[object, ...]]:
    rows = lake.read("features", "followed_features", day(on))
    return rows.select("customer_id", pl.col("as_of").dt.strftime("%d %H:%M:%S"), "place", "orders_3d").rows()


def daily(who: str, *times: str, days: Sequence[int] = range(1, 15)) -> list[Placed]:
    return [(who, on, at) for on in days for at in times]


def test_a_moment_takes_features_of_the_day_before(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    placed = [
        ("ann", 1, "08:00:00"),
        ("ann", 2, "09:00:00"),
        ("ann", 2, "17:00:00"),
        ("bob", 2, "10:00:00"),
        ("ann", 3, "00:00:00"),
    ]
    lake = lake_of(tmp_path / "data", catalog, placed)

    outcomes, proof = describe(lake, catalog, 1, 3)

    assert [o.refused for o in outcomes] == [None, None, None]
    assert proof.passed, proof
    assert rows_of(lake, 1) == [("ann", "01 08:00:00", 1, None)]
    assert rows_of(lake, 2) == [
        ("ann", "02 09:00:00", 1, 1),
        ("ann", "02 17:00:00", 2, 1),
        ("bob", "02 10:00:00", 1, None),
    ]
    assert rows_of(lake, 3) == [("ann", "03 00:00:00", 1, 3)]  # the first moment of the 3rd knows all of the 2nd


def test_a_spine_that_counts_what_comes_later_on_its_day_is_caught(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql", spine=KNOWS_THE_DAY)
    lake = lake_of(tmp_path / "data", catalog, daily("ann", "09:00:00", "17:00:00", days=range(1, 4)))

    outcomes, proof = describe(lake, catalog, 1, 3)

    assert not proof.passed
    assert "moments.sql knows the future" in proof.description
    assert [bool(o.refused) for o in outcomes] == [True, True, True]


def test_two_orders_of_one_moment_are_refused_by_the_contract_of_the_spine(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    lake = lake_of(tmp_path / "data", catalog, [("ann", 1, "09:00:00"), ("ann", 1, "09:00:00.000")])

    [outcome], _ = describe(lake, catalog, 1, 1)

    assert outcome.refused == "breaks its contract"
    assert "customer_id, as_of" in "".join(outcome.breaches)


def train(lake: Lake, catalog: Catalog, as_of: int) -> tuple[Outcome, dict[str, CheckResult]]:
    outcome, checks = build_training_set(lake, DuckDBEngine(), catalog, catalog.model("followed"), day(as_of))
    return outcome, {check.check_name: check for check in checks}


def test_a_label_looks_at_the_time_after_the_moment_up_to_the_horizon(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    placed = [
        *daily("ann", "09:00:00"),
        *[("bob", 2, "10:00:00"), ("bob", 4, "10:00:00")],  # two days later to the second: outside
        *[("cid", 2, "10:00:00"), ("cid", 4, "09:59:59")],
        *[("dan", 2, "10:00:00"), ("dan", 2, "10:00:01")],
    ]
    lake = lake_of(tmp_path / "data", catalog, placed)
    describe(lake, catalog, 1, 14)

    outcome, checks = train(lake, catalog, 14)

    assert outcome.written, (outcome, checks)
    assert [name for name, check in checks.items() if not check.passed and not check.warns] == []
    rows = pl.concat(
        lake.read("processed", "followed", day(14), file=keys.split(name)) for name in ("train", "validation", "test")
    )
    told = rows.filter(pl.col("as_of").dt.date() == day(2)).select(
        "customer_id", pl.col("as_of").dt.strftime("%H:%M:%S"), "label"
    )
    assert sorted(told.rows()) == [
        ("ann", "09:00:00", True),
        ("bob", "10:00:00", False),
        ("cid", "10:00:00", True),
        ("dan", "10:00:00", True),
        ("dan", "10:00:01", False),
    ]


def test_splits_of_moments_lie_a_day_further_apart(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    lake = lake_of(tmp_path / "data", catalog, daily("ann", "09:00:00"))
    describe(lake, catalog, 1, 14)

    train(lake, catalog, 14)

    ends = [
        lake.read("processed", "followed", day(14), file=keys.split(name))["as_of"].dt.date().unique().sort().to_list()
        for name in ("train", "validation", "test")
    ]
    assert ends[1][0] - ends[0][-1] == timedelta(days=3)
    assert ends[2][0] - ends[1][-1] == timedelta(days=3)
    assert ends[2][-1] == day(12)  # its label is over by the end of the 14th


def test_a_label_that_reads_no_time_is_held_to_its_days(tmp_path: Path) -> None:
    by_day = LABEL.replace("o.order_ts > f.as_of and ", "o.date > f.date and ")
    by_day = by_day.replace("o.order_ts < f.as_of + $horizon * interval '1' day", "o.date < f.date + $horizon")
    catalog = catalog_of(tmp_path / "sql", label=by_day)
    lake = lake_of(tmp_path / "data", catalog, daily("ann", "09:00:00"))
    describe(lake, catalog, 1, 14)

    outcome, checks = train(lake, catalog, 14)

    assert "order_ts" not in by_day
    assert outcome.written, checks
    assert checks["labels_look_at_their_window"].passed


def test_a_spine_that_reads_no_time_has_no_moments(tmp_path: Path) -> None:
    days = "select customer_id, cast(date + 1 as timestamp) as as_of, count(*) as place from orders "
    days += "where date >= $start and date <= $end group by customer_id, date order by as_of, customer_id"
    catalog = catalog_of(tmp_path / "sql", spine=days)
    lake = lake_of(tmp_path / "data", catalog, daily("ann", "09:00:00", days=(1, 2, 3)))

    outcomes, proof = describe(lake, catalog, 1, 3)

    told = "moments.sql gives rows of 2026-01-04, and was asked for 2026-01-01 to 2026-01-03: as_of must be the time of the row"
    assert [o.refused for o in outcomes] == [told] * 3
    assert not proof.passed


@pytest.mark.long
@pytest.mark.parametrize(
    ("wrong", "blames"),
    [
        ("o.order_ts > f.as_of", "o.order_ts >= f.as_of"),
        ("o.order_ts < f.as_of + $horizon * interval '1' day", "o.order_ts <= f.as_of + $horizon * interval '1' day"),
        ("o.order_ts < f.as_of + $horizon * interval '1' day", "o.date <= f.date + $horizon + 1"),
    ],
)
def test_a_label_that_looks_outside_its_time_is_caught(tmp_path: Path, wrong: str, blames: str) -> None:
    catalog = catalog_of(tmp_path / "sql", label=LABEL.replace(wrong, blames))
    alone = [(f"once{on}{n}", on, "10:00:00") for on in range(1, 13) for n in range(2)]
    lake = lake_of(tmp_path / "data", catalog, [*daily("ann", "09:00:00"), *alone])
    describe(lake, catalog, 1, 14)

    outcome, checks = train(lake, catalog, 14)

    assert outcome.refused, wrong
    assert not checks["labels_look_at_their_window"].passed


@pytest.mark.long
def test_a_set_that_carries_rows_over_is_the_set_made_from_nothing(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    placed = [*daily("ann", "09:00:00", "17:00:00"), *daily("bob", "10:00:00", days=(2, 5, 9))]
    carried = lake_of(tmp_path / "carried", catalog, placed)
    anew = lake_of(tmp_path / "anew", catalog, placed)
    for lake in (carried, anew):
        describe(lake, catalog, 1, 14)
    for as_of in (11, 12, 13, 14):
        assert train(carried, catalog, as_of)[0].written
    assert train(anew, catalog, 14)[0].written

    for name in ("train", "validation", "test"):
        files = [lake.state("processed", "followed").digest(day(14), keys.split(name)) for lake in (carried, anew)]
        assert files[0] == files[1], name


TIMES = st.sampled_from(["00:00:00", "00:00:01", "09:00:00", "23:59:59"])
PLACED = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.integers(1, 5), TIMES), min_size=1, max_size=12, unique=True
)


@pytest.mark.long
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(placed=PLACED)
def test_features_of_moments_are_what_retrieval_finds_at_these_times(
    placed: list[Placed], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("moments")
    catalog = catalog_of(folder / "sql")
    first = min(on for _, on, _ in placed)
    lake = lake_of(folder / "data", catalog, placed)
    describe(lake, catalog, first, 5)
    built = [lake.read("features", "followed_features", on) for on in lake.days("features", "followed_features")]
    rows = pl.concat(built).sort("customer_id", "as_of")

    spine = rows.select("customer_id", event_timestamp="as_of")
    found = Retrieval(lake, catalog, ["spend:orders_3d"], spine, Wording()).frame()

    described = {on: {*lake.read("features", "spend", on)["customer_id"]} for on in lake.days("features", "spend")}
    for who, at, ours, theirs in zip(
        rows["customer_id"], rows["as_of"], rows["orders_3d"], found["orders_3d"], strict=True
    ):
        newest = at.date() - timedelta(days=1)
        assert ours == (theirs if who in described.get(newest, set()) else None), (who, at)


def test_nobody_joins_moments_to_rows_of_their_own(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")

    with pytest.raises(RetrievalError, match="followed_features has rows of moments"):
        parse_features(catalog, ["followed_features:place"])


def test_an_online_snapshot_leaves_moments_out(tmp_path: Path) -> None:
    from mlpipe_assets.serving.snapshots.selection import plan_snapshot

    catalog = catalog_of(tmp_path / "sql")
    lake = lake_of(tmp_path / "data", catalog, daily("ann", "09:00:00", days=(1, 2)))
    describe(lake, catalog, 1, 2)

    assert [view.view.name for view in plan_snapshot(lake, catalog, datetime.now(tz=UTC)).views] == ["spend"]
    assert date(2026, 1, 2) in lake.days("features", "followed_features")


class FollowedPredictions(pa.DataFrameModel):
    """What the champion says of each order. Grain: customer_id, as_of."""

    customer_id: str
    as_of: UtcTime
    model_version: str
    feature_version: str
    probability: float = pa.Field(in_range={"min_value": 0, "max_value": 1})
    decision: bool

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


@pytest.mark.long
def test_orders_are_learnt_from_predicted_one_by_one_and_held_to_what_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt = replace(
        catalog_of(tmp_path / "sql").models[0],
        learner=Learner(numeric=("place", "orders_3d"), algorithm="logistic_regression", missing="median"),
        predictions=FollowedPredictions,
        promotion=Promotion(min_roc_auc=0.5),
    )
    watched = Monitor(table="predictions/followed", window=timedelta(days=3), baseline=timedelta(days=3))
    catalog = replace(catalog_of(tmp_path / "sql"), models=(learnt,), monitors=(watched,))
    drawn = random.Random(7)
    steady, rare = [f"steady{n}" for n in range(20)], [f"rare{n}" for n in range(20)]
    placed = [
        (who, on, f"{drawn.randrange(24):02}:{drawn.randrange(60):02}:{n:02}")
        for on in range(1, 31)
        for n in range(2)
        for who in steady
    ]
    placed += [(who, drawn.randrange(1, 31), "12:00:00") for who in rare for _ in range(4)]
    lake = Lake(data_dir=f"{tmp_path / 'data'}")
    write_orders(lake, [one for one in {*placed} if one[1] <= 24])
    Project(lake.root, catalog=catalog).run()

    predicted = Project(lake.root, catalog=catalog).read("predictions/followed", day(24))
    features = lake.read("features", "followed_features", day(24))
    assert (
        predicted.select("customer_id", "as_of").rows()
        == features.sort("customer_id", "as_of").select("customer_id", "as_of").rows()
    )
    assert predicted["as_of"].dt.date().unique().to_list() == [day(24)]

    write_orders(lake, [one for one in {*placed} if one[1] > 24], "orders_2026-07-01.csv")
    Project(lake.root, catalog=catalog).run()

    realised = lake.read(keys.REALISED, "followed", day(24))
    later = [(who, on, at) for who, on, at in {*placed}]
    for who, at, label in realised.select("customer_id", "as_of", "label").rows():
        times = [
            datetime.combine(day(on), time.fromisoformat(clock), tzinfo=UTC) for one, on, clock in later if one == who
        ]
        assert bool(label) == any(at < moment < at + timedelta(days=2) for moment in times), (who, at)
    assert realised.height == predicted.height
    who, last = predicted.filter(pl.col("customer_id") == "steady1").select("customer_id", "as_of").rows()[-1]
    found = explain(lake, catalog, catalog.model("followed"), [who], day(24))
    assert found.prediction["as_of"] == last
    assert len(found.moments) == 2
    first = explain(lake, catalog, catalog.model("followed"), [who], day(24), at=found.moments[0].time())
    assert first.features["place"] == 1
    assert {row["date"] for row in first.rows["interim/customers"]} <= {f"{START}"}
    assert all(
        row["order_ts"] <= found.moments[0] for row in first.rows["interim/orders"] if row["date"] == f"{day(24)}"
    )
