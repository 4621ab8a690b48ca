"""Which row an asker finds, how keys are looked up, and which partitions are read for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.point_in_time.as_of_join import NEVER, Partitions, _look_up, find_places

_numbers = st.integers(-3, 40) | st.sampled_from([None, -128, 127])


@given(
    wanted=st.lists(_numbers, max_size=12),
    known=st.sets(st.integers(-2, 20), max_size=8),
    dtype=st.sampled_from([pl.Int8, pl.Int64]),
)
def test_whole_numbers_are_found_by_place_as_by_a_join(
    wanted: list[int | None], known: set[int], dtype: type[pl.DataType]
) -> None:
    keys = pl.DataFrame({"key": wanted}, schema={"key": dtype})
    numbered = pl.DataFrame({"key": [*known]}, schema={"key": dtype}).with_row_index("id").cast({"id": pl.Int32})

    found = _look_up(keys, numbered)

    assert found.tolist() == [[*known].index(key) if key in known else -1 for key in wanted]


def test_no_partition_is_read_that_is_older_than_the_row_of_every_asker(tmp_path: Path) -> None:
    read: list[list[int]] = []
    partitions = _written(tmp_path, {day: range(20) for day in range(100, 140)}, read)

    found = find_places(partitions, pl.DataFrame({"key": [3, 7]}), np.array([139, 139], dtype=np.int32))

    assert (found.day.tolist(), found.row.tolist()) == ([139, 139], [3, 7])
    assert read == [[139]]


@given(
    held=st.dictionaries(st.integers(100, 130), st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=20),
    askers=st.lists(st.tuples(st.integers(0, 11), st.integers(95, 135)), min_size=1, max_size=4),
)
def test_a_row_is_found_however_many_partitions_lie_before_it(
    tmp_path_factory: pytest.TempPathFactory, held: dict[int, set[int]], askers: list[tuple[int, int]]
) -> None:
    partitions = _written(tmp_path_factory.mktemp("partitions"), {day: sorted(held[day]) for day in sorted(held)}, [])
    keys, newest = pl.DataFrame({"key": [key for key, _ in askers]}), np.array([day for _, day in askers], np.int32)

    found = find_places(partitions, keys, newest)

    right = [max((day for day in held if day <= until and key in held[day]), default=NEVER) for key, until in askers]
    assert found.day.tolist() == right


def _written(folder: Path, rows: Mapping[int, Sequence[int]], read: list[list[int]]) -> Partitions:
    """A table with some keys a day, each in a file; which days are asked for goes into `read`."""
    for day, keys in rows.items():
        pl.DataFrame({"key": list(keys)}).write_parquet(folder / f"{day}.parquet")

    def locate(days: Sequence[int]) -> list[Path]:
        read.append([*days])
        return [folder / f"{day}.parquet" for day in days]

    types = {"key": pl.Int64()}
    return Partitions(table="t", types=types, rows={day: len(keys) for day, keys in rows.items()}, locate=locate)
