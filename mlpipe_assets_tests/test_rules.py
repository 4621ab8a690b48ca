"""Compiled rules: pandera's verdict, row by row, and digests that change with a rule and not with its wording."""

from typing import Annotated

import pandera.errors
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from mlpipe_assets.gate import judge
from mlpipe_assets.rules import Contract, columns, contract_digest, function_digest, repeated, rules


class Everything(pa.DataFrameModel):
    """One column for each kind of rule. Grain: none."""

    low: pl.Int64 = pa.Field(ge=0, lt=8)
    high: pl.Int64 = pa.Field(nullable=True, gt=1, le=6)
    share: float = pa.Field(nullable=True, in_range={"min_value": 0.0, "max_value": 1.0, "include_max": False})
    weight: float = pa.Field(ge=0)
    code: str = pa.Field(str_matches=r"P\d", nullable=True)
    kind: str = pa.Field(isin=["a", "b"], notin=["b"], nullable=True)
    name: str = pa.Field(str_length={"min_value": 1, "max_value": 2})
    number: pl.Int64 = pa.Field(eq=1, ne=2, nullable=True)
    price: Annotated[pl.Decimal, 18, 2] = pa.Field(ge=0, nullable=True)

    @pa.check("high")
    @classmethod
    def high_is_not_three(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) != 3)

    @pa.dataframe_check
    @classmethod
    def low_is_below_high(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("low") <= pl.col("high"))

    class Config:
        strict = True


_small = st.integers(-1, 9)
ROW = st.fixed_dictionaries(
    {
        "low": st.none() | _small,
        "high": st.none() | _small,
        "share": st.none() | st.sampled_from([-0.1, 0.0, 0.5, 1.0, float("inf")]),
        "weight": st.none() | st.sampled_from([-1.0, 0.0, 2.0, float("nan"), float("-inf")]),
        "code": st.none() | st.sampled_from(["P1", "P1x", "xP1", "P", "", "p1"]),
        "kind": st.none() | st.sampled_from(["a", "b", "c", ""]),
        "name": st.none() | st.sampled_from(["", "x", "xy", "xyz", "größ"]),
        "number": st.none() | st.sampled_from([0, 1, 2]),
        "price": st.none() | st.sampled_from(["-0.01", "0.00", "3.50"]),
    }
)


def frame_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {column.name: column.dtype for column in columns(Everything)}
    text = {name: pl.String() if name == "price" else dtype for name, dtype in schema.items()}
    return pl.DataFrame(rows, schema=text).cast(schema)  # type: ignore[arg-type]


def refused_by_pandera(frame: pl.DataFrame) -> list[bool]:
    """Each row on its own, so that no failure hides another's row."""
    verdicts = []
    for row in range(frame.height):
        try:
            Everything.validate(frame[row : row + 1], lazy=True)
        except pandera.errors.SchemaErrors:
            verdicts.append(True)
        else:
            verdicts.append(False)
    return verdicts


def infinite(frame: pl.DataFrame) -> list[bool]:
    """Where we are stricter than pandera: it takes minus infinity for a number like any other."""
    return frame.select((pl.col("share").is_infinite() | pl.col("weight").is_infinite()).fill_null(value=False))[
        "share"
    ].to_list()


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, max_size=6))
def test_compiled_rules_give_panderas_verdict(rows: list[dict[str, object]]) -> None:
    frame = frame_of(rows)

    judgement = judge(frame, Everything)

    refused = judgement.refused.to_list() if judgement.refused is not None else [False] * frame.height
    expected = [a or b for a, b in zip(refused_by_pandera(frame), infinite(frame), strict=True)]
    assert refused == expected


def test_a_frame_that_holds_is_held_by_both() -> None:
    row: dict[str, object] = {
        "low": 2,
        "high": 4,
        "share": None,
        "weight": 0.0,
        "code": "P1",
        "kind": "a",
        "name": "x",
        "number": 1,
        "price": "0.00",
    }

    frame = frame_of([row] * 3)

    assert judge(frame, Everything).holds
    assert refused_by_pandera(frame) == [False] * 3


class Share(pa.DataFrameModel):
    """A share of each shop. Grain: shop_id."""

    shop_id: pl.Int64 = pa.Field(unique=True)
    share: float = pa.Field(nullable=True, le=1)
    weight: pl.Float32


def test_what_is_not_finite_is_refused_even_where_null_may_stand() -> None:
    shares = [0.5, None, float("nan"), 2.0, float("inf"), float("-inf")]
    frame = pl.DataFrame(
        {"shop_id": [1, 2, 3, 4, 5, 6], "share": shares, "weight": pl.Series([1.0] * 6, dtype=pl.Float32)}
    )

    judgement = judge(frame, Share)

    assert judgement.errors() == [
        "share: is NaN or infinite fails on 3 of 6 rows (e.g. nan for shop_id 3, inf for shop_id 5, -inf for shop_id 6)",
        "share: <= 1 fails on 1 of 6 rows (e.g. 2.0)",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_not_called_null(value: float) -> None:
    frame = pl.DataFrame({"shop_id": [1], "share": [0.5], "weight": pl.Series([value], dtype=pl.Float32)})

    assert judge(frame, Share).reasons.to_list() == ["weight: is NaN or infinite"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"a": []}, []),
        ({"a": ["x"]}, [False]),
        ({"a": ["x", None, "y", None, "x"]}, [True, False, False, False, True]),
        ({"a": ["x", "x", "x", "x"], "b": [1, 2, 1, None]}, [True, False, True, False]),
    ],
)
def test_repeated_finds_keys_that_stand_twice_and_null_keys_are_not_duplicates(
    keys: dict[str, list[object]], expected: list[bool]
) -> None:
    frame = pl.DataFrame(keys, schema={name: pl.Int64 if name == "b" else pl.String for name in keys})

    assert_series_equal(repeated(frame, tuple(keys)), pl.Series(expected, dtype=pl.Boolean), check_names=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("ab")), max_size=12))
def test_repeated_is_what_counting_keys_says(rows: list[tuple[int | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")

    expected = [rows.count(row) > 1 and None not in row for row in rows]

    assert repeated(frame, ("a", "b")).to_list() == expected


class Priced(pa.DataFrameModel):
    price: float = pa.Field(ge=0)
    kind: str = pa.Field(isin=["a", "b"])

    @pa.dataframe_check
    @classmethod
    def is_cheap(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("price") < 100)


class Inherited(Priced):
    """Priced as it is: what the changed ones below would be if nothing were changed."""


class Reworded(pa.DataFrameModel):
    """What a price promises."""

    price: float = pa.Field(ge=0, description="In euro.", title="Price")
    kind: str = pa.Field(isin=["b", "a"])

    @pa.dataframe_check
    @classmethod
    def is_cheap(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """Prices have a roof."""
        # measured in 2026
        return data.lazyframe.select(
            pl.col("price") < 100,
        )


class AnotherBound(Priced):
    price: float = pa.Field(ge=1)


class AnotherBody(Priced):
    @pa.dataframe_check
    @classmethod
    def is_cheap(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("price") < 50)


class AnotherType(Priced):
    price: pl.Float32 = pa.Field(ge=0)  # type: ignore[assignment]  # what is changed


class AKey(Priced):
    kind: str = pa.Field(isin=["a", "b"], unique=True)


@pytest.mark.parametrize("same", [Inherited, Reworded])
def test_wording_does_not_change_a_contracts_digest(same: Contract) -> None:
    assert contract_digest(same) == contract_digest(Priced)


@pytest.mark.parametrize("changed", [AnotherBound, AnotherBody, AnotherType, AKey])
def test_a_changed_rule_changes_a_contracts_digest(changed: Contract) -> None:
    assert contract_digest(changed) != contract_digest(Priced)


class Checked(pa.DataFrameModel):
    price: float

    @pa.check("price")
    @classmethod
    def is_cheap(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("price") < 1)


class CheckedAlike(Checked):
    """Checked as it is."""


class CheckedAgain(Checked):
    @pa.check("price")
    @classmethod
    def is_cheap(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("price") < 2)


def test_a_changed_check_of_one_column_changes_the_digest() -> None:
    assert contract_digest(Checked) == contract_digest(CheckedAlike)
    assert contract_digest(Checked) != contract_digest(CheckedAgain)


def test_the_digest_of_a_function_is_of_what_it_does() -> None:
    def first(x: int) -> int:
        """Add one."""
        return x + 1  # one

    def second(x: int) -> int:
        return x + 2

    assert function_digest(first) != function_digest(second)
    assert function_digest(None) == ""


def test_rules_are_told_in_the_words_of_the_field() -> None:
    assert [
        f"{rule.column}: {rule.text}" for rule in rules(Everything) if rule.column in ("low", "share", "kind", "row")
    ] == [
        "low: is null",
        "low: >= 0",
        "low: < 8",
        "share: is NaN or infinite",
        "share: >= 0.0 and < 1.0",
        "kind: in [a, b]",
        "kind: not in [b]",
        "row: low_is_below_high",
    ]
