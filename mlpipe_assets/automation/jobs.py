"""The jobs people, schedules and sensors run."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of

_TEXTS = {
    "ingest_job": "Bring every new file of the drop zone into the lake.",
    "daily_job": "A day or a range, from files to features, and what changed in them.",
    "training_job": "Training set, model and golden answers as of a day or of each day of a range.",
    "prediction_job": "Golden answers and predictions of a day or a range, and what changed in them.",
    "retraining_job": "The same as training_job, as drift and performance ask for it.",
}


def jobs_of(catalog: Catalog, tags: Mapping[str, str]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs of a catalog: those that have something to do. The tags say whose runs theirs are."""
    tables = tables_of(catalog)
    keys = {name: [dg.AssetKey([t.stage, t.name]) for t in tables if name in t.jobs] for name in _TEXTS}
    return [
        dg.define_asset_job(name, selection=dg.AssetSelection.assets(*keys[name]), description=text, tags=tags)
        for name, text in _TEXTS.items()
        if keys[name]
    ]
