"""Rows of a table in a database: what is newer than what was taken, or the whole table once a day.

A range of the growing column is one delivery, whose mark is that range. The range is read once into a file of the run, and all
that is taken of it comes from there, so that a table that changes meanwhile gives one answer. Nothing is written to the database.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import DatabaseTable
from mlpipe_assets.catalog.nearest import nearest
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.intake.intake import DeliveryProblem, Mark, Pending
from mlpipe_assets.intake.known_at import BY_MODIFICATION, Reading, read_time
from mlpipe_assets.intake.spelled_rows import spell_row
from mlpipe_assets.intake.spooled import NotGivenError, RangeIntake, Spooling
from mlpipe_assets.rules import columns
from mlpipe_assets.service_urls import explain
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.absent import may_be_absent
from mlpipe_assets.transforms.events import own_columns

_ROWS_AT_ONCE = 20_000
_SECONDS_TO_CONNECT = 10
_PATIENCE_OF = {  # what a driver calls it; others know it by no name, or count the time of each statement
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "psycopg2cffi": "connect_timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "mariadbconnector": "connect_timeout",
    "mysqlconnector": "connection_timeout",
}
_AHEAD = timedelta(days=1)  # how far a clock, or a time without a zone, may be ahead of ours
_LATE_COMMITS: dict[type, timedelta | int] = {datetime: timedelta(minutes=10), date: timedelta(0), int: 1000}

Cursor = datetime | date | int


@dataclass(kw_only=True)
class DatabaseIntake(RangeIntake):
    """The intake of one table."""

    feed: DatabaseTable
    source: Source

    @classmethod
    def of(cls, _: Lake, source: Source) -> "DatabaseIntake":
        """The intake of a source that is fed by a table."""
        assert isinstance(source.feed, DatabaseTable)  # noqa: S101 (the registry asks by this kind)
        return cls(feed=source.feed, source=source)

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:
        """The range after the last one taken, or the table of today; none where nothing is newer."""
        ahead: list[DeliveryProblem] = []
        try:
            found = self._newer(taken, ahead) if self.feed.newer_by else self._today(taken)
        except NotGivenError as error:
            return [], [DeliveryProblem(name=self.feed.table, reason=f"{error}")]
        return [found] if found else [], ahead

    def known(self, pending: Pending) -> Reading:
        """By a column of times the newest of them, else the moment of the look; never later than that moment."""
        looked = read_time(pending.modified_ns)
        until = _parse(pending.mark.get("to"))
        if not isinstance(until, datetime):
            return Reading(known_at=looked, by=BY_MODIFICATION)
        zoned = until if until.tzinfo else until.replace(tzinfo=ZoneInfo(self.source.time_zone))
        return Reading(known_at=min(zoned.astimezone(UTC), looked), by=f"newest {self.feed.newer_by}")

    def _newer(self, taken: Mapping[str, Mark], ahead: list[DeliveryProblem]) -> Pending | None:
        limit: Cursor | None = None
        with self._connect() as connection:
            table = self._table(connection)
            self._chosen(table)
            cursor = self._cursor(table)
            until = connection.execute(sa.select(sa.func.max(cursor))).scalar()
            if until is None:
                return None
            until = _plain(until, self.feed)
            limit = self._latest(until)
            if limit is not None and until > limit:  # type: ignore[operator]  # of one kind
                rows = sa.select(sa.func.count()).select_from(table).where(cursor > limit)
                ahead.append(self._say_ahead(connection.execute(rows).scalar() or 0, limit))
                until = connection.execute(sa.select(sa.func.max(cursor)).where(cursor <= limit)).scalar()
                if until is None:
                    return None
                until = _plain(until, self.feed)
        before = [done for done in (_parse(mark.get("to")) for mark in taken.values()) if done is not None]
        before = [done for done in before if limit is None or _kind(done) != _kind(limit) or done <= limit]  # type: ignore[operator]
        mark: dict[str, Any] = {"from": None, "to": _spell(until)}
        name = f"up to {_spell(until)}"
        if not isinstance(until, datetime | int):  # more rows of that day may come
            mark["at"] = self._digest_of(until)
        if before:
            if any(_kind(done) != _kind(until) for done in before):
                raise NotGivenError(
                    f"{self.feed.newer_by} is {_kind(until)} now and was {_kind(before[0])} before, so nobody can say what is newer. Name "
                    "a source anew for it"
                )
            last = max(before)
            if last == until and "at" in mark:
                if mark["at"] in [done.get("at") for done in taken.values() if done.get("to") == mark["to"]]:
                    return None
                name += f", {mark['at']}"  # a delivery of its own, and no correction of the one before
            elif last >= until:  # type: ignore[operator]
                return None
            mark["from"] = _spell(self._before(last))
        return Pending(name=name, mark=mark, modified_ns=time.time_ns())

    def _digest_of(self, day: Cursor) -> str:
        """What the table holds of a day, in any order."""
        with self._connect() as connection:
            table = self._table(connection)
            chosen = self._chosen(table)
            rows = sa.select(*(table.c[name] for name in chosen)).where(self._cursor(table) == day)
            found = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(rows)
            numbers = (int.from_bytes(hashlib.sha256(spell_row(chosen, row)).digest()[:8]) for row in found)
            return f"{sum(numbers) % (1 << 64):016x}"

    def _latest(self, until: Cursor) -> Cursor | None:
        """What a column of times or days can hold by now, whatever clock it goes by; None for numbers."""
        if isinstance(until, int):
            return None
        now = datetime.now(tz=UTC) + _AHEAD
        if not isinstance(until, datetime):
            return now.date()
        return now if until.tzinfo else now.replace(tzinfo=None)

    def _say_ahead(self, rows: int, limit: Cursor) -> DeliveryProblem:
        """Rows that nothing could ever be newer than."""
        told = f"{spell_count(rows, 'row')} with {self.feed.newer_by} after {limit.isoformat()[:19]}"  # type: ignore[union-attr]
        reason = f"{told} cannot be taken: nothing would be newer than they are. Correct them at the database"
        return DeliveryProblem(name=self.feed.table, reason=reason)

    def _today(self, taken: Mapping[str, Mark]) -> Pending | None:
        now = time.time_ns()
        mark = {"day": f"{datetime.fromtimestamp(now / 1e9, tz=UTC):%Y-%m-%d}"}
        if mark in taken.values():
            return None
        with self._connect() as connection:
            self._chosen(self._table(connection))
        return Pending(name=mark["day"], mark=mark, modified_ns=now)

    def _before(self, last: Cursor) -> Cursor:
        """Where to begin again: what was committed late lies a little before what was taken."""
        overlap = _LATE_COMMITS[type(last)] if self.feed.overlap is None else self.feed.overlap
        if isinstance(last, int) != isinstance(overlap, int):
            raise NotGivenError(
                f"{self.feed.newer_by} is {_kind(last)}, so overlap={overlap!r} must be a "
                f"{'whole number' if isinstance(last, int) else 'timedelta'}"
            )
        return last - overlap  # type: ignore[operator]  # of one kind

    def _read(self, mark: Mark, out: Spooling) -> None:
        with self._connect() as connection:
            table = self._table(connection)
            chosen = self._chosen(table)
            rows = sa.select(*(table.c[name] for name in chosen))
            order = [table.c[name] for name in self.source.key if name in table.c]
            if self.feed.newer_by:
                cursor = self._cursor(table)
                low, high = _parse(mark.get("from")), _parse(mark["to"])
                rows = rows.where(cursor <= high) if low is None else rows.where(cursor <= high, cursor >= low)
                order.insert(0, cursor)
                without = sa.select(sa.func.count()).select_from(table).where(cursor.is_(None))
                if unplaced := connection.execute(without).scalar():
                    told = spell_count(unplaced, "row")
                    out.notes.append(f"{told} of {self.feed.table} without {self.feed.newer_by} cannot be taken")
            found = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(rows.order_by(*order))
            for number, row in enumerate(found, start=1):
                out.add(number, spell_row(chosen, row))

    def _chosen(self, table: sa.Table) -> list[str]:
        """The columns to read: those of the contract, or all where a function of the source makes those."""
        there = [f"{column.name}" for column in table.columns]  # a plain text, and no quoted_name
        if self.source.prepare is not None:
            return there
        own = {*own_columns(self.source)}
        lacking = [c.name for c in columns(self.source.contract) if c.name in own - {*there} and not may_be_absent(c)]
        if lacking:
            raise NotGivenError(
                f"it has no column {lacking[0]!r}, which {self.source.contract.__name__} promises; it has {shorten(there)}."
                f"{nearest(lacking[0], there)}"
            )
        return [name for name in there if name in own]

    def _table(self, connection: sa.Connection) -> sa.Table:
        schema, _, name = self.feed.table.rpartition(".")
        try:
            return sa.Table(name, sa.MetaData(), autoload_with=connection, schema=schema or None)
        except NoSuchTableError:
            inspector = sa.inspect(connection)
            there = sorted([*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)])
            near = nearest(name, there)
            raise NotGivenError(
                f"the database of {self.feed.url} has no such table, or hides it from us.{near}"
            ) from None

    def _cursor(self, table: sa.Table) -> "sa.Column[Any]":
        name = self.feed.newer_by or ""
        if name not in table.c:
            there = [column.name for column in table.columns]
            raise NotGivenError(
                f"it has no column {name!r} to be newer by; it has {shorten(there)}.{nearest(name, there)}"
            )
        return table.c[name]

    def _connect(self) -> "_Connected":
        return _Connected(self.feed.url)


class _Connected:
    """A connection while it is needed; whatever fails on it is told without its secrets."""

    def __init__(self, variable: str) -> None:
        self._variable, self._address = variable, os.environ.get(variable, "")
        self._connection: sa.Connection | None = None

    def __enter__(self) -> sa.Connection:
        if not self._address:
            raise NotGivenError(f"the variable {self._variable} is not set: it holds the address of the database")
        try:
            url = sa.make_url(self._address)
            engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=_patience_of(url))
            self._connection = engine.connect()
        except ImportError as error:
            raise NotGivenError(
                f"the driver of {self._variable} is not installed ({error.name}). Next: pip install it"
            ) from error
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
            raise NotGivenError(
                f"{self._variable} is no address that SQLAlchemy knows: write it as postgresql://HOST/DATABASE"
            ) from None
        except SQLAlchemyError as error:
            raise self._told(error) from None
        if url.get_backend_name() == "postgresql":
            self._connection = self._connection.execution_options(postgresql_readonly=True)
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if self._connection is not None:
            self._connection.close()
        if isinstance(error, SQLAlchemyError):
            raise self._told(error) from None
        if isinstance(error, ValueError | OverflowError | TypeError):  # of the driver; its words hold the value
            raise NotGivenError(f"a value of it cannot be read ({type(error).__name__})") from None

    def _told(self, error: SQLAlchemyError) -> NotGivenError:
        cause = getattr(error, "orig", None) or error
        return NotGivenError(explain(cause, self._address))


def _patience_of(url: sa.URL) -> dict[str, int]:
    """How long the driver of an address waits for the server, where it takes that and the address does not say it."""
    name = _PATIENCE_OF.get(url.get_driver_name())
    return {name: _SECONDS_TO_CONNECT} if name and name not in url.query else {}


def _plain(value: object, feed: DatabaseTable) -> Cursor:
    """The newest value of the growing column, as one that can be kept and compared."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, datetime | date | int):
        raise NotGivenError(
            f"newer_by={feed.newer_by!r} holds {type(value).__name__}; it must hold times, dates or whole numbers that grow with every "
            "change of a row"
        )
    return value


def _spell(value: Cursor) -> str | int:
    return value if isinstance(value, int) else value.isoformat()


def _parse(value: object) -> Cursor | None:
    if isinstance(value, str):
        return date.fromisoformat(value) if len(value) == len("2026-01-31") else datetime.fromisoformat(value)
    return value if isinstance(value, int) else None


def _kind(value: Cursor) -> str:
    if isinstance(value, datetime):
        return "a time with a zone" if value.tzinfo else "a time without a zone"
    return "a whole number" if isinstance(value, int) else "a date"
