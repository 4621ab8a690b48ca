"""Ranges of offsets: nothing is left between two of them, and nothing is in two."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.intake.intake import Mark
from mlpipe_assets.intake.offsets import cut_ranges, merge_spans, uncovered
from mlpipe_assets.intake.ranges import BEGUN, PARTITIONS, TOPIC, gather_marks, is_covered

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=5)


def test_a_range_that_was_not_read_is_left() -> None:
    assert uncovered([], 2, 5) == [(2, 5)]
    assert uncovered([(4, 6), (8, 9)], 2, 9) == [(2, 4), (6, 8)]
    assert uncovered([(0, 3), (3, 9), (5, 7)], 0, 9) == []
    assert uncovered([(0, 3), (7, 9)], 1, 3) == []


def test_a_backlog_is_cut_into_ranges() -> None:
    assert list(cut_ranges({0: [(0, 3)], 1: [(2, 4)], 2: []}, 4)) == [{0: (0, 3), 1: (2, 3)}, {1: (3, 4)}]
    assert list(cut_ranges({0: [(0, 1), (5, 6)]}, 4)) == [{0: (0, 1)}, {0: (5, 6)}]


@given(SPANS, st.integers(0, 30), st.integers(0, 30))
def test_what_is_left_is_what_nothing_covers(taken: list[tuple[int, int]], start: int, end: int) -> None:
    covered = {offset for first, stop in taken for offset in range(first, stop)}

    left = [offset for span in uncovered(taken, start, end) for offset in range(*span)]

    assert left == [offset for offset in range(start, end) if offset not in covered]


@given(st.dictionaries(st.integers(0, 4), SPANS), st.integers(1, 20))
def test_ranges_cover_what_is_left_once_and_none_is_too_long(
    taken: dict[int, list[tuple[int, int]]], most: int
) -> None:
    left = {number: uncovered(spans, 0, 40) for number, spans in taken.items()}

    found = list(cut_ranges(left, most))

    offsets = sorted((number, at) for ranges in found for number, span in ranges.items() for at in range(*span))
    assert offsets == [(number, at) for number in sorted(left) for span in left[number] for at in range(*span)]
    assert all(0 < sum(end - start for start, end in ranges.values()) <= most for ranges in found)


@given(SPANS)
def test_merged_spans_are_the_same_offsets_apart_from_each_other(spans: list[tuple[int, int]]) -> None:
    merged = merge_spans(spans)

    assert {at for span in merged for at in range(*span)} == {at for span in spans for at in range(*span)}
    assert all(end < start for (_, end), (start, _) in pairwise(merged))


def test_many_marks_say_to_a_look_what_few_do() -> None:
    marks: list[Mark] = [{TOPIC: "t", PARTITIONS: {"0": [at, at + 2]}, BEGUN: {"0": 3, "1": 5}} for at in (4, 6, 12)]
    marks += [{TOPIC: "t", PARTITIONS: {"1": [5, 9]}, BEGUN: {"0": 4, "1": 5}}, {"rows": 3}]

    gathered = list(gather_marks(marks).values())

    assert gathered == [
        {TOPIC: "t", PARTITIONS: {"0": [4, 8], "1": [5, 9]}, BEGUN: {"0": 3, "1": 5}},
        {TOPIC: "t", PARTITIONS: {"0": [12, 14]}, BEGUN: {"0": 3, "1": 5}},
    ]
    assert is_covered({PARTITIONS: {"0": [5, 8], "1": [6, 7]}}, gathered)
    assert not is_covered({PARTITIONS: {"0": [5, 9]}}, gathered)
