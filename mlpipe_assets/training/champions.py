"""The version of a model whose answers count, its golden rows, and how another takes its place."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_record import (
    KEPT,
    PROMOTED,
    ROLLED_BACK,
    Decided,
    line_of_champions,
    read_decisions,
    spell_decisions,
    write_decisions,
)
from mlpipe_assets.training.model_files import (
    GOLDEN,
    REGISTRY,
    Golden,
    ModelError,
    golden_bytes,
    read_golden_file,
)
from mlpipe_assets.training.versions import ModelVersion, damage, find_version, load


def champion(lake: Lake, model: str) -> ModelVersion | None:
    """The version whose answers count, or None when no model was ever good enough.

    Raises: ModelError when the champion is not in the registry.
    """
    version = _leading(lake, model)
    if version is None:
        return None
    found = find_version(lake, model, version)
    if found is None:
        raise ModelError(
            f"models/{model}: the champion {version} is not in meta/{REGISTRY}.parquet. Restore the registry, materialize "
            f"models/{model} as of its day again, or go back with `mlpipe rollback {model}`."
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
    line = [find_version(lake, model, version) for version in line_of_champions(read_decisions(lake, model))]
    return [one for one in line if one is not None]


def champion_history(lake: Lake, model: str) -> list[Decided]:
    """Every promotion and rollback of a model, oldest first."""
    return [one for one in read_decisions(lake, model) if one.action != KEPT]


def read_golden(lake: Lake, model: str) -> Golden | None:
    """The golden rows with the champion's answers; None without a champion.

    They are those in the champion's own folder; the copy that others read makes good for them where they were lost.

    Raises: ModelError when they cannot be read.
    """
    leading = _leading(lake, model)
    if leading is None:
        return None
    found = read_golden_file(lake, keys.version(model, leading, GOLDEN)) or read_golden_file(lake, keys.golden(model))
    if found is None or found.champion != leading:
        raise ModelError(
            f"{keys.version(model, leading, GOLDEN)} is missing, and so are the golden rows of {leading} in "
            f"{keys.golden(model)}. Restore one of them, or materialize models/{model} for a newer day."
        )
    return found


def promote(lake: Lake, version: ModelVersion, golden: Golden, reason: str) -> ModelVersion:
    """Make a version champion: its golden answers first, then the decision."""
    return _lead(lake, version, PROMOTED, reason, golden)


def keep(lake: Lake, version: ModelVersion, reason: str) -> None:
    """Put on record that a version was judged and does not become champion."""
    write_decisions(lake, version.model, [*read_decisions(lake, version.model), _decide(version, KEPT, reason)])


def roll_back(lake: Lake, model: str, reason: str, trusted: Collection[str] | None = None) -> ModelVersion:
    """Make the previous champion champion again, with its own golden answers; the present one is marked.

    Raises: ModelError when there is no previous champion, or it cannot be loaded.
    """
    with lake.writing("models", model):
        line = line_of_champions(read_decisions(lake, model))
        if len(line) < 2:  # noqa: PLR2004 (the present one and one before)
            present = f"{line[-1]} is the only champion left" if line else "there is no champion"
            raise ModelError(f"models/{model}: nothing to roll back to; {present}.")
        previous = find_version(lake, model, line[-2])
        if previous is None:
            raise ModelError(f"models/{model}: the previous champion {line[-2]} is no longer in the registry.")
        try:
            load(lake, model, previous.version, trusted)
        except ModelError as error:
            raise ModelError(
                f"models/{model}: cannot roll back to {previous.version}: {damage(lake, previous)}."
            ) from error
        kept = read_golden_file(lake, keys.version(model, previous.version, GOLDEN))
        if kept is None:
            raise ModelError(
                f"models/{model} {previous.version}: {GOLDEN} is gone, so nothing would hold it to its answers."
            )
        return _lead(lake, previous, ROLLED_BACK, reason, kept)


def _leading(lake: Lake, model: str) -> str | None:
    return next(reversed(line_of_champions(read_decisions(lake, model))), None)


def _lead(lake: Lake, version: ModelVersion, action: str, reason: str, golden: Golden) -> ModelVersion:
    decisions = [*read_decisions(lake, version.model), _decide(version, action, reason)]
    timeless = spell_decisions([replace(one, at=None) for one in decisions])
    content = golden_bytes(replace(golden, decisions=timeless))
    names = (keys.version(version.model, version.version, GOLDEN), keys.golden(version.model))
    lake.publish(dict.fromkeys(names, content))
    write_decisions(lake, version.model, decisions)
    return replace(version, status="champion", reason=reason)


def _decide(version: ModelVersion, action: str, reason: str) -> Decided:
    return Decided(action=action, version=version.version, as_of=version.as_of, reason=reason, at=datetime.now(tz=UTC))
