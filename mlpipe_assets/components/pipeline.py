"""The pipeline of a catalog as a `dg` component, for projects that are put together from `defs.yaml` files."""

from dataclasses import dataclass

import dagster as dg

from mlpipe_assets.catalog.loading import load_catalog
from mlpipe_assets.pipeline import build_definitions


@dataclass
class Pipeline(dg.Component, dg.Resolvable):
    """Raw files to predictions: every asset, check, job, schedule and sensor of one catalog.

    Attributes:
        catalog: Where it is, as `package.module:CATALOG`.
    """

    catalog: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of the catalog, with data where the environment or the project says.

        Raises: CatalogError when it does not hold together; SettingsError when there is none of that name.
        """
        return build_definitions(load_catalog(self.catalog, root=context.project_root, said_in="catalog"))
