"""Profiles on disk: one small JSON file a day, counted into the bins of a frozen reference, made again when its rows changed."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.errors import DamagedError
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.monitoring.references import Reference
from mlpipe_assets.monitoring.table_days import TableDays
from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.merging import merge
from mlpipe_assets.statistics.profile_json import from_json, to_json
from mlpipe_assets.statistics.profiles import ColumnProfile, Profile, profile_frame
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import UNREADABLE, spell_reason
from mlpipe_assets.store.table_state import TableState

_log = logging.getLogger("mlpipe")
_PROFILE = ', "profile": '


def only_columns(profile: Profile, wanted: Mapping[str, float]) -> Profile:
    """A profile of the wanted columns alone, in their order."""
    return replace(
        profile,
        bins={name: profile.bins[name] for name in wanted},
        columns={name: profile.columns[name] for name in wanted},
    )


@dataclass(frozen=True, kw_only=True)
class RowsToProfile:
    """The file of a partition, its digest, and the bins that its columns are counted into."""

    lake: Lake
    file: Path
    sha256: str
    bins: Mapping[str, Bins]


def profile_rows(item: RowsToProfile) -> Profile | None:
    """The profile of a partition, wherever that is counted; None when its file does not hold what was written to it.

    Raises: ExecutorError when the lake is not seen here.
    """
    item.lake.expect_seen()
    try:
        content = item.file.read_bytes()
    except OSError:
        return None
    return _profile(content, item.bins) if hashlib.sha256(content).hexdigest() == item.sha256 else None


def _profile(content: bytes, bins: Mapping[str, Bins]) -> Profile:
    return profile_frame(pl.read_parquet(content, columns=list(bins), hive_partitioning=False), bins)


@dataclass(kw_only=True)
class ProfileStore:
    """Profiles of a table's days by one reference.

    Attributes:
        name: Folder below monitoring/profiles.
        table: The days of the table.
        executor: Who counts.
    """

    lake: Lake
    name: str
    reference: Reference
    table: TableDays
    executor: Executor = THREADS
    _known: dict[date, Profile] = field(default_factory=dict)

    def path(self, day: date) -> Path:
        """The file of a day's profile."""
        return self.lake.path(keys.PROFILES, self.name, day, keys.PROFILE)

    def prepare(self, days: Iterable[date]) -> list[date]:
        """Have the profile of each day that has rows, reading a partition only where none fits. Returns the days read."""
        wanted = [day for day in sorted(set(days)) if day in self.table.present_days and day not in self._known]
        state = self.state()
        for day in wanted:
            if (stored := self._stored(state, day)) is not None:
                self._known[day] = stored
        due = [day for day in wanted if day not in self._known]
        change = self.lake.change(keys.PROFILES, self.name)
        items = [self._item(day) for day in due]
        for day, made in zip(due, self.executor.map(profile_rows, items), strict=True):
            profile = self._make(day) if made is None else made
            self._known[day] = profile
            head = json.dumps({"fingerprint": self.table.fingerprint(day), "reference": self.reference.version})[:-1]
            content = f"{head}{_PROFILE}{to_json(profile)}}}\n".encode()
            change.put(self.lake.table(keys.PROFILES, self.name).stage_bytes(day, content, keys.PROFILE))
        change.publish()
        return due

    def window(self, days: Sequence[date]) -> Profile:
        """The profile of all the days together that have rows; without any, one of no rows."""
        found = [self._known[day] for day in days if day in self._known]
        return merge(found or [self._empty()])

    def by_day(self, days: Sequence[date]) -> dict[date, Profile]:
        """The profiles of those days that have rows in them."""
        return {day: self._known[day] for day in days if day in self._known and self._known[day].rows}

    def stored_window(self, days: Sequence[date]) -> Profile:
        """The same of the profiles that are on disk and still fit; none is made."""
        state = self.state()
        for day in days:
            there = day in self.table.present_days and day not in self._known
            if there and (stored := self._stored(state, day)) is not None:
                self._known[day] = stored
        return self.window(days)

    def forget_before(self, day: date) -> None:
        """Let go of profiles no later window needs."""
        for known in [known for known in self._known if known < day]:
            del self._known[known]

    def state(self) -> TableState:
        """The profiles on disk as they are now."""
        return self.lake.state(keys.PROFILES, self.name)

    def _stored(self, state: TableState, day: date) -> Profile | None:
        """The profile on disk, if it still fits; one that cannot be read is as good as none: its rows are still there."""
        if not state.has(day, keys.PROFILE):
            return None
        expected = {"fingerprint": self.table.fingerprint(day), "reference": self.reference.version}
        try:
            head, _, rest = state.read_bytes(day, keys.PROFILE).decode().partition(_PROFILE)
            made_of: dict[str, Any] = json.loads(head + "}")
            return from_json(rest.rstrip()[:-1], self.reference.bins) if made_of == expected else None
        except (*UNREADABLE, DamagedError) as error:
            _log.warning(
                "%s cannot be read: %s. It is left out, and made again when next needed.",
                self.path(day),
                spell_reason(error),
            )
            return None

    def _item(self, day: date) -> RowsToProfile:
        state = self.table.state
        return RowsToProfile(lake=self.lake, file=state.locate(day), sha256=state.digest(day), bins=self.reference.bins)

    def _make(self, day: date) -> Profile:
        """The same of a file that was found damaged, if there is a sound one.

        Raises: DamagedError.
        """
        return _profile(self.table.state.read_bytes(day), self.reference.bins)

    def _empty(self) -> Profile:
        nothing = {name: ColumnProfile(rows=0, nulls=0) for name in self.reference.bins}
        return Profile(rows=0, bins=dict(self.reference.bins), columns=nothing)
