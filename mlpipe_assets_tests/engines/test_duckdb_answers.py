"""The answer of a statement as a frame: the select's own types, and nothing that ends the process."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from mlpipe_assets.engines.duckdb_engine import DuckDBEngine


def ask(sql: str) -> pl.DataFrame:
    return DuckDBEngine().answer_frame(sql, [])


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("12.50::decimal(18, 2)", pl.Decimal(18, 2), Decimal("12.50")),
        ("timestamptz '2026-01-05 10:00:00+01'", pl.Datetime("us", "UTC"), datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("date '2026-01-05'", pl.Date, date(2026, 1, 5)),
        ("sum(7)", pl.Int64, 7),
        ("sum(9223372036854775807 + n)", pl.Int128, 2 * 9223372036854775807),
        ("interval '3' month", pl.String, "3 months"),
        ("{'a': interval '1' day}", pl.Struct({"a": pl.String}), {"a": "1 day"}),
        ("'\\x01'::blob", pl.String, "\\x01"),
        ("union_value(a := 1)", pl.String, "1"),
        ("'101'::bit", pl.String, "101"),
        ("[1, 2]", pl.List(pl.Int32), [1, 2]),
        ("null", pl.Null, None),
    ],
)
def test_a_value_has_the_type_of_the_select(value: str, dtype: pl.DataType, expected: object) -> None:
    of = "from (select 0::bigint as n from range(2))" if "n)" in value else ""

    frame = ask(f"select {value} as v {of}")

    assert frame.schema == {"v": dtype}
    assert frame["v"].to_list() == [expected]


def test_types_are_kept_when_no_row_answers_and_names_when_two_are_the_same() -> None:
    frame = ask('select 1.5::decimal(18, 2) as a, \'x\' as a, 1 as a_1, 2 as "it\'s ""quoted""" where false')

    assert frame.schema == {"a": pl.Decimal(18, 2), "a_2": pl.String, "a_1": pl.Int32, 'it\'s "quoted"': pl.Int32}


def test_what_is_no_select_answers_too() -> None:
    assert ask("describe select 1 as a")["column_name"].to_list() == ["a"]
