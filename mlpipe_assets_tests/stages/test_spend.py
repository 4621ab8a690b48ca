"""What a customer spends in the 28 days after a feature day: the edges of the window, and cents that add up."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.models import spend_28d
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.rules import columns

DAY = date(2026, 1, 7)


def labels(*orders: tuple[str, int, str]) -> dict[str, float]:
    """The label of each customer as of the end of the day, of orders by customer, days after it, and amount."""
    schema = {column.name: column.dtype for column in columns(spend_28d.view.contract)}
    as_of = datetime(2026, 1, 8, tzinfo=UTC)
    rows = [{"customer_id": who, "as_of": as_of, "orders_90d": 1} for who in ("ann", "bob")]
    features = pl.DataFrame(rows, schema=schema).with_columns(date=pl.lit(DAY))
    bought = pl.DataFrame(
        [(who, DAY + timedelta(days=after), Decimal(amount)) for who, after, amount in orders],
        schema={"customer_id": pl.String, "date": pl.Date, "amount": pl.Decimal(18, 2)},
        orient="row",
    )
    sql = CATALOG.read_sql(spend_28d.sql)
    found = DuckDBEngine().select(sql, {"features": features, "orders": bought}, {"horizon": 28})
    assert found.schema["label"] == pl.Float64
    return dict(found.select("customer_id", "label").rows())


def test_the_window_begins_on_the_day_after_and_ends_with_the_horizon() -> None:
    assert labels(("ann", 0, "1"), ("ann", 1, "2"), ("ann", 28, "4"), ("ann", 29, "8"), ("zoe", 3, "16")) == {
        "ann": 6.0,
        "bob": 0.0,
    }


def test_cents_add_up() -> None:
    assert labels(*[("ann", 1, "0.10")] * 3, ("bob", 2, "9999999.99"), ("bob", 2, "0.01")) == {"ann": 0.3, "bob": 1e7}


def test_without_any_order_nothing_was_spent() -> None:
    assert labels() == {"ann": 0.0, "bob": 0.0}
