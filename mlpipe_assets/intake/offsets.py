"""Ranges of offsets: which of a partition were not taken yet, and how these are cut into deliveries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

Span = tuple[int, int]
Ranges = dict[int, Span]


def uncovered(taken: Iterable[Span], start: int, end: int) -> list[Span]:
    """What lies between `start` and before `end`, and in none of the spans taken."""
    left: list[Span] = []
    at = start
    for first, stop in sorted(taken):
        if at < min(first, end):
            left.append((at, min(first, end)))
        at = max(at, stop)
    return [*left, (at, end)] if at < end else left


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """The same offsets in as few spans as can be, in order."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def cut_ranges(left: Mapping[int, Sequence[Span]], most: int) -> Iterator[Ranges]:
    """Ranges of at most so many offsets, each with one span of a partition, that cover all spans once and in order."""
    ranges, room = Ranges(), most
    for number in sorted(left):
        for start, end in left[number]:
            at = start
            while at < end:
                if room == 0 or number in ranges:
                    yield ranges
                    ranges, room = Ranges(), most
                step = min(room, end - at)
                ranges[number] = (at, at + step)
                at, room = at + step, room - step
    if ranges:
        yield ranges
