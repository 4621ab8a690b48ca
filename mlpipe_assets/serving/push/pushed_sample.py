"""The last online rows of some entities that rows were pushed of, kept until the day's build can be held to them."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zlib import crc32

import polars as pl

from mlpipe_assets.catalog.declarations import is_snapshot
from mlpipe_assets.point_in_time.known_by import known_until
from mlpipe_assets.point_in_time.known_then import when_shown
from mlpipe_assets.point_in_time.sample import read_entities
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.push.open_view import OpenView
from mlpipe_assets.serving.snapshots.rows import spell_keys
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record
from mlpipe_assets.transforms.events import PROVENANCE

SAMPLE = 300  # entities of a view and a day
Entity = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Sampled rows of one view on one day, as one server answered last.

    Attributes:
        entities: Their join keys, a column each.
        rows: By the text of its key the row as it was answered.
        digests: By the same text a digest of every row of the inputs that it was made of.
    """

    view: str
    version: str
    day: date
    entities: Mapping[str, Sequence[object]]
    rows: Mapping[str, str]
    digests: Mapping[str, str]


@dataclass(kw_only=True)
class PushedSample:
    """What one server keeps; those entities are drawn whose keys have the lowest hashes."""

    lake: Lake
    server: str = field(default_factory=lambda: secrets.token_hex(4))
    _entities: dict[str, dict[str, Entity]] = field(default_factory=dict)
    _rows: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    def note(self, view: OpenView, entities: pl.DataFrame, rows: Mapping[str, bytes]) -> None:
        """Keep the newest rows of entities that are in the sample."""
        name, names = view.view.name, list(view.view.entity.join_keys)
        known, kept = self._entities.setdefault(name, {}), self._rows.setdefault(name, {})
        entities = entities.select(names)
        for key, entity in zip(spell_keys(entities, names).to_list(), entities.rows(), strict=True):
            if key in rows:
                known[key], kept[key] = entity, rows[key]
            else:  # an older row of it is answered, which is of fewer rows than there are now
                known.pop(key, None)
                kept.pop(key, None)
        for key in sorted(known, key=lambda key: crc32(key.encode()))[SAMPLE:]:
            del known[key], kept[key]
        self._changed.add(name)

    def forget(self) -> None:
        """Begin another day."""
        for part in (self._entities, self._rows, self._changed):
            part.clear()

    @property
    def is_changed(self) -> bool:
        """Whether there are rows that are not written down."""
        return bool(self._changed)

    def entities(self, view: OpenView) -> pl.DataFrame | None:
        """The join keys of entities of a view whose rows are not written down as they are now; None for none."""
        name, names = view.view.name, view.view.entity.join_keys
        if name not in self._changed or not self._entities[name]:
            return None
        types = {column.name: column.dtype for column in columns(view.view.contract)}
        return pl.DataFrame(
            list(self._entities[name].values()), schema={key: types[key] for key in names}, orient="row"
        )

    def write(self, view: OpenView, entities: pl.DataFrame, open_rows: Mapping[str, pl.DataFrame]) -> None:
        """Write down the rows of a view with what they were made of.

        Raises: MlpipeError when a table cannot be read any more, or the file cannot be written.
        """
        name, names = view.view.name, list(view.view.entity.join_keys)
        self._changed.discard(name)
        digests = digest_inputs(view.inputs, entities, view.day, closed=view.closed, open_rows=open_rows)
        document = {
            "view": name,
            "version": view.published.version if view.published else "",
            "day": f"{view.day}",
            "entities": {key: list(map(_plain, entities[key])) for key in names},
            "rows": {key: row.decode() for key, row in self._rows[name].items()},
            "digests": digests,
        }
        self._record(name, view.day).write(document)

    def _record(self, view: str, day: date) -> Record[object]:
        return Record(objects=self.lake.objects, key=keys.pushed(view, day, self.server), parse=lambda found: found)


def digest_inputs(
    inputs: Inputs,
    entities: pl.DataFrame,
    day: date,
    *,
    closed: date | None = None,
    open_rows: Mapping[str, pl.DataFrame] | None = None,
) -> dict[str, str]:
    """By the text of its key, a digest of every row that the row of an entity on a day is made of.

    Args:
        inputs: Of the view.
        entities: Join keys, each entity once.
        day: The day of the row.
        closed: Of inputs in `open_rows` only days up to this one are read of their tables; None reads all.
        open_rows: By source its rows of the days after it, with their `event_date`.

    Raises: DamagedError when a table does not hold what was written to it.
    """
    names = list(inputs.view.entity.join_keys)
    found: dict[Entity, list[str]] = {entity: [] for entity in entities.select(names).rows()}
    for source in inputs.sources:
        own = [column.name for column in columns(source.source.contract) if column.name not in PROVENANCE]
        days = _days(inputs, source, day)
        pushed = (open_rows or {}).get(source.source.name)
        if pushed is not None and closed is not None:
            days = [one for one in days if one <= closed]
        if not {*names} <= {*own}:
            whole = f"{source.source.name} {[source.fact(one, 'fingerprint') for one in days]}"
            for made_of in found.values():
                made_of.append(whole)
            continue
        parts = [_read(inputs, source, entities, own, days, day)] if days else []
        if pushed is not None:
            within = (pl.col("event_date") > day - inputs.view.lookback) & (pl.col("event_date") <= day)
            after = pushed.filter(within).rename({"event_date": "date"}).select(*own, "date")
            parts.append(after.join(entities, on=names, how="semi"))
        for part in parts:
            places = [part.columns.index(name) for name in names]
            for row in part.rows():
                found[tuple(row[place] for place in places)].append(f"{source.source.name} {row!r}")
    texts = spell_keys(entities, names).to_list()
    digests = [hashlib.sha256("\n".join(sorted(made_of)).encode()).hexdigest() for made_of in found.values()]
    return dict(zip(texts, digests, strict=True))


def _days(inputs: Inputs, source: SourceDays, day: date) -> list[date]:
    """The partitions of an input that a row of a day is made of."""
    if is_snapshot(source.source):
        in_force = source.snapshot_in_force(day)
        return [] if in_force is None else [in_force]
    return inputs.days_read(source, day, day)


def _read(
    inputs: Inputs, source: SourceDays, entities: pl.DataFrame, own: Sequence[str], days: Sequence[date], day: date
) -> pl.DataFrame:
    rows = read_entities(source.paths(days), entities, [*own, "known_at", "delivery"])
    if inputs.is_as_known(source):
        rows = rows.filter(when_shown(source.ledger) <= known_until(inputs.view, day))
    return rows.select(*own, "date")


def _plain(value: object) -> object:
    return value if isinstance(value, str | int) else f"{value}"
