"""Lineage in PostgreSQL, of one lake in one schema: for lakes in a bucket, and for people who query it beside other things."""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extras import execute_batch

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.lineage.database import TABLES, Connection, LineageError, Row
from mlpipe_assets.service_urls import explain, take_option, without_secrets
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import ABSENT, ConflictError, MissingError

_OPTIONS = {"connect_timeout": 5, "application_name": "mlpipe lineage", "options": "-c lock_timeout=10000"}
_LOCK = 507_211_640  # who writes lineage waits for whoever does


@dataclass(kw_only=True)
class PostgresDatabase:
    """Lineage in a schema of a PostgreSQL: `lineage`, or that of the option `schema` of the address.

    Attributes:
        address: As psycopg2 takes it, and `?schema=NAME`.
    """

    address: str
    lake: Lake

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database`."""
        with self._open() as found:
            yield found

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database`."""
        with self._open() as found:
            found.run("select pg_advisory_xact_lock(?)", (_LOCK,))
            yield found

    @contextmanager
    def _open(self) -> Iterator["_Postgres"]:
        schema, address = take_option(self.address, "schema", "lineage")
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise SettingsError(
                "schema= of MLPIPE_METADATA_URL is no name of a schema: lower-case letters, digits and _."
            )
        try:
            connection = psycopg2.connect(address, **_OPTIONS)
            try:
                with connection, connection.cursor() as cursor:
                    found = _Postgres(cursor)
                    self._prepare(found, schema)
                    yield found
            finally:
                connection.close()
        except psycopg2.Error as error:
            raise LineageError(f"{explain(error, address)}. Is MLPIPE_METADATA_URL right, and the server up?") from None

    def _prepare(self, found: "_Postgres", schema: str) -> None:
        """Make the tables where there are none, and make sure that they are this lake's."""
        if not found.all(
            "select 1 from information_schema.tables where table_schema = ? and table_name = 'facts'", (schema,)
        ):
            found.run("select pg_advisory_xact_lock(?)", (_LOCK,))  # two that come first both find none
            found.run(f"create schema if not exists {schema}")
            found.run(f"set local search_path to {schema}")
            for statement in filter(str.strip, TABLES.split(";")):
                found.run(statement)
        found.run(f"set local search_path to {schema}")
        owner = found.all("select value from facts where name = 'lake'")
        own = _name_of(self.lake)
        if not owner:
            found.run("insert into facts (name, value) values ('lake', ?) on conflict do nothing", (own,))
        elif owner[0][0] != own:
            raise LineageError(
                f"Schema {schema} of {without_secrets(self.address)} has the lineage of another data folder. Add ?schema=NAME to "
                "MLPIPE_METADATA_URL, with a name of its own."
            )


@dataclass(frozen=True)
class _Postgres:
    cursor: Any  # psycopg2 has no types

    def all(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        self.cursor.execute(_bound(statement), tuple(values))
        return [tuple(row) for row in self.cursor.fetchall()]

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self.cursor.execute(_bound(statement), tuple(values))

    def many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        execute_batch(self.cursor, _bound(statement), [tuple(row) for row in rows], page_size=1000)


def _bound(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


def _name_of(lake: Lake) -> str:
    """By which name the lineage of a lake is known: made once, and kept in it."""
    try:
        content = lake.objects.get(keys.LINEAGE_NAME).content
    except MissingError:
        content = json.dumps({"name": secrets.token_hex(8)}).encode()
        try:
            lake.objects.put(keys.LINEAGE_NAME, content, ABSENT)
        except ConflictError:
            content = lake.objects.get(keys.LINEAGE_NAME).content
    return str(json.loads(content)["name"])
