import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.sketches import LeadingZeros, SmallestHashes, hash_numbers, hash_texts


def sketch(values: range) -> SmallestHashes:
    return SmallestHashes.of(hash_numbers(np.array(values)))


@pytest.mark.parametrize("size", [0, 1, 511])
def test_few_values_are_counted_exactly(size: int) -> None:
    assert sketch(range(size)).estimate() == size


@pytest.mark.parametrize("size", [2_000, 50_000, 500_000])
def test_many_values_are_counted_within_four_sigma(size: int) -> None:
    assert sketch(range(size)).estimate() == pytest.approx(size, rel=0.18)
    hidden = LeadingZeros.of(hash_numbers(np.arange(size)))
    assert hidden.estimate() == pytest.approx(size, rel=0.13)


def test_few_hidden_values_are_counted_almost_exactly() -> None:
    assert LeadingZeros().estimate() == 0
    assert LeadingZeros.of(hash_numbers(np.arange(100))).estimate() == pytest.approx(100, abs=8)


@given(st.integers(0, 9_000), st.integers(0, 9_000), st.integers(0, 9_000))
def test_merged_is_the_same_as_counted_together(low: int, middle: int, high: int) -> None:
    first, second, third = range(low), range(low // 2, middle), range(middle // 3, high)
    together = sorted({*first, *second, *third})

    merged = sketch(first).merge(sketch(second)).merge(sketch(third))

    assert merged == SmallestHashes.of(hash_numbers(np.array(together)))
    assert merged == sketch(first).merge(sketch(third).merge(sketch(second)))
    hidden = [LeadingZeros.of(hash_numbers(np.array(part))) for part in (first, second, third, together)]
    assert hidden[0].merge(hidden[1]).merge(hidden[2]) == hidden[3]


@pytest.mark.parametrize("found", [SmallestHashes(), sketch(range(3)), sketch(range(3000))])
def test_a_sketch_comes_back_as_it_was(found: SmallestHashes) -> None:
    assert SmallestHashes.unpack(found.pack()) == found


def test_a_hidden_sketch_comes_back_as_it_was() -> None:
    found = LeadingZeros.of(hash_numbers(np.arange(3000)))
    assert LeadingZeros.unpack(found.pack()) == found


def test_hashes_stay_what_they_are_because_they_are_stored() -> None:
    assert [f"{h:016x}" for h in hash_numbers(np.array([0.0, 1.0, -2.5])).tolist()] == [
        "e220a8397b1dcdaf",
        "88d7c35bbbf3eded",
        "e0191234ca04fa08",
    ]
    assert [f"{h:016x}" for h in hash_texts(pl.Series(["", "a", "ä b"])).tolist()] == [
        "e220a8397b1dcdaf",
        "dcf3aa47b91f209a",
        "a0fc13aac07f1adb",
    ]


def test_numbers_that_are_equal_hash_alike() -> None:
    assert hash_numbers(np.array([3, -1])).tolist() == hash_numbers(np.array([3.0, -1.0])).tolist()
    assert hash_numbers(np.array([0.0])) == hash_numbers(np.array([-0.0]))


def test_large_integers_that_share_a_float_hash_apart() -> None:
    assert len(set(hash_numbers(np.array([2**60, 2**60 + 1, 2**60 + 2, 5])).tolist())) == 4
    assert hash_numbers(np.array([2**60, 5]))[1] == hash_numbers(np.array([5.0]))[0]


@given(st.lists(st.text(max_size=6), unique=True, max_size=30))
def test_different_texts_hash_apart_and_each_by_itself(texts: list[str]) -> None:
    together = hash_texts(pl.Series(texts, dtype=pl.String)).tolist()

    assert len(set(together)) == len(texts)
    assert together == [hash_texts(pl.Series([text])).item() for text in texts]
