"""The benchmarks of drift, small: the same work as the yardstick, the columns that shifted and no other, no false alarm."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.statistics.exact import compare_frames
from mlpipe_assets_tests.benchmarks.alike_days import columns, make_day
from mlpipe_assets_tests.benchmarks.bare_drift import bare_drift
from mlpipe_assets_tests.benchmarks.drift_kinds import count_alarms as count_alarms_of_kind
from mlpipe_assets_tests.benchmarks.drift_kinds import count_seen, most_likely
from mlpipe_assets_tests.benchmarks.drift_table import SHIFTED, disagreements, make_window, named, write_windows
from mlpipe_assets_tests.benchmarks.false_alarms import count_alarms, draw_alarms, draw_detections
from mlpipe_assets_tests.benchmarks.kinds_of_days import odd_kinds, quiet_kinds, shifted_kinds
from mlpipe_assets_tests.benchmarks.kinds_of_rows import kinds_by_rows
from mlpipe_assets_tests.benchmarks.seeded_shifts import detect


def read(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.read_parquet(folder / "reference.parquet"), pl.read_parquet(folder / "current.parquet")


def test_the_tests_name_the_columns_that_shifted_and_no_other(tmp_path: Path) -> None:
    write_windows(tmp_path, 1_000_000)

    comparison = compare_frames(*read(tmp_path))

    assert set(named(comparison)) == SHIFTED


def test_ours_and_the_yardstick_do_the_same_work(tmp_path: Path) -> None:
    write_windows(tmp_path, 20_000)
    reference, current = read(tmp_path)
    comparison, bare = compare_frames(reference, current), bare_drift(reference, current)

    assert disagreements(comparison, bare) == []
    bare["f_norm"]["drift"]["ks"] += 1e-9
    bare["c_4"]["current"]["nulls"] += 1
    bare["i_age"]["reference"]["mean"] += 1e-3
    assert [wrong.partition(":")[0] for wrong in disagreements(comparison, bare)] == ["f_norm", "i_age", "c_4"]


def test_the_same_seed_gives_the_same_rows() -> None:
    left, right = (make_window(np.random.default_rng(7), 50, 0.05) for _ in range(2))
    assert_frame_equal(left, right)
    assert_frame_equal(make_day(3, columns(20)), make_day(3, columns(20)))


def test_days_that_are_alike_raise_no_alarm() -> None:
    alarms = count_alarms(20, 4)

    for comparison in ("baseline", "previous"):
        assert alarms[comparison]["drift"] == alarms[comparison]["possible"] == [0, 0, 0, 0]
        assert len(alarms[comparison]["p below 0.05"]) == 4
    assert "drift: 0.00 a day" in (ET.fromstring(draw_alarms(alarms, 20)).findtext("{*}desc") or "")  # noqa: S314 - ours


def test_large_shifts_are_seen_and_no_shift_is_not() -> None:
    seen = detect(2)

    drift = {(case["shift"], case["rows_a_day"]): case["drift"] for case in seen}
    assert [drift["nothing", rows] for rows in (50, 1000, 5000)] == [0.0, 0.0, 0.0]
    for shift in ("mean +0.5 sd", "share +20 pt", "nulls +20 pt", "unit x1000"):
        assert drift[shift, 1000] == pytest.approx(1.0)
    assert ET.fromstring(draw_detections(seen)).tag.endswith("svg")  # noqa: S314 - ours


@pytest.mark.parametrize(
    "name",
    [
        "ids, each once, 100 a day",
        "features of 105 entities, AR 0.9",
        "order ids, 1 to 19 rows each, 1,000 a day",
        "10 % nulls in blocks of 50, 500 a day",
    ],
)
def test_a_kind_of_table_that_looks_as_if_it_changed_is_not_in_drift(name: str) -> None:
    (kind,) = [kind for kind in (*quiet_kinds(), *kinds_by_rows()) if kind.name == name]

    found = count_alarms_of_kind(kind, 1)

    assert found == {"kind": name, "windows": 12, "drift": 0, "bad": 0, "possible": 0, "columns_in_drift": 0}


def test_no_alarm_in_many_windows_still_leaves_three_possible() -> None:
    assert most_likely(0, 3000) == pytest.approx(3 / 3000, rel=0.01)
    assert most_likely(3, 3000) == pytest.approx(7.75 / 3000, rel=0.01)  # as tables of the Poisson law have it


def test_an_odd_day_is_drift_and_not_bad_and_a_shifted_week_is_both() -> None:
    odd, shifted = odd_kinds()[0], next(kind for kind in shifted_kinds() if kind.name == "number +0.5 sd, 1,000 a day")

    assert count_seen(odd, 2) == {"kind": odd.name, "drift": 2, "bad": 0}
    assert count_seen(shifted, 2) == {"kind": shifted.name, "drift": 2, "bad": 2}
