"""Versions of models: one folder and one row of the registry each. A version is registered only when its folder is whole."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import StoreError
from mlpipe_assets.store.registry import drop_columns, read_registry, register
from mlpipe_assets.training.champion_record import leave_older_form, read_decisions, statuses
from mlpipe_assets.training.model_files import MODEL_FILE, REGISTRY, ModelError, registered_rows
from mlpipe_assets.training.older_champions import STATUS

if TYPE_CHECKING:
    from mlpipe_assets.learning.fitting import FittedModel

NOT_JUDGED = ("built", "not judged yet")


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a model: what the registry has, and what was decided about it.

    Attributes:
        as_of: Day of the training set it was fitted on.
        training_digest: Fingerprint of that training set.
        feature_version: Code version of the features it learnt from.
        learner_version: Code version of how it was fitted.
        code_version: Code version of the training set.
        contract_digest: Digest of the training set's contract.
        file_digest: SHA-256 of model.skops.
        first_day: First feature day of train.
        last_day: Last feature day of train.
        last_seen_day: Last feature day of train or validation: rows after it are new to the model.
        rows: Rows of train.
        metrics: The main numbers by `<split>_<metric>`; None where a split cannot tell.
        status: `built` (not judged yet), `champion`, `challenger_kept`, `retired` or `rolled_back`.
        reason: Why it has that status; like the status it follows from the decisions and is not in the registry.
        libraries: Versions of the libraries it was fitted with.
    """

    model: str
    version: str
    as_of: date
    training_digest: str
    feature_version: str
    learner_version: str
    code_version: str
    contract_digest: str
    file_digest: str
    first_day: date
    last_day: date
    last_seen_day: date
    rows: int
    metrics: Mapping[str, float | None]
    status: str
    reason: str
    libraries: str


def versions(lake: Lake, model: str) -> list[dict[str, Any]]:
    """The registry rows of a model, each with the status and reason that follow from the decisions, oldest training set first."""
    decided = statuses(read_decisions(lake, model))
    return [
        {**row, **dict(zip(STATUS, decided.get(row["version"], NOT_JUDGED), strict=True))}
        for row in registered_rows(lake, model)
    ]


def find_version(lake: Lake, model: str, version: str) -> ModelVersion | None:
    """One version of a model, or None."""
    return next((_typed(row) for row in versions(lake, model) if row["version"] == version), None)


def damage(lake: Lake, version: ModelVersion) -> str | None:
    """What is wrong with the file of a version; None when it is the one that was registered."""
    name = keys.version(version.model, version.version, MODEL_FILE)
    cure = f"Restore it, or materialize models/{version.model} [{version.as_of}] again"
    try:
        found = digest_of(lake, version)
    except StoreError as error:
        return f"{name} cannot be read ({error.reason}). {cure}"
    return None if found == version.file_digest else f"{name} was changed since it was registered. {cure}"


def digest_of(lake: Lake, version: ModelVersion) -> str:
    """SHA-256 of the file of a version as it is now.

    Raises: StoreError when it cannot be read.
    """
    return hashlib.sha256(
        lake.objects.get(keys.version(version.model, version.version, MODEL_FILE)).content
    ).hexdigest()


def trusted_types(model: Model) -> tuple[str, ...] | None:
    """Types that a model's files may hold beyond those of the built-in learners; None where it brings no estimator."""
    learner = model.learner
    return None if learner is None or learner.estimator is None else learner.trusted


def load(lake: Lake, model: str, version: str, trusted: Collection[str] | None = None) -> "FittedModel":
    """A version, ready to answer; `trusted` as of `trusted_types`.

    Raises: ModelError for a version that is not registered or has no file, StoredModelError for a file that was changed.
    """
    from mlpipe_assets.learning.store import load_model  # noqa: PLC0415 (scikit-learn takes seconds to import)

    known = find_version(lake, model, version)
    if known is None:
        there = [row["version"] for row in versions(lake, model)]
        raise ModelError(f"models/{model} has no version {version}; there are {', '.join(there) or 'none'}.")
    name = keys.version(model, version, MODEL_FILE)
    try:
        content = lake.objects.get(name).content
    except StoreError as error:
        raise ModelError(
            f"models/{model} {version}: {MODEL_FILE} cannot be read ({error.reason}). Restore it, materialize "
            f"models/{model} [{known.as_of}] again, or roll back with `mlpipe rollback {model}`."
        ) from error
    return load_model(content, digest=known.file_digest, name=name, trusted=trusted)


def load_as_declared(lake: Lake, model: Model, version: str) -> "FittedModel":
    """A version of a declared model, ready to answer what the catalog says that it answers.

    Raises: as `load`; ModelError for a version that was fitted for another task.
    """
    found = load(lake, model.name, version, trusted_types(model))
    if found.task != model.task:
        raise ModelError(
            f"models/{model.name} {version} was fitted as a {found.task} model, and the catalog says {model.task}. Another task is "
            "another model: give it a name of its own, and the old one its task back, or train this one anew."
        )
    return found


def store_version(lake: Lake, version: ModelVersion, files: Mapping[str, bytes]) -> None:
    """Write a version's folder whole, then its row in the registry."""
    lake.publish({keys.version(version.model, version.version, name): content for name, content in files.items()})
    register_version(lake, version)


def register_version(lake: Lake, version: ModelVersion) -> None:
    """Put a version into the registry as it is given, in place of what was there."""
    stored = read_registry(lake, REGISTRY, ("model",))
    if stored is not None and STATUS[0] in stored.columns:
        leave_older_form(lake, stored["model"].unique().to_list())
        drop_columns(lake, REGISTRY, STATUS)
    row: dict[str, object] = {
        one.name: getattr(version, one.name) for one in fields(version) if one.name not in ("metrics", *STATUS)
    } | dict(sorted(version.metrics.items()))
    register(lake, REGISTRY, [row], key=("model", "version"))


def _typed(row: Mapping[str, Any]) -> ModelVersion:
    plain = {one.name for one in fields(ModelVersion)} - {"metrics"}
    return ModelVersion(
        **{name: row[name] for name in plain},
        metrics={name: value for name, value in row.items() if name not in plain},
    )
