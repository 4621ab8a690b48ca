"""The built-in example without what follows the training set: what the yardstick computes, and nothing else."""

from dataclasses import replace

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feature_views import FEATURE_VIEWS
from mlpipe_assets.catalog.models import MODELS
from mlpipe_assets.catalog.sources import SOURCES

CATALOG = Catalog(
    sources=SOURCES,
    feature_views=FEATURE_VIEWS,
    models=tuple(replace(model, learner=None, predictions=None) for model in MODELS),
)
