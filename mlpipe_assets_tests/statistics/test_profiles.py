import math
import sys
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.statistics.bins import Bins, bins_from_json, bins_to_json, freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.merging import merge
from mlpipe_assets.statistics.profile_json import from_json, to_json
from mlpipe_assets.statistics.profiles import Profile, profile_frame
from mlpipe_assets.statistics.sketches import LeadingZeros
from mlpipe_assets.statistics.summaries import count_distinct, quantiles, top

SCHEMA: dict[str, Any] = {
    "amount": pl.Float64,
    "pieces": pl.Int64,
    "price": pl.Decimal(18, 2),
    "channel": pl.String,
    "paid": pl.Boolean,
    "day": pl.Date,
    "email": pl.String,
    "tags": pl.List(pl.String),
}
REFERENCE = pl.DataFrame(
    {
        "amount": [1.0, 2.0, 2.0, None, math.nan],
        "pieces": [0, 0, 5, -3, None],
        "price": [Decimal("1.10"), Decimal("2.20"), Decimal("2.20"), None, Decimal("9.90")],
        "channel": ["web", "app", "web", None, "store"],
        "paid": [True, True, False, None, True],
        "day": [date(2026, 1, 1), date(2026, 1, 2), None, date(2026, 1, 2), date(2026, 1, 9)],
        "email": ["a@x", "b@x", "a@x", None, "c@x"],
        "tags": [["a"], [], None, ["b"], ["a"]],
    },
    schema=SCHEMA,
)
BINS = freeze_bins(REFERENCE, kinds_of(REFERENCE.schema), personal=["email"])

rows: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "amount": st.none() | st.sampled_from([1.0, 2.0, math.nan, math.inf, -math.inf, 0.0]) | st.floats(-1e6, 1e6),
        "pieces": st.none() | st.integers(-9, 9) | st.integers(-(2**53), 2**53),
        "price": st.none() | st.decimals(-99, 99, places=2),
        "channel": st.none() | st.sampled_from(["web", "app", "kiosk"]) | st.text(max_size=3),
        "paid": st.none() | st.booleans(),
        "day": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "email": st.none() | st.text(max_size=3),
        "tags": st.none() | st.just([]),
    }
)
windows = st.lists(st.lists(rows, max_size=8), min_size=1, max_size=4)


def frame(some: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(some, schema=SCHEMA)


def assert_same(left: Profile, right: Profile) -> None:
    """Everything to the last bit, mean and spread to nine digits."""
    assert left.rows == right.rows
    for name, one in left.columns.items():
        other = right.columns[name]
        size = max(abs(other.minimum or 0), abs(other.maximum or 0), 1e-300)
        assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-9 * size)
        assert one.squares == pytest.approx(other.squares, rel=1e-9, abs=1e-9 * size * size)
        moments = {"mean": 0.0, "squares": 0.0}
        assert {**vars(one), **moments} == {**vars(other), **moments}


def test_a_profile_says_what_a_reader_counts_by_hand() -> None:
    profile = profile_frame(REFERENCE, BINS)
    amount, pieces, channel = (profile.columns[name] for name in ("amount", "pieces", "channel"))

    assert (amount.rows, amount.nulls, amount.nans, amount.finite) == (5, 1, 1, 3)
    assert (amount.minimum, amount.maximum) == (1.0, 2.0)
    assert amount.mean == pytest.approx(5 / 3)
    assert amount.deviation == pytest.approx(math.sqrt(1 / 3))
    assert (pieces.zeros, pieces.minimum, pieces.maximum, count_distinct(pieces)) == (2, -3, 5, 3)
    assert top(channel, BINS["channel"]) == [("web", 2), ("app", 1), ("store", 1)]
    assert count_distinct(channel) == 3
    assert profile.columns["price"].mean == pytest.approx((1.1 + 2.2 + 2.2 + 9.9) / 4)
    assert profile.columns["paid"].counts == ((0, 3), (1, 1))
    assert (profile.columns["tags"].rows, profile.columns["tags"].nulls) == (5, 1)


def test_infinities_are_counted_and_kept_out_of_the_mean() -> None:
    bins = {"x": Bins(kind="number", edges=(0.0, 1.0))}

    column = profile_frame(pl.DataFrame({"x": [math.inf, -math.inf, -math.inf, 0.5]}), bins).columns["x"]

    assert (column.below, column.above, column.finite) == (2, 1, 1)
    assert (column.minimum, column.maximum, column.mean) == (0.5, 0.5, 0.5)
    assert column.counts == ((0, 2), (1, 1), (2, 1))


def test_of_a_personal_column_no_value_and_no_hash_is_kept() -> None:
    profile = profile_frame(REFERENCE, BINS)
    email = profile.columns["email"]

    assert (email.rows, email.nulls, count_distinct(email)) == (5, 1, 3)
    assert (email.minimum, email.maximum, email.counts, email.unseen) == (None, None, (), ())
    assert isinstance(email.distinct, LeadingZeros)
    assert top(email, BINS["email"]) == []
    assert "@" not in to_json(profile)


def test_texts_that_the_reference_has_not_are_named() -> None:
    column = profile_frame(
        REFERENCE.with_columns(channel=pl.Series(["kiosk", "web", "kiosk", "x", None])), BINS
    ).columns
    assert column["channel"].unseen == (("kiosk", 2), ("x", 1))
    assert column["channel"].counts[-1] == (3, 3)


@settings(max_examples=60, deadline=None)
@given(windows)
def test_merged_windows_are_the_profile_of_all_their_rows(parts: list[list[dict[str, Any]]]) -> None:
    profiles = [profile_frame(frame(part), BINS) for part in parts]
    whole = profile_frame(frame([row for part in parts for row in part]), BINS)

    assert_same(merge(profiles), whole)
    assert_same(reduce(lambda left, right: merge([left, right]), profiles), whole)
    assert_same(merge(profiles[::-1]), whole)
    shares = (0.0, 0.25, 0.5, 1.0)
    merged = merge(profiles)
    for name, bins in BINS.items():
        assert top(merged.columns[name], bins) == top(whole.columns[name], bins)
        assert quantiles(merged.columns[name], bins, shares) == pytest.approx(
            quantiles(whole.columns[name], bins, shares), nan_ok=True
        )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3000), max_size=900), min_size=2, max_size=3))
def test_merging_is_exact_when_there_are_more_texts_and_values_than_are_kept(parts: list[list[int]]) -> None:
    bins = {"c": Bins(kind="category", categories=("7",)), "x": Bins(kind="number", edges=(100.0,))}
    frames = [
        pl.DataFrame({"c": [str(v) for v in part], "x": part}, schema={"c": pl.String, "x": pl.Int64}) for part in parts
    ]

    assert_same(merge([profile_frame(f, bins) for f in frames]), profile_frame(pl.concat(frames), bins))


def test_of_more_unseen_texts_than_are_kept_the_most_frequent_stay_and_lose_at_most_one_in_200_of_the_rows() -> None:
    bins = {"c": Bins(kind="category")}
    days = [pl.DataFrame({"c": [f"t{v}" for v in range(at, at + 700)] + ["new"] * 20}) for at in (0, 300, 600)]
    profiles = [profile_frame(day, bins) for day in days]

    merged = merge(profiles)

    assert merged == merge(profiles[::-1])
    assert [len(profile.columns["c"].unseen) for profile in profiles] == [200] * 3
    assert dict(merged.columns["c"].unseen)["new"] == 60
    whole = pl.concat(days)["c"].value_counts().rows()
    kept = dict(merged.columns["c"].unseen)
    assert max(rows - kept.get(text, 0) for text, rows in whole) <= sum(rows for _, rows in whole) / 200


def test_an_empty_window_is_nothing_to_a_merge() -> None:
    empty, full = profile_frame(REFERENCE.clear(), BINS), profile_frame(REFERENCE, BINS)

    assert_same(merge([empty, full, empty]), full)
    assert_same(merge([empty]), empty)
    assert math.isnan(quantiles(empty.columns["amount"], BINS["amount"], (0.5,))[0])


def test_windows_counted_into_other_bins_do_not_merge() -> None:
    profile = profile_frame(REFERENCE, BINS)
    other = profile_frame(REFERENCE, BINS | {"amount": Bins(kind="number", edges=(1.0,))})

    with pytest.raises(MeasureError, match="different bins do not merge"):
        merge([profile, other])
    with pytest.raises(MeasureError, match="no profile to merge"):
        merge([])


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(MeasureError, match=r"lacks 'amount', which has bins; it has pieces"):
        profile_frame(REFERENCE.drop("amount"), BINS)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, max_size=12))
def test_a_profile_comes_back_from_json_as_it_was(some: list[dict[str, Any]]) -> None:
    profile = profile_frame(frame(some), BINS)
    assert from_json(to_json(profile), BINS) == profile
    assert to_json(from_json(to_json(profile), BINS)) == to_json(profile)


def test_numbers_too_large_to_square_are_still_json() -> None:
    bins = {"x": Bins(kind="number", edges=(0.0,))}
    days = [profile_frame(pl.DataFrame({"x": values}), bins) for values in ([1e300, -1e300], [5.0])]

    assert days[0].columns["x"].squares == math.inf
    assert from_json(to_json(merge(days)), bins) == merge(days)


def test_a_profile_counted_into_other_bins_is_not_read() -> None:
    with pytest.raises(MeasureError, match=r"counted into bins .* not"):
        from_json(to_json(profile_frame(REFERENCE, BINS)), BINS | {"pieces": Bins(kind="number")})


def test_a_day_of_ten_columns_takes_tens_of_kilobytes() -> None:
    draw = np.random.default_rng(7)
    day = pl.DataFrame({f"x{column}": draw.normal(size=5000) for column in range(10)})
    bins = freeze_bins(day, kinds_of(day.schema))

    assert len(to_json(profile_frame(day, bins))) < 60_000


def test_quantiles_are_right_up_to_the_width_of_a_bin() -> None:
    values = np.random.default_rng(7).lognormal(size=20_000)
    bins = freeze_bins(pl.DataFrame({"x": values}), {"x": "number"})
    column = profile_frame(pl.DataFrame({"x": values}), bins).columns["x"]

    shares = (0.01, 0.25, 0.5, 0.75, 0.99)
    assert quantiles(column, bins["x"], shares) == pytest.approx(np.quantile(values, shares), rel=0.03)
    assert quantiles(column, bins["x"], (0.0, 1.0)) == pytest.approx((values.min(), values.max()))


def test_infinities_are_no_part_of_the_quantiles() -> None:
    bins = {"x": Bins(kind="number", edges=(1.0, 2.0, 3.0))}
    frame = pl.DataFrame({"x": [-math.inf] * 9 + [1.0, 2.0, 2.5] + [math.inf] * 9})
    column = profile_frame(frame, bins).columns["x"]

    assert quantiles(column, bins["x"], (0.0, 0.5, 1.0)) == pytest.approx((1.0, 2.125, 2.5))


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([2**63 - 1, -(2**63), 0]),
        pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
        pl.Series([sys.float_info.max, -sys.float_info.max]),
        pl.Series([5e-324, -5e-324, 0.0]),
    ],
)
def test_the_ends_of_what_a_type_can_hold_are_counted_like_any_value(series: pl.Series) -> None:
    frame = pl.DataFrame({"x": series})
    bins = freeze_bins(frame, kinds_of(frame.schema))

    profile = profile_frame(frame, bins)

    column = profile.columns["x"]
    assert (column.minimum, column.maximum) == pytest.approx((series.min(), series.max()), abs=0)
    assert count_distinct(column) == series.n_unique()
    assert sum(rows for _, rows in column.counts) == len(series)
    assert math.isfinite(max(bins["x"].edges))
    assert from_json(to_json(profile), bins_from_json(bins_to_json(bins))) == profile


def test_quantiles_of_few_values_are_those_values() -> None:
    column = profile_frame(REFERENCE, BINS).columns["price"]
    assert quantiles(column, BINS["price"], (0.1, 0.5, 0.9)) == pytest.approx((1.1, 2.2, 9.9))
