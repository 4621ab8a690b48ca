import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.statistics.bins import Bins, freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.exact import compare_frames
from mlpipe_assets.statistics.measurements import Measurement, Verdict
from mlpipe_assets.statistics.noise import Above
from mlpipe_assets.statistics.pairs import DECIDING, NULL_SHARE, judge
from mlpipe_assets.statistics.profiles import Profile, profile_frame
from mlpipe_assets.statistics.verdicts import compare, drift_score, worst

ROWS = 7000


def profiles(reference: pl.DataFrame, current: pl.DataFrame, personal: tuple[str, ...] = ()) -> tuple[Profile, Profile]:
    bins = freeze_bins(reference, kinds_of(reference.schema), personal=personal)
    return profile_frame(reference, bins), profile_frame(current, bins)


def verdicts(reference: Any, current: Any, threshold: float = 0.1) -> dict[str, Verdict]:
    sides = profiles(pl.DataFrame({"x": reference}), pl.DataFrame({"x": current}))
    return {m.method: m.verdict for m in compare(*sides, {"x": threshold}) if m.threshold is not None}


def said(column: str = "x", verdict: Verdict = "none", threshold: float | None = 0.1) -> Measurement:
    return Measurement(
        column=column, method="m", value=0.0, threshold=threshold, n_reference=1, n_current=1, verdict=verdict
    )


@pytest.mark.parametrize(
    ("value", "floor", "expected"),
    [
        (0.1, 0.01, "drift"),
        (0.0999, 0.01, "possible"),
        (0.05, 0.01, "possible"),
        (0.0499, 0.01, "none"),
        (0.3, 0.3, "none"),
        (math.nan, 0.01, "none"),
        (0.3, math.nan, "none"),
    ],
)
def test_the_effect_decides_and_only_beyond_the_floor(value: float, floor: float, expected: Verdict) -> None:
    assert judge(Above(value=value, floor=floor), 0.1) == expected


def test_without_a_threshold_there_is_no_verdict() -> None:
    assert judge(Above(value=0.9, floor=0.01), None) == "none"


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [(0.091, 0.006, "drift"), (0.089, 0.006, "possible"), (0.06, 0.04, "drift"), (0.049, 0.04, "none")],
)
def test_a_distance_not_clearly_below_the_threshold_is_drift_and_one_below_half_of_it_never(
    value: float, error: float, expected: Verdict
) -> None:
    assert judge(Above(value=value, floor=0.01, error=error), 0.1) == expected


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.0, "none"), (0.05, "none"), (0.18, "possible"), (0.35, "drift"), (-0.5, "drift")]
)
def test_a_quarter_of_a_standard_deviation_is_where_drift_begins(shift: float, expected: Verdict) -> None:
    draw = np.random.default_rng(7)
    found = verdicts(draw.normal(0, 1, 4 * ROWS), draw.normal(shift, 1, ROWS))
    assert found == {DECIDING: expected, NULL_SHARE: "none"}


@pytest.mark.parametrize(("points", "expected"), [(0.0, "none"), (0.035, "possible"), (0.07, "drift")])
def test_five_points_of_share_are_where_a_category_drifts(points: float, expected: Verdict) -> None:
    reference = ["web"] * 5000 + ["app"] * 3000 + ["store"] * 2000
    moved = round(points * 10_000)
    current = ["web"] * (5000 - moved) + ["app"] * (3000 + moved) + ["store"] * 2000
    assert verdicts(reference, current, 0.05)[DECIDING] == expected


def test_one_distribution_in_a_thousand_and_in_ten_rows_does_not_drift() -> None:
    draw = np.random.default_rng(216)
    for _ in range(100):
        assert set(verdicts(draw.normal(size=1000), draw.normal(size=10)).values()) == {"none"}


def test_a_change_of_unit_is_drift_even_in_fifty_rows() -> None:
    draw = np.random.default_rng(7)
    assert verdicts(draw.lognormal(size=5000), draw.lognormal(size=50) * 1000)[DECIDING] == "drift"


@pytest.mark.parametrize(("nulls", "expected"), [(0, "none"), (20, "none"), (60, "drift")])
def test_more_nulls_are_seen_as_such(nulls: int, expected: Verdict) -> None:
    values = [float(v) for v in range(1000)]
    assert verdicts(values, [None] * nulls + values[nulls:])[NULL_SHARE] == expected


def test_nulls_are_mass_in_the_distance_as_well() -> None:
    values = [float(v) for v in range(1000)]
    assert verdicts(values, [None] * 60 + values[60:])[DECIDING] == "drift"
    assert verdicts(["a"] * 1000, ["a"] * 940 + [None] * 60)[DECIDING] == "drift"


def test_nulls_that_became_nan_are_drift() -> None:
    values = [float(v) for v in range(900)]
    assert verdicts([*values, *[None] * 100], [*values, *[math.nan] * 100])[DECIDING] == "drift"


def test_every_measure_is_kept_when_nothing_fires() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 2.0, None], "c": ["a", "b", "a", None], "l": [[1], None, [2], [3]]})

    found = compare(*profiles(frame, frame), {"x": 0.1})

    shared = [
        DECIDING,
        NULL_SHARE,
        "jensen_shannon_divergence",
        "jensen_shannon_distance",
        "population_stability_index",
        "normalised_absolute_difference",
    ]
    assert [m.method for m in found if m.column == "x"] == [
        *shared,
        "kolmogorov_smirnov",
        "wasserstein_scaled",
        "mean_shift_scaled",
    ]
    assert [m.method for m in found if m.column == "c"] == [*shared, "chi_squared", "l_infinity"]
    assert [m.method for m in found if m.column == "l"] == [NULL_SHARE]
    assert {m.value for m in found} == {0.0}
    assert {m.verdict for m in found} == {"none"}
    assert [(m.column, m.method) for m in found if m.threshold is not None] == [("x", DECIDING), ("x", NULL_SHARE)]
    assert [(m.p_value, m.q_value) for m in found if m.p_value is not None] == [(1.0, 1.0)] * 5
    assert {m.n_reference for m in found if m.method == "kolmogorov_smirnov"} == {3}
    assert {m.n_reference for m in found if m.method == DECIDING} == {4}


def test_the_evidence_is_corrected_for_the_number_of_columns() -> None:
    draw = np.random.default_rng(7)
    reference, current = (pl.DataFrame({f"x{at}": draw.normal(size=500) for at in range(20)}) for _ in range(2))
    current = current.with_columns(pl.col("x3") + 1)

    found = {m.column: m for m in compare(*profiles(reference, current), {}) if m.p_value is not None}

    assert [name for name, m in found.items() if (m.q_value or 0) < 0.01] == ["x3"]
    assert found["x3"].q_value == pytest.approx(20 * (found["x3"].p_value or 0))


def test_a_column_without_nulls_has_no_test_of_nulls() -> None:
    full, holes = pl.DataFrame({"x": [1.0] * 100}), pl.DataFrame({"x": [1.0] * 80 + [None] * 20})

    assert compare(*profiles(full, full), {})[1].p_value is None
    assert compare(*profiles(full, holes), {})[1].p_value == pytest.approx(
        math.erfc(math.sqrt(200 / 18)), rel=1e-9
    )  # chi-squared 200 / 9


def test_new_and_gone_categories_are_named_with_their_rows() -> None:
    sides = profiles(pl.DataFrame({"c": ["a", "b", "b"]}), pl.DataFrame({"c": ["a", "x", "x", "y"]}))
    assert compare(*sides, {})[0].note == "new: 'x' (2 rows), 'y' (1 row); gone: 'b' (2 rows)"
    note = "new: a category (2 rows), 'y' (1 row); gone: a category (2 rows)"
    assert compare(*sides, {}, labels={"c": ("y",)})[0].note == note


def test_a_personal_column_is_watched_for_nulls_only_and_never_named() -> None:
    reference, current = pl.DataFrame({"email": ["ann@x"] * 100}), pl.DataFrame({"email": ["bob@x"] * 50 + [None] * 50})

    found = compare(*profiles(reference, current, personal=("email",)), {"email": 0.05})

    assert [(m.method, m.value, m.verdict) for m in found] == [(NULL_SHARE, 0.5, "drift")]
    assert "@" not in str(found)


def test_an_empty_window_is_no_drift_and_says_so() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]})

    found = compare(*profiles(frame, frame.clear()), {"x": 0.1, "c": 0.05})

    assert {m.verdict for m in found} == {"none"}
    assert all(math.isnan(m.value) for m in found if m.method in (DECIDING, NULL_SHARE, "kolmogorov_smirnov"))
    assert {m.note for m in found if m.method == DECIDING} == {"a side has no rows"}


def test_what_cannot_be_compared_is_refused() -> None:
    left, right = profiles(pl.DataFrame({"x": [1.0]}), pl.DataFrame({"x": [2.0]}))
    other = replace(right, bins={"x": Bins(kind="number", edges=(7.0,))})

    with pytest.raises(MeasureError, match="different bins"):
        compare(left, other, {})
    with pytest.raises(MeasureError, match="threshold for 'y'"):
        compare(left, right, {"y": 0.1})


def test_the_strongest_verdict_of_a_column_counts() -> None:
    found = [said("a", "possible"), said("a", "drift"), said("a"), said("b", "possible"), said("c", threshold=None)]
    assert worst(found) == {"a": "drift", "b": "possible"}


def test_the_drift_score_is_the_weighted_share_of_columns_in_drift() -> None:
    found = [said("a", "drift"), said("a", "drift"), said("b", "possible"), said("c"), said("d", threshold=None)]

    assert drift_score(found, {}) == pytest.approx(1 / 3)
    assert drift_score(found, {"a": 3.0, "c": 0.0}) == pytest.approx(3 / 4)
    assert drift_score([], {}) == 0.0


def test_whole_frames_are_tested_on_every_row() -> None:
    draw = np.random.default_rng(7)
    reference = pl.DataFrame({"x": draw.normal(size=3000), "c": draw.choice(["a", "b"], 3000)})
    current = pl.DataFrame({"x": draw.normal(size=2000), "c": draw.choice(["a", "b"], 2000)})
    found = compare_frames(reference, current, {"x": 0.1})

    import scipy.stats

    x, y = reference["x"].to_numpy(), current["x"].to_numpy()
    test = scipy.stats.ks_2samp(x, y, method="asymp")
    by_method = {(m.column, m.method): m for m in found.measurements}
    assert by_method["x", "kolmogorov_smirnov"].value == pytest.approx(test.statistic, abs=1e-12)
    assert by_method["x", "kolmogorov_smirnov"].p_value == pytest.approx(test.pvalue, abs=1e-12)
    moved = scipy.stats.wasserstein_distance(x, y) / x.std(ddof=1)
    assert by_method["x", "wasserstein_scaled"].value == pytest.approx(moved, rel=1e-12)
    table = [[(side["c"] == name).sum() for name in "ab"] for side in (reference, current)]
    expected = scipy.stats.chi2_contingency(table, correction=False)
    assert by_method["c", "chi_squared"].value == pytest.approx(expected.statistic, rel=1e-12)
    assert found.reference == profile_frame(reference, found.reference.bins)
    assert found.current == profile_frame(current, found.reference.bins)


def test_measures_on_bins_are_close_to_those_on_every_row() -> None:
    draw = np.random.default_rng(7)
    reference, current = pl.DataFrame({"x": draw.gamma(2, size=9000)}), pl.DataFrame({"x": draw.gamma(2.2, size=9000)})
    exact = compare_frames(reference, current)

    binned = {m.method: m.value for m in compare(exact.reference, exact.current, {})}

    for method in ("kolmogorov_smirnov", "wasserstein_scaled"):
        expected = next(m.value for m in exact.measurements if m.method == method)
        assert binned[method] == pytest.approx(expected, rel=0.06)
    assert binned["kolmogorov_smirnov"] <= next(m.value for m in exact.measurements if m.method == "kolmogorov_smirnov")


def test_a_frame_that_lacks_a_column_is_named() -> None:
    frame = pl.DataFrame({"x": [1.0], "y": [2.0]})
    with pytest.raises(MeasureError, match="current frame lacks 'x'; it has y"):
        compare_frames(frame, frame.drop("x"))
    with pytest.raises(MeasureError, match="reference lacks 'z'"):
        compare_frames(frame, frame, kinds={"z": "number"})


def test_of_a_personal_column_whole_frames_give_only_nulls() -> None:
    frame = pl.DataFrame({"email": ["ann@x", None], "l": [[1], [2]]})

    found = compare_frames(frame, frame, personal=["email"])

    assert [(m.column, m.method) for m in found.measurements] == [("email", NULL_SHARE), ("l", NULL_SHARE)]
    assert "@" not in str(found)
