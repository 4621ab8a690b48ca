"""What the yardstick computes, and nothing else: one view and one training set of the built-in example, without what follows it."""

from dataclasses import replace

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.sources import customers, orders

CATALOG = Catalog(
    sources=(orders, customers),
    feature_views=(customer_features,),
    models=(replace(repeat_purchase, learner=None, predictions=None),),
)
