"""The jobs people, schedules and sensors run."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.stages.monitoring import REPORT
from mlpipe_assets.stages.predictions import golden_name

_TEXTS = {
    "ingest_job": "Bring every new file of the drop zone into the lake.",
    "daily_job": "A day or a range, from files to features, and what changed in them.",
    "training_job": "Training set, model and golden answers as of a day or of each day of a range.",
    "prediction_job": "Golden answers and predictions of a day or a range, and what changed in them.",
    "retraining_job": "The same as training_job, as drift and performance ask for it.",
}


def jobs_of(catalog: Catalog, tags: Mapping[str, str]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs of a catalog: those that have something to do. The tags say whose runs theirs are."""
    keys = _keys(catalog)
    return [
        dg.define_asset_job(name, selection=dg.AssetSelection.assets(*keys[name]), description=text, tags=tags)
        for name, text in _TEXTS.items()
        if keys[name]
    ]


def _keys(catalog: Catalog) -> dict[str, list[dg.AssetKey]]:
    raw = [["raw", source.name] for source in catalog.sources]
    interim = [["interim", source.name] for source in catalog.sources]
    features = [["features", view.name] for view in catalog.feature_views]
    learners = [model for model in catalog.models if model.learner]
    golden = [["validation", golden_name(model)] for model in learners]
    training = [["processed", model.name] for model in catalog.models]
    training += [*(["models", model.name] for model in learners), *golden]
    of_predictions = [["monitoring", m.name] for m in catalog.monitors if m.stage == "predictions"]
    of_data = [["monitoring", m.name] for m in catalog.monitors if m.stage != "predictions"]
    report = [["monitoring", REPORT]] if catalog.monitors else []
    predictions = [["predictions", model.name] for model in learners]
    paths = {
        "ingest_job": raw,
        "daily_job": [*raw, *interim, *features, *of_data, *(report if of_data else [])],
        "training_job": training,
        "prediction_job": [*golden, *predictions, *of_predictions, *(report if of_predictions else [])],
        "retraining_job": training if learners else [],
    }
    return {name: [dg.AssetKey(path) for path in found] for name, found in paths.items()}
