"""Which values a message may quote: a shifted address, a name or a card number never stands in one."""

from datetime import date

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.gate import judge
from mlpipe_assets.quoting import labels_to_show, name_key, quote_received, without_values
from mlpipe_assets.rules import Column, columns

ADDRESS = "12 Hill Street, Ann Smith"


class People(pa.DataFrameModel):
    """A contract with a column of each kind."""

    person_id: str = pa.Field(unique=True)
    region: str = pa.Field(isin=["north", "south"])
    colour: str = pa.Field(isin=["red", "blue"], metadata={"examples": True})
    amount: pl.Float64 = pa.Field(ge=0)
    card: pl.Int64 = pa.Field(le=10)
    salary: pl.Int64 = pa.Field(ge=0, metadata={"personal": True})
    born: date = pa.Field(le=date(2020, 1, 1))

    class Config:
        strict = True


def column(name: str) -> Column:
    return next(c for c in columns(People) if c.name == name)


def test_numbers_dates_and_declared_text_are_quoted_and_nothing_else_is() -> None:
    rows = pl.DataFrame(
        {
            "person_id": ["ann@example.com", "ann@example.com"],
            "region": [ADDRESS, ADDRESS],
            "colour": ["green", "green"],
            "amount": [-4.0, -4.0],
            "card": [4111111111111111, 12],
            "salary": [-52_000, -52_000],
            "born": [date(2021, 5, 4), date(2021, 5, 4)],
        }
    )

    lines = judge(rows, People).errors()

    assert lines == [
        "region: in [north, south] fails on 2 of 2 rows",
        "colour: in [blue, red] fails on 2 of 2 rows (e.g. green)",
        "amount: >= 0 fails on 2 of 2 rows (e.g. -4.0)",
        "card: <= 10 fails on 2 of 2 rows (e.g. 12)",
        "salary: >= 0 fails on 2 of 2 rows",
        "born: <= 2020-01-01 fails on 2 of 2 rows (e.g. 2021-05-04)",
        "person_id: unique fails on 2 of 2 rows",
    ]


@pytest.mark.parametrize(
    ("name", "received", "quoted"),
    [
        ("amount", ["-1.50", "ten", ADDRESS, "1e3", "4111 1111 1111 1111", "4111111111111111"], ["-1.50", "1e3"]),
        (
            "born",
            ["2021-02-30", "2021-05-04T10:00:00Z", "030-1234567", ADDRESS],
            ["2021-02-30", "2021-05-04T10:00:00Z"],
        ),
        ("region", [ADDRESS], []),
        ("colour", ["gr\x1been"], [r"gr\x1been"]),
        ("salary", ["-1"], []),
    ],
)
def test_of_what_was_received_only_what_reads_as_the_columns_type_is_quoted(
    name: str, received: list[str], quoted: list[str]
) -> None:
    assert quote_received(pl.Series(received), column(name)) == quoted


def test_a_key_of_text_is_named_by_its_digest() -> None:
    assert name_key(People, "person_id", "ann@example.com") == "sha256 71d4f55f72fa"
    assert name_key(People, "card", 12) == "12"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"Could not convert string '{ADDRESS}' to INT64", "Could not convert string '…' to INT64"),
        (f"could not convert string to float: '{ADDRESS}'", "could not convert string to float: '…'"),
        (
            f'conversion from `str` to `i64` failed in column \'amount\' for 2 out of 2 values: ["{ADDRESS}", "b"]',
            "conversion from '…' to '…' failed in column 'amount' for 2 out of 2 values: …",
        ),
    ],
)
def test_what_a_library_says_of_a_value_is_kept_without_it(said: str, shown: str) -> None:
    assert without_values(said) == shown


def test_a_picture_names_the_categories_a_contract_lists_or_calls_examples_and_no_other() -> None:
    found = {column.name: labels_to_show(column) for column in columns(People)}

    assert found == {
        "person_id": (),
        "region": ("north", "south"),
        "colour": None,
        "amount": None,
        "card": None,
        "salary": (),
        "born": None,
    }


def test_every_text_the_built_in_tables_are_watched_by_is_listed() -> None:
    for monitor in CATALOG.monitors:
        for column in columns(CATALOG.contract(monitor.table)):
            if "drift" in column.metadata:
                assert labels_to_show(column) != (), column.name
