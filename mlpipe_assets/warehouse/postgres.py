"""The warehouse in PostgreSQL: what it has of each table, and partitions replaced in one transaction.

Beside the tables it keeps its own record, `meta.published_tables` and `meta.published_partitions`, in the same transaction: what
they say is there is there. What was published is compared with the lake, number by number, before anybody sees it.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg2
from psycopg2 import errors, sql

from mlpipe_assets.errors import MlpipeError, shorten, spell_count
from mlpipe_assets.rules import digest
from mlpipe_assets.service_urls import explain, take_option, without_secrets
from mlpipe_assets.warehouse.columns import UnfitError, copy_text
from mlpipe_assets.warehouse.statements import Cursor, create, describe, finish, named, where_part
from mlpipe_assets.warehouse.tables import Part, WarehouseTable
from mlpipe_assets.warehouse.tallies import Tally, add, differences, tally, tally_text

_BLOCK = 200_000  # rows handed over at once
_OPTIONS = {"connect_timeout": 5, "application_name": "mlpipe publish"}
_RECORDS = """
create schema if not exists meta;
create table if not exists meta.published_tables (
    table_name text primary key, shape text not null, described text not null, lake text not null
);
create table if not exists meta.published_partitions (
    table_name text not null references meta.published_tables on delete cascade, partition text not null, digest text not null,
    row_count bigint not null, published_at timestamp with time zone not null default current_timestamp,
    primary key (table_name, partition)
);
comment on table meta.published_tables is 'Tables of the lake that are published here, and by which data folder.';
comment on table meta.published_partitions is 'Partitions that are published here: of which content, and since when.';
"""


class WarehouseError(MlpipeError):
    """The warehouse does not do what was asked."""


class UnequalError(WarehouseError):
    """What came into the warehouse is not what the lake has; nothing of it is kept."""


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What of one table is not in the warehouse as it is in the lake.

    Attributes:
        anew: Whether the table itself is not there, or has other columns.
        otherwise: Whether other words are said of it.
        parts: Partitions to publish.
        gone: Names of partitions that the lake has no more.
    """

    table: WarehouseTable
    anew: bool
    otherwise: bool
    parts: Sequence[Part]
    gone: Sequence[str]

    def __bool__(self) -> bool:
        return self.anew or self.otherwise or bool(self.parts) or bool(self.gone)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was published of one table."""

    table: str
    parts: int
    gone: int
    rows: int


class Warehouse:
    """A database of PostgreSQL that has the tables of one lake.

    Args:
        address: As psycopg2 takes it; `?reader=ROLE` of it is a role that may read all tables.
        lake: Which data folder publishes: another one is refused.
    """

    def __init__(self, address: str, lake: str) -> None:
        self._reader, self._address = take_option(address, "reader", "")
        self._lake = lake

    def locate(self) -> str:
        """Host and database."""
        return without_secrets(self._address)

    def find_behind(self, tables: Sequence[WarehouseTable]) -> list[Behind]:
        """What is behind of some tables, in their order; those of which nothing is are left out.

        Raises: WarehouseError when it cannot be told, or another lake publishes here.
        """
        with self._connection() as connection, connection, connection.cursor() as cursor:
            cursor.execute("select to_regclass('meta.published_partitions')")
            if cursor.fetchone()[0] is None:
                return [_all_of(table) for table in tables]
            self._expect_own(cursor)
            return [found for table in tables if (found := self._behind(cursor, table))]

    def publish(self, table: WarehouseTable) -> Published:
        """Bring one table up to date, in one transaction: whoever reads sees all of it or nothing.

        Raises: UnequalError when what came is not what was sent; UnfitError for what PostgreSQL cannot hold; WarehouseError for
            everything else. The table is as it was then.
        """
        with self._connection() as connection, connection, connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext('mlpipe publish'))")
            cursor.execute(_RECORDS)
            self._expect_own(cursor)
            behind = self._behind(cursor, table)
            if behind.anew:
                create(cursor, table, self._lake)
            self._remove(cursor, table, behind)
            sent: Tally = {}
            rows = 0
            for part in behind.parts:
                found = self._copy(cursor, table, part)
                sent, rows = add(sent, found), rows + found["rows"]
            if behind.parts:
                self._compare(cursor, table, behind, sent)
            if behind.anew:
                finish(cursor, table)
            if behind.anew or behind.otherwise:
                describe(cursor, table, self._reader, self._described(table))
        return Published(table=table.full_name, parts=len(behind.parts), gone=len(behind.gone), rows=rows)

    def take_over(self) -> None:
        """Let this lake publish here from now on, whichever did before."""
        with self._connection() as connection, connection, connection.cursor() as cursor:
            cursor.execute(_RECORDS)
            cursor.execute("update meta.published_tables set lake = %s", (self._lake,))

    def held(self) -> tuple[int, str]:
        """How many rows are published, and a digest of which partitions; empty where none is."""
        with self._connection() as connection, connection, connection.cursor() as cursor:
            cursor.execute("select to_regclass('meta.published_partitions')")
            if cursor.fetchone()[0] is None:
                return 0, ""
            cursor.execute(
                "select coalesce(sum(row_count), 0), md5(string_agg(digest, ' ' order by table_name, partition)) "
                "from meta.published_partitions"
            )
            rows, parts = cursor.fetchone()
        return int(rows), parts or ""

    def _expect_own(self, cursor: Cursor) -> None:
        cursor.execute("select count(*) from meta.published_tables where lake <> %s", (self._lake,))
        if count := cursor.fetchone()[0]:
            raise WarehouseError(
                f"{self.locate()}: {spell_count(count, 'table is', 'tables are')} published by another data folder. Give this one a "
                "database of its own, or let it take that one over: mlpipe publish --take-over"
            )

    def _behind(self, cursor: Cursor, table: WarehouseTable) -> Behind:
        cursor.execute(
            "select to_regclass(%s), shape, described from (select 1) as one "
            "left join meta.published_tables on table_name = %s",
            (f'"{table.schema}"."{table.name}"', table.full_name),
        )
        found, shape, described = cursor.fetchone()
        if found is not None and shape is None:
            raise WarehouseError(
                f"{table.full_name} is there already and was not published by mlpipe ({self.locate()}). Take a database of its own, or "
                "rename what is there"
            )
        if found is None or shape != table.shape:
            return _all_of(table)
        cursor.execute(
            "select partition, digest from meta.published_partitions where table_name = %s", (table.full_name,)
        )
        there = dict(cursor.fetchall())
        names = {part.name for part in table.parts}
        return Behind(
            table=table,
            anew=False,
            otherwise=described != self._described(table),
            parts=[part for part in table.parts if there.get(part.name) != part.digest],
            gone=sorted(there.keys() - names),
        )

    def _described(self, table: WarehouseTable) -> str:
        return digest([table.comments, self._reader])

    def _remove(self, cursor: Cursor, table: WarehouseTable, behind: Behind) -> None:
        """Take away the rows of partitions that are gone, or about to come again."""
        if behind.anew:
            return
        names = [*behind.gone, *(part.name for part in behind.parts)]
        for name in names:
            cursor.execute(
                sql.SQL("delete from {} where {}").format(named(table), where_part(table, name)),
            )
        cursor.execute(
            "delete from meta.published_partitions where table_name = %s and partition = any(%s)",
            (table.full_name, names),
        )

    def _copy(self, cursor: Cursor, table: WarehouseTable, part: Part) -> Tally:
        """Send the rows of one partition; what they come to."""
        rows = _typed(part.read(), table)
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
        statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(named(table), names).as_string(cursor)
        for block in rows.iter_slices(_BLOCK):
            cursor.copy_expert(statement, io.BytesIO(copy_text(block)))
        cursor.execute(
            "insert into meta.published_partitions (table_name, partition, digest, row_count) values (%s, %s, %s, %s)",
            (table.full_name, part.name, part.digest, rows.height),
        )
        return tally(rows, table.columns)

    def _compare(self, cursor: Cursor, table: WarehouseTable, behind: Behind, sent: Tally) -> None:
        """Add up what came, and hold it against what was sent."""
        select = sql.SQL("select {} from {}").format(
            sql.SQL(tally_text(table.columns, lambda name: sql.Identifier(name).as_string(cursor))), named(table)
        )
        if not behind.anew:
            parts = sql.SQL(" or ").join(where_part(table, part.name) for part in behind.parts)
            select += sql.SQL(" where {}").format(parts)
        cursor.execute(select)
        if unequal := list(differences(table.columns, sent, cursor.fetchone())):
            raise UnequalError(
                f"{table.full_name} in {self.locate()} is not what the lake has ({shorten(unequal)}), so nothing of it was published. "
                "Look for a trigger, a rule or a policy on the table"
            )

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        try:
            connection = psycopg2.connect(self._address, **_OPTIONS)
            try:
                yield connection
            finally:
                connection.close()
        except errors.DependentObjectsStillExist as error:
            detail = (error.diag.message_detail or "").partition("\n")[0]
            raise WarehouseError(
                f"{self.locate()}: a table has to be made anew, since its columns have changed, and others hang on it ({detail}). Drop "
                "these, publish, and make them again"
            ) from None
        except psycopg2.Error as error:
            raise WarehouseError(
                f"{explain(error, self._address)}. Is MLPIPE_POSTGRES_URL right, and the server up?"
            ) from None


def _all_of(table: WarehouseTable) -> Behind:
    return Behind(table=table, anew=True, otherwise=True, parts=table.parts, gone=())


def _typed(rows: pl.DataFrame, table: WarehouseTable) -> pl.DataFrame:
    """Rows with the columns of a table, and their types.

    Raises: UnfitError when they have others.
    """
    try:
        return rows.select(pl.col(column.name).cast(column.dtype) for column in table.columns)
    except pl.exceptions.PolarsError as error:
        line = f"{error}".splitlines()[0]
        raise UnfitError(
            f"{table.full_name}: a partition has other columns than the newest one ({line}); `mlpipe run` builds it again"
        ) from None
