"""How many texts that no baseline had are still to come."""

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.statistics.unseen import UnseenShare, expect_unseen, expect_unseen_by_day


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


def met(*rows: tuple[str, int, int, bool]) -> pl.DataFrame:
    schema = {"text": pl.String, "day": pl.Int64, "rows": pl.Int64, "kept": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_what_came_on_one_day_only_is_new_with_all_of_its_rows() -> None:
    found = expect_unseen_by_day(
        met(("a", 0, 6, True), ("a", 1, 6, True), ("b", 0, 4, True), ("c", 1, 2, True)), np.array([10, 10])
    )

    assert found
    assert found.expected == (4 + 2) / 20  # b is new to the second day, c to the first
    assert found.variance == (4**2 + 2**2 + 2 * 6 * 6) / 20**2  # as f1 + 2 f2: a would be new but for the other day


def test_rows_that_come_one_at_a_time_are_counted_by_day_as_they_are_by_row() -> None:
    draw = np.random.default_rng(7)
    shares = 1 / np.arange(1, 3001)
    rows = pl.DataFrame({"text": draw.choice(3000, 2800, p=shares / shares.sum()), "day": np.arange(2800) % 28})
    kept = rows["text"].value_counts(sort=True)["text"].head(200)
    counted = rows.group_by("text", "day").agg(pl.len().cast(pl.Int64).alias("rows"))
    marked = counted.with_columns(pl.col("text").is_in(kept.to_list()).alias("kept"))

    by_row = expect_unseen(
        marked.group_by("text").agg(pl.col("rows").sum().alias("times"), pl.col("kept").first()), rows.height
    )
    by_day = expect_unseen_by_day(marked, np.full(28, 100))

    assert by_row
    assert by_day
    assert by_day.expected == pytest.approx(by_row.expected, rel=0.05)  # of 27 days instead of 28
    assert by_day.variance == pytest.approx(by_row.variance, rel=0.5)


def test_days_without_rows_expect_nothing() -> None:
    assert expect_unseen_by_day(met(), np.array([0, 0])) is None
    assert expect_unseen_by_day(met(), np.array([3, 4])) == UnseenShare(expected=0.0, variance=0.0)


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
