"""The monitoring assets: what a run says, shows and writes."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.stages.monitoring.asset import monitor_asset, report_asset
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.monitoring.readings import put, readings, readings_catalog, readings_lake
from mlpipe_assets_tests.monitoring.test_serving import serve, serving_catalog, train
from mlpipe_assets_tests.planted import day, materialize, written_days

CATALOG = readings_catalog()
MONITOR = CATALOG.monitors[0]
Result = dg.ExecuteInProcessResult


def checks(result: Result) -> dict[str, tuple[bool, str, str]]:
    return {
        c.check_name: (c.passed, c.severity.value, str(c.description))
        for c in result.get_asset_check_evaluations()
        if c.check_name != "contract_holds"
    }


def metadata(result: Result) -> dict[str, dict[str, Any]]:
    """Metadata of each partition written."""
    return {
        str(made.partition): {name: value.value for name, value in made.metadata.items()}
        for event in result.all_events
        if event.is_step_materialization
        for made in [event.step_materialization_data.materialization]
    }


def test_a_drift_warns_with_the_numbers_and_the_run_succeeds(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 7))
    put(lake, CATALOG, {n: readings(n, shift=1.0) for n in (7, 8)})
    result = materialize(monitor_asset(CATALOG, MONITOR), lake, day(8))
    assert result.success
    passed, severity, text = checks(result)["no_column_drifted"]
    assert (passed, severity) == (False, "WARN")
    assert text.startswith("[2026-01-08]: level against the baseline: js_distance_above_noise 0.")
    assert ", threshold 0.1, 600 rows against 1,200; level against the period before: " in text
    assert checks(result)["baseline_is_complete"][0] is True


def test_nothing_to_say_is_said_as_well(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    result = materialize(monitor_asset(CATALOG, MONITOR), lake, day(8))
    assert checks(result)["no_column_drifted"] == (True, "WARN", "[2026-01-08]: No column drifted (2 looked at).")


def test_an_incomplete_baseline_is_a_warning(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, [1, 2])
    result = materialize(monitor_asset(CATALOG, MONITOR), lake, day(2))
    passed, severity, text = checks(result)["baseline_is_complete"]
    assert (result.success, passed, severity) == (True, False, "WARN")
    assert text.startswith("[2026-01-02]: baseline not complete: 2 of 4 days. ")
    assert checks(result)["no_column_drifted"][2] == (
        "[2026-01-02]: nothing measured, baseline not complete: 2 of 4 days."
    )


def test_checks_speak_of_the_newest_day_even_when_an_old_one_is_built_again(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 7))
    put(lake, CATALOG, {n: readings(n, shift=1.0) for n in (7, 8)})
    asset = monitor_asset(CATALOG, MONITOR)
    materialize(asset, lake, day(8))
    passed, _, text = checks(materialize(asset, lake, day(6)))["no_column_drifted"]
    assert (passed, text[:12]) == (False, "[2026-01-08]")


def test_pictures_are_shown_with_the_newest_day_of_a_range_only_and_stay_small(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    found = metadata(materialize(monitor_asset(CATALOG, MONITOR), lake, day(6), day(8)))
    shown = {"verdicts", "drift_over_time", "baseline_and_newest_window"}
    assert {on: shown & set(told) for on, told in found.items()} == {
        "2026-01-06": set(),
        "2026-01-07": set(),
        "2026-01-08": shown,
    }
    assert sum(len(str(value)) for value in found["2026-01-08"].values()) < 200_000
    assert "| level | baseline | js_distance_above_noise |" in found["2026-01-08"]["verdicts"]
    assert found["2026-01-08"]["drift_over_time"].startswith("![drift over time of ")


def test_a_day_without_a_partition_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, [1, 2, 3, 4, 5, 6, 8])
    result = materialize(monitor_asset(CATALOG, MONITOR), lake, day(6), day(8))
    assert result.success
    assert written_days(result) == [day(6), day(8)]


def test_predictions_are_checked_for_skew_and_performance(lake: Lake, tmp_path: Path) -> None:
    catalog = serving_catalog(tmp_path / "sql")
    train(lake)
    serve(lake, range(3, 6))
    serve(lake, range(6, 8), right=False, years_older=25)
    asset = monitor_asset(catalog, catalog.monitors[0])
    found = checks(materialize(asset, lake, day(7)))
    assert list(found) == [
        "no_column_drifted",
        "baseline_is_complete",
        "training_matches_serving",
        "performance_holds",
    ]
    assert found["training_matches_serving"][:2] == (False, "WARN")
    assert found["training_matches_serving"][2].startswith("[2026-01-07]: age against the training set: ")
    assert found["performance_holds"][0] is True
    serve(lake, range(8, 10), right=False)
    passed, severity, text = checks(materialize(asset, lake, day(9)))["performance_holds"]
    assert (passed, severity) == (False, "WARN")
    assert text.startswith("[2026-01-09]: overall: roc_auc 0.")
    assert text.endswith("Look at the drift of its features, then train a new model with training_job.")


def test_two_watched_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    monitors = (Monitor(table="predictions/returning"), Monitor(table="predictions/returning"))
    catalog = serving_catalog(tmp_path)
    object.__setattr__(catalog, "monitors", monitors)
    with pytest.raises(SettingsError, match="monitoring/returning would stand for predictions/returning, predictions/"):
        monitor_asset(catalog, monitors[0])


def without_the_time(report: Path) -> str:
    return re.sub(r"was written: .*? UTC", "", report.read_text())


def test_one_job_builds_a_range_of_days_and_writes_the_report_once(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    assets = [monitor_asset(CATALOG, MONITOR), report_asset(CATALOG)]
    span = {"dagster/asset_partition_range_start": "2026-01-05", "dagster/asset_partition_range_end": "2026-01-08"}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS}
        result = dg.materialize(assets, resources=resources, instance=instance, tags=span, run_config=quiet)
    made = [e.step_materialization_data.materialization for e in result.all_events if e.is_step_materialization]
    assert [(m.asset_key.path[-1], m.partition) for m in made] == [
        ("readings", "2026-01-05"),
        ("readings", "2026-01-06"),
        ("readings", "2026-01-07"),
        ("readings", "2026-01-08"),
        ("report", None),
    ]
    html = without_the_time(tmp_path / "monitoring" / "report.html")
    csv = (tmp_path / "monitoring" / "drift_summary.csv").read_text()
    assert csv.splitlines()[1].startswith("interim/readings,2026-01-08,")
    assert len(csv.splitlines()) == 1 + 4 * 2 * 2  # days, comparisons, columns
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [report_asset(CATALOG)],
            resources={"lake": LakeResource(data_dir=lake.data_dir)},
            instance=instance,
            run_config=quiet,
        )
    assert without_the_time(tmp_path / "monitoring" / "report.html") == html
