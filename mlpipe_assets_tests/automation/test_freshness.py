"""Freshness by partitions: the newest day that is due must lie in the lake, and its root cause is named once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.automation.freshness import freshness_of, upstream_of
from mlpipe_assets.automation.freshness_checks import (
    CHECK,
    FreshnessLook,
    check_result,
    note_transitions,
    problems_of,
    spell,
)
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.definitions import defs
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import LakeError
from mlpipe_assets.freshness.rules import (
    TableFreshness,
    due,
    expected_day,
    judge_daily,
    judge_deliveries,
    judge_newest,
)
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import (
    ANN,
    START,
    bring_in,
    day,
    drop_customers,
    drop_orders,
    one_a_day,
    publish_online,
)

HOURS_30 = timedelta(hours=30)


def at(number: int, hour: int = 12) -> datetime:
    """An hour of the n-th day."""
    return datetime(day(number).year, day(number).month, day(number).day, hour, tzinfo=UTC)


@pytest.fixture
def catalog(catalog: Catalog) -> Catalog:
    """Nothing that learns."""
    return replace(catalog, models=())


@pytest.fixture
def lake(lake: Lake) -> Lake:
    """Nothing but the customers, in the drop zone."""
    drop_customers(lake, f"customers_{START}.csv", ANN)
    return lake


def build(lake: Lake, catalog: Catalog, first: int, last: int) -> None:
    """Files of some days, and all that is made of them."""
    drop_orders(lake, f"orders_{day(last)}.csv", one_a_day(first, last))
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(first), day(last)))
    publish_online(lake, catalog)


def states(lake: Lake, catalog: Catalog, now: datetime) -> dict[str, tuple[str, str | None]]:
    """State and cause of every table."""
    return {found.table: (found.state, found.cause) for found in freshness_of(lake, catalog, now)}


@pytest.mark.parametrize(("hour", "expected"), [(5, day(8)), (6, day(9)), (23, day(9))])
def test_a_day_is_due_thirty_hours_after_it_ended(hour: int, expected: date) -> None:
    assert expected_day(at(11, hour), HOURS_30) == expected


@given(st.datetimes(datetime(2026, 1, 5), datetime(2027, 1, 1), timezones=st.just(UTC)), st.integers(1, 1000))
def test_the_expected_day_is_the_newest_that_is_due(now: datetime, hours: int) -> None:
    within = timedelta(hours=hours)
    expected = expected_day(now, within)

    assert due(expected, within) <= now < due(expected + ONE_DAY, within)


def test_a_daily_table_is_late_since_its_first_missing_day_was_due() -> None:
    found = judge_daily("t", [day(1), day(2)], HOURS_30, at(11))

    assert found == TableFreshness(
        table="t",
        state="late",
        newest=day(2),
        expected=day(9),
        late_since=at(5, 6),  # the third ended when the fourth began, plus thirty hours
        cause=None,
        fresh_within=HOURS_30,
        lacking=day(3),
    )


def test_a_later_day_does_not_stand_in_for_the_one_that_is_due() -> None:
    found = judge_daily("t", [day(8), day(10)], HOURS_30, at(11))

    assert (found.state, found.newest, found.expected, found.late_since) == ("late", day(10), day(9), at(11, 6))


def test_nothing_is_due_of_the_days_before_a_table_began() -> None:
    assert judge_daily("t", [day(10)], HOURS_30, at(11)).state == "fresh"
    assert judge_daily("t", [], HOURS_30, at(11), first=day(10)).state == "fresh"
    assert judge_daily("t", [], HOURS_30, at(11), first=day(9)).state == "never"


def test_a_table_made_now_and_then_is_late_when_its_newest_day_is_too_old() -> None:
    week = timedelta(days=8)

    assert judge_newest("m", [day(5)], week, at(14), first=day(5)).state == "fresh"
    late = judge_newest("m", [day(5)], week, at(15), first=day(5))
    assert (late.state, late.late_since) == ("late", at(14, 0))
    assert judge_newest("m", [], week, at(15), first=None).state == "fresh"
    assert judge_newest("m", [], week, at(15), first=day(5)).state == "never"


def test_a_source_whose_days_may_be_empty_is_judged_by_its_newest_delivery() -> None:
    known = {day(1): at(3), day(2): at(2)}

    assert judge_deliveries("s", known, HOURS_30, at(4, 18)).state == "fresh"
    late = judge_deliveries("s", known, HOURS_30, at(4, 19))
    assert (late.state, late.late_since, late.newest) == ("late", at(4, 18), day(2))
    assert judge_deliveries("s", {day(1): at(200)}, HOURS_30, at(5)).state == "late"  # a date yet to come tells nothing


def test_all_is_fresh_while_files_come(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 5)

    assert set(states(lake, catalog, at(7)).values()) == {("fresh", None)}


def test_a_snapshot_that_came_unchanged_has_come(lake: Lake, catalog: Catalog) -> None:
    daily = replace(catalog.source("customers"), fresh_within=HOURS_30)
    catalog = replace(catalog, sources=(catalog.source("orders"), daily))
    build(lake, catalog, 1, 5)
    assert states(lake, catalog, at(7))["interim/customers"] == ("late", "raw/customers")

    drop_customers(lake, f"customers_{day(6)}.csv", ANN)
    build(lake, catalog, 6, 6)

    assert lake.days("interim", "customers") == [day(1)]
    assert states(lake, catalog, at(7))["interim/customers"] == ("fresh", None)


def test_backfilling_old_days_does_not_make_a_table_fresh(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 6, 8)
    assert states(lake, catalog, at(11))["features/spend"] == ("late", "raw/orders")

    build(lake, catalog, 1, 5)  # materialized just now, all of them older than what was there

    assert lake.days("features", "spend") == days_between(day(1), day(8))
    assert states(lake, catalog, at(11))["features/spend"] == ("late", "raw/orders")

    build(lake, catalog, 9, 9)
    assert states(lake, catalog, at(11))["features/spend"] == ("fresh", None)


def test_the_first_late_table_upstream_is_the_cause(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 5)
    lake.path("interim", "orders", day(5)).unlink()
    lake.path("features", "spend", day(5)).unlink()

    found = states(lake, catalog, at(7))

    assert found["raw/orders"] == ("fresh", None)
    assert found["interim/orders"] == ("late", "interim/orders")
    assert found["features/spend"] == ("late", "interim/orders")


def test_an_accepted_day_is_not_late(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 4)
    assert states(lake, catalog, at(7))["raw/orders"] == ("late", "raw/orders")

    accept(lake, "orders", [day(5)], "the shop was closed")

    assert states(lake, catalog, at(7))["raw/orders"] == ("fresh", None)


def test_an_empty_lake_is_new_not_late(lake: Lake, catalog: Catalog) -> None:
    found = freshness_of(lake, catalog, at(30))

    assert {table.table: table.state for table in found}["raw/orders"] == "never"
    assert problems_of(found) == []


def test_one_problem_a_cause_with_what_it_made_late_counted(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 5)

    [problem] = problems_of(freshness_of(lake, catalog, at(9)))

    assert (problem.key, problem.what) == ("raw/orders", f"no partition of {day(6)} to {day(7)}")
    assert problem.how_many == "4 tables late: raw/orders, interim/orders, features/spend, online/features"
    assert problem.example == f"the newest partition is {day(5)}"
    assert problem.since == at(8, 6)
    assert "put it into raw/orders/" in problem.to_do


def test_history_keeps_changes_only(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 5)
    for hour in (7, 8, 9, 10):
        note_transitions(lake, freshness_of(lake, catalog, at(hour)), at(hour))
    build(lake, catalog, 6, 8)

    history = note_transitions(lake, freshness_of(lake, catalog, at(10)), at(10))

    told = [(t["at"][:10], t["state"], t["cause"]) for t in history if t["table"] == "features/spend"]
    assert told == [
        (f"{day(7)}", "fresh", None),
        (f"{day(8)}", "late", "raw/orders"),
        (f"{day(10)}", "fresh", None),
    ]


def test_a_damaged_line_of_the_history_is_named(lake: Lake, catalog: Catalog) -> None:
    lake.objects.put(keys.FRESHNESS, b'{"table"\n')

    with pytest.raises(LakeError, match=r"freshness\.jsonl cannot be read: line 1: .+\. Mend that line by hand"):
        note_transitions(lake, freshness_of(lake, catalog, at(9)), at(9))


def test_the_check_says_which_upstream_made_a_table_late_and_shows_its_history(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, 1, 5)
    found = freshness_of(lake, catalog, at(9))
    history = note_transitions(lake, found, at(9))
    features = next(table for table in found if table.table == "features/spend")

    result = check_result(features, [t for t in history if t["table"] == "features/spend"])

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)  # raw/orders is the error
    assert result.description == (
        "no partition of 2026-01-06 to 2026-01-07 because raw/orders is late; the newest is 2026-01-05, "
        "late since 2026-01-08 06:00 UTC."
    )
    assert result.metadata["late_because_of"] == dg.MetadataValue.text("raw/orders")
    shown = result.metadata["history"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data["state"] for record in shown.records] == ["late"]


def test_fresh_and_new_tables_are_told_in_words() -> None:
    fresh = judge_daily("t", [day(9)], HOURS_30, at(11))
    never = replace(judge_daily("t", [], HOURS_30, at(11)), cause="t")

    assert spell(fresh) == "2026-01-09 was due, the newest is 2026-01-09."
    assert spell(judge_daily("t", [], HOURS_30, at(2))) == "Nothing is due yet."
    weekly = replace(judge_newest("t", [day(2)], HOURS_30, at(11), day(2)), cause="t")

    assert spell(never) == (
        "no partition of 2026-01-01 to 2026-01-09; there is none yet, late since 2026-01-03 06:00 UTC."
    )
    assert spell(weekly) == (
        "no partition of 2026-01-09 or later; the newest is 2026-01-02, late since 2026-01-04 06:00 UTC."
    )


def test_the_check_of_the_newest_partition_is_the_only_verdict_on_freshness() -> None:
    """A policy of Dagster's counts from the last materialization: it would pass beside a missing newest day."""
    from mlpipe_assets.definitions import CATALOG

    assets = [asset for asset in defs.assets or [] if isinstance(asset, dg.AssetsDefinition)]
    daily = {spec.key.to_user_string() for asset in assets if asset.partitions_def for spec in asset.specs}

    assert [spec.key for asset in assets for spec in asset.specs if spec.freshness_policy] == []
    checks = {key.asset_key.to_user_string() for check in defs.asset_checks or [] for key in check.check_keys}
    golden = {
        table for table in daily if table.startswith("validation/")
    }  # asked when something changed, not by the clock
    asked = {name for name in daily if name.endswith(("/serving_log", "_served"))}  # of what nobody has to ask
    online = {"online/features"}  # no daily table, and as new as the days it is made of all the same
    assert checks == set(upstream_of(CATALOG)) == (daily - golden - asked) | online


def test_jobs_leave_the_freshness_checks_to_their_own() -> None:
    by_job = {job.name: job for job in defs.resolve_all_job_defs()}
    with_check = {name for name, job in by_job.items() if "freshness" in job.graph.node_dict}

    assert with_check - {"__ASSET_JOB"} == {"freshness_job"}
    assert {key.name for key in by_job["freshness_job"].asset_layer.asset_graph.asset_check_keys} >= {CHECK}


def test_a_change_is_held_back_while_runs_may_undo_it_but_not_for_ever() -> None:
    told, first = FreshnessLook().next("a", at(1), busy=False)
    assert (told, first) == (FreshnessLook(state="a", number=1), True)

    held, tell = told.next("b", at(2, 0), busy=True)
    assert (held.held_since, tell) == (at(2, 0), False)
    assert FreshnessLook.read(held.write()) == held
    assert held.next("a", at(2, 0), busy=True) == (told, False)  # it came to nothing
    assert held.next("b", at(2, 0), busy=False) == (FreshnessLook(state="b", number=2), True)
    assert held.next("b", at(2, 1), busy=True) == (FreshnessLook(state="b", number=2), True)
