"""customer_features against a brute-force oracle, and feature days whose window has a hole."""

import hashlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.view_sql.totals import held_schema
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.engines import duckdb_engine as engine_module
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Slice
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.gate import judge
from mlpipe_assets.partitions import days_between
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.rules import columns
from mlpipe_assets.stages.daily import DAILY
from mlpipe_assets.stages.features.asset import build_features, feature_asset
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.catalog.by_hand import BY_HAND
from mlpipe_assets_tests.frames import drop, orders_csv, refuse
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import (
    ANN,
    RETURNING_SQL,
    SPEND_SQL,
    Order,
    Spend,
    bring_in,
    day,
    drop_orders,
    failed_checks,
    materialize,
    one_a_day,
    planted_catalog,
    planted_lake,
    spend,
    written_days,
)

SQL = CATALOG.view_sql(customer_features)
SCHEMA = {column.name: column.dtype for column in columns(CustomerFeatures)}
CHANNELS = ("web", "app", "store", "partner", "telephone")  # one that no list of ours knows: it counts all the same
Placed = tuple[str, date, int, str]  # customer, day, cents, channel
Known = tuple[str, date, int | None, str, date]  # customer, snapshot, age, region, sign-up


def tables_of(placed: Sequence[Placed], known: Sequence[Known], start: date, end: date) -> dict[str, Slice]:
    """Frames as the engine sees the interim files, and the days of a range with the snapshot in force."""
    snapshots = sorted({row[1] for row in known})
    wanted = days_between(start, end)
    in_force = [max((s for s in snapshots if s <= d), default=None) for d in wanted]
    held = held_schema(CATALOG, customer_features)
    orders = [(who, on, Decimal(cents) / 100, channel) for who, on, cents, channel in placed]
    return {
        "held": pl.DataFrame(schema=held),
        "days": pl.DataFrame({"day": wanted, "customers_snapshot": pl.Series(in_force, dtype=pl.Date)}),
        "orders": pl.DataFrame(
            orders,
            schema={"customer_id": pl.String, "date": pl.Date, "amount": pl.Decimal(18, 2), "channel": pl.String},
            orient="row",
        ),
        "customers": pl.DataFrame(
            known,
            schema={
                "customer_id": pl.String,
                "date": pl.Date,
                "age": pl.Int64,
                "region": pl.String,
                "signup_date": pl.Date,
            },
            orient="row",
        ),
    }


def params_of(start: date, end: date) -> dict[str, date]:
    """What the SQL binds, without totals of a day before."""
    return {"start": start, "end": end, "held": start - timedelta(days=91), "keep": end}


def expected_row(who: str, on: date, placed: Sequence[Placed], known: Sequence[Known]) -> dict[str, Any] | None:
    """The features of a customer at the end of a day, the slow way; None when there is no row."""
    mine = [(o, cents, channel) for w, o, cents, channel in placed if w == who and o <= on]
    within = {n: [row for row in mine if (on - row[0]).days < n] for n in (7, 30, 90)}
    if not within[90]:
        return None
    snapshot = max((s for _, s, *_ in known if s <= on), default=None)
    me = next((row for row in known if row[0] == who and row[1] == snapshot), None)
    cents = {n: sum(row[1] for row in rows) for n, rows in within.items()}
    return {
        "customer_id": who,
        "as_of": datetime(on.year, on.month, on.day, tzinfo=UTC) + timedelta(days=1),
        "orders_7d": len(within[7]),
        "orders_30d": len(within[30]),
        "orders_90d": len(within[90]),
        "revenue_7d": cents[7] / 100,
        "revenue_30d": cents[30] / 100,
        "revenue_90d": cents[90] / 100,
        "avg_order_value_30d": cents[30] / 100 / len(within[30]) if within[30] else None,
        "days_since_last_order": min((on - o).days for o, *_ in mine),
        "distinct_channels_30d": len({channel for *_, channel in within[30]}),
        "tenure_days": (on - me[4]).days if me else None,
        "age": me[2] if me else None,
        "region": me[3] if me else None,
    }


def expected_frame(placed: Sequence[Placed], known: Sequence[Known], start: date, end: date) -> pl.DataFrame:
    customers = sorted({row[0] for row in placed})
    rows = [expected_row(who, on, placed, known) for on in days_between(start, end) for who in customers]
    return pl.DataFrame([row for row in rows if row], schema=SCHEMA)


def run_sql(placed: Sequence[Placed], known: Sequence[Known], start: date, end: date, sql: str = SQL) -> pl.DataFrame:
    frame = DuckDBEngine().select(sql, tables_of(placed, known, start, end), params_of(start, end))
    return frame.select(list(SCHEMA))


SNAPSHOT: list[Known] = [("ann", day(1), 41, "north", date(2025, 12, 2))]


@pytest.mark.parametrize(
    ("as_of", "gives"),
    [
        ("cast(d.day as timestamp)", "2025-12-31, and was asked for 2026-01-01 to 2026-01-02"),
        ("cast(d.day + 2 as timestamp)", "2026-01-03, and was asked for 2026-01-01 to 2026-01-02"),
        ("cast(if(d.day > $start, null, d.day + 1) as timestamp)", "null, and was asked for 2026-01-01 to 2026-01-02"),
    ],
)
def test_rows_of_days_that_nobody_asked_for_are_refused_and_not_left_out(
    tmp_path: Path, as_of: str, gives: str
) -> None:
    catalog = planted_catalog(tmp_path / "sql", spend_sql=SPEND_SQL.replace("cast(d.day + 1 as timestamp)", as_of))
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3))

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], [day(1), day(2)])

    told = f"spend.sql gives rows of {gives}: as_of must be the end of its day, cast(day + 1 as timestamp)"
    assert [o.refused for o in outcomes] == [told] * 2
    assert not proof.passed


def test_a_hand_checked_day_of_two_customers() -> None:
    placed: list[Placed] = [
        ("ann", day(40), 1000, "web"),
        ("ann", day(40), 250, "app"),
        ("ann", day(33), 99, "store"),  # seven days before the 40th: out of 7d, in 30d
        ("bob", day(10), 500, "web"),  # thirty days before the 40th: out of 30d, in 90d
    ]

    features = run_sql(placed, SNAPSHOT, day(40), day(40))

    as_of = datetime(2026, 2, 10, tzinfo=UTC)
    ann = ("ann", as_of, 2, 3, 3, 12.5, 13.49, 13.49, 13.49 / 3, 0, 3, 69, 41, "north")
    bob = ("bob", as_of, 0, 0, 1, 0.0, 0.0, 5.0, None, 30, 0, None, None, None)
    assert_frame_equal(features, pl.DataFrame([ann, bob], schema=SCHEMA, orient="row"))


@pytest.mark.parametrize(
    ("age", "in_7", "in_30", "in_90"),
    [(0, 1, 1, 1), (6, 1, 1, 1), (7, 0, 1, 1), (29, 0, 1, 1), (30, 0, 0, 1), (89, 0, 0, 1)],
)
@pytest.mark.parametrize("days_before", [0, 95])
def test_an_order_leaves_each_window_on_its_day(age: int, in_7: int, in_30: int, in_90: int, days_before: int) -> None:
    on = day(200)

    features = run_sql([("ann", on - timedelta(days=age), 100, "web")], [], on - timedelta(days=days_before), on)

    last = features.filter(pl.col("as_of").dt.date() == on + timedelta(days=1))
    assert last.select("orders_7d", "orders_30d", "orders_90d", "days_since_last_order").rows() == [
        (in_7, in_30, in_90, age)
    ]


@pytest.mark.parametrize("days_before", [0, 95])
def test_a_customer_whose_last_order_is_90_days_old_is_described_no_longer(days_before: int) -> None:
    on = day(200)

    features = run_sql([("ann", on - timedelta(days=90), 100, "web")], [], on - timedelta(days=days_before), on)

    assert features.filter(pl.col("as_of").dt.date() == on + timedelta(days=1)).is_empty()


def test_an_order_after_the_last_day_changes_nothing() -> None:
    past: list[Placed] = [("ann", day(100), 100, "web")]

    assert_frame_equal(
        run_sql([*past, ("ann", day(121), 999, "app"), ("eve", day(122), 1, "app")], SNAPSHOT, day(100), day(120)),
        run_sql(past, SNAPSHOT, day(100), day(120)),
    )


def test_windows_decay_on_days_without_orders() -> None:
    features = run_sql([("ann", day(1), 100, "web")], [], day(1), day(95))

    expected = [(int(n < 7), int(n < 30), 1, n) for n in range(90)]
    assert features.select("orders_7d", "orders_30d", "orders_90d", "days_since_last_order").rows() == expected


def test_no_orders_give_no_rows_of_the_right_columns() -> None:
    frame = DuckDBEngine().select(SQL, tables_of([], SNAPSHOT, day(1), day(3)), params_of(day(1), day(3)))

    assert judge(frame.select(list(SCHEMA)), CustomerFeatures).holds
    assert frame.is_empty()


def test_a_customer_missing_from_the_snapshot_in_force_has_no_attributes_of_an_older_one() -> None:
    known = [*SNAPSHOT, ("bob", day(5), 20, "south", day(1))]

    features = run_sql([("ann", day(3), 100, "web")], known, day(4), day(6))

    assert features["age"].to_list() == [41, None, None]
    assert features["tenure_days"].to_list() == [33, None, None]


cases = st.fixed_dictionaries(
    {
        "placed": st.lists(
            st.tuples(
                st.sampled_from(["ann", "bob", "cyd"]),
                st.integers(1, 230).map(day),
                st.integers(0, 10_000_000),
                st.sampled_from(CHANNELS),
            ),
            max_size=25,
        ),
        "known": st.dictionaries(
            st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.sampled_from([day(1), day(60), day(150), day(209)])),
            st.tuples(
                st.none() | st.integers(0, 130), st.sampled_from(["north", "islands"]), st.integers(-800, 210).map(day)
            ),
        ).map(lambda found: [(who, on, *rest) for (who, on), rest in found.items()]),
        "start": st.integers(90, 210),
        "length": st.sampled_from([1, 2, 5, 8, 35, 95]),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases)
def test_a_range_in_one_pass_equals_brute_force(case: Mapping[str, Any]) -> None:
    start, end = day(case["start"]), day(case["start"] + case["length"] - 1)

    features = run_sql(case["placed"], case["known"], start, end)

    assert_frame_equal(features, expected_frame(case["placed"], case["known"], start, end), rel_tol=1e-12)
    assert judge(features.filter(pl.col("as_of").dt.date() == end + timedelta(days=1)), CustomerFeatures).holds


@settings(max_examples=15, deadline=None)
@given(case=cases)
def test_the_written_sql_gives_the_values_that_sql_by_hand_gave(case: Mapping[str, Any]) -> None:
    start, end = day(case["start"]), day(case["start"] + case["length"] - 1)

    written = run_sql(case["placed"], case["known"], start, end)

    assert_frame_equal(written, run_sql(case["placed"], case["known"], start, end, CATALOG.view_sql(BY_HAND)))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases, rows_a_pass=st.sampled_from([1, 3, 1000]))
def test_buckets_of_customers_do_not_change_a_day(
    case: Mapping[str, Any], rows_a_pass: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_ROWS_A_PASS", rows_a_pass)
    start, end = day(case["start"]), day(case["start"] + min(case["length"], 8) - 1)
    tables = tables_of(case["placed"], case["known"], start, end)
    rows = min(len(case["placed"]), 12)

    with DuckDBEngine().select_by_day(
        SQL, tables, params_of(start, end), rows=rows, keys=["customer_id"], days=(end - start).days + 1
    ) as frames:
        for on in days_between(start, end):
            found = frames.day(on, ["customer_id"])
            expected = expected_frame(case["placed"], case["known"], on, on)
            assert_frame_equal(
                expected.clear() if found is None else found.select(list(SCHEMA)), expected, rel_tol=1e-12
            )


# Feature days of a lake


def spend_lake(tmp_path: Path, orders: Sequence[Order]) -> tuple[Any, Lake]:
    catalog = planted_catalog(tmp_path / "sql")
    return catalog, planted_lake(tmp_path / "data", catalog, orders)


def digests(lake: Lake, table: str) -> dict[date, str]:
    stage, name = table.split("/")
    return {d: hashlib.sha256(lake.path(stage, name, d).read_bytes()).hexdigest() for d in lake.days(stage, name)}


def test_a_range_writes_the_same_bytes_as_its_days_one_by_one(tmp_path: Path) -> None:
    orders = [o for n in range(1, 101) for o in one_a_day(n, n, ("ann", "bob", "cyd")[: 1 + n % 3])]
    ranged = planted_lake(tmp_path / "range", CATALOG, orders)
    daily = copy_lake(ranged, tmp_path / "daily")
    days = days_between(day(92), day(100))

    build_features(ranged, DuckDBEngine(), CATALOG, customer_features, days)
    for on in reversed(days):
        build_features(daily, DuckDBEngine(), CATALOG, customer_features, [on])

    assert digests(ranged, "features/customer_features") == digests(daily, "features/customer_features")
    assert sorted(digests(daily, "features/customer_features")) == days


def test_a_hole_in_the_window_refuses_the_day_and_names_the_hole(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 9))
    lake.path("interim", "orders", day(4)).unlink()

    result = materialize(feature_asset(catalog, spend), lake, day(3), day(8))

    assert not result.success
    assert written_days(result) == lake.days("features", "spend") == [day(3), day(7), day(8)]
    assert "2026-01-04 missing" in failed_checks(result)["contract_holds"]


def test_days_after_the_newest_rows_stay_missing_and_what_follows_runs_for_the_others(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 4))
    features = feature_asset(catalog, spend)
    followed: list[str] = []

    @dg.asset(deps=[features], partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
    def follower(context: dg.AssetExecutionContext) -> None:
        followed.extend(context.partition_keys)

    span = {"dagster/asset_partition_range_start": f"{day(3)}", "dagster/asset_partition_range_end": f"{day(6)}"}
    result = dg.materialize(
        [features, follower],
        tags=span,
        resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS},
    )

    assert result.success
    marked = [m.partition for m in result.asset_materializations_for_node("features__spend")]
    assert marked == [f"{day(3)}", f"{day(4)}"]
    assert followed == [f"{day(d)}" for d in (3, 4, 5, 6)]


def test_each_feature_names_the_columns_of_interim_that_it_comes_from(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 4))

    result = materialize(feature_asset(catalog, spend), lake, day(4))

    [made] = result.asset_materializations_for_node("features__spend")
    lineage = made.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    origins = {name: [dep.asset_key.to_user_string() for dep in deps] for name, deps in lineage.deps_by_column.items()}
    assert "customer_id" in origins
    assert {table for tables in origins.values() for table in tables} == {"interim/customers", "interim/orders"}


def test_a_hole_refuses_in_a_later_run_of_one_day_too(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 9))
    lake.path("interim", "orders", day(4)).unlink()

    result = materialize(feature_asset(catalog, spend), lake, day(6))

    assert not result.success
    assert lake.days("features", "spend") == []
    said = failed_checks(result)["contract_holds"]
    assert "[2026-01-06] its window over interim/orders has holes: 2026-01-04 missing" in said


def test_a_refused_day_is_a_hole_even_while_its_old_partition_stays(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 6))
    refuse(lake, "interim", "orders", day(4), problem="3 of 4 rows refused, 0 tolerated", inputs="x")

    outcomes, _ = build_features(lake, DuckDBEngine(), catalog, spend, [day(3), day(5)])

    refusals = {o.day: o.refused for o in outcomes}
    assert refusals == {day(3): None, day(5): "its window over interim/orders has holes: 2026-01-04 refused"}


def test_days_before_the_source_began_are_no_holes(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(5, 8))

    outcomes, _ = build_features(lake, DuckDBEngine(), catalog, spend, [day(4), day(5), day(6)])

    refusals = {o.day: o.refused for o in outcomes}
    assert refusals == {day(4): "interim/orders has no rows up to 2026-01-04", day(5): None, day(6): None}


def test_features_need_a_snapshot_at_or_before_their_day(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 4), {day(3): ANN})

    outcomes, _ = build_features(lake, DuckDBEngine(), catalog, spend, [day(2), day(3)])

    refusals = {o.day: o.refused for o in outcomes}
    assert refusals == {day(2): "no snapshot of interim/customers at or before 2026-01-02", day(3): None}


def test_who_reads_all_through_a_range_run_sees_all_of_the_old_or_all_of_the_new(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 12))
    days = days_between(day(1), day(12))
    build_features(lake, DuckDBEngine(), catalog, spend, days)
    drop_orders(lake, "orders_2026-06-01.csv", [(f"late{n}", "ann", day(n), "1.00", "web") for n in range(1, 13)])
    bring_in(lake, catalog)
    seen: set[tuple[object, ...]] = set()
    done = threading.Event()

    def read() -> None:
        reader = Lake(data_dir=lake.data_dir)
        while not done.is_set():
            state = reader.state("features", "spend")
            rows = [state.read(on)["orders_3d"].sum() for on in state.days()]
            seen.add((*rows, *((state.facts(on) or {})["fingerprint"] for on in state.days())))

    def known() -> tuple[object, ...]:
        facts = [lake.facts("features", "spend", on) or {} for on in days]
        return (
            *(lake.read("features", "spend", on)["orders_3d"].sum() for on in days),
            *(f["fingerprint"] for f in facts),
        )

    before = known()
    reader = threading.Thread(target=read)
    reader.start()
    while not seen:
        time.sleep(0.01)
    build_features(lake, DuckDBEngine(), catalog, spend, days)
    after = known()
    while after not in seen:
        time.sleep(0.01)
    done.set()
    reader.join()

    assert seen == {before, after}
    assert not {f for f in before if isinstance(f, str)} & {f for f in after if isinstance(f, str)}, "every day changed"


def test_a_new_day_hands_the_engine_the_files_of_its_window_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 20))
    handed: list[Path] = []
    for name in ("select", "select_by_day"):

        def noting(
            self: DuckDBEngine,
            sql: str,
            tables: Mapping[str, Slice],
            *rest: Any,
            whole: Any = getattr(DuckDBEngine, name),
            **more: Any,
        ) -> Any:
            handed.extend(path for table in tables.values() if not isinstance(table, pl.DataFrame) for path in table)
            return whole(self, sql, tables, *rest, **more)

        monkeypatch.setattr(DuckDBEngine, name, noting)

    build_features(lake, DuckDBEngine(), catalog, spend, [day(20)])

    window = lake.state("interim", "orders").files([day(n) for n in (18, 19, 20)])
    assert sorted(set(handed)) == sorted([*window, *lake.state("interim", "customers").files([day(1)])])


def test_building_a_day_again_leaves_the_same_bytes(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 5))
    build_features(lake, DuckDBEngine(), catalog, spend, [day(4), day(5)])
    before = digests(lake, "features/spend")
    os.utime(lake.path("interim", "orders", day(4)))

    build_features(lake, DuckDBEngine(), catalog, spend, [day(4), day(5)])

    assert digests(lake, "features/spend") == before


def test_rows_that_break_the_contract_refuse_their_day_and_no_other(tmp_path: Path) -> None:
    broken = """
    select customer_id, cast(date + 1 as timestamp) as as_of, cast(null as bigint) as age,
           cast(case when date = date '2026-01-02' then 0 else 1 end as bigint) as orders_3d
    from orders where date >= $start and date <= $end
    order by as_of, customer_id
    """
    catalog = planted_catalog(tmp_path / "sql", spend_sql=broken)
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3))

    result = materialize(feature_asset(catalog, spend), lake, day(1), day(3))

    assert not result.success
    assert lake.days("features", "spend") == [day(1), day(3)]
    assert "orders_3d: >= 1 fails on 1 of 1 rows" in failed_checks(result)["contract_holds"]


class Ratio(Spend):
    """Spend with a ratio. Grain: customer_id."""

    per_unit: float = pa.Field(nullable=True, ge=0)

    class Config:
        strict = True


def test_a_division_by_zero_refuses_its_day_where_it_happens_and_no_other(tmp_path: Path) -> None:
    ratio = SPEND_SQL.replace(
        "count(*) as bigint) as orders_3d",
        "count(*) as bigint) as orders_3d, sum(cast(o.amount as double)) / sum(o.quantity - 1) as per_unit",
    )
    ratio = ratio.replace("o.date > d.day - 3 and", "o.date > d.day - 1 and")
    labels = RETURNING_SQL.replace("(date)", "(date, per_unit)")
    view = replace(spend, contract=Ratio)
    catalog = planted_catalog(tmp_path / "sql", spend_sql=ratio, returning_sql=labels, view=view)
    lake = planted_lake(tmp_path / "data", catalog, [])
    lines = [
        f"{n},ann,2026-01-0{n}T12:00:00,10.00,{quantity},P00001,web,north" for n, quantity in enumerate((2, 1, 3), 1)
    ]
    drop(lake, "orders_2026-07-01.csv", orders_csv(*lines))
    bring_in(lake, catalog)

    outcomes, _ = build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(3)))

    assert lake.days("features", "spend") == [day(1), day(3)]
    assert {o.day: list(o.breaches) for o in outcomes if o.refused} == {
        day(2): ["per_unit: is NaN or infinite fails on 1 of 1 rows (e.g. inf)"]
    }


def test_a_refused_day_is_on_record_and_not_tried_again_until_something_it_is_made_of_changes(tmp_path: Path) -> None:
    never = (
        "select customer_id, cast(date + 1 as timestamp) as as_of, cast(null as bigint) as age, "
        "cast(0 as bigint) as orders_3d from orders"
    )
    broken = planted_catalog(tmp_path / "broken", spend_sql=never)
    lake = planted_lake(tmp_path / "data", broken, one_a_day(1, 1))
    build_features(lake, DuckDBEngine(), broken, spend, [day(1)])

    blocked = feature_work(lake, broken, spend, lambda _: True)
    mended = planted_catalog(tmp_path / "mended")
    to_do = feature_work(lake, mended, mended.feature_views[0], lambda _: True)
    build_features(lake, DuckDBEngine(), mended, mended.feature_views[0], [day(1)])

    assert blocked.days == ()
    assert blocked.blocked[0][1].startswith("breaks its contract (orders_3d: >= 1 fails on 1 of 1 rows")
    assert to_do.days == (day(1),)
    assert set(lake.state("features", "spend").refused) == set()


def test_each_version_of_a_view_is_registered_once(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 3))
    build_features(lake, DuckDBEngine(), catalog, spend, [day(1), day(2)])
    build_features(lake, DuckDBEngine(), catalog, spend, [day(3)])

    registry = pl.read_parquet(lake.root / "meta" / "feature_registry.parquet")

    assert registry.select("view", "lookback_days", "columns").rows() == [
        ("spend", 3, "customer_id, as_of, orders_3d, age")
    ]


def test_a_file_that_arrives_late_leaves_the_features_of_other_days_alone(tmp_path: Path) -> None:
    catalog, lake = spend_lake(tmp_path, one_a_day(1, 8))
    build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(1), day(8)))
    before = digests(lake, "features/spend")
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "bob", day(3), "1.00", "app")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, spend, days_between(day(1), day(8)))

    after = digests(lake, "features/spend")
    assert [d for d in after if after[d] != before[d]] == [day(3), day(4), day(5)]
