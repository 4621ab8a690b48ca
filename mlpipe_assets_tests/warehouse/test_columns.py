"""Columns as PostgreSQL has them, and rows as its COPY reads them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from mlpipe_assets.contracts.customers import Customers
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.rules import columns
from mlpipe_assets.warehouse.columns import UnfitError, columns_of, copy_text, expect_name, key_of
from mlpipe_assets.warehouse.tallies import add, differences, tally

KINDS = pl.Schema({"n": pl.Int64, "x": pl.Float64, "text": pl.String})


def test_a_contract_says_the_types_what_may_be_null_and_what_columns_mean() -> None:
    found = columns_of({c.name: c.dtype for c in columns(Orders)}, Orders, required=())

    told = {column.name: (column.type, column.nullable, column.comment) for column in found}
    assert told["amount"] == ("numeric(18, 2)", False, "Order total, tax included. In EUR.")
    assert told["order_ts"] == ("timestamp with time zone", False, "When the order was placed.")
    assert told["quantity"] == ("bigint", False, "Pieces ordered.")
    assert key_of(Orders) == ("order_id",)


def test_a_column_that_may_be_null_may_be_null_there() -> None:
    [email] = [c for c in columns_of({"email": pl.String()}, Customers, required=()) if c.name == "email"]

    assert email.nullable


@pytest.mark.parametrize(
    ("dtype", "there"),
    [
        (pl.UInt32, "bigint"),
        (pl.UInt64, "numeric(20, 0)"),
        (pl.Datetime("us"), "timestamp"),
        (pl.Enum(["a"]), "text"),
        (pl.List(pl.Int64), "jsonb"),
        (pl.Duration("us"), "bigint"),
    ],
)
def test_every_value_of_a_type_fits_the_one_that_is_chosen(dtype: pl.DataType, there: str) -> None:
    assert columns_of({"a": dtype}, None, required=())[0].type == there


def test_a_type_that_postgresql_lacks_is_refused_by_name() -> None:
    with pytest.raises(UnfitError, match="column 'a' is Object, for which PostgreSQL has no type"):
        columns_of({"a": pl.Object()}, None, required=())


def test_a_name_that_would_be_cut_is_refused() -> None:
    with pytest.raises(UnfitError, match=r"has 64 bytes, and PostgreSQL takes 63"):
        expect_name("ü" * 32)


def test_null_is_nothing_and_an_empty_text_is_quoted() -> None:
    rows = pl.DataFrame({"text": [None, "", 'say "a,b"\nc', "\\N"], "n": [1, None, 3, 4]})

    assert copy_text(rows) == b',1\n"",\n"say ""a,b""\nc",3\n"\\N",4\n'


def test_times_keep_their_microseconds_and_their_zone() -> None:
    at = datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=UTC)
    rows = pl.DataFrame({"at": [at], "d": [date(2026, 1, 5)], "money": [Decimal("-1.50")], "list": [[1, 2]]})

    assert copy_text(rows) == b'"2026-01-05 10:00:00.123456+00","2026-01-05",-1.50,"[1,2]"\n'


def test_a_text_that_postgresql_cannot_hold_is_told_with_its_column() -> None:
    with pytest.raises(UnfitError, match=r"column 'name': 1 text has a character of code 0"):
        copy_text(pl.DataFrame({"name": ["a\0b", "c"]}))


def test_rows_come_to_the_same_however_they_are_cut() -> None:
    rows = pl.DataFrame({"n": [1, None, 3], "x": [0.5, 0.25, None], "text": ["ü", "", None]}, schema=KINDS)
    found = columns_of(KINDS, None, required=())

    whole = tally(rows, found)

    assert add(add({}, tally(rows[:1], found)), tally(rows[1:], found)) == whole
    assert whole["sum of n"] == 4
    assert whole["characters of text"] == 1
    assert whole["values of text"] == 2


def test_what_does_not_agree_is_named_with_both_numbers() -> None:
    found = columns_of(KINDS, None, required=())
    here = tally(pl.DataFrame({"n": [1, 3], "x": [0.5, 0.25], "text": ["a", "b"]}, schema=KINDS), found)
    there = list(here.values())
    there[[*here].index("sum of n")] = 5

    assert list(differences(found, here, there)) == ["sum of n: 4 in the lake, 5 there"]
    assert list(differences(found, here, list(here.values()))) == []


def test_sums_of_floats_may_differ_by_the_order_in_which_they_were_added_and_by_no_more() -> None:
    found = columns_of({"x": pl.Float64()}, None, required=())
    here = {"rows": 2, "values of x": 2, "magnitudes of x": 2e6, "sum of x": 1.0}

    assert not list(differences(found, here, [2, 2, 2e6, 1.0 + 1e-4]))
    assert list(differences(found, here, [2, 2, 2e6, 1.0 + 1e-2]))
