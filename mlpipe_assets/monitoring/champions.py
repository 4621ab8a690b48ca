"""What the model registry says of the version that answered: what it learnt from, and how it did on its test set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record
from mlpipe_assets.training.model_files import METRICS
from mlpipe_assets.training.versions import find_version

OVERALL = "overall"
Tested = Mapping[str, Mapping[str, Any]]  # metrics by slice


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A trained version.

    Attributes:
        as_of: Day of the training set.
        training_set: Fingerprint of the training set it learnt from.
        tested: Metrics on the test set by slice as `column=value`, `overall` among them.
    """

    version: str
    as_of: date
    training_set: str
    tested: Tested = field(default_factory=dict)


def champion_of(lake: Lake, model: str, version: str) -> Champion | None:
    """What is known of a version; None when the registry does not have it."""
    known = find_version(lake, model, version)
    if known is None:
        return None
    cure = f"Restore it, or delete it and materialize models/{model} [{known.as_of}] again."
    metrics = Record(objects=lake.objects, key=keys.version(model, version, METRICS), parse=_tested, cure=cure)
    tested = metrics.read() or {}
    return Champion(version=version, as_of=known.as_of, training_set=known.training_digest, tested=tested)


def _tested(stored: dict[str, Any]) -> Tested:
    named = {OVERALL: stored.get("model", {}).get("test", {})}
    for column, values in stored.get("slices", {}).get("test", {}).items():
        named |= {f"{column}={value}": metrics for value, metrics in values.items()}
    return {name: metrics for name, metrics in named.items() if metrics}
