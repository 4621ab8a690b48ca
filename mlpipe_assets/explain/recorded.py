"""What lineage has on record of one prediction: version, training set, feature partition, files."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.explain.asked import Asked
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets.lineage.database import LineageError
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import FILE, Artifact, Execution

MAY_DIFFER = "may differ"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The way back from one prediction.

    Attributes:
        partition: The partition that has the prediction.
        version: The version of the model that answered.
        training: What it learnt from.
        training_files: The files that came to.
        features: The feature partition that was predicted from.
        files: The files that came to.
        run: Which run made the partition; empty where it was recorded afterwards.
        differs: Whether the features were others when the partition was made than when it was recorded.
        missing: Why nothing is known, and what to do; empty when it is.
    """

    partition: Artifact | None = None
    version: Artifact | None = None
    training: Artifact | None = None
    training_files: Sequence[Artifact] = field(default=())
    features: Artifact | None = None
    files: Sequence[Artifact] = field(default=())
    run: str = ""
    differs: bool = False
    missing: str = ""


def look_up(lineage: Lineage, asked: Asked) -> Recorded:
    """What is on record of a prediction; only why not, where a lake has no place for lineage."""
    try:
        with lineage.records() as records:
            return _look_up(records, asked)
    except (LineageError, MissingPartitionError) as error:
        return Recorded(missing=f"Where it came from is not on record. {error}")


def _look_up(records: Records, asked: Asked) -> Recorded:
    (partition,) = records.find(f"predictions/{asked.table}@{asked.day}")
    maker, given = _made_of(records, partition)
    named = f"{asked.row['model_version']}"
    models = f"models/{asked.model.name}"
    version = _of(given, models, named) or _of(records.artifacts(table=models, partition=named), models, named)
    _, learnt_from = _made_of(records, version)
    training = next((one for one in learnt_from if one.key.table == f"processed/{asked.model.name}"), None)
    view, day = f"features/{asked.model.view.name}", asked.features_day
    features = _of(_of_snapshot(records, asked, view, day) or given, view, f"{day}")
    return Recorded(
        partition=partition,
        version=version,
        training=training,
        training_files=_files(records, training),
        features=features,
        files=_files(records, features),
        run=maker.run if maker else "",
        differs=bool(not asked.rows and maker and maker.properties.get("inputs") == MAY_DIFFER),
    )


def _of_snapshot(records: Records, asked: Asked, view: str, day: date | None) -> list[Artifact]:
    """The feature partition as the snapshot had it that answered; none where the snapshot is not on record."""
    if not asked.rows:
        return []
    begins = f"{asked.row['snapshot']}".partition("-")[2].partition("-")[0]  # of the digest of its inputs
    snapshots = [
        one for one in records.artifacts(type="OnlineSnapshot") if begins and one.key.digest.startswith(begins)
    ]
    given = [one for snapshot in snapshots for one in _made_of(records, snapshot)[1]]
    return [one for one in given if (one.key.table, one.key.partition) == (view, f"{day}")]


def _made_of(records: Records, artifact: Artifact | None) -> tuple[Execution | None, list[Artifact]]:
    """The execution that made an artifact last, and what it was given."""
    makers = [execution for execution, _ in records.makers([artifact])] if artifact else []
    if not makers:
        return None, []
    return makers[-1], records.given(makers[-1:])[makers[-1].id]


def _files(records: Records, artifact: Artifact | None) -> list[Artifact]:
    found = records.made_of([artifact]) if artifact else []
    return sorted((one for one in found if one.type == FILE), key=lambda one: one.key)


def _of(given: Collection[Artifact], table: str, partition: str) -> Artifact | None:
    """One of what an execution was given; of several contents of it the one read last."""
    found = [one for one in given if (one.key.table, one.key.partition) == (table, partition)]
    return found[-1] if found else None
