"""Two profiles as bars people can look at."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.monitoring.histograms import Histogram, compare_shapes
from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.profiles import profile_frame


def shapes(reference: pl.Series, current: pl.Series, named: tuple[str, ...] | None = None) -> Histogram | None:
    frame = pl.DataFrame({"x": reference})
    bins = freeze_bins(frame, kinds_of(frame.schema))
    before, after = (profile_frame(pl.DataFrame({"x": side}), bins).columns["x"] for side in (reference, current))
    return compare_shapes(before, after, bins["x"], named)


def test_whole_numbers_have_a_bar_each_and_nulls_one_of_their_own() -> None:
    assert shapes(pl.Series([1, 1, 2, 3]), pl.Series([3, 3, 3, None])) == Histogram(
        labels=("1", "2", "3", "no value"),
        reference=(0.5, 0.25, 0.25, 0.0),
        current=(0.0, 0.0, 0.75, 0.25),
    )


def test_values_beyond_the_reference_are_in_the_tail() -> None:
    reference = pl.Series([float(i) for i in range(100)])
    current = pl.Series([50.0] * 99 + [1e9])
    found = shapes(reference, current)
    assert found is not None
    assert found.labels[-1].startswith("≥ ")
    assert found.current[-1] == pytest.approx(0.01, abs=1e-4)


def test_categories_are_bars_by_name_and_what_is_new_is_among_them() -> None:
    reference, current = pl.Series(["web", "web", "app", "app"]), pl.Series(["web", "shop", "shop", "shop"])
    assert shapes(reference, current) == Histogram(
        labels=("app", "shop", "web"), reference=(0.5, 0.0, 0.5), current=(0.0, 0.75, 0.25)
    )


def test_categories_that_may_not_be_named_are_numbered_by_their_shares() -> None:
    reference = pl.Series(["Ann", "Bob", "Bob", "Bob", "web", "web"])
    current = pl.Series(["Cid"] * 4 + ["Bob", "web"])
    assert shapes(reference, current, named=()) == Histogram(
        labels=("category 1", "category 2", "category 3", "category 4"),
        reference=(0.0, 0.5, 0.33333, 0.16667),
        current=(0.66667, 0.16667, 0.16667, 0.0),
    )
    some = shapes(reference, current, named=("web",))
    assert some is not None
    assert some.labels == ("web", "category 1", "category 2", "category 3")
    assert some.reference == (0.33333, 0.0, 0.5, 0.16667)


def test_of_many_categories_the_largest_are_shown_and_the_rest_are_one_bar() -> None:
    names = [f"n{i:02}" for i in range(20)]
    found = shapes(pl.Series(names), pl.Series(names))
    assert found is not None
    assert found.labels == (*names[:12], "all others")
    assert (found.reference[-1], found.current[-1]) == (0.4, 0.4)


def test_there_is_nothing_to_show_without_rows_or_of_times() -> None:
    assert shapes(pl.Series([1.0, 2.0]), pl.Series([], dtype=pl.Float64)) is None
    moments = pl.Series([0, 1]).cast(pl.Datetime("us"))
    assert shapes(moments, moments) is None


numbers = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(float("inf")), st.just(float("nan"))), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=80)
@given(numbers, numbers)
def test_bars_hold_every_row_once(reference: list[float | None], current: list[float | None]) -> None:
    found = shapes(pl.Series(reference, dtype=pl.Float64), pl.Series(current, dtype=pl.Float64))
    assert found is not None
    assert sum(found.reference) == pytest.approx(1.0, abs=1e-3)
    assert sum(found.current) == pytest.approx(1.0, abs=1e-3)
    assert len(found.labels) == len(set(found.labels)) <= 60


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60), st.lists(st.integers(-2000, 2000), min_size=1))
def test_bars_of_whole_numbers_hold_every_row_once(reference: list[int], current: list[int]) -> None:
    found = shapes(pl.Series(reference, dtype=pl.Int64), pl.Series(current, dtype=pl.Int64))
    assert found is not None
    assert sum(found.reference) == pytest.approx(1.0, abs=1e-3)
    assert sum(found.current) == pytest.approx(1.0, abs=1e-3)
