"""The feature views: what is known of an entity at the end of each day."""

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.catalog.entities import customer, customer_channel
from mlpipe_assets.contracts.channel_features import ChannelFeatures
from mlpipe_assets.contracts.customer_features import CustomerFeatures

customer_features = FeatureView(
    name="customer_features",
    entity=customer,
    source="orders",
    aggregates=(
        Aggregate("count", name="orders", days=(7, 30, 90)),
        Aggregate("sum", "amount", name="revenue", days=(7, 30, 90)),
        Aggregate("mean", "amount", name="avg_order_value", days=(30,)),
        Aggregate("days_since_last", name="days_since_last_order"),
        Aggregate("count_distinct", "channel", name="distinct_channels", days=(30,)),
    ),
    attributes=(From("customers", "age", "region", days_since={"tenure_days": "signup_date"}),),
    contract=CustomerFeatures,
    late="correct",  # so that a corrected order corrects the past too
)

channel_features = FeatureView(
    name="channel_features",
    entity=customer_channel,
    source="orders",
    aggregates=(
        Aggregate("count", name="channel_orders", days=(7, 30)),
        Aggregate("sum", "amount", name="channel_revenue", days=(30,)),
    ),
    contract=ChannelFeatures,
)

FEATURE_VIEWS = (customer_features, channel_features)
