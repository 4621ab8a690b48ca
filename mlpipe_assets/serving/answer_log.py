"""What a server answered, as rows of the serving log: gathered while it answers, written by a thread beside it.

Of features a share of the entities is kept, drawn by a hash of their join keys: of an entity all answers are logged, or none.
Predictions are kept whole. A request pays for the draw and for one append to a list.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

import orjson

from mlpipe_assets.contracts.serving_log import FEATURES, PREDICTION
from mlpipe_assets.point_in_time.statuses import Status
from mlpipe_assets.serving.answers import NO_TIME, Answer, Wanted
from mlpipe_assets.serving.http.counters import Metric
from mlpipe_assets.serving.snapshots.snapshot import PublishedView
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.store.objects import StoreError

SHARE = 0.01  # of the entities whose features are asked for
_MOST_BYTES = 64_000_000  # of answers that wait to be written
_CELL = 100  # bytes that a value takes while it waits, about
_HASHES = 1 << 32

Entities = Mapping[str, Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class _Features:
    """What was answered of some entities of one view: not the whole answer, which would have to be held until it is written.

    Attributes:
        features: Their names.
        taken: Row number, join keys, as_of, values and statuses of each entity.
    """

    request_id: str
    at: datetime
    snapshot: str
    view: PublishedView
    features: Sequence[str]
    taken: Sequence[tuple[int, Sequence[object], str, Sequence[object], Sequence[Status]]]

    @property
    def size(self) -> int:
        """How much memory it takes, about."""
        return _CELL * len(self.taken) * (len(self.features) + len(self.view.join_keys))

    def rows(self) -> Iterator[dict[str, object]]:
        """A row for each entity."""
        for number, keys, as_of, values, statuses in self.taken:
            yield {
                **_row(self.request_id, self.at, number, FEATURES, self.snapshot, self.view),
                "join_keys": dict(zip(self.view.join_keys, keys, strict=True)),
                "as_of": None if as_of == NO_TIME else as_of,
                "answer": dict(zip(self.features, values, strict=True)),
                "statuses": dict(zip(self.features, statuses, strict=True)),
            }


@dataclass(frozen=True, kw_only=True)
class _Predictions:
    """An answer of predictions."""

    request_id: str
    at: datetime
    snapshot: str
    view: PublishedView
    answer: Mapping[str, Any]
    size: int

    def rows(self) -> Iterator[dict[str, object]]:
        """A row for each entity."""
        metadata = self.answer["metadata"]
        for number, found in enumerate(self.answer["results"]):
            given = dict(found)
            entity, status, as_of = given.pop("entity"), given.pop("status"), given.pop("as_of")
            yield {
                **_row(self.request_id, self.at, number, PREDICTION, self.snapshot, self.view),
                "feature_version": metadata["feature_version"],
                "model": metadata["model"],
                "model_version": metadata["model_version"],
                "join_keys": entity,
                "as_of": as_of,
                "answer": given,
                "statuses": {"row": status},
            }


def _row(
    request_id: str, at: datetime, number: int, kind: str, snapshot: str, view: PublishedView
) -> dict[str, object]:
    return {
        "request_id": request_id,
        "answered_at": at,
        "row_number": number,
        "kind": kind,
        "snapshot": snapshot,
        "view": view.name,
        "feature_version": view.version,
        "model": None,
        "model_version": None,
    }


@dataclass(kw_only=True)
class AnswerLog:
    """What one server answered; `note_features` and `note_predictions` are called by its event loop, `write` by one thread.

    Attributes:
        share: Of the entities whose features are logged: 0 for none, 1 for all.
        dropped: Answers that were not kept, since too many waited to be written.
    """

    spool: Spool
    share: float = SHARE
    dropped: int = 0
    _waiting: deque[_Features | _Predictions] = field(default_factory=deque)
    _kept: int = 0  # bytes; the event loop's number, and below the writer's
    _taken: int = 0

    def note_features(
        self,
        request_id: str,
        at: datetime,
        snapshot: str,
        wanted: Wanted,
        entities: Entities,
        keys: Mapping[str, Sequence[str]],
        answer: Answer,
    ) -> None:
        """Keep an answer of features, as far as its entities are drawn.

        Args:
            request_id: Of the request.
            at: The instant that it was answered for.
            snapshot: What was read.
            wanted: What was asked for.
            entities: The join keys as they were sent.
            keys: Of each view its keys, one an entity.
            answer: What was answered.
        """
        drawn: dict[tuple[str, ...], Sequence[int]] = {}  # views of one entity have the same keys
        for place, (view, own, features) in enumerate(wanted.by_view):
            if view.join_keys not in drawn:
                drawn[view.join_keys] = self._draw(keys[view.name])
            if not drawn[view.join_keys]:
                continue
            sent = [entities[name] for name in view.join_keys]
            times = answer.times[view.name]
            taken = [
                (
                    entity * len(wanted.views) + place,
                    [values[entity] for values in sent],
                    times if isinstance(times, str) else times[entity],
                    [answer.values[number][entity] for number in own],
                    [_status(answer.statuses[number], entity) for number in own],
                )
                for entity in drawn[view.join_keys]
            ]
            self._keep(
                _Features(request_id=request_id, at=at, snapshot=snapshot, view=view, features=features, taken=taken)
            )

    def note_predictions(
        self, request_id: str, at: datetime, snapshot: str, view: PublishedView, answer: Mapping[str, Any], size: int
    ) -> None:
        """Keep an answer of predictions, whole; `size` is that of its bytes."""
        self._keep(_Predictions(request_id=request_id, at=at, snapshot=snapshot, view=view, answer=answer, size=size))

    def begin(self) -> None:
        """Hand over what servers left that did not end well."""
        self.spool.take_left()

    def write(self) -> None:
        """Write what waits, and hand over the file when it is old enough. A disk that refuses it is counted by the spool."""
        rows: list[bytes] = []
        while self._waiting:
            kept = self._waiting.popleft()
            self._taken += kept.size
            rows += [orjson.dumps(row, option=orjson.OPT_UTC_Z) for row in kept.rows()]
        with suppress(StoreError):
            self.spool.append(rows)
        self.spool.close_due()

    def close(self) -> None:
        """Write what waits, and hand it over."""
        self.write()
        self.spool.close()

    @property
    def problem(self) -> str | None:
        """Why answers are not logged, in a few words; None while they are."""
        return self.spool.counts.problem

    def metrics(self) -> list[Metric]:
        """What became of the rows."""
        counts = self.spool.counts
        rows = [({"result": "written"}, counts.rows), ({"result": "failed"}, counts.failed_rows)]
        return [
            Metric(
                name="mlpipe_log_rows_total",
                kind="counter",
                help="Rows of the serving log, by whether they could be written.",
                samples=rows,
            ),
            Metric(
                name="mlpipe_log_answers_dropped_total",
                kind="counter",
                help="Answers that were not logged, since too many waited to be written.",
                samples=[({}, self.dropped)],
            ),
            Metric(
                name="mlpipe_log_files_total",
                kind="counter",
                help="Files of the serving log that were handed over.",
                samples=[({}, counts.files)],
            ),
            Metric(
                name="mlpipe_log_torn_rows_total",
                kind="counter",
                help="Rows that a server had begun to write when it died.",
                samples=[({}, counts.torn)],
            ),
            Metric(
                name="mlpipe_log_failed",
                kind="gauge",
                help="1 while the serving log cannot be written; requests are answered all the same.",
                samples=[({}, float(counts.problem is not None))],
            ),
        ]

    def _draw(self, keys: Sequence[str]) -> Sequence[int]:
        if self.share >= 1:
            return range(len(keys))
        limit = self.share * _HASHES
        hashes = map(crc32, map(str.encode, keys))
        return [number for number, one in enumerate(hashes) if one < limit] if limit else ()

    def _keep(self, kept: _Features | _Predictions) -> None:
        if self._kept - self._taken + kept.size > _MOST_BYTES:
            self.dropped += 1
            return
        self._kept += kept.size
        self._waiting.append(kept)


def _status(statuses: Sequence[Status] | None, entity: int) -> Status:
    return statuses[entity] if statuses else Status.PRESENT
