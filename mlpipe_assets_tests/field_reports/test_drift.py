"""Reports about drift measures that break on odd columns, re-created with columns of our own."""

import math

import polars as pl
import pytest

from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.profiles import profile_frame
from mlpipe_assets.statistics.verdicts import compare, drift_score


def measured(reference: pl.Series, current: pl.Series) -> list[Measurement]:
    """Every measurement of one column by stored profiles, judged at 0.1."""
    frames = [side.to_frame("x") for side in (reference, current)]
    bins = freeze_bins(frames[0], kinds_of(frames[0].schema))
    return compare(profile_frame(frames[0], bins), profile_frame(frames[1], bins), {"x": 0.1})


def moved(measurements: list[Measurement]) -> bool:
    return any(m.verdict == "drift" for m in measurements if m.threshold is not None)


@pytest.mark.parametrize("value", ["a", "0", 7, 7.5, True])
def test_a_column_of_one_value_has_not_drifted_and_no_p_value_is_out_of_range(value: object) -> None:
    column = pl.Series([value] * 50)

    found = measured(column, column)

    assert not moved(found)
    assert drift_score(found, {}) == 0
    assert all(m.p_value is None or math.isnan(m.p_value) or 0 <= m.p_value <= 1 for m in found)
    assert all(not math.isinf(m.value) for m in found)
    assert {m.p_value for m in found if m.p_value is not None and not math.isnan(m.p_value)} <= {1.0}


def test_a_category_that_comes_or_goes_gives_a_finite_value_that_is_seen() -> None:
    before = pl.Series(["y", "n"] * 1000)
    after = pl.Series(["y", "maybe"] * 1000)

    for reference, current in ((before, after), (after, before)):
        found = measured(reference, current)
        assert moved(found)
        assert all(math.isfinite(m.value) for m in found if m.threshold is not None)


@pytest.mark.parametrize("dtype", [pl.String, pl.Float64, pl.Int64, pl.Date])
def test_a_column_that_is_empty_on_one_side_is_judged_by_its_nulls_and_stops_no_other(dtype: pl.DataType) -> None:
    full = pl.Series([1, 2, 3, 4] * 500).cast(pl.Int32).cast(pl.Date if dtype == pl.Date else dtype)
    empty = pl.Series([None] * 2000, dtype=dtype)

    assert moved(measured(full, empty))
    assert moved(measured(empty, full))
    assert not moved(measured(empty, empty))


def test_nulls_that_come_are_drift_though_the_values_that_are_there_have_not_moved() -> None:
    values = [float(n % 10) for n in range(4000)]

    found = measured(pl.Series(values), pl.Series([v if n % 4 else None for n, v in enumerate(values)]))

    assert moved(found)
