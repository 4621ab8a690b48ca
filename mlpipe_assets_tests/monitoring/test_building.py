"""Days of a monitored table: what is measured, from what, and what a rerun changes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.monitoring.building import monitoring_inputs_digest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.monitoring.readings import (
    SECRET,
    WiderReadings,
    drift_of,
    measure,
    put,
    readings,
    readings_catalog,
    readings_lake,
    verdicts,
)
from mlpipe_assets_tests.planted import day

CATALOG = readings_catalog()
MONITOR = CATALOG.monitors[0]


def facts_of(lake: Lake, number: int) -> dict[str, object]:
    return lake.facts("monitoring/drift", "interim.readings", day(number)) or {}


def damage(lake: Lake, number: int) -> None:
    """Make the rows of a partition unreadable and leave its footer, size and time: only a look at the rows can tell."""
    path = lake.path("interim", "readings", day(number))
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[4:200] = bytes(196)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_until_the_baseline_is_complete_a_day_says_how_far_it_is(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, [1, 2, 3])
    measure(lake, CATALOG, [3])
    rows = drift_of(lake, 3)
    assert rows.select("comparison", "column", "value", "threshold", "verdict", "note").rows() == [
        (comparison, column, None, 0.1, "none", "baseline not complete: 3 of 4 days")
        for comparison in ("baseline", "previous")
        for column in ("level", "colour")
    ]
    facts = facts_of(lake, 3)
    told = {name: facts[name] for name in ("drift_score", "bad", "reference", "state")}
    assert told == {
        "drift_score": None,
        "bad": False,
        "reference": None,
        "state": "baseline not complete: 3 of 4 days",
    }


def test_nothing_drifts_when_nothing_changed_and_every_measurement_is_stored(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    measure(lake, CATALOG, [8])
    rows = drift_of(lake, 8)
    assert set(rows["verdict"]) == {"none"}
    assert rows.filter(comparison="baseline", column="level")["method"].to_list() == [
        "js_distance_above_noise",
        "null_share",
        "jensen_shannon_divergence",
        "jensen_shannon_distance",
        "population_stability_index",
        "normalised_absolute_difference",
        "kolmogorov_smirnov",
        "wasserstein_scaled",
        "mean_shift_scaled",
    ]
    sizes = rows.select("comparison", "n_reference", "n_current").unique(maintain_order=True).rows()
    assert sizes == [("baseline", 1200, 600), ("previous", 600, 600)]
    assert (facts_of(lake, 8)["drift_score"], facts_of(lake, 8)["bad"]) == (0.0, False)


def test_a_shift_is_drift_from_the_baseline_and_from_the_period_before(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 7))
    put(lake, CATALOG, {n: readings(n, shift=1.0) for n in (7, 8, 9, 10)})
    measure(lake, CATALOG, [8, 10])
    moved = {"level": "drift", "colour": "none"}
    assert [verdicts(lake, 8, c) for c in ("baseline", "previous")] == [moved, moved]
    still = {"level": "none", "colour": "none"}
    assert [verdicts(lake, 10, c) for c in ("baseline", "previous")] == [moved, still]
    assert (facts_of(lake, 8)["drift_score"], facts_of(lake, 8)["bad"]) == (0.5, True)


def test_weights_and_the_declared_bound_decide_what_a_bad_day_is(tmp_path: Path) -> None:
    catalog = readings_catalog(weights=(("level", 0.5),))
    lake = readings_lake(tmp_path, catalog, range(1, 7))
    put(lake, catalog, {n: readings(n, shift=1.0) for n in (7, 8)})
    measure(lake, catalog, [8])
    assert facts_of(lake, 8)["drift_score"] == pytest.approx(0.5 / 1.5)
    assert facts_of(lake, 8)["bad"] is False


def test_a_window_is_a_merge_of_stored_profiles_and_no_rescan(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 8))
    measure(lake, CATALOG, [7])
    for number in range(1, 8):
        damage(lake, number)
    put(lake, CATALOG, {8: readings(8)})
    (outcome,) = measure(lake, CATALOG, [8])
    assert outcome.written is not None
    assert drift_of(lake, 8).filter(comparison="previous")["n_reference"][0] == 600


def test_a_partition_that_changed_is_profiled_again_and_changes_what_it_is_in(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 10))
    measure(lake, CATALOG, range(5, 10))
    before = {n: facts_of(lake, n)["inputs"] for n in range(5, 10)}
    put(lake, CATALOG, {7: readings(7, shift=2.0, rows=100)})
    now = {n: monitoring_inputs_digest(lake, CATALOG, MONITOR, day(n)) for n in range(5, 10)}
    assert [n for n in now if now[n] != before[n]] == [7, 8, 9]
    measure(lake, CATALOG, [8])
    assert drift_of(lake, 8).filter(comparison="baseline")["n_current"][0] == 400


def test_a_stored_day_says_what_the_planner_would_say(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 10))
    measure(lake, CATALOG, range(1, 10))
    for number in range(1, 10):
        assert facts_of(lake, number)["inputs"] == monitoring_inputs_digest(lake, CATALOG, MONITOR, day(number))
    assert monitoring_inputs_digest(lake, CATALOG, MONITOR, day(10)) is None


def test_a_range_in_one_pass_is_the_same_as_day_by_day(tmp_path: Path) -> None:
    at_once, one_by_one = (readings_lake(tmp_path / name, CATALOG, range(1, 10)) for name in ("a", "b"))
    measure(at_once, CATALOG, range(1, 10))
    for number in range(1, 10):
        measure(one_by_one, CATALOG, [number])
    assert file_digests(at_once.root, "monitoring") == file_digests(one_by_one.root, "monitoring")


def test_a_day_built_late_comes_out_as_in_its_time(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, [1, 2])
    measure(lake, CATALOG, [2])
    early = file_digests(tmp_path, "monitoring/drift/interim.readings/date=2026-01-02")
    put(lake, CATALOG, {n: readings(n) for n in range(3, 9)})
    measure(lake, CATALOG, [8, 2])
    assert file_digests(tmp_path, "monitoring/drift/interim.readings/date=2026-01-02") == early


def test_a_baseline_is_frozen_by_the_day_that_completes_it_and_by_none_before(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    measure(lake, CATALOG, [3])
    assert file_digests(tmp_path, "monitoring/reference") == {}
    measure(lake, CATALOG, [4])
    assert list(file_digests(tmp_path, "monitoring/reference")) == ["monitoring/reference/interim.readings.json"]


def test_the_baseline_stays_frozen_when_its_days_change_and_is_made_anew_for_other_columns(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 8))
    measure(lake, CATALOG, [7])
    frozen = file_digests(tmp_path, "monitoring/reference")
    version = facts_of(lake, 7)["reference"]
    put(lake, CATALOG, {1: readings(1, shift=3.0)})
    measure(lake, CATALOG, [7])
    assert file_digests(tmp_path, "monitoring/reference") == frozen
    wider = readings_catalog(WiderReadings)
    put(lake, wider, {n: readings(n) for n in range(1, 8)})
    assert monitoring_inputs_digest(lake, wider, wider.monitors[0], day(7)) != facts_of(lake, 7)["inputs"]
    measure(lake, wider, [7])
    assert facts_of(lake, 7)["reference"] != version
    assert set(drift_of(lake, 7)["column"]) == {"level", "colour", "remark"}


def test_rows_of_other_code_are_no_baseline(tmp_path: Path) -> None:
    wider = readings_catalog(WiderReadings)
    lake = readings_lake(tmp_path, CATALOG, range(1, 6))
    put(lake, wider, {6: readings(6), 7: readings(7)})
    measure(lake, wider, [7])
    assert facts_of(lake, 7)["state"] == "baseline not complete: 2 of 4 days (5 made by other code left out)"


def test_a_window_that_holds_baseline_days_is_not_held_against_it(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 7))
    measure(lake, CATALOG, [5, 6])
    assert facts_of(lake, 5)["state"] == "the window holds days of the baseline until 2026-01-05"
    assert drift_of(lake, 5).filter(comparison="baseline")["value"].null_count() == 2
    assert drift_of(lake, 5).filter(comparison="previous", column="level")["value"].null_count() == 0
    assert facts_of(lake, 6)["state"] == ""


def test_days_missing_in_a_window_are_said_and_an_absent_day_is_not_built(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, [1, 2, 3, 4, 5, 6, 8])
    outcomes = measure(lake, CATALOG, [7, 8])
    assert [o.missing for o in outcomes] == ["interim/readings has no partition of that day to look at", None]
    notes = drift_of(lake, 8).filter(method="js_distance_above_noise", column="level")
    assert notes.select("comparison", "n_current", "note").rows() == [
        ("baseline", 300, "1 of 2 days missing: 2026-01-07"),
        ("previous", 300, "1 of 2 days missing: 2026-01-07"),
    ]


def test_an_empty_window_is_said_and_has_no_score(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 7))
    put(lake, CATALOG, {n: readings(n, rows=0) for n in (7, 8)})
    measure(lake, CATALOG, [8])
    assert facts_of(lake, 8)["state"] == "no rows from 2026-01-07 to 2026-01-08"
    assert facts_of(lake, 8)["drift_score"] is None
    assert set(drift_of(lake, 8)["verdict"]) == {"none"}


def test_a_refused_day_is_no_part_of_a_window(tmp_path: Path) -> None:
    from mlpipe_assets_tests.frames import refuse

    lake = readings_lake(tmp_path, CATALOG, range(1, 9))
    refuse(lake, "interim", "readings", day(7), problem="too many rows", inputs="x")
    measure(lake, CATALOG, [8])
    assert drift_of(lake, 8).filter(comparison="baseline")["n_current"][0] == 300


def test_no_personal_value_and_no_free_text_is_kept(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 8))
    measure(lake, CATALOG, [7])
    kept = [path for path in (tmp_path / "monitoring").rglob("*") if path.is_file()]
    assert len(kept) == 6  # baseline, profiles of four days, one day of drift
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
    assert not [path for path in kept if b"7-11" in path.read_bytes()]


def test_what_only_concerns_alerts_and_retraining_leaves_stored_days_fresh(tmp_path: Path) -> None:
    lake = readings_lake(tmp_path, CATALOG, range(1, 8))
    measure(lake, CATALOG, [7])
    later = replace(MONITOR, persist=9, owners=("team:other",))
    stricter = replace(MONITOR, retrain_above=0.9)
    assert monitoring_inputs_digest(lake, CATALOG, later, day(7)) == facts_of(lake, 7)["inputs"]
    assert monitoring_inputs_digest(lake, CATALOG, stricter, day(7)) != facts_of(lake, 7)["inputs"]
