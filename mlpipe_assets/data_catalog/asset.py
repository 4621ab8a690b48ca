"""meta/catalog: what the lake holds, written down after everything else of a run."""

from collections.abc import Sequence

import dagster as dg

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.record import TABLE, write_entries
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake


def catalog_asset(catalog: Catalog, upstream: Sequence[str]) -> dg.AssetsDefinition:
    """The asset of the data catalog; where it says the same already, nothing is written.

    Args:
        catalog: What exists.
        upstream: The tables that are described, as `stage/name`.
    """
    key = dg.AssetKey(TABLE.split("/"))

    @dg.asset(
        key=key,
        backfill_policy=dg.BackfillPolicy.single_run(),  # one look at all, but the command line asks it of all that a range selects
        group_name="meta",
        description="Every table with owner, grain, columns, contract, version, freshness, quality and lineage, a line each.",
        kinds={"json"},
        deps=[dg.AssetKey(table.split("/")) for table in upstream],
    )
    def build(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        with lake.writing(*TABLE.split("/")):
            entries = describe(lake, catalog)
            written = write_entries(lake, entries)
        return dg.MaterializeResult(
            metadata={
                "catalog": dg.MetadataValue.path(keys.DATA_CATALOG),
                "tables": len(entries),
                "changed": written,
                "with_personal_data": [entry.name for entry in entries if entry.personal],
                "without_a_description": [entry.name for entry in entries if not entry.description],
            }
        )

    return build
