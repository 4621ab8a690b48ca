"""Dagster is told which partitions hold something else since a checkout: their data version is their digest."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG  # not exported; a test holds its effect

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of
from mlpipe_assets.rules import digest
from mlpipe_assets.tagging.checkout import Reset

_SHOWN = 16


def record_resets(instance: dg.DagsterInstance, catalog: Catalog, resets: Sequence[Reset], state: str) -> int:
    """Put on record what each day of some tables holds now; how many days those are.

    A day that is gone has no materialization any more, and Dagster knows of no such event: its page says so by an observation.

    Args:
        instance: Where Dagster keeps its records.
        catalog: What exists.
        resets: What was done.
        state: The tag that is checked out, or `now`.
    """
    keys = {
        "/".join(table.place): dg.AssetKey([table.stage, table.name]) for table in tables_of(catalog) if table.files
    }
    count = 0
    for reset in (reset for reset in resets if reset.place in keys):
        key = keys[reset.place]
        for day, files in sorted(reset.days.items()):
            version = next(iter(files.values())) if len(files) == 1 else digest(sorted(files.items()))
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    asset_key=key,
                    partition=f"{day}",
                    metadata={"checked_out": state, "digest": version[:_SHOWN]},
                    tags={DATA_VERSION_TAG: version},
                )
            )
        for day in reset.gone:
            instance.report_runless_asset_event(
                dg.AssetObservation(
                    asset_key=key, partition=f"{day}", metadata={"checked_out": state, "not_there": f"not in {state}"}
                )
            )
        count += len(reset.touched)
    return count
