import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.bins import Bins, bins_from_json, bins_to_json, digest, freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.profiles import profile_series


def test_few_numbers_have_a_bin_each_and_one_for_the_gap_between() -> None:
    frame = pl.DataFrame({"pieces": [1, 2, 2, 5]})

    bins = freeze_bins(frame, kinds_of(frame.schema))

    assert bins == {"pieces": Bins(kind="number", edges=(1.0, 2.0, 3.0, 5.0, 6.0))}
    counts = profile_series(pl.Series([0, 1, 2, 2, 3, 4, 5, 6, 99]), bins["pieces"]).histogram(bins["pieces"])
    assert counts.tolist() == [1, 1, 2, 2, 1, 2]  # below, 1, 2, the gap, 5, above


def test_many_numbers_have_256_bins_of_about_equal_mass_and_one_either_side() -> None:
    values = np.random.default_rng(7).normal(size=25_600)
    bins = freeze_bins(pl.DataFrame({"x": values}), {"x": "number"})["x"]

    counts = profile_series(pl.Series(values), bins).histogram(bins)

    assert counts.tolist() == [0, *[100] * 256, 0]


def test_a_value_that_fills_bins_has_one_to_itself() -> None:
    values = pl.Series([0.0] * 6000 + [float(v) for v in range(1, 4001)])
    bins = freeze_bins(pl.DataFrame({"x": values}), {"x": "number"})["x"]

    zero, close = (profile_series(pl.Series([v]), bins).counts for v in (0.0, 0.5))

    assert zero != close


@pytest.mark.parametrize(
    ("value", "expected"),
    [(9.0, 0), (10.0, 1), (10.5, 2), (20.0, 3), (20.1, 4), (math.inf, 4), (-math.inf, 0)],
)
def test_values_outside_the_reference_fall_into_the_outer_bins(value: float, expected: int) -> None:
    bins = freeze_bins(pl.DataFrame({"x": [10.0, 20.0]}), {"x": "number"})["x"]
    assert profile_series(pl.Series([value]), bins).counts == ((expected, 1),)


def test_only_the_thousand_most_frequent_categories_are_kept() -> None:
    names = [f"c{number:04d}" for number in range(1500)]
    bins = freeze_bins(pl.DataFrame({"c": [*names, "c1499", "c1499", "c0700"]}), {"c": "category"})["c"]

    assert bins.categories[:3] == ("c1499", "c0700", "c0000")
    assert len(bins.categories) == 1000
    assert bins.count == 1001


@pytest.mark.parametrize(
    "series", [pl.Series([], dtype=pl.Float64), pl.Series([None], dtype=pl.Int64), pl.Series([math.nan])]
)
def test_a_reference_without_values_has_one_bin_for_all(series: pl.Series) -> None:
    bins = freeze_bins(pl.DataFrame({"x": series}), {"x": "number"})["x"]

    assert bins == Bins(kind="number")
    assert profile_series(pl.Series([1.5, 2.5]), bins).histogram(bins).tolist() == [2]


def test_a_personal_column_has_no_bins_and_shows_no_value() -> None:
    frame = pl.DataFrame({"email": ["ann@example.org", "bob@example.org"], "age": [30, 40]})

    bins = freeze_bins(frame, kinds_of(frame.schema), personal=["email", "age"])

    assert bins == {"email": Bins(kind="category", personal=True), "age": Bins(kind="number", personal=True)}
    assert bins["age"].count == 0


@given(st.lists(st.floats(allow_nan=False, width=32), max_size=400))
def test_every_number_lies_in_one_bin_and_the_reference_in_none_of_the_outer_ones(values: list[Any]) -> None:
    series = pl.Series(values, dtype=pl.Float64)
    bins = freeze_bins(pl.DataFrame({"x": series}), {"x": "number"})["x"]

    counts = profile_series(series, bins).histogram(bins)

    assert counts.sum() == len(values)
    assert list(bins.edges) == sorted(set(bins.edges))
    if bins.edges:
        assert (counts[0], counts[-1]) == (values.count(-math.inf), values.count(math.inf))


def test_bins_come_back_from_json_as_they_were_and_have_one_name() -> None:
    frame = pl.DataFrame({"x": [0.1, 1e300, None], "c": ["ä", "b", None], "l": [[1], [2], None]})
    bins = freeze_bins(frame, kinds_of(frame.schema))

    text = bins_to_json(bins)

    assert bins_from_json(text) == bins
    assert bins_to_json(dict(reversed(bins.items()))) == text
    assert digest(bins) == digest(bins_from_json(text)) != digest(bins | {"x": Bins(kind="number", edges=(0.1,))})
