"""Everything this project makes: one line per dataset."""

import importlib

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feature_views import FEATURE_VIEWS
from mlpipe_assets.catalog.models import MODELS
from mlpipe_assets.catalog.monitors import MONITORS
from mlpipe_assets.catalog.sources import SOURCES
from mlpipe_assets.errors import SettingsError

CATALOG = Catalog(sources=SOURCES, feature_views=FEATURE_VIEWS, models=MODELS, monitors=MONITORS)


def load_catalog(reference: str) -> Catalog:
    """The catalog a `module:attribute` reference names.

    Raises: SettingsError when the module, the attribute or its type is wrong.
    """
    module, _, attribute = reference.partition(":")
    try:
        catalog = getattr(importlib.import_module(module), attribute or "CATALOG")
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"MLPIPE_CATALOG={reference!r}: {error}. Write it as package.module:CATALOG.") from error
    if not isinstance(catalog, Catalog):
        raise SettingsError(f"MLPIPE_CATALOG={reference!r} is a {type(catalog).__name__}, not a Catalog.")
    return catalog
