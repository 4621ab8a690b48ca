import math

import polars as pl
import pytest

from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.counting import count_values
from mlpipe_assets.statistics.distances import jensen_shannon_divergence


def test_nulls_and_nan_are_values_of_their_own() -> None:
    labels, p, q = count_values(pl.Series([1.0, None, math.nan]), pl.Series([1.0, 1.0, None, None]))

    assert dict(zip(labels, zip(p.tolist(), q.tolist(), strict=True), strict=True)) == {
        "1.0": (1, 2),
        "NaN": (1, 0),
        "null": (1, 2),
    }


def test_as_in_tfdv_nan_never_equals_nan() -> None:
    tenth_nan = pl.Series([1.0] * 90 + [math.nan] * 10)

    _, p, q = count_values(tenth_nan, tenth_nan)
    assert jensen_shannon_divergence(p, q) == 0.0
    _, p, q = count_values(tenth_nan, tenth_nan, nan="tfdv")
    assert jensen_shannon_divergence(p, q) == pytest.approx(0.1, abs=1e-12)
    only_nan = pl.Series([math.nan] * 3)
    _, p, q = count_values(only_nan, only_nan, nan="tfdv")
    assert jensen_shannon_divergence(p, q) == 1.0


def test_numbers_are_counted_by_bin_in_either_mode() -> None:
    bins = Bins(kind="number", edges=(0.0, 1.0))
    reference, current = pl.Series([0.5, 0.7, math.nan, None]), pl.Series([-1.0, 0.5, math.nan, math.nan])

    labels, p, q = count_values(reference, current, bins=bins)
    assert (labels, p.tolist(), q.tolist()) == (["1", "null", "NaN", "0"], [2, 1, 1, 0], [1, 0, 2, 1])
    labels, p, q = count_values(reference, current, bins=bins, nan="tfdv")
    assert labels == ["1", "null", "NaN", "0", "NaN of current"]
    assert (p.tolist(), q.tolist()) == ([2, 1, 1, 0, 0], [1, 0, 0, 1, 2])
