"""The models of the built-in example."""

from datetime import timedelta

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.contracts.repeat_purchase import RepeatPurchase

repeat_purchase = Model(
    name="repeat_purchase",
    view=customer_features,
    inputs=("orders",),
    sql="processed/repeat_purchase.sql",
    contract=RepeatPurchase,
    horizon=timedelta(days=28),
    embargo=timedelta(days=28),
)

MODELS = (repeat_purchase,)
