"""The numbers that keys are looked up by: a table of places finds what a join finds."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.point_in_time.as_of_join import _look_up

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
