"""The spine and its splits: ordered, disjoint, an embargo apart, nothing lost but the embargo."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.transforms.splits import SPLITS, spine_days, split_days

START = date(2026, 1, 1)
SHARES = (0.6, 0.2, 0.2)
days = st.integers(1, 30).map(lambda n: timedelta(days=n))


def weekly(count: int) -> list[date]:
    return [START + timedelta(days=6 + 7 * i) for i in range(count)]


def test_the_spine_is_weekly_and_ends_where_labels_are_complete() -> None:
    spine = spine_days(START, date(2026, 2, 17), every=timedelta(days=7), horizon=timedelta(days=28))

    assert spine == [date(2026, 1, 7), date(2026, 1, 14)]  # the label of 21 January is complete by 18 February only


@given(as_of=st.integers(0, 400).map(lambda n: START + timedelta(days=n)), every=days, horizon=days)
def test_no_label_of_the_spine_reaches_beyond_the_day_and_the_next_one_would(
    as_of: date, every: timedelta, horizon: timedelta
) -> None:
    spine = spine_days(START, as_of, every=every, horizon=horizon)

    following = (spine[-1] if spine else START - timedelta(days=1)) + every
    assert all(d + horizon <= as_of for d in spine)
    assert following + horizon > as_of
    assert all(b - a == every for a, b in pairwise(spine))


@given(
    count=st.integers(0, 80),
    every=days,
    embargo=st.integers(0, 60).map(lambda n: timedelta(days=n)),
    shares=st.tuples(*[st.floats(0.0, 1.0)] * 3),
)
def test_splits_are_in_order_an_embargo_apart_and_lose_nothing_else(
    count: int, every: timedelta, embargo: timedelta, shares: tuple[float, float, float]
) -> None:
    spine = [START + every * i for i in range(count)]

    splits = split_days(spine, shares, every=every, embargo=embargo)

    filled = [splits[name] for name in SPLITS if splits[name]]
    used = [d for split in filled for d in split]
    assert list(splits) == list(SPLITS)
    assert used == sorted(set(used))
    assert set(used) <= set(spine)
    assert all(b[0] - a[-1] >= embargo for a, b in pairwise(filled))
    assert all(len([d for d in spine if a[-1] < d < b[0]]) * every < max(embargo, every) for a, b in pairwise(filled))
    if spine:
        assert splits["train"]
        assert (used[0], used[-1]) == (spine[0], spine[-1])


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, (0, 0, 0)),
        (1, (1, 0, 0)),
        (4, (4, 0, 0)),
        (5, (1, 0, 1)),
        (8, (4, 0, 1)),
        (9, (1, 1, 1)),
        (16, (6, 2, 2)),
        (52, (28, 9, 9)),
    ],
)
def test_a_short_history_gives_up_validation_first_then_test(count: int, sizes: tuple[int, int, int]) -> None:
    splits = split_days(weekly(count), SHARES, every=timedelta(days=7), embargo=timedelta(days=28))

    assert tuple(len(splits[name]) for name in SPLITS) == sizes
