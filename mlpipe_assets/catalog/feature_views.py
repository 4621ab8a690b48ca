"""The feature views: what is known of an entity at the end of each day, by one SQL file each."""

from datetime import timedelta

from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.catalog.entities import customer
from mlpipe_assets.contracts.customer_features import CustomerFeatures

customer_features = FeatureView(
    name="customer_features",
    entity=customer,
    inputs=("orders", "customers"),
    sql="features/customer_features.sql",
    contract=CustomerFeatures,
    lookback=timedelta(days=90),
)

FEATURE_VIEWS = (customer_features,)
