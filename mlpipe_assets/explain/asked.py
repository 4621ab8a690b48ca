"""The prediction that is asked about: of an entity on a day, or one that a server gave, by the id of its request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.errors import MissingPartitionError, SettingsError, shorten, spell_count
from mlpipe_assets.explain.rows import of_entity
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import ONE_DAY, spell_days
from mlpipe_assets.store.lake import Lake

_MIDNIGHT = time()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One prediction as it was written.

    Attributes:
        table: Its table in the stage `predictions`.
        day: Its partition.
        entity: Its join keys as text.
        row: All of it.
        moments: Of a model of moments all of the entity that were predicted that day, in order; else none.
        rows: How many predictions the request got that it was given for; 0 of a batch.
    """

    model: Model
    table: str
    day: date
    entity: Mapping[str, str]
    row: Mapping[str, Any]
    moments: Sequence[datetime] = field(default=())
    rows: int = 0

    @property
    def features_day(self) -> date | None:
        """The partition of the features it was predicted from; None where the entity had none."""
        if self.table == self.model.name:
            return self.day
        as_of = self.row["as_of"]
        return as_of.date() - ONE_DAY if as_of else None

    @property
    def is_fresh(self) -> bool:
        """Whether it was predicted from rows pushed that day, so that no partition has its features."""
        as_of = self.row["as_of"]
        return bool(self.rows and as_of and as_of.time() != _MIDNIGHT)


def find_prediction(lake: Lake, model: Model, key: Sequence[str], day: date, at: time | None = None) -> Asked:
    """The prediction of an entity on a day; of a model of moments the one at a time, or the last.

    Raises: MissingPartitionError when nothing was predicted that day, or not for that entity; SettingsError when there are more
        or fewer values than join keys.
    """
    entity = _entity_of(model, key)
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
    found = rows_of(lake, "predictions", model.name, day, entity)
    if not found.height:
        known = lake.read("predictions", model.name, day, [*entity]).height
        raise MissingPartitionError(
            f"predictions/{model.name} [{day}]: no prediction for {_spell(entity)}; it holds "
            f"{known:,}. They are in predictions.{model.name}: mlpipe sql."
        )
    asked = Asked(model=model, table=model.name, day=day, entity=entity, row=found.to_dicts()[0])
    return _at_moment(asked, found.sort("as_of"), at) if model.view.moments else asked


def _at_moment(asked: Asked, found: pl.DataFrame, at: time | None) -> Asked:
    moments = found["as_of"].to_list()
    chosen = found if at is None else found.filter(pl.col("as_of").dt.time() == at)
    if not chosen.height:
        raise MissingPartitionError(
            f"predictions/{asked.table} [{asked.day}]: no prediction for {_spell(asked.entity)} at {at}; there are those at "
            f"{shorten([f'{moment.time()}' for moment in moments])}."
        )
    return Asked(
        model=asked.model,
        table=asked.table,
        day=asked.day,
        entity=asked.entity,
        row=chosen.to_dicts()[-1],
        moments=moments,
    )


def find_served(lake: Lake, catalog: Catalog, request: str, number: int = 0) -> Asked:
    """A prediction that a server gave; of an id that several requests had, the request that was answered last.

    Args:
        lake: Where it is.
        catalog: What exists.
        request: The id of the request, as the answer had it.
        number: Which row of the request, from 0.

    Raises: MissingPartitionError where the lake has no request of that id, or no such row of it; SettingsError where no model's
        answers are kept.
    """
    there = {table.place for table in tables_of(catalog) if table.stage == "predictions"}
    models = [model for model in catalog.models if ("predictions", model.served) in there]
    if not models:
        raise SettingsError(
            "This catalog keeps no answers of `mlpipe serve`: none of its sources is serving_log. Add it to SOURCES, as docs/serving.md "
            "says; what is answered from then on can be explained."
        )
    for model in models:
        for day in reversed(lake.days("predictions", model.served)):
            ids = lake.read("predictions", model.served, day, ["request_id"])["request_id"]
            if (ids == request).any():
                rows = lake.read("predictions", model.served, day).filter(pl.col("request_id") == request)
                return _answer(model, day, rows, request, number)
    raise MissingPartitionError(_unknown(lake, models, request))


def _answer(model: Model, day: date, rows: pl.DataFrame, request: str, number: int) -> Asked:
    rows = rows.filter(pl.col("answered_at") == pl.col("answered_at").max()).sort("row_number")
    chosen = rows.filter(row_number=number)
    if not chosen.height:
        raise MissingPartitionError(
            f"predictions/{model.served} [{day}]: request {request!r} has no row {number}; it asked for "
            f"{spell_count(rows.height, 'prediction')}, rows 0 to {rows['row_number'].to_list()[-1]}. Name one by --row."
        )
    row = chosen.to_dicts()[0]
    entity = {name: str(row[name]) for name in model.view.entity.join_keys}
    return Asked(model=model, table=model.served, day=day, entity=entity, row=row, rows=rows.height)


def _unknown(lake: Lake, models: Sequence[Model], request: str) -> str:
    """What to say of an id that no request has."""
    known = [one for model in models for one in _requests(lake, model)]
    tables = ", ".join(f"predictions/{model.served}" for model in models)
    why = (
        "The server hands answers over within five minutes, and `mlpipe run` takes those of days that are over (UTC): "
        "run it, then ask again."
    )
    if not known:
        return f"No request {request!r}: no answer is in {tables} yet. {why}"
    day, example = max(known)
    days = spell_days(sorted({one for one, _ in known}))
    there = f"{spell_count(len(known), 'request')} of {days}, such as {example!r} of {day}"
    return f"No request {request!r} in {tables}, which has {there}. {why}"


def _requests(lake: Lake, model: Model) -> Iterator[tuple[date, str]]:
    for day in lake.days("predictions", model.served):
        ids = lake.read("predictions", model.served, day, ["request_id"])["request_id"].unique().to_list()
        yield from ((day, one) for one in ids)


def find_answers(lake: Lake, asked: Asked) -> list[dict[str, Any]]:
    """What was answered online from the feature row of a prediction, the last answer first."""
    model, day = asked.model, asked.features_day
    if day is None:
        return []
    as_of = datetime.combine(day + ONE_DAY, _MIDNIGHT, tzinfo=UTC)
    answered = [one for one in lake.days("predictions", model.served) if one > day]
    found = [rows_of(lake, "predictions", model.served, one, asked.entity).filter(as_of=as_of) for one in answered]
    rows = [row for frame in found for row in frame.sort("answered_at").to_dicts()]
    return [{name: value for name, value in row.items() if name not in asked.entity} for row in reversed(rows)]


def rows_of(lake: Lake, stage: str, name: str, day: date, entity: Mapping[str, str]) -> pl.DataFrame:
    """The rows of an entity in one partition; of none where that is not there."""
    return of_entity(lake.read(stage, name, day), entity) if day in lake.days(stage, name) else pl.DataFrame()


def _entity_of(model: Model, key: Sequence[str]) -> dict[str, str]:
    names = model.view.entity.join_keys
    if len(key) != len(names):
        raise SettingsError(
            f"{model.view.entity.name} is identified by {', '.join(names)}: give {spell_count(len(names), 'value')}, in that order, "
            f"not {len(key)}."
        )
    return dict(zip(names, key, strict=True))


def _spell(entity: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in entity.items())
