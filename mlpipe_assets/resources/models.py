"""Models on disk: one folder per version, the registry of all versions, and which of them is champion.

    models/<model>/<version>/   model.skops, card.md, card.json, metrics.json, golden.parquet (once it was champion)
    meta/model_registry.parquet one row per version
    meta/champions/<model>.json the champion, and every promotion and rollback so far, with its reason
    validation/golden/<model>.parquet the golden rows with the champion's answers

A version stands in the registry only when its folder is whole. The champion pointer is one small file, replaced by a
rename: whoever reads it sees the old champion or the new one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mlpipe_assets.errors import LakeError, MlpipeError
from mlpipe_assets.resources.lake import FACTS, Lake, Staged, read_table, spell_reason
from mlpipe_assets.resources.registry import register

if TYPE_CHECKING:
    from mlpipe_assets.learning.fitting import FittedModel

MODEL_FILE, CARD, CARD_JSON, METRICS, GOLDEN = "model.skops", "card.md", "card.json", "metrics.json", "golden.parquet"
_REGISTRY = "model_registry"


class ModelError(MlpipeError):
    """A model version that is not there, or a change of champion that cannot be made."""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a model as the registry has it.

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
        reason: Why it has that status.
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


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Golden rows with the champion's answers.

    Attributes:
        rows: Join key, as_of, feature columns, `probability`.
        version: Digest of the rows without their answers.
        champion: Version that answered.
        feature_version: Code version of the features the rows hold.
        days: Fingerprint of the feature partition of each golden day, when the rows were chosen.
    """

    rows: pl.DataFrame
    version: str
    champion: str
    feature_version: str
    days: Mapping[str, str | None]


def version_folder(lake: Lake, model: str, version: str) -> Path:
    """Where a version's files are."""
    return lake.folder("models", model) / version


def golden_path(lake: Lake, model: str) -> Path:
    """The golden rows with the answers of the champion."""
    return lake.root / "validation" / "golden" / f"{model}.parquet"


def versions(lake: Lake, model: str) -> list[dict[str, Any]]:
    """The registry rows of a model, oldest training set first."""
    found = _registered(lake, model)
    leading = _pointer(lake, model)["version"]
    for row in found:  # the pointer decides; a run killed right after moving it has not told the registry yet
        if row["version"] == leading:
            row["status"] = "champion"
        elif row["status"] == "champion":
            row["status"] = "retired"
    return found


def _registered(lake: Lake, model: str) -> list[dict[str, Any]]:
    """The registry's rows of a model as they lie there."""
    path = lake.root / "meta" / f"{_REGISTRY}.parquet"
    cure = "It knows every version of every model: restore it from a copy. Without one, delete it and materialize the models again."
    rows = read_table(path, ("model", "version", "as_of", "status"), cure=cure)
    if rows is None:
        return []
    return rows.filter(pl.col("model") == model).sort("as_of", "version").to_dicts()


def find_version(lake: Lake, model: str, version: str) -> ModelVersion | None:
    """One version of a model, or None."""
    return next((_typed(row) for row in versions(lake, model) if row["version"] == version), None)


def champion(lake: Lake, model: str) -> ModelVersion | None:
    """The version whose answers count, or None when no model was ever good enough.

    Raises: ModelError when the pointer names a version the registry does not have.
    """
    version = _pointer(lake, model)["version"]
    if version is None:
        return None
    found = find_version(lake, model, version)
    if found is None:
        raise ModelError(
            f"models/{model}: the champion {version} is not in meta/{_REGISTRY}.parquet. Restore the registry, or delete "
            f"{_pointer_path(lake, model)}: then the champion that the registry knows leads."
        )
    return found


def champion_of(lake: Lake, model: str, day: date) -> ModelVersion | None:
    """The version whose answer counts for a day: the newest champion, rolled back ones aside, that had learnt by then.

    A day that was due before a new champion was crowned is answered by the one it took the place of. Before every
    champion there is none to ask: then the present one, so that the caller can say why not.
    """
    present = champion(lake, model)
    if present is None or present.as_of <= day:
        return present
    return next((one for one in reversed(champions(lake, model)) if one.as_of <= day), present)


def champions(lake: Lake, model: str) -> list[ModelVersion]:
    """Every version that led and was not rolled back, in the order they were crowned, the present one last."""
    line = [find_version(lake, model, version) for version in _line_of_champions(champion_history(lake, model))]
    return [one for one in line if one is not None]


def damage(lake: Lake, version: ModelVersion) -> str | None:
    """What is wrong with the file of a version; None when it is the one that was registered."""
    path = version_folder(lake, version.model, version.version) / MODEL_FILE
    name = f"models/{version.model}/{version.version}/{MODEL_FILE}"
    cure = f"Restore it, or materialize models/{version.model} [{version.as_of}] again"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"{name} cannot be read ({error.strerror}). {cure}"
    return None if found == version.file_digest else f"{name} was changed since it was registered. {cure}"


def lost_pointer(lake: Lake, model: str) -> str | None:
    """What to tell where the pointer was lost and the registry stands in for it; None where nothing was."""
    stored, lost = _stored_pointer(lake, model)
    if stored or (leading := _pointer_of_registry(lake, model, lost)["version"]) is None:
        return None
    return (
        f"models/{model}: {lost}. By the registry {leading} is champion, and is taken for it; restore the file, or let the next "
        "promotion write it."
    )


def champion_history(lake: Lake, model: str) -> list[dict[str, Any]]:
    """Every promotion and rollback of a model, oldest first: action, version, as_of, reason."""
    history: list[dict[str, Any]] = _pointer(lake, model)["history"]
    return history


def load(lake: Lake, model: str, version: str) -> "FittedModel":
    """A version, ready to answer.

    Raises: ModelError for a version that is not registered or has no file, StoredModelError for a file that was changed.
    """
    from mlpipe_assets.learning.store import load_model  # noqa: PLC0415 (scikit-learn takes seconds to import)

    known = find_version(lake, model, version)
    if known is None:
        there = [row["version"] for row in versions(lake, model)]
        raise ModelError(f"models/{model} has no version {version}; there are {', '.join(there) or 'none'}.")
    path = version_folder(lake, model, version) / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"models/{model} {version}: {MODEL_FILE} cannot be read ({error.strerror}). Restore it, materialize "
            f"models/{model} [{known.as_of}] again, or roll back with `mlpipe rollback {model}`."
        ) from error
    return load_model(content, digest=known.file_digest, name=f"models/{model}/{version}/{MODEL_FILE}")


def store_version(lake: Lake, version: ModelVersion, files: Mapping[str, bytes]) -> None:
    """Write a version's folder whole, then its row in the registry."""
    folder = version_folder(lake, version.model, version.version)
    staged: list[Staged] = []
    for name, content in files.items():
        staged.append(lake.stage_bytes(folder / name, content))
    lake.commit(*staged)
    record_status(lake, version)


def record_status(lake: Lake, version: ModelVersion) -> None:
    """Put a version into the registry as it is given, in place of what was there."""
    row: dict[str, object] = {
        one.name: getattr(version, one.name) for one in fields(version) if one.name != "metrics"
    } | dict(sorted(version.metrics.items()))
    register(lake, _REGISTRY, [row], key=("model", "version"))


def read_golden(lake: Lake, model: str) -> Golden | None:
    """The golden rows with the champion's answers; None without a champion.

    Raises: ModelError when they cannot be read.
    """
    leading = _pointer(lake, model)["version"]
    if leading is None:
        return None
    found = _read_golden(golden_path(lake, model))
    if found is None or found.champion != leading:  # a run was killed between the pointer and the golden rows
        found = _read_golden(version_folder(lake, model, leading) / GOLDEN)
    if found is None:
        raise ModelError(
            f"validation/golden/{model}.parquet is missing, and so are the golden rows of {leading}. Restore one of them, "
            f"or materialize models/{model} for a newer day."
        )
    return found


def promote(lake: Lake, version: ModelVersion, golden: Golden, reason: str) -> ModelVersion:
    """Make a version champion: its golden answers first, then the pointer, then what the registry says."""
    content = _golden_bytes(golden)
    folder = version_folder(lake, version.model, version.version)
    lake.commit(lake.stage_bytes(folder / GOLDEN, content))
    return _lead(lake, version, "promoted", reason, content)


def roll_back(lake: Lake, model: str, reason: str) -> ModelVersion:
    """Make the previous champion champion again, with its own golden answers; the present one is marked.

    Raises: ModelError when there is no previous champion, or it cannot be loaded.
    """
    with lake.writing("models", model):
        line = _line_of_champions(champion_history(lake, model))
        if len(line) < 2:  # noqa: PLR2004 (the present one and one before)
            present = f"{line[-1]} is the only champion left" if line else "there is no champion"
            raise ModelError(f"models/{model}: nothing to roll back to; {present}.")
        failed, previous = line[-1], find_version(lake, model, line[-2])
        if previous is None:
            raise ModelError(f"models/{model}: the previous champion {line[-2]} is no longer in the registry.")
        try:
            load(lake, model, previous.version)
        except ModelError as error:
            raise ModelError(
                f"models/{model}: cannot roll back to {previous.version}: {damage(lake, previous)}."
            ) from error
        kept = _read_golden(version_folder(lake, model, previous.version) / GOLDEN)
        if kept is None:
            raise ModelError(
                f"models/{model} {previous.version}: {GOLDEN} is gone, so nothing would hold it to its answers."
            )
        restored = _lead(lake, previous, "rolled_back", reason, _golden_bytes(kept))
        left = find_version(lake, model, failed)
        if left is not None:
            record_status(lake, _with(left, "rolled_back", reason))
        return restored


def _lead(lake: Lake, version: ModelVersion, action: str, reason: str, golden: bytes) -> ModelVersion:
    pointer = _pointer(lake, version.model)
    before = pointer["version"]
    entry = {"action": action, "version": version.version, "as_of": f"{version.as_of}", "reason": reason}
    lake.commit(lake.stage_bytes(golden_path(lake, version.model), golden))
    lake.write_json(
        _pointer_path(lake, version.model),
        {"version": version.version, "as_of": f"{version.as_of}", "history": [*pointer["history"], entry]},
    )
    leading = _with(version, "champion", reason)
    record_status(lake, leading)
    old = find_version(lake, version.model, before) if before not in (None, version.version) else None
    if old is not None:
        record_status(lake, _with(old, "retired", f"replaced by {version.version}"))
    return leading


def _line_of_champions(history: list[dict[str, Any]]) -> list[str]:
    """Champions in the order they would be returned to, the present one last."""
    line: list[str] = []
    for entry in history:
        if entry["action"] == "rolled_back":
            line.pop()
        else:
            line = [*(v for v in line if v != entry["version"]), entry["version"]]
    return line


def _with(version: ModelVersion, status: str, reason: str) -> ModelVersion:
    values = {one.name: getattr(version, one.name) for one in fields(version)}
    return ModelVersion(**{**values, "status": status, "reason": reason})


def _typed(row: Mapping[str, Any]) -> ModelVersion:
    plain = {one.name for one in fields(ModelVersion)} - {"metrics"}
    return ModelVersion(
        **{name: row[name] for name in plain},
        metrics={name: value for name, value in row.items() if name not in plain},
    )


def _pointer_path(lake: Lake, model: str) -> Path:
    return lake.root / "meta" / "champions" / f"{model}.json"


def _pointer(lake: Lake, model: str) -> dict[str, Any]:
    found, lost = _stored_pointer(lake, model)
    return found or _pointer_of_registry(lake, model, lost)


def _stored_pointer(lake: Lake, model: str) -> tuple[dict[str, Any] | None, str]:
    """What the pointer says, or why it says nothing."""
    path = _pointer_path(lake, model)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, f"{path} is gone"
    except (OSError, ValueError) as error:
        return None, f"{path} cannot be read: {spell_reason(error)}"
    if not isinstance(found, dict) or not {"version", "history"} <= set(found):
        return None, f"{path} is not what was written there"
    return found, ""


def _pointer_of_registry(lake: Lake, model: str, lost: str) -> dict[str, Any]:
    """Who leads by what the registry says, for a pointer that was lost: it is told after the pointer has moved."""
    rows = [row for row in _registered(lake, model) if row["status"] in ("champion", "retired")]
    rows.sort(key=lambda row: (row["status"] == "champion", row["as_of"], row["version"]))
    if not rows or rows[-1]["status"] != "champion":
        if _pointer_path(lake, model).exists():
            raise LakeError(
                f"{lost}. The registry knows no champion of {model} either: restore the file, or delete it."
            )
        return {"version": None, "as_of": None, "history": []}
    history = [
        {"action": "promoted", "version": row["version"], "as_of": f"{row['as_of']}", "reason": row["reason"]}
        for row in rows
    ]
    return {"version": rows[-1]["version"], "as_of": f"{rows[-1]['as_of']}", "history": history}


def _golden_bytes(golden: Golden) -> bytes:
    facts = {
        "golden_version": golden.version,
        "champion": golden.champion,
        "feature_version": golden.feature_version,
        "days": dict(golden.days),
        "rows": golden.rows.height,
    }
    buffer = BytesIO()
    golden.rows.write_parquet(buffer, compression="zstd", metadata={FACTS: json.dumps(facts, sort_keys=True)})
    return buffer.getvalue()


def _read_golden(path: Path) -> Golden | None:
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        facts = json.loads(pl.read_parquet_metadata(BytesIO(content))[FACTS])
        rows = pl.read_parquet(content, hive_partitioning=False)
    except (OSError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}. Restore it, or delete it to fall back on the copy."
        ) from error
    return Golden(
        rows=rows,
        version=facts["golden_version"],
        champion=facts["champion"],
        feature_version=facts["feature_version"],
        days=facts["days"],
    )
