"""Schedules: a day is asked for when it is over, and only if it can be built and is not built yet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlpipe_assets.automation.freshness_checks import with_freshness_job
from mlpipe_assets.automation.requests import runs_under_way
from mlpipe_assets.automation.scheduled import note_scheduled
from mlpipe_assets.automation.schedules import CRON, day_to_build, day_to_predict, day_to_train, schedules_of
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.definitions import CATALOG, defs
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.resources.run_owner import mark_of
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out
from mlpipe_assets.tagging.making import make_tag
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import day, one_a_day, planted_catalog, planted_lake


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Twenty days, built up to features."""
    root = tmp_path_factory.mktemp("built")
    catalog = planted_catalog(root / "sql")
    lake = planted_lake(root / "data", catalog, one_a_day(1, 20))
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(20)))
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of them."""
    return copy_lake(built, tmp_path / "data")


def test_a_day_whose_files_came_is_built_once(lake: Lake, catalog: Catalog) -> None:
    assert day_to_build(lake, catalog, day(20)) == "2026-01-20 is built"

    lake.path("features", "spend", day(20)).unlink()

    assert day_to_build(lake, catalog, day(20)) == day(20)


def test_a_day_without_files_is_left_to_freshness_unless_it_was_accepted(lake: Lake, catalog: Catalog) -> None:
    told = "nothing came for 2026-01-21 of orders; freshness tells when it is late"
    assert day_to_build(lake, catalog, day(21)) == told

    accept(lake, "orders", [day(21)], "closed")

    assert day_to_build(lake, catalog, day(21)) == day(21)


def test_a_training_set_is_made_as_of_the_newest_feature_day(lake: Lake, catalog: Catalog) -> None:
    assert day_to_train(lake, catalog, day(25)) == day(20)
    assert day_to_train(lake, catalog, day(19)) == day(19)  # never of a day that is not over

    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(20))

    assert day_to_train(lake, catalog, day(25)) == "there is a training set as of 2026-01-20, the newest feature day"


def test_predictions_wait_for_their_features(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    assert day_to_predict(lake, CATALOG, day(5)) == "no features of 2026-01-05 yet"

    for stage, name, expected in (
        ("features", "customer_features", day(5)),
        ("predictions", "repeat_purchase", day(5)),
        ("predictions", "spend_28d", "2026-01-05 is predicted"),
        ("features", "next_channel_features", day(5)),
        ("predictions", "next_channel", "2026-01-05 is predicted"),
    ):
        lake.commit(lake.stage(lake.path(stage, name, day(5)), pl.DataFrame({"n": [1]}), {}))
        assert day_to_predict(lake, CATALOG, day(5)) == expected


def test_each_schedule_asks_for_the_day_before_its_tick(lake: Lake, catalog: Catalog) -> None:
    lake.path("features", "spend", day(20)).unlink()
    jobs = with_freshness_job(build_graph(catalog, read_settings()).jobs or [], catalog, {})
    found = {s.name: s for s in schedules_of(catalog, jobs)}
    assert set(found) == {"daily_schedule", "training_schedule"}  # nothing is predicted without a learner

    def tick(name: str, moment: datetime) -> str | None:
        with dg.build_schedule_context(scheduled_execution_time=moment, resources={"lake": lake}) as context:
            result = found[name](context)
        if isinstance(result, dg.RunRequest):
            return result.partition_key
        assert isinstance(result, dg.SkipReason)
        return result.skip_message

    assert tick("daily_schedule", datetime(2026, 1, 21, 3, tzinfo=UTC)) == "2026-01-20"
    assert tick("daily_schedule", datetime(2026, 1, 20, 3, tzinfo=UTC)) == "2026-01-19 is built"
    assert tick("training_schedule", datetime(2026, 1, 26, 5, tzinfo=UTC)) == "2026-01-19"
    assert tick("daily_schedule", datetime(2026, 1, 1, 3, tzinfo=UTC)) == "partitions begin on 2026-01-01"


def test_a_tick_that_was_cut_short_is_the_same_request_and_a_later_tick_is_another_in_any_dagster(
    lake: Lake, catalog: Catalog
) -> None:
    jobs = with_freshness_job(build_graph(catalog, read_settings()).jobs or [], catalog, {})
    [training] = [s for s in schedules_of(catalog, jobs) if s.name == "training_schedule"]

    def run_key(number: int) -> str:
        moment = datetime(2026, 1, number, 5, tzinfo=UTC)
        with dg.build_schedule_context(scheduled_execution_time=moment, resources={"lake": lake}) as context:
            result = training(context)
        assert isinstance(result, dg.RunRequest)
        return f"{result.run_key}"

    mark = mark_of(lake.root)
    assert run_key(26) == f"{mark} training_job {day(20)} 1"
    assert run_key(26) == f"{mark} training_job {day(20)} 1"  # the scheduler was killed before it heard of it
    assert run_key(27) == f"{mark} training_job {day(20)} 2"  # nothing came of the first


def test_what_a_schedule_asked_for_a_moment_ago_keeps_sensors_waiting_until_dagster_has_made_its_run(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    moment = datetime(2026, 1, 21, 3, tzinfo=UTC)
    note_scheduled(lake, "daily_job", day(20), day(20), moment)

    assert runs_under_way(lake, instance, moment + timedelta(seconds=59)) == ["daily_job"]
    assert runs_under_way(lake, instance, moment + timedelta(seconds=61)) == []


def test_schedules_run_by_themselves_at_set_hours_utc() -> None:
    found = {s.job_name: (s.cron_schedule, s.execution_timezone, s.default_status) for s in defs.schedules or []}  # type: ignore[union-attr]

    running = dg.DefaultScheduleStatus.RUNNING
    assert found == {job: (cron, "UTC", running) for job, cron in CRON.items()}


def test_while_a_tag_is_checked_out_schedules_ask_for_nothing_and_say_why(lake: Lake, catalog: Catalog) -> None:
    moment = datetime(2026, 1, 21, 3, tzinfo=UTC)
    make_tag(lake, catalog, "v1", tables=[], message="", now=moment, root=lake.root)
    check_out(lake, catalog, "v1", tables=[], now=moment)
    lake.path("features", "spend", day(20)).unlink()
    jobs = with_freshness_job(build_graph(catalog, read_settings()).jobs or [], catalog, {})

    with dg.build_schedule_context(scheduled_execution_time=moment, resources={"lake": lake}) as context:
        told = [schedule(context) for schedule in schedules_of(catalog, jobs)]

    assert all(isinstance(one, dg.SkipReason) and "held at tag v1" in (one.skip_message or "") for one in told), told
