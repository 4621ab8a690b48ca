"""Sensors on a lake: what they ask for, what they leave, and what they tell."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.automation.freshness_checks import with_freshness_job
from mlpipe_assets.automation.requests import own_checks
from mlpipe_assets.automation.sensors import sensors_of
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.record import write_entries
from mlpipe_assets.definitions import defs
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between, last_partition
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.resources.run_owner import DATA_DIR, mark_of
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.stages.features.asset import build_features
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

LAST = 6


@pytest.fixture
def catalog(catalog: Catalog) -> Catalog:
    """Nothing that learns."""
    return replace(catalog, models=())


@pytest.fixture
def lake(lake: Lake) -> Lake:
    """A drop zone with files of six days, which have lain there for a while."""
    for n in range(1, LAST + 1):
        settle(drop_orders(lake, f"orders_{day(n)}.csv", one_a_day(n, n)))
    settle(drop_customers(lake, f"customers_{START}.csv", ANN))
    return lake


def settle(path: Path) -> None:
    """Make a file look an hour old."""
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


def settings() -> Settings:
    return replace(read_settings({}), settle_seconds=60.0)


class Sensors:
    """The sensors of a catalog, each with its cursor, as the daemon would evaluate them."""

    def __init__(self, lake: Lake, catalog: Catalog, instance: dg.DagsterInstance) -> None:
        definitions = build_graph(catalog, settings())
        jobs = with_freshness_job(definitions.jobs or [], catalog, {})
        found = sensors_of(catalog, settings(), jobs, own_checks(definitions.assets or []))
        self._sensors = {sensor.name: sensor for sensor in found}
        self._cursors: dict[str, str | None] = {}
        self._lake, self._instance = lake, instance

    def tick(self, name: str) -> tuple[list[dg.RunRequest], str]:
        """What a sensor asks for, and why not more."""
        cursor = self._cursors.get(name)
        with dg.build_sensor_context(self._instance, cursor, resources={"lake": self._lake}) as context:
            found = self._sensors[name](context)
        if isinstance(found, dg.SkipReason):
            return [], found.skip_message or ""
        assert isinstance(found, dg.SensorResult)
        self._cursors[name] = found.cursor
        reason = found.skip_reason
        told = reason.skip_message if isinstance(reason, dg.SkipReason) else reason
        return list(found.run_requests or []), told or ""


@pytest.fixture
def sensors(lake: Lake, catalog: Catalog, instance: dg.DagsterInstance) -> Sensors:
    return Sensors(lake, catalog, instance)


def spell(requests: list[dg.RunRequest]) -> list[tuple[str | None, str, str, str]]:
    """Job, tables, first and last day of each."""
    return [
        (
            r.job_name,
            " ".join(key.to_user_string() for key in r.asset_selection or []),
            r.tags.get("dagster/asset_partition_range_start", r.tags.get("dagster/partition", "")),
            r.tags.get("dagster/asset_partition_range_end", ""),
        )
        for r in requests
    ]


def test_a_bulk_drop_is_one_run_a_source_and_asked_for_once(sensors: Sensors) -> None:
    requests, _ = sensors.tick("drop_zone_sensor")
    assert spell(requests) == [
        ("ingest_job", "raw/orders", f"{day(1)}", f"{day(LAST)}"),
        ("ingest_job", "raw/customers", f"{START}", ""),
    ]
    assert {check.name for r in requests for check in r.asset_check_keys or []} == {
        "files_are_readable",
        "rows_are_accounted_for",
    }

    again, told = sensors.tick("drop_zone_sensor")
    assert again == []
    assert told.startswith("7 new files; raw/orders was asked for at ")


def test_a_file_still_being_written_is_left_alone_and_said(sensors: Sensors, lake: Lake, catalog: Catalog) -> None:
    bring_in(lake, catalog)
    young = drop_orders(lake, f"orders_{day(9)}.csv", one_a_day(9, 9))

    requests, told = sensors.tick("drop_zone_sensor")
    assert requests == []
    assert told == f"0 new files; 1 still being written: raw/orders/orders_{day(9)}.csv"

    settle(young)
    requests, _ = sensors.tick("drop_zone_sensor")
    assert spell(requests) == [("ingest_job", "raw/orders", f"{day(9)}", "")]


def test_a_file_that_changed_is_asked_for_again(sensors: Sensors, lake: Lake, catalog: Catalog) -> None:
    bring_in(lake, catalog)
    assert sensors.tick("drop_zone_sensor")[0] == []

    settle(drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(2, 2, ("ann", "bob"))))

    requests, _ = sensors.tick("drop_zone_sensor")
    assert spell(requests) == [("ingest_job", "raw/orders", f"{day(2)}", "")]


def test_nothing_is_asked_for_while_a_run_is_under_way(sensors: Sensors, instance: dg.DagsterInstance) -> None:
    instance.add_run(dg.DagsterRun(job_name="daily_job", status=dg.DagsterRunStatus.STARTED))

    assert sensors.tick("drop_zone_sensor") == ([], "7 new files; waiting for daily_job")


def test_a_run_of_another_data_folder_is_nothing_to_wait_for(sensors: Sensors, instance: dg.DagsterInstance) -> None:
    started = dg.DagsterRunStatus.STARTED
    instance.add_run(dg.DagsterRun(job_name="daily_job", status=started, tags={DATA_DIR: "/another/data"}))

    assert len(sensors.tick("drop_zone_sensor")[0]) == 2


def test_what_was_asked_for_is_known_when_the_records_of_dagster_are_gone(
    sensors: Sensors, lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    sensors.tick("drop_zone_sensor")

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as empty:
        requests, told = Sensors(lake, catalog, empty).tick("drop_zone_sensor")

    assert requests == []
    assert told.startswith("7 new files; raw/orders was asked for at ")


def test_a_file_dated_in_the_future_by_a_wrong_clock_is_asked_for(sensors: Sensors, lake: Lake) -> None:
    path = lake.root / "raw" / "orders" / f"orders_{day(1)}.csv"
    tomorrow = time.time() + 24 * 3600
    os.utime(path, (tomorrow, tomorrow))

    _, told = sensors.tick("drop_zone_sensor")

    assert "still being written" not in told


def test_a_late_file_makes_its_day_stale_and_then_the_windows_over_it(
    sensors: Sensors, lake: Lake, catalog: Catalog
) -> None:
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(LAST)))
    assert spell(sensors.tick("stale_days_sensor")[0]) == [("daily_job", "online/features", f"{last_partition()}", "")]
    publish_online(lake, catalog)
    assert spell(sensors.tick("stale_days_sensor")[0]) == [("daily_job", "meta/catalog", f"{last_partition()}", "")]
    write_entries(lake, describe(lake, catalog))
    assert sensors.tick("stale_days_sensor") == ([], "every table is up to date")

    drop_orders(lake, f"orders_{day(LAST)}_late.csv", [("x", "eve", day(2), "5.00", "app")])
    from mlpipe_assets.intake.deliveries import Ledger
    from mlpipe_assets.stages.interim.asset import build_interim
    from mlpipe_assets.stages.raw.taking import ingest

    source = catalog.sources[0]
    ingest(lake, source, Ledger.load(lake, source.name))
    requests, _ = sensors.tick("stale_days_sensor")
    assert spell(requests) == [("daily_job", "interim/orders", f"{day(2)}", "")]
    assert sensors.tick("stale_days_sensor")[0] == []

    build_interim(lake, DuckDBEngine(), source, [day(2)])
    requests, _ = sensors.tick("stale_days_sensor")
    assert spell(requests) == [("daily_job", "features/spend", f"{day(2)}", f"{day(4)}")]


def test_days_apart_are_runs_of_their_own(sensors: Sensors, lake: Lake, catalog: Catalog) -> None:
    bring_in(lake, catalog)
    for n in (1, 2, 5):
        lake.path("interim", "orders", day(n)).unlink()

    requests, _ = sensors.tick("stale_days_sensor")

    assert spell(requests) == [
        ("daily_job", "interim/orders", f"{day(1)}", f"{day(2)}"),
        ("daily_job", "interim/orders", f"{day(5)}", ""),
    ]


def test_late_tables_are_told_once_and_the_checks_are_run_again(sensors: Sensors, lake: Lake, catalog: Catalog) -> None:
    requests, told = sensors.tick("freshness_sensor")
    assert requests == []
    assert "judged again after raw/orders, raw/customers" in told  # files lie there: first see what comes of them

    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(LAST)))
    publish_online(lake, catalog)
    requests, _ = sensors.tick("freshness_sensor")
    assert [(r.job_name, r.run_key) for r in requests] == [("freshness_job", f"{mark_of(lake.root)} freshness 1")]
    lines = (lake.root / "meta" / "alerts.jsonl").read_text().splitlines()
    [message] = [json.loads(line) for line in lines]
    assert (message["scope"], message["keys"]) == ("freshness", ["raw/orders", "raw/customers"])

    requests, told = sensors.tick("freshness_sensor")
    assert requests == []
    assert told.startswith("6 of 6 tables late: ")
    assert (lake.root / "meta" / "alerts.jsonl").read_text().splitlines() == lines


def test_a_sensor_says_when_it_cannot_tell(tmp_path: Path, catalog: Catalog, instance: dg.DagsterInstance) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")

    _, told = Sensors(Lake(data_dir=str(tmp_path / "data")), catalog, instance).tick("alert_sensor")

    assert told.startswith("cannot tell this time: Cannot write ")


def test_sensors_turn_themselves_on() -> None:
    found = {sensor.name: sensor.default_status for sensor in defs.sensors or []}

    assert set(found) == {
        "drop_zone_sensor",
        "stale_days_sensor",
        "freshness_sensor",
        "retraining_sensor",
        "alert_sensor",
    }
    assert set(found.values()) == {dg.DefaultSensorStatus.RUNNING}


def test_a_source_whose_unreadable_file_was_taken_away_is_looked_at_once_more(
    sensors: Sensors, lake: Lake, catalog: Catalog
) -> None:
    broken = lake.root / "raw" / "orders" / f"orders_{day(9)}.parquet"
    broken.write_bytes(b"not parquet")
    bring_in(lake, catalog)
    assert sensors.tick("drop_zone_sensor")[0] == []
    broken.unlink()

    requests, _ = sensors.tick("drop_zone_sensor")
    bring_in(lake, catalog)

    assert [(job, table) for job, table, *_ in spell(requests)] == [("ingest_job", "raw/orders")]
    assert sensors.tick("drop_zone_sensor")[0] == []


def test_a_file_that_no_reader_takes_is_told_once_and_once_more_when_it_is_gone(
    lake: Lake, catalog: Catalog, instance: dg.DagsterInstance
) -> None:
    strange = lake.root / "raw" / "orders" / "orders.pdf"
    strange.write_text("no orders")
    settle(strange)
    sensors = Sensors(lake, catalog, instance)

    sensors.tick("drop_zone_sensor")
    sensors.tick("drop_zone_sensor")
    strange.unlink()
    sensors.tick("drop_zone_sensor")

    told = [json.loads(line)["title"] for line in (lake.root / "meta" / "alerts.jsonl").read_text().splitlines()]
    wrong = "raw/orders/orders.pdf: lies in the drop zone and is not read"
    assert told == [wrong, f"healed: {wrong}"]
