"""What a view of aggregates may not say, each refused when the catalog is made, with what to write."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Entity, FeatureView
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.catalog.view_sql.columns import features_of, spell_column
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import CatalogError
from mlpipe_assets_tests.catalog.declared import FIRST, catalog_of, params_for, tables_for, view_of


def reasons(view: FeatureView) -> list[str]:
    """Why a catalog with this view, orders and customers is refused, without places."""
    with pytest.raises(CatalogError) as raised:
        replace(CATALOG, feature_views=(view,), models=(), monitors=())
    return [line.partition(f"feature view {view.name!r}: ")[2] for line in raised.value.problems]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sql": "features/x.sql"}, "it declares aggregates and sql as well: leave one of them away"),
        ({"source": ""}, 'it has no source: write source="orders"'),
        ({"source": "ordres"}, "source 'ordres' is no source. Is 'orders' meant?"),
        ({"source": "customers"}, "source 'customers' is a snapshot, whose rows happen on no day"),
        (
            {"inputs": ("orders",)},
            "its inputs follow from source and attributes (orders, customers): leave inputs away",
        ),
        ({"lookback": timedelta(days=30)}, "its window of 90 days is longer than the lookback of 30"),
        ({"scope": "population"}, 'scope="population" is for a view written in SQL'),
        ({"scope": "all"}, "scope='all' is none of entity, population"),
        ({"late": "knwn"}, "late='knwn' is none of as_known, correct. Is 'as_known' meant?"),
        ({"aggregates": Aggregate("count", name="n")}, "is not a tuple: write (Aggregate("),
        ({"attributes": ("customers",)}, "is not a tuple of From"),
        (
            {"entity": Entity(name="customer", join_keys=("customer",))},
            "join key 'customer' of entity 'customer' (mlpipe_assets_tests/catalog/test_declared_views.py:",
        ),
    ],
)
def test_a_field_that_cannot_be_is_named(wrong: dict[str, Any], said: str) -> None:
    given = {"inputs": (), **wrong}
    found = reasons(replace(customer_features, **given))

    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("days", "said"),
    [(30, "write days=(30,) with the comma"), ((0,), "days=(0,) must be whole numbers from 1 to 3660")],
)
def test_only_windows_that_cannot_be_are_named_as_such_and_not_as_missing(days: object, said: str) -> None:
    only = (Aggregate("count", name="n", days=days),)  # type: ignore[arg-type]
    found = reasons(replace(customer_features, aggregates=only, attributes=(), inputs=(), lookback=timedelta()))

    assert any(said in line for line in found), found
    assert not any("how far back" in line for line in found), found


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        (Aggregate("avg", "amount", name="x"), "aggregate 'x': function 'avg' is none of count, sum, mean"),
        (Aggregate("sum", name="x"), 'sum needs a column: write Aggregate("sum", "amount", ...)'),
        (Aggregate("sum", "amuont", name="x"), "column 'amuont' is no column of orders. Is 'amount' meant?"),
        (Aggregate("sum", "channel", name="x"), "sum of 'channel' is of String, which is no number"),
        (Aggregate("count", name="X"), "aggregate 'X': name='X' must be of a-z, 0-9 and _"),
        (Aggregate("count", name="x", days=7), "days=7 is a number, not a tuple: write days=(7,) with the comma"),  # type: ignore[arg-type]
        (Aggregate("count", name="x", days=(0,)), "days=(0,) must be whole numbers from 1 to 3660"),
        (Aggregate("count", name="x", days=(7, 7)), "days names 7 twice"),
        (
            Aggregate("count", name="x", where="amount >"),
            "where='amount >' does not parse: something is missing after '>'",
        ),
        (Aggregate("count", name="x", where="amuont > 1"), "where='amuont > 1': "),
        (Aggregate("count", name="x", where="amount + 1"), "is of Decimal(precision=19, scale=2), not true or false"),
        (Aggregate("count", name="x", where="order_ts < now()"), "calls now; time comes from the partition"),
        (Aggregate("count", name="x", where="amount > (select 1)"), "may look at the columns of one row only"),
        (Aggregate("count", name="x", where="sum(amount) > 1"), "may look at the columns of one row only"),
        (
            Aggregate("count", name="x", where="date > $start"),
            "binds a parameter; a condition is the same on every day",
        ),
        (
            Aggregate("count", name="x", where="amount > 1 -- big"),
            "holds a comment, which would hide what comes after it",
        ),
        (Aggregate("count", name="x", where="amount > 1) or (true"), "does not parse"),
        (Aggregate("count", name="x", where=""), "where='' is no condition"),
        (Aggregate("count", name="as_of"), "two features are called 'as_of'"),
        (Aggregate("count", name="n"), "CustomerFeatures lacks 'n': write `n: pl.Int64 = pa.Field(ge=0, "),
    ],
)
def test_an_aggregate_that_cannot_be_is_named(aggregate: Aggregate, said: str) -> None:
    found = reasons(replace(customer_features, aggregates=(*customer_features.aggregates, aggregate)))

    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        (From("customer", "age"), "From('customer'): it is no source. Is 'customers' meant?"),
        (From("orders", "region"), "From('orders'): it is no snapshot, so no row of it is in force on a day"),
        (From("customers"), "it names no column"),
        (From("customers", "aeg"), "'aeg' is no column of it. Is 'age' meant?"),
        (From("customers", days_since={"x": "age"}), "days_since 'x': 'age' is Int64, not a date or a time"),
        (From("customers", days_since=("x", "age")), "is no mapping of feature to column"),  # type: ignore[arg-type]
        (From("customers", renamed={"orders_7d": "age"}), "two features are called 'orders_7d'"),
        (From("customers", renamed={"Age": "age"}), "the feature's name 'Age' must be of a-z"),
    ],
)
def test_an_attribute_that_cannot_be_is_named(attribute: From, said: str) -> None:
    found = reasons(replace(customer_features, attributes=(attribute,), inputs=()))

    assert any(said in line for line in found), found


class _Lacking(CustomerFeatures):
    avg_order_value_30d: float = pa.Field()
    orders_7d: float = pa.Field()  # type: ignore[assignment]
    favourite: str = pa.Field()


def test_a_contract_that_promises_something_else_is_named_with_what_to_write() -> None:
    assert reasons(replace(customer_features, contract=_Lacking)) == [
        "'orders_7d' is Float64 in _Lacking, and count of rows gives Int64: write "
        + spell_column(features_of(CATALOG, customer_features)[2]).join("``"),
        "'avg_order_value_30d' may be null (no row in 30 of the 90 days): write nullable=True in _Lacking",
        "_Lacking promises 'favourite', which nothing declares: add an Aggregate or a From, or take it out",
    ]


class _Nullable(Orders):
    customer_id: str = pa.Field(nullable=True)


def test_a_source_whose_rows_may_belong_to_nobody_is_refused() -> None:
    with pytest.raises(CatalogError) as raised:
        replace(
            CATALOG,
            sources=(replace(orders, contract=_Nullable), customers),
            feature_views=(customer_features,),
            models=(),
            monitors=(),
        )

    assert (
        "join key 'customer_id' is nullable in _Nullable, and a row without it belongs to nobody" in f"{raised.value}"
    )


def test_a_view_has_the_longest_window_as_its_lookback_and_its_sources_as_inputs() -> None:
    assert customer_features.lookback == timedelta(days=90)
    assert customer_features.inputs == ("orders", "customers")


def test_the_columns_of_a_view_are_spelled_as_a_contract_has_them() -> None:
    lines = [spell_column(one) for one in features_of(CATALOG, customer_features)]

    assert lines[0] == 'customer_id: str = pa.Field(unique=True, description="Who.")'
    assert (
        lines[-1]
        == 'tenure_days: pl.Int64 = pa.Field(nullable=True, description="Days since signup_date of customers.")'
    )


def test_sums_of_decimals_may_stay_decimals() -> None:
    view = view_of(Aggregate("sum", "money", name="spent", days=(2,)))
    exact = type(
        "Exact",
        (view.contract,),
        {"__annotations__": {"spent_2d": pl.Decimal(38, 2)}, "spent_2d": pa.Field()},
    )
    exact_view = replace(view, contract=exact)
    row = {"who": "a", "shop": 1, "id": "1", "number": 1, "date": FIRST, "money": Decimal("90071992547409.93")}

    found = DuckDBEngine().select(
        catalog_of(exact_view).view_sql(exact_view),
        tables_for(exact_view, [row], FIRST, FIRST),
        params_for(exact_view, FIRST, FIRST),
    )

    assert found["spent_2d"].to_list() == [Decimal("90071992547409.93")]
    assert found.schema["spent_2d"] == pl.Decimal(38, 2)
