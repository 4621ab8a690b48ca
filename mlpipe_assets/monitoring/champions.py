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


@dataclass(frozen=True, kw_only=True)
class OnTestSet:
    """How a version ranked the rows of its test set, or of a slice of it."""

    roc_auc: float
    rows: int
    positives: int


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A trained version.

    Attributes:
        as_of: Day of the training set.
        training_set: Fingerprint of the training set it learnt from.
        tested: By slice as `column=value`, `overall` among them; what the test set was too small to tell is left out.
    """

    version: str
    as_of: date
    training_set: str
    tested: Mapping[str, OnTestSet] = field(default_factory=dict)


def champion_of(lake: Lake, model: str, version: str) -> Champion | None:
    """What is known of a version; None when the registry does not have it."""
    known = find_version(lake, model, version)
    if known is None:
        return None
    cure = f"Restore it, or delete it and materialize models/{model} [{known.as_of}] again."
    metrics = Record(objects=lake.objects, key=keys.version(model, version, METRICS), parse=_tested, cure=cure)
    tested = metrics.read() or {}
    return Champion(version=version, as_of=known.as_of, training_set=known.training_digest, tested=tested)


def _tested(stored: dict[str, Any]) -> dict[str, OnTestSet]:
    named = {OVERALL: stored.get("model", {}).get("test", {})}
    for column, values in stored.get("slices", {}).get("test", {}).items():
        named |= {f"{column}={value}": metrics for value, metrics in values.items()}
    return {
        name: OnTestSet(roc_auc=m["roc_auc"], rows=m["rows"], positives=m["positives"])
        for name, m in named.items()
        if m.get("roc_auc") is not None
    }
