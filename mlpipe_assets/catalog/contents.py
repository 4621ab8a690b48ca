"""Everything this project makes: one line per dataset."""

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feature_views import FEATURE_VIEWS
from mlpipe_assets.catalog.models import MODELS
from mlpipe_assets.catalog.monitors import MONITORS
from mlpipe_assets.catalog.sources import SOURCES

CATALOG = Catalog(sources=SOURCES, feature_views=FEATURE_VIEWS, models=MODELS, monitors=MONITORS)
