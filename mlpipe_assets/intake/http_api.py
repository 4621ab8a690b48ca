"""Records of an HTTP API: what is newer than what was taken, or all of it once a day."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import HttpApi
from mlpipe_assets.errors import spell_count
from mlpipe_assets.intake.http_pages import read_pages
from mlpipe_assets.intake.intake import DeliveryProblem, Mark, Pending
from mlpipe_assets.intake.known_at import BY_MODIFICATION, Reading, read_time
from mlpipe_assets.intake.spelled_rows import spell_row
from mlpipe_assets.intake.spooled import NotGivenError, RangeIntake, Spooling
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.store.lake import Lake

_AHEAD = timedelta(days=1)  # how far a clock, or a time without a zone, may be ahead of ours


@dataclass(kw_only=True)
class HttpIntake(RangeIntake):
    """The intake of one API.

    A look asks for what is newer and keeps it, since an API says what it has by giving it. The mark of a delivery is the newest value
    that was taken, and the digests of the records that have it: an API asked for records from that value on gives them again.
    """

    feed: HttpApi
    source: Source

    @classmethod
    def of(cls, _: Lake, source: Source) -> "HttpIntake":
        """The intake of a source that is fed by an API."""
        assert isinstance(source.feed, HttpApi)  # noqa: S101 (the registry asks by this kind)
        return cls(feed=source.feed, source=source)

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:
        """What is newer than the last that was taken, or all records of today; none where nothing is."""
        try:
            found = self._newer(taken) if self.feed.newer_by else self._today(taken)
        except NotGivenError as error:
            return [], [DeliveryProblem(name=self.source.name, reason=f"{self.feed.url}: {error}")]
        return [found] if found else [], []

    def known(self, pending: Pending) -> Reading:
        """By a field of times the newest of them, else the moment of the look; never later than that moment."""
        looked, until = read_time(pending.modified_ns), pending.mark.get("to")
        if not isinstance(until, str):
            return Reading(known_at=looked, by=BY_MODIFICATION)
        return Reading(known_at=min(self._instant(until), looked), by=f"newest {self.feed.newer_by}")

    def _newer(self, taken: Mapping[str, Mark]) -> Pending | None:
        marks = [mark for mark in taken.values() if "to" in mark and not self._is_ahead(mark["to"])]
        last = max(marks, key=lambda mark: (self._rank(mark["to"]), len(mark["at"])), default=None)
        begun = self._before(last["to"]) if last else None
        range_ = _Range(rank=self._rank, after=last, begun=begun)
        spooled = self._spools.write(partial(self._fetch, range_, begun))
        if range_.newest is None:
            if spooled.refused and not range_.compared:
                told = f"none of {spell_count(len(spooled.refused), 'record')} can be taken; the first {spooled.refused[0].reason}"
                raise NotGivenError(told)
            return None
        mark = {"from": last["to"], "from_at": last["at"]} if last else {"from": None, "from_at": []}
        mark |= {"to": range_.newest, "at": sorted(range_.at_newest)}
        name = f"up to {range_.newest}"
        if self.feed.overlap:
            within = range_.within(last["to"], begun) if last else ""
            if (
                last
                and not range_.is_newer
                and within in [done.get("within") for done in marks if done["to"] == last["to"]]
            ):
                return None
            mark |= {"begun": begun, "within": range_.within(range_.newest, self._before(range_.newest))}
        if name in taken:  # a delivery of its own, and no correction of the one before
            name += f", {spooled.digest[:8]}"
        self._spools.hold(mark, spooled)
        return Pending(name=name, mark=mark, modified_ns=time.time_ns())

    def _before(self, last: str | int) -> str | int:
        """From which value on records are asked for: `overlap` before the last one that was taken, spelled as it is."""
        overlap = self.feed.overlap
        if not overlap:
            return last
        if isinstance(last, int) != isinstance(overlap, int):
            kinds = ("a time", "a timedelta") if isinstance(last, str) else ("a whole number", "one, too")
            raise NotGivenError(f"{self.feed.newer_by} is {kinds[0]}, so overlap={overlap!r} must be {kinds[1]}")
        if isinstance(last, int):
            return last - overlap  # type: ignore[operator]  # of one kind
        if len(last) == len("2026-01-31"):
            return f"{date.fromisoformat(last) - timedelta(days=ceil(overlap / ONE_DAY))}"  # type: ignore[operator]
        moment = (datetime.fromisoformat(last) - overlap).isoformat()  # type: ignore[operator]  # as above
        return moment.replace("+00:00", "Z") if last.endswith("Z") else moment

    def _today(self, taken: Mapping[str, Mark]) -> Pending | None:
        now = time.time_ns()
        mark = {"day": f"{datetime.fromtimestamp(now / 1e9, tz=UTC):%Y-%m-%d}"}
        if mark in taken.values():
            return None
        self._spools.hold(mark, self._spools.write(partial(self._fetch, None, None)))
        return Pending(name=mark["day"], mark=mark, modified_ns=now)

    def _read(self, mark: Mark, out: Spooling) -> None:
        """The same read again, as it was taken."""
        before = {"to": mark["from"], "at": mark["from_at"]} if mark.get("from") is not None else None
        begun = mark.get("begun", mark.get("from"))
        range_ = _Range(rank=self._rank, after=before, until=mark, begun=begun) if "to" in mark else None
        self._fetch(range_, begun, out)

    def _fetch(self, range_: "_Range | None", since: str | int | None, out: Spooling) -> None:
        number = 0
        for page in read_pages(self.feed, since):
            for record in page:
                if not isinstance(record, dict):
                    number += 1
                    out.refuse(number, f"{record}"[:1000], "not a JSON object")
                    continue
                spelled = spell_row([*map(str, record)], [*record.values()])
                if range_ is not None:
                    value = record.get(self.feed.newer_by or "")
                    if (wrong := self._wrong(value)) is not None:
                        number += 1
                        out.refuse(number, spelled.decode(), wrong)
                        continue
                    if not range_.takes(value, spelled):
                        continue
                number += 1
                out.add(number, spelled)

    def _wrong(self, value: object) -> str | None:
        """Why a value says of no record what it is newer than."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            return f"has no {self.feed.newer_by}, by which newer records are found"
        try:
            self._rank(value)
        except (ValueError, OverflowError):
            return f"{self.feed.newer_by}: neither a time in ISO 8601 nor a whole number"
        return f"{self.feed.newer_by}: a time that is not yet" if self._is_ahead(value) else None

    def _is_ahead(self, value: str | int) -> bool:
        """Whether a time is so late that nothing would be newer from then on."""
        return isinstance(value, str) and self._instant(value) > datetime.now(tz=UTC) + _AHEAD

    def _rank(self, value: str | int) -> tuple[int, Any]:
        """The place of a value among others of its kind; a number and a time are never compared by accident."""
        return (0, value) if isinstance(value, int) else (1, self._instant(value).timestamp())

    def _instant(self, text: str) -> datetime:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(self.source.time_zone))).astimezone(UTC)


class _Range:
    """Which records are newer than the last that were taken, or of the overlap before, and the newest value among them."""

    def __init__(
        self,
        *,
        rank: Any,  # noqa: ANN401 (a method)
        after: Mark | None,
        until: Mark | None = None,
        begun: str | int | None = None,
    ) -> None:
        self._rank, self._after, self._until = rank, after, until
        self._begun = rank(begun) if after is not None and begun is not None and begun != after["to"] else None
        self.newest: str | int | None = None
        self.at_newest: set[str] = set()
        self.compared = 0  # records that say what they are newer than
        self.is_newer = False  # whether one of them is no record of the overlap
        self._sums: dict[tuple[int, Any], int] = {}

    def takes(self, value: Any, spelled: bytes) -> bool:  # noqa: ANN401 (JSON)
        """Whether a record is newer, or of the overlap; it is noted then."""
        rank, digest = self._rank(value), hashlib.sha256(spelled).hexdigest()[:16]
        self.compared += 1
        if self._until is not None:  # it is read again: what came since with the newest value was of the next range
            end = self._rank(self._until["to"])
            if rank > end or (rank == end and digest not in self._until["at"]):
                return False
        is_newer = self._after is None or self._is_newer(rank, digest, self._after)
        if not is_newer and (self._begun is None or rank < self._begun):
            return False
        self.is_newer |= is_newer
        self._sums[rank] = self._sums.get(rank, 0) + int(digest, 16)
        newest = None if self.newest is None else self._rank(self.newest)
        if newest is None or rank > newest:
            same = self._after is not None and rank == self._rank(self._after["to"])
            self.newest, self.at_newest = value, set(self._after["at"] if same and self._after else ())
            newest = rank
        if rank == newest:
            self.at_newest.add(digest)
        return True

    def within(self, last: str | int, begun: str | int | None) -> str:
        """A digest of the records of an overlap, in any order."""
        low, high = self._rank(last if begun is None else begun), self._rank(last)
        return f"{sum(number for rank, number in self._sums.items() if low <= rank <= high) % (1 << 64):016x}"

    def _is_newer(self, rank: tuple[int, Any], digest: str, after: Mark) -> bool:
        last = self._rank(after["to"])
        if last[0] != rank[0]:
            kinds = ("a whole number", "a time")
            raise NotGivenError(
                f"newer_by is {kinds[rank[0]]} now and was {kinds[last[0]]} before, so nobody can say what is newer"
            )
        return bool(rank > last or (rank == last and digest not in after["at"]))
