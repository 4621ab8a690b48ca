"""From one prediction back to everything it rests on: champion, training set, features, clean rows, and the lines of the files.

What was made of what is read from lineage; the values are read from the tables, as they are now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.explain.asked import Asked, find_answers, find_prediction, find_served, rows_of
from mlpipe_assets.explain.recorded import Recorded, look_up
from mlpipe_assets.explain.rows import find_gone, rows_behind
from mlpipe_assets.lineage.asking import lineage_of
from mlpipe_assets.lineage.terms import Artifact
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import read_registry


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a prediction rests on, outermost first. Personal columns are left out.

    A partition or a file is described by its name, its digest, and whether it is just that now (`is_held`).

    Attributes:
        table: The table that has the prediction, and its partition.
        prediction: The row as it was written.
        model: The version that answered: when and on what it was trained, how it did on its test rows.
        training_set: What it learnt from, and how many files that came to.
        training: First and last day, rows and digest of each split of its training set; none where that was built again since.
        feature_partition: The partition that was predicted from.
        files: The files that came to, as `raw/orders/orders_2026-01-05.csv`.
        features: The feature row, as it is now.
        features_gone: Whether the feature partition of that day is not there any more.
        features_changed: Whether the features of that day were built again since they were predicted from.
        is_fresh: Whether it was answered from rows that were pushed that day, so that no partition has its features.
        rows: Clean rows of each input that the feature row may look at, newest first, with file and line.
        rows_gone: Per input whose partitions are not all there any more: which days of the window, in words.
        served: What was answered online from the same feature row, the last answer first; empty where answers are not logged.
        moments: Of a model of moments all of the entity that were predicted that day, in order; else none.
        request_rows: How many predictions the request got; 0 where none was asked about.
        missing: Why lineage knows nothing of it, and what to do; empty where it does.
    """

    table: str
    prediction: dict[str, Any]
    model: dict[str, Any]
    training_set: dict[str, Any]
    training: list[dict[str, Any]]
    feature_partition: dict[str, Any]
    files: list[dict[str, Any]]
    features: dict[str, Any]
    features_gone: bool
    features_changed: bool
    is_fresh: bool
    rows: dict[str, list[dict[str, Any]]]
    rows_gone: dict[str, str]
    served: list[dict[str, Any]]
    moments: list[datetime] = field(default_factory=list)
    request_rows: int = 0
    missing: str = ""


def explain(
    lake: Lake, catalog: Catalog, model: Model, key: Sequence[str], day: date, at: time | None = None
) -> Explanation:
    """What the prediction of one entity on one day rests on.

    Args:
        lake: Where it is.
        catalog: What exists.
        model: Whose prediction it is.
        key: The values of the join keys, as text.
        day: The day it describes.
        at: Of a model of moments, the time of the moment, UTC; None takes the last of the day.

    Raises: MissingPartitionError when nothing was predicted that day, or not for that entity; SettingsError when there are
        more or fewer values than join keys.
    """
    return _explain(lake, catalog, find_prediction(lake, model, key, day, at))


def explain_served(lake: Lake, catalog: Catalog, request: str, row: int = 0) -> tuple[Asked, Explanation]:
    """What one prediction rests on that a server gave, by the id of its request.

    Args:
        lake: Where it is.
        catalog: What exists.
        request: The id, as the answer had it.
        row: Which row of the request, from 0.

    Raises: MissingPartitionError where the lake has no request of that id, or no such row of it; SettingsError where no model's
        answers are kept.
    """
    asked = find_served(lake, catalog, request, row)
    return asked, _explain(lake, catalog, asked)


def _explain(lake: Lake, catalog: Catalog, asked: Asked) -> Explanation:
    model, day = asked.model, asked.features_day
    view = model.view
    recorded = look_up(lineage_of(lake, catalog), asked)
    gone = day is not None and day not in lake.days("features", view.name)
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    row = _feature_row(lake, asked)
    as_of = asked.row["as_of"]
    return Explanation(
        table=f"predictions/{asked.table}@{asked.day}",
        prediction=dict(asked.row),
        model=_describe_version(recorded),
        training_set=_describe(recorded.training, files=len(recorded.training_files)),
        training=_splits(lake, model, recorded),
        feature_partition=_describe(recorded.features),
        files=[_describe(one) | {"name": f"{one.key.table}/{one.key.partition}"} for one in recorded.files],
        features=row,
        features_gone=gone,
        features_changed=not gone and _has_changed(recorded),
        is_fresh=asked.is_fresh,
        rows=rows_behind(inputs, asked.entity, row, day, as_of) if day else {},
        rows_gone=find_gone(inputs, asked.entity, row, day) if day else {},
        served=find_answers(lake, asked),
        moments=[*asked.moments],
        request_rows=asked.rows,
        missing=recorded.missing,
    )


def _feature_row(lake: Lake, asked: Asked) -> dict[str, Any]:
    view, day = asked.model.view, asked.features_day
    found = rows_of(lake, "features", view.name, day, asked.entity) if day else pl.DataFrame()
    found = found.filter(as_of=asked.row["as_of"]) if found.height and view.moments else found
    return dict(found.to_dicts()[0]) if found.height else {}


def _has_changed(recorded: Recorded) -> bool:
    return recorded.differs or bool(recorded.features and not recorded.features.is_held)


def _describe(artifact: Artifact | None, **more: object) -> dict[str, Any]:
    if artifact is None:
        return {}
    return {"name": artifact.key.name, "digest": artifact.key.digest, "is_held": artifact.is_held, **more}


def _describe_version(recorded: Recorded) -> dict[str, Any]:
    if recorded.version is None:
        return {}
    return {
        "version": recorded.version.key.partition,
        "digest": recorded.version.key.digest,
        **recorded.version.properties,
    }


def _splits(lake: Lake, model: Model, recorded: Recorded) -> list[dict[str, Any]]:
    """The splits of a training set, of which the register has those of now."""
    splits = read_registry(lake, "dataset_splits", ("model", "as_of"))
    if splits is None or recorded.training is None or not recorded.training.is_held:
        return []
    day = recorded.training.key.partition
    return splits.filter(model=model.name).filter(pl.col("as_of").cast(pl.String) == day).to_dicts()
