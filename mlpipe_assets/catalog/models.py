"""The models: a training set with the label that followed, and what learns from it."""

from datetime import timedelta

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.learners import Learner, Promotion, Search
from mlpipe_assets.contracts.next_channel import NextChannel
from mlpipe_assets.contracts.next_channel_predictions import NextChannelPredictions
from mlpipe_assets.contracts.repeat_purchase import RepeatPurchase
from mlpipe_assets.contracts.repeat_purchase_predictions import RepeatPurchasePredictions
from mlpipe_assets.contracts.spend_28d import Spend28d
from mlpipe_assets.contracts.spend_28d_predictions import Spend28dPredictions

_NUMBERS = (
    "orders_7d",
    "orders_30d",
    "orders_90d",
    "revenue_7d",
    "revenue_30d",
    "revenue_90d",
    "avg_order_value_30d",
    "days_since_last_order",
    "distinct_channels_30d",
    "tenure_days",
    "age",
)

repeat_purchase = Model(
    name="repeat_purchase",
    view=customer_features,
    inputs=("orders",),
    sql="processed/repeat_purchase.sql",
    contract=RepeatPurchase,
    horizon=timedelta(days=28),
    embargo=timedelta(days=28),
    learner=Learner(
        numeric=_NUMBERS,
        categorical=("region",),
        # Small trees, slowly: on the validation split of the sample they lose less than larger ones.
        learning_rate=0.05,
        leaves=8,
        rounds=500,
        rounds_unwatched=100,
        recency="days_since_last_order",
    ),
    predictions=RepeatPurchasePredictions,
    promotion=Promotion(min_roc_auc=0.55),
    slices="processed/repeat_purchase_slices.sql",
)

spend_28d = Model(
    name="spend_28d",
    task="regression",
    view=customer_features,
    inputs=("orders",),
    sql="processed/spend_28d.sql",
    contract=Spend28d,
    horizon=timedelta(days=28),
    embargo=timedelta(days=28),
    learner=Learner(
        numeric=_NUMBERS,
        categorical=("region",),
        learning_rate=0.05,
        rounds_unwatched=60,
        recency="days_since_last_order",
        search=Search(grid={"leaves": (4, 8)}),
    ),
    predictions=Spend28dPredictions,
    promotion=Promotion(max_loss_ratio=1.0),
)

next_channel = Model(
    name="next_channel",
    task="multiclass",
    features=(
        "customer_features:orders_30d",
        "customer_features:distinct_channels_30d",
        "customer_features:age",
        "customer_features:region",
        "channel_features:*",
    ),
    spine="features/next_channel_features.sql",
    inputs=("orders",),
    sql="processed/next_channel.sql",
    contract=NextChannel,
    horizon=timedelta(days=28),
    embargo=timedelta(days=28),
    learner=Learner(
        numeric=(
            "orders_30d",
            "distinct_channels_30d",
            "age",
            "channel_orders_7d",
            "channel_orders_30d",
            "channel_revenue_30d",
        ),
        categorical=("channel", "region"),
        learning_rate=0.05,
        leaves=4,
        rounds=40,
        rounds_unwatched=20,
    ),
    predictions=NextChannelPredictions,
    promotion=Promotion(max_loss_ratio=1.0),
)

MODELS = (repeat_purchase, spend_28d, next_channel)
