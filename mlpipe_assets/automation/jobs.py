"""The jobs people and schedules run."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.catalog.declarations import Catalog


def jobs_of(catalog: Catalog) -> list[UnresolvedAssetJobDefinition]:
    """ingest_job (raw), daily_job (raw to features) and training_job (training sets), where the catalog has them."""
    stages = {
        "ingest_job": ("Bring every new file of the drop zone into the lake.", ["raw"], bool(catalog.sources)),
        "daily_job": (
            "A day or a range, from files to features.",
            ["raw", "interim", "features"],
            bool(catalog.sources),
        ),
        "training_job": ("Training sets as of a day or of each day of a range.", ["processed"], bool(catalog.models)),
    }
    return [
        dg.define_asset_job(name, selection=dg.AssetSelection.groups(*groups), description=description)
        for name, (description, groups, wanted) in stages.items()
        if wanted
    ]
