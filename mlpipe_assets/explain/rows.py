"""The clean rows that a feature row may look at, each with its file and line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import ONE_DAY, spell_days
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake

_DAY = "\0day"


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
    looks_at = _looked_at(inputs, entity, row, day)
    return {table: _clean_rows(inputs.lake, looks, as_of) for table, looks in looks_at.items()}


def find_gone(inputs: Inputs, entity: Mapping[str, str], row: Mapping[str, Any], day: date) -> dict[str, str]:
    """Of each input of a feature row which days of its window cannot be read any more, in words; others are left out."""
    looks_at = _looked_at(inputs, entity, row, day)
    found = {table: "; ".join(dict.fromkeys(filter(None, map(_gone, looks)))) for table, looks in looks_at.items()}
    return {table: words for table, words in found.items() if words}


def of_entity(rows: pl.DataFrame, entity: Mapping[str, str]) -> pl.DataFrame:
    """Rows of one entity, by those of its keys that they have."""
    return rows.filter(
        *(pl.col(name).cast(pl.String) == value for name, value in entity.items() if name in rows.columns)
    )


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
        rows = of_entity(lake.read("interim", source.name, on), look.entity)
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
