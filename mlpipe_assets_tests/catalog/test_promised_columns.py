"""Contracts that no table can keep, whatever rows come: refused with the catalog."""

from dataclasses import replace
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.validation.promised_columns import unkept
from mlpipe_assets.contracts.repeat_purchase import RepeatPurchase
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.errors import CatalogError
from mlpipe_assets_tests.catalog.test_validation import reasons


class Visits(Sourced):
    """Visits. Grain: order_id."""

    order_id: str
    order_ts: Annotated[pl.Datetime, "us", "UTC"]


def with_column(name: str, kind: Any, **told: Any) -> type[Visits]:
    """Visits with one more column, or another kind of one."""
    body = {"__annotations__": {name: kind}, "__module__": __name__, name: pa.Field(**told)}
    return type("Visits", (Visits,), body)


def refused(contract: type[pa.DataFrameModel]) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        Catalog(sources=(replace(orders, contract=contract),))
    return [line.partition(": source 'orders': ")[2] for line in raised.value.problems]


@pytest.mark.parametrize(
    "kind", [pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Duration, pl.Time, pl.Binary, pl.Null]
)
def test_a_type_that_no_text_is_read_as_is_refused(kind: Any) -> None:
    (said,) = refused(with_column("x", kind))

    assert said.startswith("column 'x' of Visits is ")
    assert "which no text of a file is read as" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("payload", "column 'payload' of Visits has the name of a column of every event"),
        ("event_date", "column 'event_date' of Visits has the name of a column of every event"),
        ("date", "column 'date' of Visits would be hidden by the day of the partition"),
        ("Order_ID", "columns 'order_id' and 'Order_ID' of Visits are one to SQL"),
    ],
)
def test_a_name_that_hides_another_is_refused(name: str, said: str) -> None:
    assert refused(with_column(name, str))[0].startswith(said)


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        (str, {"metadata": {"since": "soon"}}, "column 'x' of Visits: since='soon' is no date: write 2026-01-31"),
        (int, {"metadata": {"default": "none"}}, "column 'x' of Visits: default='none' is no Int64"),
        (int, {"metadata": {"drift": "0.1"}}, "column 'x' of Visits: drift='0.1' is not a number of 0 or more"),
        (int, {"metadata": {"environments": "training"}}, "environments='training' must be of training and serving"),
    ],
)
def test_what_is_said_of_a_column_must_mean_something(kind: Any, told: dict[str, Any], said: str) -> None:
    assert said in refused(with_column("x", kind, **told))[0]


def test_a_key_that_may_be_null_is_refused() -> None:
    assert refused(with_column("order_id", str, nullable=True)) == [
        "key column 'order_id' of Visits is nullable, and a row without a key cannot be told from others"
    ]


def test_a_unique_set_of_columns_that_are_not_there_is_refused() -> None:
    class Odd(Visits):
        class Config:
            unique = ("order_id", "visit")

    assert unkept(Odd) == ("unique='visit' is no column of Odd",)


def test_a_label_says_whether_something_happened_and_is_no_feature() -> None:
    class Texts(RepeatPurchase):
        label: str  # type: ignore[assignment]

    (text, *_) = reasons(models=(replace(repeat_purchase, contract=Texts),))
    (twice, *_) = reasons(models=(replace(repeat_purchase, label="age"),))

    assert text.endswith(
        "label 'label' is String in Texts, and must be bool: did it happen or not. Is task='multiclass' meant?"
    )
    assert twice.endswith("label 'age' is a column of customer_features already; give it a name of its own")


@pytest.mark.parametrize("name", ["days", "features", "raw_events"])
def test_a_source_may_not_have_the_name_of_a_table_of_ours(name: str) -> None:
    with pytest.raises(CatalogError, match="a table of ours has that name in SQL"):
        Catalog(sources=(replace(orders, name=name),))
