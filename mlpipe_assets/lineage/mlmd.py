"""What is on record as a database of ML Metadata, which its library opens: SQLite, version 10 of its schema.

Ids are those on record. Tables and columns are those of the library's own database.
Source: https://www.tensorflow.org/tfx/guide/mlmd
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.lineage.database import Connection
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import INPUT, MODEL_VERSION

_VERSION = 10
_EXECUTION, _ARTIFACT, _CONTEXT = 0, 1, 2  # kinds of types
_TEXT = 3  # a type of properties
_LIVE, _COMPLETE, _INPUT, _OUTPUT = 2, 3, 3, 4
# The library's own types, which it expects first.
_BASE = (
    *((name, _ARTIFACT) for name in ("mlmd.Dataset", "mlmd.Model", "mlmd.Metrics", "mlmd.Statistics")),
    *((name, _EXECUTION) for name in ("mlmd.Train", "mlmd.Transform", "mlmd.Process", "mlmd.Evaluate", "mlmd.Deploy")),
)
_PARENTS = {MODEL_VERSION: "mlmd.Model", "Measurements": "mlmd.Statistics", "Validation": "mlmd.Metrics"}
_TABLES = """
create table Type (id integer primary key autoincrement, name varchar(255) not null, version varchar(255),
    type_kind tinyint(1) not null, description text, input_type text, output_type text, external_id varchar(255) unique);
create table TypeProperty (type_id int not null, name varchar(255) not null, data_type int, primary key (type_id, name));
create table ParentType (type_id int not null, parent_type_id int not null, primary key (type_id, parent_type_id));
create table Artifact (id integer primary key autoincrement, type_id int not null, uri text, state int, name varchar(255),
    external_id varchar(255) unique, create_time_since_epoch int not null default 0,
    last_update_time_since_epoch int not null default 0, unique (type_id, name));
create table Execution (id integer primary key autoincrement, type_id int not null, last_known_state int, name varchar(255),
    external_id varchar(255) unique, create_time_since_epoch int not null default 0,
    last_update_time_since_epoch int not null default 0, unique (type_id, name));
create table Context (id integer primary key autoincrement, type_id int not null, name varchar(255) not null,
    external_id varchar(255) unique, create_time_since_epoch int not null default 0,
    last_update_time_since_epoch int not null default 0, unique (type_id, name));
create table Event (id integer primary key autoincrement, artifact_id int not null, execution_id int not null, type int not null,
    milliseconds_since_epoch int, unique (artifact_id, execution_id, type));
create table EventPath (event_id int not null, is_index_step tinyint(1) not null, step_index int, step_key text);
create table ParentContext (context_id int not null, parent_context_id int not null, primary key (context_id, parent_context_id));
create table Association (id integer primary key autoincrement, context_id int not null, execution_id int not null,
    unique (context_id, execution_id));
create table Attribution (id integer primary key autoincrement, context_id int not null, artifact_id int not null,
    unique (context_id, artifact_id));
create table MLMDEnv (schema_version integer primary key);
create index idx_artifact_uri on Artifact (uri);
create index idx_event_execution_id on Event (execution_id);
create index idx_eventpath_event_id on EventPath (event_id);
create index idx_parentcontext_parent_context_id on ParentContext (parent_context_id);
create index idx_type_name on Type (name);
create index idx_type_external_id on Type (external_id);
"""
_PROPERTIES = """
create table {0}Property ({1}_id int not null, name varchar(255) not null, is_custom_property tinyint(1) not null, int_value int,
    double_value double, string_value text, byte_value blob, proto_value blob, bool_value boolean,
    primary key ({1}_id, name, is_custom_property));
create index idx_{1}_property_int on {0}Property (name, is_custom_property, int_value) where int_value is not null;
create index idx_{1}_property_double on {0}Property (name, is_custom_property, double_value) where double_value is not null;
create index idx_{1}_property_string on {0}Property (name, is_custom_property, string_value) where string_value is not null;
create index idx_{1}_external_id on {0} (external_id);
"""
_TIMES = """
create index idx_{1}_create_time_since_epoch on {0} (create_time_since_epoch);
create index idx_{1}_last_update_time_since_epoch on {0} (last_update_time_since_epoch);
"""
_NODES = ("Artifact", "Execution", "Context")


def export_mlmd(connection: Connection, path: Path) -> Mapping[str, int]:
    """Write a database in place of what is at a path; how many artifacts, executions and contexts it has.

    Raises: LakeError when it cannot be written; what was there stays then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with closing(sqlite3.connect(temporary)) as written:
            written.executescript(
                _TABLES + "".join((_PROPERTIES + _TIMES).format(node, node.lower()) for node in _NODES)
            )
            counts = _Writer(written).fill(connection)
            written.commit()
        temporary.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise LakeError(f"{path} cannot be written: {error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return counts


class _Writer:
    def __init__(self, written: sqlite3.Connection) -> None:
        self._written = written
        self._types: dict[tuple[str, int], int] = {}

    def fill(self, connection: Connection) -> Mapping[str, int]:
        self._written.execute("insert into MLMDEnv values (?)", (_VERSION,))
        for name, kind in _BASE:
            self._type(name, kind)
        records = Records(connection=connection)
        artifacts, executions, contexts = records.artifacts(), records.executions(), records.contexts()
        for one in artifacts:
            number = self._type(
                one.type, _ARTIFACT, ("table", "partition", "digest"), _PARENTS.get(one.type, "mlmd.Dataset")
            )
            made = _milliseconds(one.made_at)
            state = _LIVE if one.is_held else None
            name = f"{one.key.name}#{one.key.digest}"
            self._insert("Artifact", (one.id, number, one.uri, state, name, None, made, made))
            self._describe("Artifact", one.id, one.key._asdict(), custom=False)
            self._describe("Artifact", one.id, {**one.properties, "is_held": one.is_held})
        for execution in executions:
            number = self._type(execution.type, _EXECUTION, ("name", "run", "inputs"))
            at = _milliseconds(execution.at)
            self._insert("Execution", (execution.id, number, _COMPLETE, None, None, at, at))
            own = {"name": execution.name, "run": execution.run, "inputs": execution.inputs}
            self._describe("Execution", execution.id, own, custom=False)
            self._describe("Execution", execution.id, execution.properties)
        for context in contexts:
            self._insert("Context", (context.id, self._type(context.type, _CONTEXT), context.name, None, 0, 0))
            self._describe("Context", context.id, context.properties)
        events = connection.all(
            "select artifact_id, execution_id, type, at from events order by execution_id, type, artifact_id"
        )
        self._number(
            "Event", ((a, e, _INPUT if kind == INPUT else _OUTPUT, _milliseconds(at)) for a, e, kind, at in events)
        )
        self._number("Association", connection.all("select context_id, execution_id from associations order by 1, 2"))
        self._number("Attribution", connection.all("select context_id, artifact_id from attributions order by 1, 2"))
        return {"artifacts": len(artifacts), "executions": len(executions), "contexts": len(contexts)}

    def _type(self, name: str, kind: int, properties: Sequence[str] = (), parent: str = "") -> int:
        """The id of a type, made where there is none yet."""
        if (name, kind) not in self._types:
            number = self._types[name, kind] = len(self._types) + 1
            self._insert("Type", (number, name, None, kind, None, None, None, None))
            self._written.executemany(
                "insert into TypeProperty values (?, ?, ?)", [(number, one, _TEXT) for one in properties]
            )
            if parent:
                self._insert("ParentType", (number, self._types[parent, kind]))
        return self._types[name, kind]

    def _describe(self, node: str, number: int, properties: Mapping[str, Any], *, custom: bool = True) -> None:
        rows = [(number, name, custom, *_typed(value)) for name, value in properties.items()]
        self._written.executemany(f"insert into {node}Property values (?, ?, ?, ?, ?, ?, null, null, ?)", rows)  # noqa: S608

    def _number(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        for number, row in enumerate(rows, start=1):
            self._insert(table, (number, *row))

    def _insert(self, table: str, row: Sequence[object]) -> None:
        self._written.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)  # noqa: S608


def _typed(value: object) -> tuple[int | None, float | None, str | None, bool | None]:
    """A value as one of int, double, text and boolean."""
    if isinstance(value, bool):
        return None, None, None, value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value, None, None, None
    if isinstance(value, float):
        return None, value, None, None
    return None, None, value if isinstance(value, str) else json.dumps(value), None


def _milliseconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)
