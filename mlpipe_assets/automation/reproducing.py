"""A model is built again from what it was made of, in a folder of its own, and held to the version that is on record.

So is what a version has predicted: the version is built again, and asked again.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import learner_version, model_version, view_version
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import LakeError, MissingPartitionError
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.point_in_time.proof import different
from mlpipe_assets.stages.models.asset import build_model
from mlpipe_assets.stages.models.plan import libraries
from mlpipe_assets.stages.predictions.asset import predict_day
from mlpipe_assets.stages.predictions.plan import declared, inputs_digest
from mlpipe_assets.stages.processed.asset import build_training_sets
from mlpipe_assets.store import keys
from mlpipe_assets.store.hold import end_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag, list_tags, read_tag
from mlpipe_assets.tagging.branching import pins_of
from mlpipe_assets.tagging.own_lake import write_tagged
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.model_files import REGISTRY, ModelError
from mlpipe_assets.training.versions import ModelVersion, find_version, load_as_declared, versions
from mlpipe_assets.transforms.splits import SPLITS


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """How a version that was built again compares.

    Attributes:
        inputs: The tag that its inputs are of; `now` where no tag names it.
        differences: A line each, by what differs: code, library, data, model or predictions; none where all is equal.
        rows: Predictions that were made again.
    """

    version: ModelVersion
    inputs: str
    differences: tuple[str, ...]
    rows: int = 0


def reproduce(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, name: str, folder: Path, *, now: datetime
) -> Reproduced:
    """Build the training set and the model of a version again; the lake is only read.

    The inputs are features and clean sources as a tag pins them that names the version, else as they are now.

    Args:
        lake: Where the version is on record.
        engine: Runs the SQL of the training set.
        catalog: What exists.
        model: As declared now.
        name: A version; or `champion`.
        folder: Where it is built; it must not be there.
        now: In UTC.

    Raises: ModelError for a version that is not on record; SettingsError for a folder that is in use; DamagedError when an input
        is not what it was.
    """
    known = champion(lake, model.name) if name == "champion" else find_version(lake, model.name, name)
    if known is None:
        there = [row["version"] for row in versions(lake, model.name)]
        raise ModelError(f"models/{model.name} has no version {name}; there are {', '.join(there) or 'none'}.")
    tag = _tag_of(lake, model, known) or Tag(name="as-it-is", made_at="", tables=pins_of(lake))
    write_tagged(lake, catalog, tag, folder, tables=[], now=now)
    own = Lake(data_dir=f"{folder}")
    end_hold(own.objects)
    before = {split: own.facts("processed", model.name, known.as_of, keys.split(split)) for split in SPLITS}
    digests = _digests(own, model, known.as_of)
    _forget(own, model, known)
    differences = [*_other_code(catalog, model, known)]
    with own.writing("processed", model.name):
        outcome = build_training_sets(own, engine, catalog, model, [known.as_of])[0][0]
    if why := outcome.refused or outcome.missing:
        lines = (*differences, f"data: the training set cannot be made: {why}")
        return Reproduced(version=known, inputs=_spell(tag), differences=lines)
    differences += _other_data(own, model, known, before, digests)
    with own.writing("models", model.name):
        built = build_model(own, engine, catalog, model, known.as_of)
    if built.version is None:
        why = built.outcome.refused or built.outcome.missing
        differences.append(f"model: it cannot be fitted: {why}")
    elif built.version.file_digest != known.file_digest:
        differences += _other_model(built.version, known)
    return Reproduced(version=known, inputs=_spell(tag), differences=tuple(differences))


def reproduce_predictions(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, day: date, folder: Path, *, now: datetime
) -> Reproduced:
    """Build the version again that has predicted a day, let it predict the day again, and compare every row; the lake is only read.

    The features of the day are those of the tag that the version is built from, where it pins the day, else those of now.

    Args:
        lake: Where the predictions are.
        engine: Runs the SQL of the training set.
        catalog: What exists.
        model: As declared now.
        day: A day that was predicted.
        folder: Where it is built; it must not be there.
        now: In UTC.

    Raises: as `reproduce`; MissingPartitionError for a day without predictions.
    """
    facts = lake.facts("predictions", model.name, day)
    if facts is None:
        days = lake.days("predictions", model.name)
        raise MissingPartitionError(
            f"predictions/{model.name} has none of {day}; there are {spell_days(days) if days else 'none at all'}."
        )
    found = reproduce(lake, engine, catalog, model, f"{facts['champion']}", folder, now=now)
    own = Lake(data_dir=f"{folder}")
    built = [row["version"] for row in versions(own, model.name)]
    version = find_version(own, model.name, built[-1]) if built else None
    if version is None:
        return replace(
            found, differences=(*found.differences, "predictions: there is no model that could be asked again")
        )
    source = own if own.has("features", model.view.name, day) else lake
    lines = [*found.differences]
    if inputs_digest(source, model, f"{facts['champion']}", day) != facts.get("inputs"):
        lines.append(f"data: the features of {day} are not those that were predicted on")
    change = own.change("predictions", model.name)
    fitted = load_as_declared(own, model, version.version)
    outcome = predict_day(source, change, catalog, model, version, fitted, day)
    if outcome.refused:
        return replace(found, differences=(*lines, f"predictions: {day} cannot be predicted again: {outcome.refused}"))
    change.publish()
    then, again = (
        one.read("predictions", model.name, day).drop("model_version", "feature_version") for one in (lake, own)
    )
    others = different(then, again, model.view.row_key, declared(model)[1])
    return replace(found, differences=(*lines, *(f"predictions: {line}" for line in others)), rows=again.height)


def _spell(tag: Tag) -> str:
    return f"tag {tag.name}" if tag.made_at else "now"


def _tag_of(lake: Lake, model: Model, known: ModelVersion) -> Tag | None:
    """The oldest tag that names the version and pins what it is made of."""
    needed = {f"features/{model.view.name}", *(f"interim/{name}" for name in model.inputs)}
    found: list[Tag] = []
    for name in list_tags(lake.objects):
        try:
            tag = read_tag(lake.objects, name)
        except LakeError:  # `mlpipe tags` names it
            continue
        roles = (tag.about.get("models") or {}).get(model.name) or {}
        if needed <= {*tag.tables} and known.version in {role["version"] for role in roles.values()}:
            found.append(tag)
    return min(found, key=lambda tag: tag.made_at, default=None)


def _digests(lake: Lake, model: Model, as_of: date) -> dict[str, str]:
    """The digests of the splits of a training set; none where it is not there."""
    files = lake.state("processed", model.name).manifest.days.get(as_of, {})
    return {file: part.sha256 for file, part in files.items()}


def _forget(lake: Lake, model: Model, known: ModelVersion) -> None:
    """Take away what is to be built again, so that nothing of it is carried over."""
    for stage in ("processed", "models"):
        change = lake.change(stage, model.name)
        for day in lake.state(stage, model.name).manifest.days:
            change.remove(day)
        change.publish()
    for row in versions(lake, model.name):
        shutil.rmtree(lake.root / keys.version(model.name, row["version"]), ignore_errors=True)
    for key in (keys.registry(REGISTRY), keys.champion(known.model), keys.golden(known.model)):
        lake.remove(lake.root / key)


def _other_code(catalog: Catalog, model: Model, known: ModelVersion) -> Iterator[str]:
    now = {
        "features": (known.feature_version, view_version(catalog, model.view)),
        "training set": (known.code_version, model_version(catalog, model)),
        "learner": (known.learner_version, learner_version(model)),
    }
    for what, (before, after) in now.items():
        if before != after:
            yield f"code: the {what} is of version {after}, and was of {before}"
    if known.libraries != libraries():
        yield f"library: {libraries()}; it was {known.libraries}"


def _other_data(
    lake: Lake,
    model: Model,
    known: ModelVersion,
    before: Mapping[str, Mapping[str, object] | None],
    digests: Mapping[str, str],
) -> Iterator[str]:
    """What of the training set differs, by feature days where these are on record."""
    after = {split: lake.facts("processed", model.name, known.as_of, keys.split(split)) or {} for split in SPLITS}
    if after["train"].get("fingerprint") == known.training_digest:
        made = _digests(lake, model, known.as_of)
        was_this_one = (before["train"] or {}).get("fingerprint") == known.training_digest
        if was_this_one and (other := sorted(file for file, digest in digests.items() if made.get(file) != digest)):
            yield f"data: {', '.join(other)} made of the same inputs has other bytes"
        return
    days: set[date] = set()
    for split, facts in after.items():
        known_set = (before[split] or {}).get("fingerprint") == known.training_digest
        then, there = (before[split] or {}).get("made"), facts.get("made")
        if known_set and isinstance(then, Mapping) and isinstance(there, Mapping):
            days |= {date.fromisoformat(day) for day in {*then, *there} if then.get(day) != there.get(day)}
    where = f": feature days {spell_days(sorted(days))}" if days else ""
    yield f"data: what the training set is made of is not what it was{where}"


def _other_model(built: ModelVersion, known: ModelVersion) -> Iterator[str]:
    moved = [
        f"{name} {value} → {built.metrics.get(name)}"
        for name, value in known.metrics.items()
        if built.metrics.get(name) != value
    ]
    numbers = f": {', '.join(moved[:5])}" if moved else ", with the same numbers"
    yield f"model: its file is {built.file_digest[:12]}…, and was {known.file_digest[:12]}…{numbers}"
