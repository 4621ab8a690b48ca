"""The sources: tables that arrive as files in data/raw/<name>/."""

from datetime import timedelta

from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.contracts.customers import Customers
from mlpipe_assets.contracts.orders import Orders

orders = Source(
    name="orders",
    contract=Orders,
    key=("order_id",),
    event_time="order_ts",
    dedupe_within=timedelta(days=7),
    tolerance=Tolerance(share=0.01, rows=20),
)

customers = Source(
    name="customers",
    contract=Customers,
    key=("customer_id",),
    tolerance=Tolerance(share=0.01, rows=20),
    empty_days=True,
    fresh_within=timedelta(days=45),
)

SOURCES = (orders, customers, serving_log)
