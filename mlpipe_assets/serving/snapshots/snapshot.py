"""What is published together: of each view the latest row of every entity, and who comes before and after it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from secrets import token_hex
from typing import Any

import polars as pl

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.snapshots.rows import spell_keys, spell_rows
from mlpipe_assets.store.records import expect_format, spell_unreadable

KEPT = 3  # snapshots that one can go back to, the present one included
GRACE = timedelta(seconds=60)  # how long one that was left is kept for those who still read it
_FORMAT = 1


class OnlineError(MlpipeError):
    """The online store cannot do what was asked of it."""


class GoneError(OnlineError):
    """The snapshot that is read was removed: a newer one is published."""


@dataclass(frozen=True, kw_only=True)
class PublishedView:
    """One view of a snapshot.

    Attributes:
        join_keys: The columns that identify an entity, in the order of its key.
        key_types: What each of them is given as.
        features: Its feature columns, in the order of its rows.
        as_of: The instant its newest rows are of, in ISO 8601; rows of entities that were not described since are older.
        version: Feature version of all its rows.
        rows: Entities.
        ttl_seconds: How old a row may be when it is asked for; None for any age.
    """

    name: str
    join_keys: tuple[str, ...]
    key_types: tuple[str, ...]
    features: tuple[str, ...]
    as_of: str
    version: str
    rows: int
    ttl_seconds: float | None = None

    @property
    def ttl(self) -> timedelta | None:
        """How old a row may be."""
        return None if self.ttl_seconds is None else timedelta(seconds=self.ttl_seconds)


@dataclass(frozen=True, kw_only=True)
class ViewRows:
    """The rows of one view that are to be published: join keys, as_of and features, one row an entity."""

    view: PublishedView
    frame: pl.DataFrame

    def pairs(self, size: int) -> Iterator[list[tuple[str, bytes]]]:
        """Key and row as they are kept, by key, so many at a time."""
        keys = spell_keys(self.frame, self.view.join_keys)
        ordered = self.frame.with_columns(keys.alias("\0key")).sort("\0key")
        pairs = zip(ordered["\0key"].to_list(), spell_rows(ordered, self.view.features), strict=True)
        while batch := list(islice(pairs, size)):
            yield batch


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is to be published.

    Attributes:
        inputs: Digest of all it is made of: the same digest is the same snapshot.
    """

    inputs: str
    views: tuple[ViewRows, ...]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A published snapshot, which never changes.

    Attributes:
        left_at: When another took its place; None while it is the present one.
        withdrawn: Why it was taken back; None when it was not.
    """

    id: str
    inputs: str
    published_at: datetime
    views: Mapping[str, PublishedView]
    left_at: datetime | None = None
    withdrawn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """The snapshots of a store, the newest first, and which of them answers.

    Attributes:
        lost: The one that should answer and cannot be read any more.
    """

    current: str | None = None
    generations: tuple[Generation, ...] = ()
    lost: str | None = None

    @property
    def present(self) -> Generation | None:
        """The snapshot that answers."""
        return next((one for one in self.generations if one.id == self.current), None)

    @property
    def silence(self) -> str:
        """Why nothing answers, with what to do; empty when a snapshot does."""
        if self.present is not None:
            return ""
        if self.lost is None:
            return "Nothing is published online yet. Next: mlpipe run"
        return (
            f"The snapshot {self.lost} is gone, or was changed since it was written, so nothing answers. Next: mlpipe online publish; or "
            "mlpipe online rollback --reason …, for one that is kept"
        )

    def is_published(self, inputs: str) -> bool:
        """Whether a snapshot answers, or was taken back, that is made of the same: it needs not be published again."""
        return any(one.inputs == inputs and (one.id == self.current or one.withdrawn) for one in self.generations)

    def next_id(self, inputs: str) -> str:
        """The id of a snapshot that is published next; no two are alike, whatever became of those before."""
        number = max((int(one.id[:6]) for one in self.generations), default=0) + 1
        return f"{number:06d}-{inputs[:8]}-{token_hex(2)}"

    def after(self, published: Generation) -> tuple["Line", list[Generation]]:
        """The line with a new snapshot in front that answers, and those that nobody needs any more."""
        older = [self._left(one, published.published_at) for one in self.generations]
        needed = [published, *(one for one in older if not one.withdrawn)][:KEPT]
        gone = [one for one in older if one not in needed and _is_over(one, published.published_at)]
        kept = tuple(one for one in (published, *older) if one not in gone)
        return Line(current=published.id, generations=kept), gone

    def rolled_back(self, reason: str, now: datetime) -> "Line":
        """The line where the snapshot before the present one that says anything else answers again.

        Raises: OnlineError when there is none.
        """
        present = self.present
        if present is None and self.lost is None:
            raise OnlineError("Nothing is published online yet, so there is nothing to take back.")
        after = self.generations[self.generations.index(present) + 1 :] if present else self.generations
        sound = [one for one in after if not one.withdrawn]
        before = next((one for one in sound if present is None or one.inputs != present.inputs), None)
        if before is None:
            held = f"before {present.id} that says anything else" if present else f"but {self.lost}"
            raise OnlineError(f"There is no snapshot {held}, so there is none to go back to.")
        changed = {before.id: replace(before, left_at=None)}
        if present:
            changed[present.id] = replace(present, withdrawn=reason, left_at=now)
        return Line(current=before.id, generations=tuple(changed.get(one.id, one) for one in self.generations))

    def _left(self, one: Generation, now: datetime) -> Generation:
        return replace(one, left_at=now) if one.id == self.current else one


def _is_over(one: Generation, now: datetime) -> bool:
    """Whether nobody can still be reading it; a clock that was set back must not keep it for ever."""
    return one.left_at is not None and abs(now - one.left_at) > GRACE


def make_generation(snapshot: Snapshot, line: Line) -> Generation:
    """The snapshot as the next of a line, published now."""
    return Generation(
        id=line.next_id(snapshot.inputs),
        inputs=snapshot.inputs,
        published_at=datetime.now(tz=UTC),
        views={rows.view.name: rows.view for rows in snapshot.views},
    )


def spell_line(line: Line) -> dict[str, Any]:
    """A line as it is kept."""
    return {"format": _FORMAT, "current": line.current, "generations": [asdict(one) for one in line.generations]}


def parse_line(document: Mapping[str, Any]) -> Line:
    """The line that is kept as a document.

    Raises: ValueError, LookupError, TypeError when it is damaged, or of a format that this version does not know.
    """
    expect_format(document["format"], _FORMAT)
    return Line(
        current=document["current"], generations=tuple(_parse_generation(one) for one in document["generations"])
    )


def read_line(content: str | bytes | None, where: str) -> Line:
    """The line that a store holds as text; an empty one where there is none.

    Raises: OnlineError when it is damaged, or of another version.
    """
    if content is None:
        return Line()
    try:
        return parse_line(json.loads(content))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        told = spell_unreadable(f"What {where} says of its snapshots", error, "Delete it, then: mlpipe online publish")
        raise OnlineError(told) from error


def spell_text(line: Line) -> str:
    """A line as a store holds it as text."""
    return json.dumps(spell_line(line), default=str)


def _parse_generation(one: Mapping[str, Any]) -> Generation:
    views = {name: _parse_view(view) for name, view in one["views"].items()}
    times = {name: one[name] and datetime.fromisoformat(one[name]) for name in ("published_at", "left_at")}
    return Generation(**{**one, **times, "views": views})


def _parse_view(document: Mapping[str, Any]) -> PublishedView:
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in document.items()}
    return PublishedView(**values)
