"""How rows and keys are kept: nothing is lost on the way, and no two keys share a text."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.serving.snapshots.rows import (
    KeyTypeError,
    key_type,
    parse_rows,
    read_column,
    spell_key,
    spell_keys,
    spell_rows,
)

KEYS = st.lists(st.tuples(st.text(), st.text(), st.integers(-(2**63), 2**63 - 1)), max_size=8)


@given(KEYS)
def test_keys_of_a_frame_are_spelled_as_those_of_a_request_and_never_collide(keys: list[tuple[str, str, int]]) -> None:
    frame = pl.DataFrame(keys, schema={"a": pl.String, "b": pl.String, "c": pl.Int64}, orient="row")

    spelled = spell_keys(frame, ("a", "b", "c")).to_list()

    assert spelled == [spell_key(key) for key in keys]
    assert len(set(spelled)) == len(set(keys))


def test_a_key_without_a_part_is_none() -> None:
    frame = pl.DataFrame({"a": ["x", None, "z"], "b": [date(2026, 1, 5), date(2026, 1, 5), None]})

    assert spell_keys(frame, ("a", "b")).to_list() == ["1:x10:2026-01-05", None, None]
    assert spell_keys(frame, ("b",)).to_list() == ["2026-01-05", "2026-01-05", None]


def test_every_type_comes_back_as_it_was() -> None:
    frame = pl.DataFrame(
        {
            "as_of": [datetime(2026, 1, 5, tzinfo=UTC)] * 2,
            "whole": [2**63 - 1, None],
            "number": [0.1 + 0.2, None],
            "text": ['"\\\n\0é🙂', None],
            "yes": [True, None],
            "day": [date(2026, 1, 5), None],
            "moment": [datetime(2026, 1, 5, 1, 2, 3, 4, tzinfo=UTC), None],
            "local": [datetime(2026, 1, 5, 1, 2, 3, 4), None],
            "clock": [time(1, 2, 3), None],
            "price": [Decimal("12.30"), None],
            "took": [timedelta(hours=1, microseconds=5), None],
            "kind": pl.Series(["a", None], dtype=pl.Enum(["a", "b"])),
            "many": [[1, None], None],
        },
        schema_overrides={
            "as_of": pl.Datetime("us", "UTC"),
            "moment": pl.Datetime("us", "UTC"),
            "price": pl.Decimal(10, 2),
        },
    )
    names = frame.columns[1:]

    rows = parse_rows(list(spell_rows(frame, names)))

    columns = list(zip(*[row for row in rows if row], strict=True))
    assert columns[0] == (1767571200, 1767571200)
    read = [read_column(values, frame.schema[name], name) for name, values in zip(names, columns[1:], strict=True)]
    assert_frame_equal(pl.DataFrame(read), frame.drop("as_of"))


@given(st.floats())
def test_a_number_comes_back_to_the_last_bit_or_as_null(number: float) -> None:
    frame = pl.DataFrame(
        {"as_of": [datetime(2026, 1, 5, tzinfo=UTC)], "x": [number]}, schema_overrides={"x": pl.Float64}
    )

    [row] = parse_rows(list(spell_rows(frame, ["x"])))

    assert row
    finite = number == number and abs(number) != float("inf")  # noqa: PLR0124 (NaN is not itself)
    assert row[1] == (number if finite else None)


def test_keys_that_two_clients_may_spell_differently_are_refused() -> None:
    assert [key_type(pl.String()), key_type(pl.UInt8()), key_type(pl.Date())] == ["text", "integer", "date"]
    for dtype in (pl.Float64(), pl.Boolean(), pl.Datetime("us", "UTC")):
        with pytest.raises(KeyTypeError, match="cannot be looked up online"):
            key_type(dtype)
