"""CSV for people: no text is run as a formula, and numbers stay numbers."""

import csv
from datetime import date
from io import StringIO

import polars as pl
import pytest

from mlpipe_assets.transforms.spreadsheets import write_csv


@pytest.mark.parametrize(
    "text",
    ["=cmd|'/C calc'!A0", "+1", "-1+2", "@SUM(1+1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "=", '=HYPERLINK("http://x")'],
)  # fmt: skip
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    [(found,)] = pl.read_csv(write_csv(pl.DataFrame({"id": [text]}))).rows()

    assert found == f"'{text}"


@pytest.mark.parametrize("text", ["C1", "a=b", "1-2", "x@y", "", "'=1", "größe", "a,b", 'say "hi"', "two\nlines"])
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    rows = csv.reader(StringIO(write_csv(pl.DataFrame({"id": [text]})).decode(), newline=""))

    assert list(rows) == [["id"], [text]]


def test_numbers_dates_and_nulls_are_left_as_they_are() -> None:
    frame = pl.DataFrame({"n": [-1, None], "x": [-0.5, 1.0], "day": [date(2026, 1, 5)] * 2, "is_new": [True, False]})

    assert write_csv(frame) == b"n,x,day,is_new\n-1,-0.5,2026-01-05,true\n,1.0,2026-01-05,false\n"


def test_names_of_columns_and_categories_are_texts_too() -> None:
    frame = pl.DataFrame({"=1+1": ["-x"]}, schema={"=1+1": pl.Categorical})

    assert write_csv(frame) == b"'=1+1\n'-x\n"
