"""Online answers in Feast's shape: for each feature a column of values, of statuses and of event times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache

import orjson

from mlpipe_assets.errors import MlpipeError, shorten
from mlpipe_assets.point_in_time.statuses import Status, status_of
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.rows import KeyValue, parse_rows, spell_key, spell_time
from mlpipe_assets.serving.snapshots.snapshot import Generation, PublishedView

NO_TIME = "1970-01-01T00:00:00Z"  # what Feast shows where there is none
_SEPARATOR = "__"
_INTEGERS = range(-(2**63), 2**63)


class BadRequestError(MlpipeError):
    """A request that cannot be answered as it is.

    Attributes:
        status: The HTTP status; the message is a plain sentence.
        allow: The methods that the path takes, where it was another one.
    """

    def __init__(self, message: str, *, status: int = 422, allow: str = "") -> None:
        super().__init__(message)
        self.status, self.allow = status, allow


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered.

    Attributes:
        content: As JSON.
        values: Of each feature the values that stand there, one an entity.
        statuses: Of each feature its statuses; None where every one is PRESENT.
        times: Of each view when the rows are of, as they stand there; one text where all are of the same time.
    """

    content: bytes
    values: Sequence[Sequence[object]]
    statuses: Sequence[Sequence[Status] | None]
    times: Mapping[str, Sequence[str] | str]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The features a request asks for, in its order.

    Attributes:
        names: Of each its name in the answer.
        places: Of each its view, and its number among the features of that view.
        views: The views, each once.
        join_keys: The join keys of all views, each once.
        metadata: What the answer says of its columns, as JSON.
    """

    names: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    views: tuple[PublishedView, ...]
    join_keys: tuple[str, ...]
    metadata: orjson.Fragment

    @cached_property
    def by_view(self) -> tuple[tuple[PublishedView, tuple[int, ...], tuple[str, ...]], ...]:
        """Of each view which of the features are its own, by number, and what they are called there."""
        own = {view.name: [n for n, (name, _) in enumerate(self.places) if name == view.name] for view in self.views}
        return tuple(
            (view, tuple(own[view.name]), tuple(view.features[self.places[number][1]] for number in own[view.name]))
            for view in self.views
        )


def find_features(generation: Generation, features: Sequence[str], *, full_names: bool) -> Wanted:
    """The features that `view:feature` and `view:*` stand for in a snapshot.

    Raises: BadRequestError for one that is spelled otherwise (422), or that is not there (404), and for two of one name.
    """
    places: list[tuple[str, int]] = []
    for text in features:
        view = _view_of(generation, text)
        name = text.partition(":")[2]
        if name == "*":
            places += [(view.name, number) for number in range(len(view.features))]
        elif name in view.features:
            places.append((view.name, view.features.index(name)))
        else:
            there = shorten(list(view.features))
            raise BadRequestError(f"The view {view.name} has no feature {name[:100]!r}; it has {there}.", status=404)
    views = {view: generation.views[view] for view, _ in places}
    short = [views[view].features[number] for view, number in places]
    names = (
        [f"{view}{_SEPARATOR}{name}" for (view, _), name in zip(places, short, strict=True)] if full_names else short
    )
    join_keys = tuple(dict.fromkeys(key for view in views.values() for key in view.join_keys))
    if twice := sorted({name for name in (*names, *join_keys) if (*names, *join_keys).count(name) > 1}):
        raise BadRequestError(
            f"{shorten(twice)} would be in the answer twice. Ask for each feature once, or set full_feature_names to true."
        )
    metadata = orjson.Fragment(orjson.dumps({"feature_names": [*join_keys, *names]}))
    return Wanted(
        names=tuple(names), places=tuple(places), views=tuple(views.values()), join_keys=join_keys, metadata=metadata
    )


def _view_of(generation: Generation, text: str) -> PublishedView:
    name, colon, feature = text.partition(":")
    if not (colon and name and feature):
        raise BadRequestError(
            f"The feature {text[:100]!r} is not spelled as view:feature, or view:* for all of a view."
        )
    if name not in generation.views:
        there = shorten(sorted(generation.views)) or "none"
        raise BadRequestError(f"There is no view {name[:100]!r} in the snapshot; there are {there}.", status=404)
    return generation.views[name]


def find_keys(view: PublishedView, entities: Mapping[str, Sequence[object]]) -> list[str]:
    """The keys of a view that a request asks for, as the store has them.

    Raises: BadRequestError for a join key that is lacking, or a value of another type; a value is never quoted.
    """
    columns: list[Sequence[KeyValue]] = []
    for name, kind in zip(view.join_keys, view.key_types, strict=True):
        if name not in entities:
            raise BadRequestError(f"The view {view.name} needs the join key {name}, which is not among the entities.")
        columns.append(_checked(name, kind, entities[name]))
    if len(columns) == 1:
        return list(map(str, columns[0]))
    return [spell_key(values) for values in zip(*columns, strict=True)]


def keys_of_views(wanted: Wanted, entities: Mapping[str, Sequence[object]]) -> dict[str, list[str]]:
    """The same of each view that is asked for; views of one entity share them.

    Raises: BadRequestError as `find_keys`.
    """
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for view in wanted.views:
        if (view.join_keys, view.key_types) not in found:
            found[view.join_keys, view.key_types] = find_keys(view, entities)
    return {view.name: found[view.join_keys, view.key_types] for view in wanted.views}


def _checked(name: str, kind: str, values: Sequence[object]) -> Sequence[KeyValue]:
    """The same values, when each is one that the type allows."""
    wrong = next((number for number, value in enumerate(values) if not _is_of(kind, value)), None)
    if wrong is None:
        return values  # type: ignore[return-value]  # each was looked at
    words = {"text": "a text", "integer": "a whole number of 64 bits", "date": "a date such as 2026-01-31"}[kind]
    raise BadRequestError(f"Value {wrong + 1} of {name} is not {words}.")


def _is_of(kind: str, value: object) -> bool:
    if kind == "integer":
        return type(value) is int and value in _INTEGERS
    if not isinstance(value, str):
        return False
    return kind == "text" or _is_date(value)


def _is_date(text: str) -> bool:
    try:
        return f"{date.fromisoformat(text)}" == text
    except ValueError:
        return False


async def answer(
    reader: Reader,
    wanted: Wanted,
    entities: Mapping[str, Sequence[object]],
    keys: Mapping[str, Sequence[str]],
    now: datetime,
) -> Answer:
    """The answer. All of it is read of one snapshot.

    Args:
        reader: Reads the snapshot.
        wanted: The features.
        entities: The join keys as they were sent.
        keys: Of each view its keys, as `find_keys` has them.
        now: The instant that is answered for.

    Raises: what a reader raises.
    """
    found = await reader.fetch(keys)
    columns = {view.name: _columns(view, parse_rows(found[view.name]), now) for view in wanted.views}
    count = len(next(iter(entities.values()), ()))
    present, times = _constant(Status.PRESENT, count), _constant(NO_TIME, count)
    results: list[dict[str, object]] = [
        {"values": entities[key], "statuses": present, "event_timestamps": times} for key in wanted.join_keys
    ]
    given = [columns[view].feature(number) for view, number in wanted.places]
    shown = {
        name: _constant(one.times, count) if isinstance(one.times, str) else one.times for name, one in columns.items()
    }
    results += [
        {"values": values, "statuses": statuses or present, "event_timestamps": shown[view]}
        for (values, statuses), (view, _) in zip(given, wanted.places, strict=True)
    ]
    return Answer(
        content=orjson.dumps({"metadata": wanted.metadata, "results": results}),
        values=[values for values, _ in given],
        statuses=[statuses for _, statuses in given],
        times={name: one.times for name, one in columns.items()},
    )


@lru_cache(maxsize=256)
def _constant(text: str, count: int) -> orjson.Fragment:
    """A list of one text again and again, spelled once."""
    return orjson.Fragment(orjson.dumps([text] * count))


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """The rows of one view by column: `values[0]` are their times, and of each row its status if it has a value, or none."""

    values: Sequence[Sequence[object]]
    times: Sequence[str] | str
    statuses: Sequence[tuple[Status, Status]]
    alike: tuple[Status, Status] | None

    def feature(self, number: int) -> tuple[Sequence[object], Sequence[Status] | None]:
        """The values of a feature, and their statuses; None for these where every one is PRESENT."""
        column = self.values[number + 1]
        if self.alike and self.alike[0] is Status.PRESENT and None not in column:
            return column, None
        statuses = [pair[value is None] for pair, value in zip(self.statuses, column, strict=True)]
        kept = [value if status is Status.PRESENT else None for value, status in zip(column, statuses, strict=True)]
        return kept, statuses


def _columns(view: PublishedView, rows: Sequence[list[object] | None], now: datetime) -> _Columns:
    absent = [None] * (len(view.features) + 1)
    columns = list(zip(*[row or absent for row in rows], strict=True)) or [()] * len(absent)
    times = columns[0]
    known = {seconds: (_statuses(view, seconds, now), _shown(seconds)) for seconds in set(times)}
    if len(known) == 1:
        [(pair, shown)] = known.values()
        count = len(rows)
        return _Columns(values=columns, times=shown, statuses=[pair] * count, alike=pair)
    return _Columns(
        values=columns,
        times=[known[seconds][1] for seconds in times],
        statuses=[known[seconds][0] for seconds in times],
        alike=None,
    )


def _statuses(view: PublishedView, seconds: object, now: datetime) -> tuple[Status, Status]:
    """The status of a feature of a row of some time where it has a value, and where it is null."""
    if view.ttl_seconds is None:
        return _OF_ANY_AGE if isinstance(seconds, int) else _OF_NONE
    as_of = datetime.fromtimestamp(seconds, tz=UTC) if isinstance(seconds, int) else None
    return _pair(as_of, now, view.ttl)


def _pair(as_of: datetime | None, now: datetime | None, ttl: timedelta | None) -> tuple[Status, Status]:
    has, lacks = (status_of(as_of=as_of, at=now, is_null=null, ttl=ttl) for null in (False, True))
    return has, lacks


_OF_ANY_AGE = _pair(datetime.now(tz=UTC), datetime.now(tz=UTC), None)
_OF_NONE = _pair(None, datetime.now(tz=UTC), None)


@lru_cache(maxsize=4096)
def _shown(seconds: object) -> str:
    return spell_time(seconds) if isinstance(seconds, int) else NO_TIME
