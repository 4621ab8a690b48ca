"""How many texts that no baseline had are still to come."""

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.statistics.unseen import UnseenShare, expect_unseen


def times(*counts: tuple[int, bool]) -> pl.DataFrame:
    return pl.DataFrame(counts, schema={"times": pl.Int64, "kept": pl.Boolean}, orient="row")


def test_as_many_rows_will_be_new_as_came_once() -> None:
    found = expect_unseen(times((6, True), (2, True), (1, True), (1, True)), 10)

    assert found == UnseenShare(expected=0.2, variance=0.04)  # two that came once of ten rows; (f1 + 2 f2) / n²


def test_ids_are_all_new() -> None:
    found = expect_unseen(times(*[(1, True)] * 50, *[(1, False)] * 50), 100)

    assert found
    assert found.expected == 1.0


def test_of_a_column_without_texts_nothing_new_is_expected() -> None:
    assert expect_unseen(times(), 100) == UnseenShare(expected=0.0, variance=0.0)
    assert expect_unseen(times(), 0) is None


@pytest.mark.parametrize("kept", [10, 100, 1000])
def test_the_share_outside_the_kept_texts_comes_out_as_expected(kept: int) -> None:
    size, rows = 5000, 20_000
    shares = 1 / np.arange(1, size + 1)
    shares = np.random.default_rng(7).permutation(shares / shares.sum())  # ties say nothing of the share
    apart = []
    for seed in range(40):
        counts = np.random.default_rng(seed).multinomial(rows, shares)
        order = np.argsort(-counts, kind="stable")
        held = [(int(counts[at]), place < kept) for place, at in enumerate(order) if counts[at]]
        found = expect_unseen(times(*held), rows)
        assert found
        apart.append((found.expected - shares[order[kept:]].sum()) / found.variance**0.5)

    assert abs(np.mean(apart)) < 0.5
    assert 0.7 < np.std(apart) < 1.4
