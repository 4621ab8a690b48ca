"""A fitted model as a version: what the registry says of it, whether its files are whole, and the partition of its day."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import learner_version, model_version, view_version
from mlpipe_assets.learning.evaluation import Evaluation, flat
from mlpipe_assets.rules import contract_digest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.training.model_files import CARD, CARD_JSON, METRICS, MODEL_FILE
from mlpipe_assets.training.versions import NOT_JUDGED, ModelVersion, digest_of
from mlpipe_assets.transforms.splits import feature_days


def describe_version(
    lake: Lake,
    catalog: Catalog,
    model: Model,
    as_of: date,
    splits: Mapping[str, pl.DataFrame],
    evaluation: Evaluation,
    *,
    inputs: str,
    file_digest: str,
    libraries: str,
) -> ModelVersion:
    """What the registry is to say of a model that was just fitted; not judged yet.

    Args:
        lake: Where its training set is.
        catalog: Where the code versions come from.
        model: As declared.
        as_of: Day of the training set.
        splits: The training set.
        evaluation: The numbers.
        inputs: Digest of all the model is made of; names the version.
        file_digest: SHA-256 of the stored model.
        libraries: Versions of the libraries it was fitted with.
    """
    facts = lake.facts("processed", model.name, as_of, keys.TRAIN) or {}
    train, validation = (
        feature_days(splits["train"], moments=model.view.moments),
        feature_days(splits["validation"], moments=model.view.moments),
    )
    return ModelVersion(
        model=model.name,
        version=f"{as_of}-{inputs[:8]}",
        as_of=as_of,
        training_digest=str(facts.get("fingerprint")),
        feature_version=view_version(catalog, model.view),
        learner_version=learner_version(model),
        code_version=model_version(catalog, model),
        contract_digest=contract_digest(model.contract),
        file_digest=file_digest,
        first_day=train[0],
        last_day=train[-1],
        last_seen_day=max([*train, *validation]),
        rows=splits["train"].height,
        metrics=flat(evaluation.model, evaluation.task.on_record),
        status=NOT_JUDGED[0],
        reason=NOT_JUDGED[1],
        libraries=libraries,
    )


def is_intact(lake: Lake, known: ModelVersion) -> bool:
    """Whether the files of a version are there and the model is the one registered."""
    files = {head.key for head in lake.objects.list(keys.version(known.model, known.version))}
    wanted = {keys.version(known.model, known.version, name) for name in (MODEL_FILE, CARD, CARD_JSON, METRICS)}
    return wanted <= files and digest_of(lake, known) == known.file_digest


def write_marker(lake: Lake, model: Model, fresh: ModelVersion, inputs: str) -> Staged:
    """The partition that says which version stands for the day."""
    facts = {
        "table": f"models/{model.name}",
        "date": f"{fresh.as_of}",
        "code_version": fresh.learner_version,
        "inputs": inputs,
        "fingerprint": inputs,
        "version": fresh.version,
        "rows": 1,
    }
    rows = pl.DataFrame({"version": [fresh.version], "file_digest": [fresh.file_digest]})
    change = lake.change("models", model.name)
    staged = change.table.stage(fresh.as_of, rows, facts)
    change.put(staged)
    change.publish()
    return staged
