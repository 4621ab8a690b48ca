"""The version of a model whose answers count, its golden rows, and how another takes its place."""

from dataclasses import replace
from datetime import date

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_pointer import (
    champion_history,
    line_of_champions,
    pointer_path,
    read_pointer,
    write_pointer,
)
from mlpipe_assets.training.model_files import (
    GOLDEN,
    REGISTRY,
    Golden,
    ModelError,
    golden_bytes,
    read_golden_file,
)
from mlpipe_assets.training.versions import ModelVersion, damage, find_version, load, record_status


def champion(lake: Lake, model: str) -> ModelVersion | None:
    """The version whose answers count, or None when no model was ever good enough.

    Raises: ModelError when the pointer names a version the registry does not have.
    """
    version = read_pointer(lake, model)["version"]
    if version is None:
        return None
    found = find_version(lake, model, version)
    if found is None:
        raise ModelError(
            f"models/{model}: the champion {version} is not in meta/{REGISTRY}.parquet. Restore the registry, or delete "
            f"{pointer_path(lake, model)}: then the champion that the registry knows leads."
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
    line = [find_version(lake, model, version) for version in line_of_champions(champion_history(lake, model))]
    return [one for one in line if one is not None]


def read_golden(lake: Lake, model: str) -> Golden | None:
    """The golden rows with the champion's answers; None without a champion.

    Raises: ModelError when they cannot be read.
    """
    leading = read_pointer(lake, model)["version"]
    if leading is None:
        return None
    found = read_golden_file(lake, keys.golden(model))
    if found is None or found.champion != leading:  # a run was killed between the pointer and the golden rows
        found = read_golden_file(lake, keys.version(model, leading, GOLDEN))
    if found is None:
        raise ModelError(
            f"validation/golden/{model}.parquet is missing, and so are the golden rows of {leading}. Restore one of them, "
            f"or materialize models/{model} for a newer day."
        )
    return found


def promote(lake: Lake, version: ModelVersion, golden: Golden, reason: str) -> ModelVersion:
    """Make a version champion: its golden answers first, then the pointer, then what the registry says."""
    content = golden_bytes(golden)
    lake.publish({keys.version(version.model, version.version, GOLDEN): content})
    return _lead(lake, version, "promoted", reason, content)


def roll_back(lake: Lake, model: str, reason: str) -> ModelVersion:
    """Make the previous champion champion again, with its own golden answers; the present one is marked.

    Raises: ModelError when there is no previous champion, or it cannot be loaded.
    """
    with lake.writing("models", model):
        line = line_of_champions(champion_history(lake, model))
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
        kept = read_golden_file(lake, keys.version(model, previous.version, GOLDEN))
        if kept is None:
            raise ModelError(
                f"models/{model} {previous.version}: {GOLDEN} is gone, so nothing would hold it to its answers."
            )
        restored = _lead(lake, previous, "rolled_back", reason, golden_bytes(kept))
        left = find_version(lake, model, failed)
        if left is not None:
            record_status(lake, replace(left, status="rolled_back", reason=reason))
        return restored


def _lead(lake: Lake, version: ModelVersion, action: str, reason: str, golden: bytes) -> ModelVersion:
    pointer = read_pointer(lake, version.model)
    before = pointer["version"]
    entry = {"action": action, "version": version.version, "as_of": f"{version.as_of}", "reason": reason}
    lake.publish({keys.golden(version.model): golden})
    history = [*pointer["history"], entry]
    write_pointer(lake, version.model, {"version": version.version, "as_of": f"{version.as_of}", "history": history})
    leading = replace(version, status="champion", reason=reason)
    record_status(lake, leading)
    old = find_version(lake, version.model, before) if before not in (None, version.version) else None
    if old is not None:
        record_status(lake, replace(old, status="retired", reason=f"replaced by {version.version}"))
    return leading
