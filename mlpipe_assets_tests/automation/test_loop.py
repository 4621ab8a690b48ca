"""The loop under a real `dagster dev`: files are dropped, and what must follow does, without a hand on it."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from mlpipe_assets.freshness.rules import expected_day
from mlpipe_assets.partitions import ONE_DAY, days_between, spell_days
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.automation.dev_server import DevServer, dev_server
from mlpipe_assets_tests.planted import drop_customers, drop_orders
from mlpipe_assets_tests.webhook import Webhook

pytestmark = [pytest.mark.loop, pytest.mark.slow]
TODAY = datetime.now(tz=UTC).date()
LAST = TODAY - timedelta(days=10)  # of the days whose files have come when Dagster starts
FIRST = LAST - timedelta(days=19)
LATE = LAST - timedelta(days=3)
WEEK = days_between(LAST + timedelta(days=1), LAST + timedelta(days=7))
PATIENCE = 1200.0  # seconds until a state counts as never reached; alone on two cores all of it takes a minute or two
PEOPLE = [f"c{n:02}" for n in range(40)]
TABLES = ("interim/orders", "features/customer_features", f"{DRIFT}/interim.orders")


@dataclass(frozen=True, kw_only=True)
class Before:
    """How many messages were told, and when each partition of the tables was written."""

    told: int
    written: dict[str, dict[date, int]]


def drop_day(lake: Lake, day: date, *, extra: str = "", scale: float = 1.0) -> None:
    """A file of 150 orders; most by those who order most."""
    chance = random.Random(f"{day}{extra}")
    who = chance.choices(PEOPLE, weights=range(1, len(PEOPLE) + 1), k=150)
    channels = chance.choices(["web", "app", "store"], k=150)
    amounts = [f"{scale * chance.lognormvariate(3, 0.5):.2f}" for _ in range(150)]
    rows = [(f"{day}{extra}-{n}", w, day, a, c) for n, (w, a, c) in enumerate(zip(who, amounts, channels, strict=True))]
    drop_orders(lake, f"orders_{day}{extra}.csv", rows)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, listener: Webhook) -> Iterator[DevServer]:
    """Dagster over a lake of twenty days, the newest ten days old."""
    root = tmp_path_factory.mktemp("loop")
    lake = Lake(data_dir=str(root / "data"))
    for day in days_between(FIRST, LAST):
        drop_day(lake, day)
    drop_customers(lake, f"customers_{FIRST}.csv", [(who, 30, "north", FIRST) for who in PEOPLE])
    with dev_server(root, FIRST, "loop_catalog:CATALOG", listener.url) as found:
        yield found


def mtimes(lake: Lake, table: str) -> dict[date, int]:
    """When each partition was written."""
    stage, _, name = table.rpartition("/")
    return {day: lake.path(stage, name, day).stat().st_mtime_ns for day in lake.days(stage, name)}


def asked(runs: Iterable[dg.DagsterRun]) -> list[tuple[str, str]]:
    """Job and first table of runs, but for those that only judge freshness."""
    found = [(run.job_name, sorted(key.to_user_string() for key in run.asset_selection or ())) for run in runs]
    return [(job, tables[0]) for job, tables in found if job != "freshness_job"]


def test_files_that_stopped_coming_are_told_once_however_many_tables_are_late(
    dev: DevServer, listener: Webhook
) -> None:
    from mlpipe_assets_tests.automation.loop_catalog import FRESH_WITHIN

    dev.wait_for("the freshness alert", lambda: listener.received, PATIENCE)

    missing = expected_day(datetime.now(tz=UTC), FRESH_WITHIN)
    lacking = spell_days(days_between(LAST + ONE_DAY, missing))
    assert listener.titles() == [f"raw/orders: no partition of {lacking}"]
    assert (
        "how many: 6 tables late: raw/orders, interim/orders, features/customer_features, online/features, "
        f"predictions/repeat_purchase, monitoring/orders\nexample: the newest partition is {LAST}\n"
    ) in listener.received[0]["message"]
    assert asked(dev.runs()) == []  # `mlpipe run` left nothing to build


@pytest.fixture(scope="module")
def before(dev: DevServer, listener: Webhook) -> Before:
    """The lake and what was told before a late file and a week of three times the amounts were dropped, at once."""
    dev.wait_for("the first alert", lambda: listener.received, PATIENCE)
    found = Before(told=len(listener.received), written={table: mtimes(dev.lake, table) for table in TABLES})
    drop_day(dev.lake, LATE, extra="_late")
    for day in WEEK:
        drop_day(dev.lake, day, scale=3.0)
    return found


def test_late_and_new_files_rebuild_the_days_they_touch_and_what_follows_from_them(
    dev: DevServer, before: Before
) -> None:
    dev.wait_for("predictions", lambda: dev.lake.days("predictions", "repeat_purchase")[-1:] == WEEK[-1:], PATIENCE)
    dev.wait_for("monitoring", lambda: dev.lake.days(DRIFT, "interim.orders")[-1:] == WEEK[-1:], PATIENCE)

    after = {table: mtimes(dev.lake, table) for table in TABLES}
    rebuilt = [[day for day, at in after[table].items() if at != before.written[table].get(day)] for table in TABLES]
    assert rebuilt == [[LATE, *WEEK], days_between(LATE, WEEK[-1]), days_between(LATE, WEEK[-1])]
    assert sorted(asked(dev.runs()))[:7] == [
        ("daily_job", "features/customer_features"),
        ("daily_job", "interim/orders"),
        ("daily_job", "interim/orders"),  # the late day, and the week
        ("daily_job", "monitoring/orders"),
        ("daily_job", "online/features"),
        ("ingest_job", "raw/orders"),  # eight files, one run
        ("prediction_job", "predictions/repeat_purchase"),
    ]


def test_the_shift_ends_in_one_retraining_and_one_alert(dev: DevServer, listener: Webhook, before: Before) -> None:
    dev.wait_for("a retraining", lambda: [r for r in dev.runs("retraining_job") if r.is_finished], PATIENCE)
    dev.wait_for("the word that all tables are fresh", lambda: len(listener.received) == before.told + 2, PATIENCE)

    [retraining] = dev.runs("retraining_job")
    newest = dev.lake.facts(DRIFT, "interim.orders", WEEK[-1]) or {}
    assert [(dev.lake.facts(DRIFT, "interim.orders", day) or {})["drifting"] for day in (LAST, WEEK[-1])] == [
        False,
        True,
    ]
    assert retraining.status is dg.DagsterRunStatus.SUCCESS
    assert retraining.tags["dagster/partition"] == retraining.tags["mlpipe/drifted_on"] == f"{WEEK[-1]}"
    assert retraining.tags["mlpipe/drifted_from"] == f"interim/orders@{newest['reference']}"
    assert "amount against the baseline" in retraining.tags["mlpipe/evidence"]
    assert dg.DagsterRunStatus.FAILURE not in {run.status for run in dev.runs()}
    healed, drifted = sorted(listener.titles()[before.told :])  # two sensors, in either order
    assert drifted == "models/repeat_purchase: what it predicts on is no longer what it learnt from"
    assert healed.startswith("healed: raw/orders: no partition of ")
