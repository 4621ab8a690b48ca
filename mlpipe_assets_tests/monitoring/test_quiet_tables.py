"""Tables that do not change, of the kinds that look as if they did: none is in drift, and none asks for a retraining."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.monitoring.readings import drift_of, measure, put, readings, readings_catalog
from mlpipe_assets_tests.planted import day

WEEKLY = readings_catalog(window=timedelta(days=7), baseline=timedelta(days=28))
LAST = 42


def lake_of(root: Path, frames: Mapping[int, pl.DataFrame], catalog: Catalog = WEEKLY) -> Lake:
    lake = Lake(data_dir=str(root))
    put(lake, catalog, frames)
    return lake


def facts_of(lake: Lake, number: int) -> dict[str, object]:
    return lake.facts("monitoring/drift", "interim.readings", day(number)) or {}


def decided(lake: Lake, number: int, column: str) -> dict[str, str]:
    rows = drift_of(lake, number).filter(pl.col("threshold").is_not_null(), comparison="baseline", column=column)
    return dict(rows.select("method", "verdict").iter_rows())


def with_colours(number: int, draw: Callable[[np.random.Generator, int], np.ndarray], rows: int = 100) -> pl.DataFrame:
    colours = draw(np.random.default_rng([9, number]), rows)
    return readings(number, rows=rows).with_columns(colour=pl.Series(colours).cast(pl.String))


@pytest.mark.parametrize(
    "draw",
    [
        lambda chance, n: chance.integers(1000, size=n),
        lambda chance, n: chance.zipf(1.3, size=n),
        lambda chance, n: chance.integers(1 << 62, size=n),
    ],
    ids=["a thousand alike", "a few often and many seldom", "each once"],
)
def test_a_column_of_many_categories_is_not_in_drift_for_what_its_baseline_happened_not_to_hold(
    tmp_path: Path, draw: Callable[[np.random.Generator, int], np.ndarray]
) -> None:
    lake = lake_of(tmp_path, {n: with_colours(n, draw) for n in range(1, LAST + 1)})

    measure(lake, WEEKLY, [LAST])

    assert decided(lake, LAST, "colour") == {
        "js_distance_above_noise": "none",
        "null_share": "none",
        "unseen_share": "none",
    }


def test_a_new_category_is_seen_among_a_thousand_others(tmp_path: Path) -> None:
    def draw(chance: np.random.Generator, n: int) -> np.ndarray:
        return chance.integers(1000, size=n)

    def with_new(chance: np.random.Generator, n: int) -> np.ndarray:
        return np.where(chance.random(n) < 0.1, -1, chance.integers(1000, size=n))

    frames = {n: with_colours(n, with_new if n > LAST - 7 else draw, rows=300) for n in range(1, LAST + 1)}
    lake = lake_of(tmp_path, frames)

    measure(lake, WEEKLY, [LAST])

    assert decided(lake, LAST, "colour")["js_distance_above_noise"] == "drift"
    assert facts_of(lake, LAST)["bad"] is True


def test_one_odd_day_is_drift_of_its_seven_windows_and_makes_none_of_them_bad(tmp_path: Path) -> None:
    frames = {n: readings(n) for n in range(1, LAST + 8)}
    frames[LAST] = frames[LAST].with_columns(pl.col("level") * 1000)
    lake = lake_of(tmp_path, frames)

    windows = range(LAST, LAST + 8)
    measure(lake, WEEKLY, windows)

    facts = [facts_of(lake, number) for number in windows]
    assert [found["columns_in_drift"] for found in facts] == [1] * 7 + [0]
    assert [found["drift_score"] for found in facts] == [0.5] * 7 + [0.0]
    assert {found["steady_drift_score"] for found in facts} == {0.0}
    assert {found["bad"] for found in facts} == {False}


@pytest.mark.parametrize(("odd", "bad"), [(2, False), (3, True), (7, True)])
def test_a_window_is_bad_from_the_third_of_its_days_that_moved_on(tmp_path: Path, odd: int, *, bad: bool) -> None:
    frames = {n: readings(n, shift=3.0 if n > LAST - odd else 0.0) for n in range(1, LAST + 1)}
    lake = lake_of(tmp_path, frames)

    measure(lake, WEEKLY, [LAST])

    assert (facts_of(lake, LAST)["columns_in_drift"], facts_of(lake, LAST)["bad"]) == (1, bad)


@pytest.mark.parametrize(("moved", "by", "bad"), [(7, 0.4, True), (2, 3.0, False)])
def test_a_small_table_that_moved_for_a_week_is_bad_and_one_of_two_odd_days_is_not(
    tmp_path: Path, moved: int, by: float, *, bad: bool
) -> None:
    frames = {n: readings(n, shift=by if n > LAST - moved else 0.0, rows=50) for n in range(1, LAST + 1)}
    lake = lake_of(tmp_path, frames)

    measure(lake, WEEKLY, [LAST])

    assert (facts_of(lake, LAST)["columns_in_drift"], facts_of(lake, LAST)["bad"]) == (1, bad)


def test_a_window_that_moved_for_good_is_bad_though_it_has_two_days_to_rest_on(tmp_path: Path) -> None:
    frames = {n: readings(n, shift=3.0 if n > LAST - 7 else 0.0) for n in range(1, LAST + 1)}
    frames |= {n: readings(n, rows=0) for n in range(LAST - 6, LAST - 1)}
    lake = lake_of(tmp_path, frames)

    measure(lake, WEEKLY, [LAST])

    found = facts_of(lake, LAST)
    assert (found["drift_score"], found["bad"]) == (0.5, False)  # two days say it, and two days may be odd


def test_a_week_with_closed_days_is_not_in_drift_for_its_weekdays_and_says_on_how_many_it_rests(tmp_path: Path) -> None:
    def weekend(number: int) -> bool:
        return day(number).weekday() > 4

    closed = {n for n in range(LAST - 6, LAST + 1) if not weekend(n)} - {LAST - 6}
    frames = {
        n: readings(n, shift=2.0 if weekend(n) else 0.0, rows=0 if n in closed else 300) for n in range(1, LAST + 1)
    }
    lake = lake_of(tmp_path, frames)

    measure(lake, WEEKLY, [LAST])

    assert set(decided(lake, LAST, "level").values()) == {"none"}
    level = drift_of(lake, LAST).filter(comparison="baseline", method="js_distance_above_noise", column="level")
    assert level["note"][0].startswith(f"rests on {7 - len(closed)} of 7 days, no rows on 2026-02-")
    before = drift_of(lake, LAST).filter(comparison="previous", method="js_distance_above_noise", column="level")
    assert before["verdict"][0] == "none"


def test_rows_of_the_same_things_every_day_count_as_the_things_they_are_of(tmp_path: Path) -> None:
    catalog = readings_catalog(window=timedelta(days=7), baseline=timedelta(days=28), entity="remark")
    levels = np.random.default_rng(3).normal(size=60)

    def of_meters(number: int) -> pl.DataFrame:
        now = np.random.default_rng([60, number // 28]).normal(size=60) if number > 28 else levels
        meters = [f"meter {at}" for at in range(60)]
        return readings(number, rows=60).with_columns(level=pl.Series(now), remark=pl.Series(meters))

    frames = {n: of_meters(n) for n in range(1, LAST + 1)}
    apart = []
    for name, declared in (("entity", catalog), ("rows", WEEKLY)):
        lake = lake_of(tmp_path / name, frames, declared)
        measure(lake, declared, [LAST])
        apart.append(decided(lake, LAST, "level")["js_distance_above_noise"])

    assert apart == ["none", "drift"]  # other sixty levels of the same law, seven times each


def test_where_nothing_was_measured_no_count_of_columns_says_zero(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, {n: readings(n) for n in range(1, LAST + 1)})

    early, late = measure(lake, WEEKLY, [10]), measure(lake, WEEKLY, [LAST])

    assert facts_of(lake, 10)["columns_in_drift"] is None
    assert "columns_in_drift" not in early[0].counts
    assert late[0].counts["columns_in_drift"] == 0
    assert "columns_in_skew" not in facts_of(lake, LAST)


def test_a_baseline_frozen_by_the_version_before_is_frozen_again_from_the_same_days(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, {n: readings(n) for n in range(1, LAST + 1)})
    measure(lake, WEEKLY, [LAST])
    path = tmp_path / "monitoring" / "reference" / "interim.readings.json"
    stored = json.loads(path.read_text())
    written = path.read_bytes()
    del stored["columns"]
    before = json.dumps({**stored, "watch": "what the version before called it"})
    lake.commit(lake.stage_bytes(path, before.encode()))

    measure(lake, WEEKLY, [LAST])

    assert path.read_bytes() == written
