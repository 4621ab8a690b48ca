"""Answers of one view, asked again of the lake: of each what became of it, and what differs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import polars as pl

from mlpipe_assets.catalog.asked import as_of_name
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.versions import learner_version, view_version
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.point_in_time.statuses import Status, status_of
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.prediction import Champion, make_ready
from mlpipe_assets.serving.snapshots.days import ViewMade, read_days, short_digest
from mlpipe_assets.serving.snapshots.rows import parse_rows, read_column, spell_rows
from mlpipe_assets.serving.snapshots.snapshot import PublishedView
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.training.versions import find_version

_ROUNDING = 1e-9  # a batch of rows is multiplied in another order than one row
SAME, CORRECTED, FRESH, INCOMPARABLE, DIFFERING = "same", "corrected", "fresh", "incomparable", "differing"

Judged = tuple[str, Sequence[str]]
"""What became of an answer, and the names of what differs."""


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """What the lake says of one entity for the moment of a snapshot: as of when, and its values in the view's order."""

    as_of: datetime | None
    values: Sequence[object]
    too_old: bool


@dataclass(kw_only=True)
class AskedAgain:
    """Answers of one view, asked again.

    Attributes:
        rows: Rows of the log.
    """

    lake: Lake
    catalog: Catalog
    view: FeatureView
    rows: pl.DataFrame

    def features(self) -> list[Judged]:
        """Of each answer what became of it, and which features differ."""
        names = self.published.features
        found: list[Judged] = []
        for row, expected in zip(self.rows.iter_rows(named=True), self.expected, strict=True):
            if isinstance(expected, str):
                found.append((expected, ()))
                continue
            answer, statuses = orjson.loads(row["answer"]), orjson.loads(row["statuses"])
            places = {name: number for number, name in enumerate(names)}
            differing = [] if self._same_time(row, expected) else ["as_of"]
            for name, given in answer.items():
                value = expected.values[places[name]] if name in places else None
                status = self._status(row["answered_at"], expected, is_null=value is None)
                if statuses.get(name) != status or given != (value if status is Status.PRESENT else None):
                    differing.append(name)
            found.append(self._settle(row, expected, differing))
        return found

    def predictions(self, model: Model) -> list[Judged]:
        """Of each answer of a model what became of it, and what it says otherwise: asked of the version that answered."""
        found: list[Judged] = [(one, ()) if isinstance(one, str) else (SAME, ()) for one in self.expected]
        for version, numbers in self._by_version().items():
            champion = self._champion(model, version)
            open_ = [number for number in numbers if not isinstance(self.expected[number], str)]
            if champion is None:
                for number in open_:
                    found[number] = (INCOMPARABLE, ())
                continue
            for number, judged in zip(open_, self._said(champion, open_), strict=True):
                found[number] = judged
        return found

    def _said(self, champion: Champion, numbers: Sequence[int]) -> Iterator[Judged]:
        rows = [self.rows.row(number, named=True) for number in numbers]
        expected = [one for number in numbers if not isinstance(one := self.expected[number], str)]
        statuses = [
            self._status(row["answered_at"], one, is_null=False) for row, one in zip(rows, expected, strict=True)
        ]
        present = [list(one.values) for one, status in zip(expected, statuses, strict=True) if status is Status.PRESENT]
        said = iter(orjson.loads(orjson.dumps(champion.say(present))) if present else [])
        for row, one, status in zip(rows, expected, statuses, strict=True):
            says = next(said) if status is Status.PRESENT else dict.fromkeys(champion.answered)
            answer = orjson.loads(row["answer"])
            differing = [] if self._same_time(row, one) else ["as_of"]
            differing += [] if orjson.loads(row["statuses"]).get("row") == status else ["status"]
            differing += [name for name in says if not _alike(answer.get(name), says[name])]
            yield self._settle(row, one, differing)

    @cached_property
    def published(self) -> PublishedView:
        """The view as a snapshot of today's declaration would have it."""
        keys = self.view.entity.join_keys
        names = tuple(column.name for column in columns(self.view.contract))
        return PublishedView(
            name=self.view.name,
            join_keys=keys,
            key_types=(),
            features=tuple(name for name in names if name not in (*keys, "as_of")),
            as_of="",
            version=self._version,
            rows=0,
        )

    @cached_property
    def expected(self) -> list[_Expected | str]:
        """Of each row what the lake says, or why it cannot be compared: the bucket."""
        made = [self._made(snapshot) for snapshot in self.rows["snapshot"]]
        found: list[_Expected | str] = [
            self._bar(row, one) or "" for row, one in zip(self.rows.iter_rows(named=True), made, strict=True)
        ]
        open_ = [number for number, bucket in enumerate(found) if not bucket]
        moments = [made[number].end for number in open_]
        for number, one in zip(open_, self._ask(open_, moments), strict=True):
            found[number] = one
        return found

    @cached_property
    def _version(self) -> str:
        return view_version(self.catalog, self.view)

    @cached_property
    def _state(self) -> TableState:
        return self.lake.state("features", self.view.name)

    @cached_property
    def _known(self) -> dict[str, ViewMade | None]:
        snapshots = self.rows["snapshot"].unique()
        return {name: read_days(self.lake, name).get(self.view.name) for name in snapshots}

    def _made(self, snapshot: str) -> ViewMade:
        """What a snapshot was made of; where that is not on record, all there is: then nothing counts as corrected."""
        known = self._known[snapshot]
        ttl = self.view.ttl.total_seconds() if self.view.ttl else None
        return known or ViewMade(version=self._version, ttl_seconds=ttl, days=self._now)

    @cached_property
    def _now(self) -> dict[date, str]:
        return {day: short_digest(self._state.digest(day)) for day in self._state.days()}

    def _bar(self, row: Mapping[str, Any], made: ViewMade) -> str:
        """Why an answer cannot be compared; empty when it can."""
        ttl = timedelta(seconds=made.ttl_seconds) if made.ttl_seconds is not None else None
        if not made.days or row["feature_version"] != self._version or ttl != self.view.ttl:
            return INCOMPARABLE
        return FRESH if row["as_of"] is not None and row["as_of"] > made.end else ""

    def _ask(self, numbers: Sequence[int], moments: Sequence[datetime]) -> Iterator[_Expected]:
        """What a join finds for some rows at a moment each."""
        if not numbers or not self._now:
            yield from (_Expected(as_of=None, values=[], too_old=False) for _ in numbers)
            return
        types = {column.name: column.dtype for column in columns(self.view.contract)}
        keys = [orjson.loads(self.rows["join_keys"][number]) for number in numbers]
        spine = pl.DataFrame(
            [
                *(
                    read_column([key[name] for key in keys], _instance(types[name]), name)
                    for name in self.view.entity.join_keys
                ),
                pl.Series("event_timestamp", moments, dtype=pl.Datetime("us", "UTC")),
            ]
        )
        wording = Wording(statuses=True)
        frame = Retrieval(self.lake, self.catalog, [f"{self.view.name}:*"], spine, wording).frame()
        features = self.published.features
        rows = parse_rows(list(spell_rows(frame.rename({as_of_name(self.view): "as_of"}), features)))
        statuses = frame[f"{features[0]}__status"].cast(pl.String).to_list()
        for row, status in zip(rows, statuses, strict=True):
            seconds, *values = row or [None]
            as_of = datetime.fromtimestamp(seconds, tz=UTC) if isinstance(seconds, int) else None
            yield _Expected(as_of=as_of, values=values, too_old=status == Status.OUTSIDE_MAX_AGE)

    def _status(self, at: datetime, expected: _Expected, *, is_null: bool) -> Status:
        if expected.too_old:  # at the moment of the snapshot, so all the more at that of the answer
            return Status.OUTSIDE_MAX_AGE
        return status_of(as_of=expected.as_of, at=at, is_null=is_null, ttl=self.view.ttl)

    @staticmethod
    def _same_time(row: Mapping[str, Any], expected: _Expected) -> bool:
        return expected.too_old or row["as_of"] == expected.as_of

    def _settle(self, row: Mapping[str, Any], expected: _Expected, differing: Sequence[str]) -> Judged:
        """Whether an answer that differs does so since a partition was built again."""
        if not differing:
            return SAME, ()
        made = self._made(row["snapshot"]).days
        days = [(moment - ONE_DAY).date() for moment in (row["as_of"], expected.as_of) if moment is not None]
        corrected = any(made.get(day) != self._now.get(day) for day in days)
        return (CORRECTED, ()) if corrected else (DIFFERING, differing)

    def _by_version(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, version in enumerate(self.rows["model_version"]):
            found.setdefault(version, []).append(number)
        return found

    def _champion(self, model: Model, version: str) -> Champion | None:
        """The version that answered, ready to answer again; None where it is gone, damaged, or declared otherwise since."""
        used = find_version(self.lake, model.name, version)
        if used is None or used.learner_version != learner_version(model) or model.view.name != self.view.name:
            return None
        try:
            return make_ready(self.lake, model, used, self.published)
        except MlpipeError:
            return None


def _alike(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float | int) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return one == other


def _instance(dtype: pl.DataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype
