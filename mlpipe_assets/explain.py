"""From one prediction back to everything it rests on: champion, training set, features, clean rows, and the lines of the files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model, Source, is_snapshot
from mlpipe_assets.errors import MissingPartitionError, SettingsError, shorten, spell_count
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import ONE_DAY, spell_days
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns
from mlpipe_assets.stages.predictions.plan import inputs_digest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import read_registry
from mlpipe_assets.training.versions import versions

_DAY = "\0day"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a prediction rests on, outermost first. Personal columns are left out.

    Attributes:
        prediction: The row as it was written.
        model: The version that answered: when and on what it was trained, how it did on its test rows.
        training: First and last day, rows and digest of each split of its training set.
        features: The feature row, as it stands now.
        features_gone: Whether the feature partition of that day is not there any more.
        features_changed: Whether the features of that day were built again since they were predicted from.
        rows: Clean rows of each input that the feature row may look at, newest first, with file and line.
        rows_gone: Per input whose partitions are not all there any more: which days of the window, in words.
        served: What was answered online from the same feature row, the last answer first; empty where answers are not logged.
        moments: Of a model of moments all of the entity that were predicted that day, in order; else none.
    """

    prediction: dict[str, Any]
    model: dict[str, Any]
    training: list[dict[str, Any]]
    features: dict[str, Any]
    features_gone: bool
    features_changed: bool
    rows: dict[str, list[dict[str, Any]]]
    rows_gone: dict[str, str]
    served: list[dict[str, Any]]
    moments: list[datetime] = field(default_factory=list)


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
    view = model.view
    names = view.entity.join_keys
    if len(key) != len(names):
        raise SettingsError(
            f"{view.entity.name} is identified by {', '.join(names)}: give {spell_count(len(names), 'value')}, in that order, "
            f"not {len(key)}."
        )
    entity = dict(zip(names, key, strict=True))
    prediction, moments = _prediction(lake, model, entity, day, at)
    facts = lake.facts("predictions", model.name, day) or {}
    version = next((v for v in versions(lake, model.name) if v["version"] == prediction["model_version"]), {})
    features = _rows_of(lake, "features", view.name, day, entity)
    features = features.filter(as_of=prediction["as_of"]) if features.height and view.moments else features
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    gone = day not in lake.days("features", view.name)
    changed = facts.get("inputs") != inputs_digest(lake, model, prediction["model_version"], day)
    row = features.to_dicts()[0] if features.height else {}
    looked_at = _looked_at(inputs, entity, row, day)
    rows_gone = {table: "; ".join(dict.fromkeys(filter(None, map(_gone, looks)))) for table, looks in looked_at.items()}
    return Explanation(
        prediction=prediction,
        model=version,
        training=_splits(lake, model, version.get("as_of")),
        features=row,
        features_gone=gone,
        features_changed=changed and not gone,
        rows=rows_behind(inputs, entity, row, day, prediction["as_of"]),
        rows_gone={table: words for table, words in rows_gone.items() if words},
        served=_served(lake, model, entity, day),
        moments=moments,
    )


def rows_behind(
    inputs: Inputs, entity: Mapping[str, str], row: Mapping[str, Any], day: date, as_of: datetime
) -> dict[str, list[dict[str, Any]]]:
    """Clean rows of each input that a feature row may look at, through every view whose features it has.

    Args:
        inputs: Of the view that the row is of.
        entity: Its join keys as text.
        row: The feature row, with the keys of the entities it is joined to.
        day: Its day.
        as_of: Its time.
    """
    looked_at = _looked_at(inputs, entity, row, day)
    return {table: _clean_rows(inputs.lake, looks, as_of) for table, looks in looked_at.items()}


def _served(lake: Lake, model: Model, entity: Mapping[str, str], day: date) -> list[dict[str, Any]]:
    """What was answered online from the feature row of a day, the last answer first."""
    as_of = datetime.combine(day + ONE_DAY, time(), tzinfo=UTC)
    answered = [d for d in lake.days("predictions", model.served) if d > day]
    found = [_rows_of(lake, "predictions", model.served, d, entity).filter(as_of=as_of) for d in answered]
    rows = [row for frame in found for row in frame.sort("answered_at").to_dicts()]
    return [{name: value for name, value in row.items() if name not in entity} for row in reversed(rows)]


@dataclass(frozen=True, kw_only=True)
class _Look:
    """A view's look at one clean table: by which keys, and as of the end of which day."""

    inputs: Inputs
    days: SourceDays
    entity: Mapping[str, str]
    day: date


def _looked_at(inputs: Inputs, entity: Mapping[str, str], row: Mapping[str, Any], day: date) -> dict[str, list[_Look]]:
    """The looks at each clean table that a feature row comes from, also those of the views whose features it takes."""
    found: dict[str, list[_Look]] = {}
    for view in (inputs.view, *(other for other, _ in inputs.joins.views)):
        own = replace(inputs, view=view)
        asked = entity if view is inputs.view else {name: f"{row.get(name)}" for name in view.entity.join_keys}
        on = day if view is inputs.view else inputs.joins.day_joined(day)  # of a moment the day before
        for source in own.sources:
            look = _Look(inputs=own, days=source, entity=asked, day=on)
            found.setdefault(f"interim/{source.source.name}", []).append(look)
    return found


def _prediction(
    lake: Lake, model: Model, entity: Mapping[str, str], day: date, at: time | None
) -> tuple[dict[str, Any], list[datetime]]:
    """The prediction of an entity, and all the moments of that day it might have been of."""
    days = lake.days("predictions", model.name)
    if day not in days:
        raise MissingPartitionError(
            f"predictions/{model.name}: nothing was predicted for {day}; "
            + (
                f"there are {spell_days(days)}."
                if days
                else "there are no predictions yet. `mlpipe status` says whether a version of it was promoted."
            )
        )
    found = _rows_of(lake, "predictions", model.name, day, entity)
    if not found.height:
        known = lake.read("predictions", model.name, day, [*entity]).height
        raise MissingPartitionError(
            f"predictions/{model.name} [{day}]: no prediction for {_spell(entity)}; it holds "
            f"{known:,}. They are in predictions.{model.name}: mlpipe sql."
        )
    if not model.view.moments:
        return dict(found.to_dicts()[0]), []
    found = found.sort("as_of")
    moments = found["as_of"].to_list()
    chosen = found if at is None else found.filter(pl.col("as_of").dt.time() == at)
    if not chosen.height:
        raise MissingPartitionError(
            f"predictions/{model.name} [{day}]: no prediction for {_spell(entity)} at {at}; there are those at "
            f"{shorten([f'{moment.time()}' for moment in moments])}."
        )
    return dict(chosen.to_dicts()[-1]), moments


def _rows_of(lake: Lake, stage: str, name: str, day: date, entity: Mapping[str, str]) -> pl.DataFrame:
    if day not in lake.days(stage, name):
        return pl.DataFrame()
    return _of_entity(lake.read(stage, name, day), entity)


def _of_entity(rows: pl.DataFrame, entity: Mapping[str, str]) -> pl.DataFrame:
    """Rows of one entity, by those of its keys that they have."""
    return rows.filter(
        *(pl.col(name).cast(pl.String) == value for name, value in entity.items() if name in rows.columns)
    )


def _spell(entity: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in entity.items())


def _splits(lake: Lake, model: Model, as_of: object) -> list[dict[str, Any]]:
    splits = read_registry(lake, "dataset_splits", ("model", "as_of"))
    if splits is None or as_of is None:
        return []
    return splits.filter(model=model.name).filter(pl.col("as_of").cast(pl.String) == str(as_of)).to_dicts()


def _clean_rows(lake: Lake, looks: Sequence[_Look], as_of: datetime) -> list[dict[str, Any]]:
    """Rows that a feature row may look at by any of its looks, each once, newest first, with its file and line."""
    source = looks[0].days.source
    shown = _shown(source)
    parts = [part.with_columns(pl.lit(on).alias(_DAY)) for look in looks for on, part in _seen(lake, look, as_of)]
    if not parts:
        return []
    rows = (
        pl.concat(parts)
        .unique(["delivery", "record_number"])
        .sort(_DAY, *_order(source), descending=True)
        .select(_DAY, *shown)
    )
    ledger = Ledger.load(lake, source.name)
    found: list[dict[str, Any]] = []
    for row in rows.to_dicts():
        delivery = ledger.deliveries.get(row.pop("delivery"))
        file = f"raw/{source.name}/{delivery.source_file}" if delivery else "unknown"
        found.append({"date": f"{row.pop(_DAY)}", "file": file, "record": row.pop("record_number"), **row})
    return found


def _seen(lake: Lake, look: _Look, as_of: datetime) -> Iterator[tuple[date, pl.DataFrame]]:
    """The rows of one look, by the day of their partition."""
    source, inputs = look.days.source, look.inputs
    if not {*look.entity} & {*source.contract.to_schema().columns}:
        return
    read = inputs.days_read(look.days, look.day, look.day)
    if is_snapshot(source):
        read = [d for d in read if d == inputs.snapshot_read(look.days, look.day)]
    for on in read:
        rows = _of_entity(lake.read("interim", source.name, on), look.entity)
        if source.event_time and inputs.view.moments:
            rows = rows.filter(pl.col(source.event_time) <= as_of)
        yield on, rows


def _order(source: Source) -> list[str]:
    return [source.event_time, *source.key] if source.event_time else []


def _gone(look: _Look) -> str:
    """Which days of the window of a look cannot be read any more; empty when all can."""
    days, day = look.days, look.day
    if is_snapshot(days.source):
        newest = max((d for d in days.arrived if d <= day), default=day)
        holes = [newest] if newest not in days.present else []
    else:
        holes = days.find_holes(day - look.inputs.view.lookback + ONE_DAY, day)
    missing = [d for d in holes if d not in days.refused]
    refused = [d for d in holes if d in days.refused]
    parts = [f"{spell_days(missing)} not there any more"] if missing else []
    return ", ".join([*parts, *([f"{spell_days(refused)} refused since"] if refused else [])])


def _shown(source: Source) -> list[str]:
    return [column.name for column in columns(source.contract) if not column.metadata.get("personal")]
