"""What Dagster loads: the pipeline of the catalog that the environment, or the project of the current folder, names."""

import sys

from mlpipe_assets.catalog.loading import catalog_of
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.settings import read_settings

SETTINGS = read_settings()
try:
    CATALOG = catalog_of(SETTINGS)
except SettingsError:
    sys.tracebacklimit = 0  # the message names file and line; Dagster would print its own thirty frames around it
    raise
defs = build_definitions(CATALOG, SETTINGS)
