"""The loop under a real `dagster dev`: files are dropped, and what must follow does, without a hand on it."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from mlpipe_assets.automation.freshness_rules import expected_day
from mlpipe_assets.monitoring.building import DRIFT
from mlpipe_assets.partitions import days_between
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets_tests.automation.dev_server import DevServer, dev_server
from mlpipe_assets_tests.planted import drop_customers, drop_orders
from mlpipe_assets_tests.webhook import Webhook, webhook

pytestmark = [pytest.mark.loop, pytest.mark.slow]
TODAY = datetime.now(tz=UTC).date()
LAST = TODAY - timedelta(days=10)  # of the days whose files have come when Dagster starts
FIRST = LAST - timedelta(days=19)
PEOPLE = [f"c{n:02}" for n in range(40)]
TABLES = ("interim/orders", "features/customer_features", f"{DRIFT}/interim.orders")


def drop_day(lake: Lake, day: date, *, extra: str = "", scale: float = 1.0) -> None:
    """A file of 150 orders; most by those who order most."""
    chance = random.Random(f"{day}{extra}")
    who = chance.choices(PEOPLE, weights=range(1, len(PEOPLE) + 1), k=150)
    channels = chance.choices(["web", "app", "store"], k=150)
    amounts = [f"{scale * chance.lognormvariate(3, 0.5):.2f}" for _ in range(150)]
    rows = [(f"{day}{extra}-{n}", w, day, a, c) for n, (w, a, c) in enumerate(zip(who, amounts, channels, strict=True))]
    drop_orders(lake, f"orders_{day}{extra}.csv", rows)


@pytest.fixture(scope="module")
def server() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, server: Webhook) -> Iterator[DevServer]:
    """Dagster over a lake of twenty days, the newest ten days old."""
    root = tmp_path_factory.mktemp("loop")
    lake = Lake(data_dir=str(root / "data"))
    for day in days_between(FIRST, LAST):
        drop_day(lake, day)
    drop_customers(lake, f"customers_{FIRST}.csv", [(who, 30, "north", FIRST) for who in PEOPLE])
    environment = {
        "MLPIPE_START_DATE": f"{FIRST}",
        "MLPIPE_CATALOG": "mlpipe_assets_tests.automation.loop_catalog:CATALOG",
        "MLPIPE_SENSOR_SECONDS": "1",
        "MLPIPE_SETTLE_SECONDS": "1",
        "MLPIPE_ALERT_URLS": server.url,
    }
    with dev_server(root, environment) as found:
        yield found


def mtimes(lake: Lake, table: str) -> dict[date, int]:
    """When each partition was written."""
    stage, _, name = table.rpartition("/")
    return {day: lake.path(stage, name, day).stat().st_mtime_ns for day in lake.days(stage, name)}


def asked(runs: Iterable[dg.DagsterRun]) -> list[tuple[str, str]]:
    """Job and first table of runs, but for those that only judge freshness."""
    found = [(run.job_name, sorted(key.to_user_string() for key in run.asset_selection or ())) for run in runs]
    return [(job, tables[0]) for job, tables in found if job != "freshness_job"]


def test_files_that_stopped_coming_are_told_once_however_many_tables_are_late(dev: DevServer, server: Webhook) -> None:
    from mlpipe_assets_tests.automation.loop_catalog import FRESH_WITHIN

    dev.wait_for("the freshness alert", lambda: server.received, 60)

    missing = expected_day(datetime.now(tz=UTC), FRESH_WITHIN)
    assert server.titles() == [f"raw/orders: no partition of {missing}"]
    assert (
        "how many: 5 tables late: raw/orders, interim/orders, features/customer_features, predictions/repeat_purchase, "
        f"monitoring/orders\nexample: the newest partition is {LAST}\n"
    ) in server.received[0]["message"]
    assert asked(dev.runs()) == []  # `mlpipe run` left nothing to build


def test_a_late_file_rebuilds_the_days_it_touches_and_what_follows_from_them(dev: DevServer, server: Webhook) -> None:
    late = LAST - timedelta(days=1)
    runs, told = len(asked(dev.runs())), len(server.received)
    before = {table: mtimes(dev.lake, table) for table in TABLES}

    drop_day(dev.lake, late, extra="_late")

    def rebuilt(table: str) -> list[date]:
        return [day for day, at in mtimes(dev.lake, table).items() if at != before[table].get(day)]

    dev.wait_for("the days after the late file", lambda: rebuilt(TABLES[2]) == [late, LAST], 60)
    assert [rebuilt(table) for table in TABLES] == [[late], [late, LAST], [late, LAST]]
    assert (
        asked(dev.runs()[-4:])
        == asked(dev.runs())[runs:]
        == [
            ("ingest_job", "raw/orders"),
            ("daily_job", "interim/orders"),
            ("daily_job", "features/customer_features"),
            ("daily_job", "monitoring/orders"),
        ]
    )
    assert len(server.received) == told


def test_a_shifted_week_ends_in_one_retraining_and_one_alert(dev: DevServer, server: Webhook) -> None:
    week = days_between(LAST + timedelta(days=1), LAST + timedelta(days=7))
    before = len(server.received)
    for day in week:
        drop_day(dev.lake, day, scale=3.0)

    dev.wait_for("predictions", lambda: dev.lake.days("predictions", "repeat_purchase")[-1:] == week[-1:], 120)
    dev.wait_for("three messages", lambda: len(server.received) == before + 2, 30)

    verdicts = {day: (dev.lake.facts(DRIFT, "interim.orders", day) or {}) for day in (LAST, week[-1])}
    assert [verdicts[day]["drifting"] for day in (LAST, week[-1])] == [False, True]
    [retraining] = dev.runs("retraining_job")
    assert retraining.status is dg.DagsterRunStatus.SUCCESS
    assert retraining.tags["dagster/partition"] == retraining.tags["mlpipe/drifted_on"] == f"{week[-1]}"
    assert retraining.tags["mlpipe/drifted_from"] == f"interim/orders@{verdicts[week[-1]]['reference']}"
    assert "amount against the baseline" in retraining.tags["mlpipe/evidence"]
    healed, drifted = sorted(server.titles()[before:])
    assert healed.startswith("healed: raw/orders: no partition of ")
    assert drifted == "models/repeat_purchase: what it predicts on is no longer what it learnt from"
    ingests = [
        run for run in dev.runs("ingest_job") if run.tags.get("dagster/asset_partition_range_end") == f"{week[-1]}"
    ]
    assert len(ingests) == 1  # seven files, one run
