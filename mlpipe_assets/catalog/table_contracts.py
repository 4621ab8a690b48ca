"""Which contract a table of a catalog has."""

import pandera.polars as pa

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError


def contract_of(catalog: Catalog, table: str) -> type[pa.DataFrameModel]:
    """The contract of `interim/<source>`, `features/<view>` or `predictions/<model>`.

    Raises: SettingsError when there is none.
    """
    found: dict[str, type[pa.DataFrameModel] | None] = {
        **{f"interim/{source.name}": source.contract for source in catalog.sources},
        **{f"features/{view.name}": view.contract for view in catalog.feature_views},
        **{f"predictions/{model.name}": model.predictions for model in catalog.models},
    }
    contract = found.get(table)
    if contract is None:
        raise SettingsError(f"No table {table!r} has a contract; there are {', '.join(sorted(found)) or 'none'}.")
    return contract
