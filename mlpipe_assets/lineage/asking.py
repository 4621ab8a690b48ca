"""The questions that people ask of lineage, each by one call: `Project().lineage`, and what the commands print."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.lineage.blame import Blame, blame
from mlpipe_assets.lineage.book import inputs_digest
from mlpipe_assets.lineage.database import Database, LineageError, open_database
from mlpipe_assets.lineage.holdings import Holdings
from mlpipe_assets.lineage.inputs import Origins
from mlpipe_assets.lineage.metadata_log import MetadataLog, lines_of
from mlpipe_assets.lineage.mlmd import export_mlmd
from mlpipe_assets.lineage.openlineage import Events
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.telling import Teller
from mlpipe_assets.lineage.terms import MODEL, RUN, TAG, Artifact, Execution
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import StoreError

_ARTIFACTS = {
    "id": pl.Int64,
    **dict.fromkeys(("type", "table", "partition", "digest"), pl.String),
    "is_held": pl.Boolean,
    "made_at": pl.String,
}
_TEXT, _NUMBER = pl.String(), pl.Int64()
_IN_SQL: Mapping[str, Mapping[str, pl.DataType]] = {
    "artifacts": {
        "id": _NUMBER,
        **dict.fromkeys(("type", "table_name", "partition_name", "digest", "uri", "made_at", "properties"), _TEXT),
        "is_held": pl.Boolean(),
    },
    "executions": {
        "id": _NUMBER,
        **dict.fromkeys(("type", "name", "run", "state", "recorded_at", "inputs", "properties"), _TEXT),
    },
    "events": {"execution_id": _NUMBER, "artifact_id": _NUMBER, "type": _TEXT, "recorded_at": _TEXT},
    "contexts": {"id": _NUMBER, "type": _TEXT, "name": _TEXT, "properties": _TEXT},
    "attributions": {"context_id": _NUMBER, "artifact_id": _NUMBER},
    "associations": {"context_id": _NUMBER, "execution_id": _NUMBER},
}
SQL_NAMES = (*_IN_SQL,)
_KINDS = {"run": RUN, "model": MODEL, "tag": TAG}


def lineage_of(lake: Lake, catalog: Catalog) -> "Lineage":
    """Lineage of a lake: that of MLPIPE_METADATA_URL for the data folder, a file of its own for any other lake."""
    settings = read_settings().for_lake(lake.root)
    return Lineage(lake=lake, catalog=catalog, address=settings.metadata_url)


@dataclass(kw_only=True)
class Lineage:
    """Where everything in a lake came from, and what came of it.

    A partition is named `TABLE@DAY`, a version of a model `MODEL@VERSION`, a file by its name or its path in the drop zone; `#` and
    the beginning of a digest behind it name one of several contents. What the lake holds and no run has recorded is recorded
    first, once.
    """

    lake: Lake
    catalog: Catalog
    address: str = ""

    @cached_property
    def database(self) -> Database:
        """Where it is kept, brought up to date where this process may write.

        Raises: LineageError for a lake in a bucket without a PostgreSQL.
        """
        found = open_database(self.lake, self.address)
        with suppress(LineageError):  # who may only read sees what is on record
            Teller(lake=self.lake, catalog=self.catalog, database=found).tell_all()
        with suppress(LineageError, StoreError):
            MetadataLog(lake=self.lake, database=found).bring_up_to_date()
        return found

    @contextmanager
    def records(self) -> Iterator[Records]:
        """What is on record, as of one moment."""
        with self.database.reading() as connection:
            yield Records(connection=connection)

    def tables_of(self) -> dict[str, pl.DataFrame]:
        """Everything on record as tables, as `mlpipe sql` shows them in the schema `meta`."""
        found: dict[str, pl.DataFrame] = {}
        with self.database.reading() as connection:
            for name, schema in _IN_SQL.items():
                held = ", exists (select 1 from held h where h.artifact_id = id)" if name == "artifacts" else ""
                own = [column for column in schema if column != "is_held"]
                asked = ", ".join(
                    "at" if column == "recorded_at" else column for column in own
                )  # SQL reserves that word
                rows = connection.all(f"select {asked}{held} from {name} order by 1, 2")  # noqa: S608 (our own names)
                names = {
                    column: pl.Int64 if schema[column] == pl.Boolean else schema[column] for column in [*own, *schema]
                }
                found[name] = pl.DataFrame([list(map(_plain, row)) for row in rows], schema=names, orient="row").cast(
                    {column: kind for column, kind in schema.items() if kind == pl.Boolean}
                )
        return found

    def artifacts(self, type: str = "", table: str = "", where: Mapping[str, str] | None = None) -> pl.DataFrame:  # noqa: A002
        """Artifacts of a type (`ModelVersion`), of a table and with properties, one row each.

        Columns: id, type, table, partition, digest, is_held (whether the table holds it now), made_at (when it was recorded),
        and one for each property that any has.
        """
        with self.records() as records:
            return _frame(records.artifacts(type=type, table=self.names.get(table, table), where=where))

    def back(self, name: str) -> pl.DataFrame:
        """Everything that something came from, as `artifacts` has it."""
        with self.records() as records:
            return _frame(records.made_of(records.find(name, self.names)))

    def came_of(self, name: str) -> pl.DataFrame:
        """Everything that came of something, as `artifacts` has it."""
        with self.records() as records:
            return _frame(records.came_of(records.find(name, self.names)))

    def neighbours(self, name: str) -> pl.DataFrame:
        """What something was made of and what was made of it, one step away, with `direction`: `input` or `output`."""
        with self.records() as records:
            start = records.find(name, self.names)
            before = records.given([execution for execution, _ in records.makers(start)])
            after = records.made([execution for execution, _ in records.users(start)])
            parts = {
                direction: _frame(_unique(one for found in steps.values() for one in found))
                for direction, steps in (("input", before), ("output", after))
            }
        return pl.concat(
            [frame.with_columns(direction=pl.lit(direction)) for direction, frame in parts.items()], how="diagonal"
        )

    def of_context(self, kind: str, name: str) -> tuple[list[Execution], list[Artifact]]:
        """The executions and artifacts of a `run`, a `model` or a `tag`."""
        with self.records() as records:
            return records.of_context(_KINDS[kind], name)

    def graph(self, artifacts: Sequence[Artifact]) -> list[tuple[str, str, int]]:
        """From which table to which some artifacts go, and in how many partitions."""
        with self.records() as records:
            return records.edges(artifacts)

    def compare(self, one: str, other: str) -> dict[str, Any]:
        """What two versions of a model, two runs or two partitions have in common, and what not.

        Keys: `inputs` (`same`, `only_first`, `only_second`: names of all that either came from), `same_inputs`, `properties` (those
        that differ, as a pair).
        """
        with self.records() as records:
            first, second = self._side(records, one), self._side(records, other)
        return {
            "first": one,
            "second": other,
            "same_inputs": first[0] == second[0],
            "inputs": {
                "same": _names(first[0] & second[0]),
                "only_first": _names(first[0] - second[0]),
                "only_second": _names(second[0] - first[0]),
            },
            "properties": {
                name: (first[1].get(name), second[1].get(name))
                for name in sorted({*first[1], *second[1]})
                if first[1].get(name) != second[1].get(name)
            },
        }

    def _side(self, records: Records, name: str) -> tuple[set[Any], dict[str, Any]]:
        """The keys of the direct inputs of one side of a comparison, and its properties."""
        runs = [one.name for one in records.contexts(RUN) if one.name.startswith(name)] if "@" not in name else []
        if len(runs) == 1:
            executions, made = records.of_context(RUN, runs[0])
            own = {artifact.id for artifact in made}
            given = {a.key for found in records.given(executions).values() for a in found if a.id not in own}
            about = {f"{one.name} code": one.properties.get("code_version") for one in executions}
            return given, about | {"made": _names(artifact.key for artifact in made)}
        start = records.find(name, self.names)[-1]
        makers = [execution for execution, _ in records.makers([start])]
        given = {a.key for found in records.given(makers[-1:]).values() for a in found}
        return given, {**start.properties, "digest": start.key.digest}

    def has_run(self, name: str) -> dict[str, Any]:
        """Whether a partition was made before of what it would be made of now, with the code of now.

        Keys: `partition`, `has_run`, `executions` (ids, runs and when), `differs` (inputs that changed since it was made last).
        """
        holdings = Holdings(lake=self.lake, catalog=self.catalog)
        key, _, day = name.rpartition("@")
        table = holdings.tables.get(self.names.get(key, key))
        held = next((one for one in holdings.of(table) if one.key.partition == day), None) if table else None
        if table is None or held is None:
            raise MissingPartitionError(
                f"{name}: there is no such partition now. Name it TABLE@DAY, as `mlpipe status` has it."
            )
        inputs = {*Origins(holdings=holdings).of(table, held)}
        code = str(held.about.get("code_version") or held.about.get("learner_version") or "")
        with self.records() as records:
            alike = [one for one in records.alike(inputs_digest(inputs, code)) if one.name == held.key.name]
            makers = [execution for execution, _ in records.makers(records.find(held.key.name + f"#{held.key.digest}"))]
            before = {a.key for found in records.given(makers[-1:]).values() for a in found}
        return {
            "partition": held.key.name,
            "has_run": bool(alike),
            "executions": [{"id": one.id, "run": one.run, "at": one.at} for one in alike],
            "differs": _names(inputs ^ before),
        }

    def openlineage(self) -> list[dict[str, Any]]:
        """Every step of every run on record as an OpenLineage run event."""
        with self.records() as records:
            return [*Events(catalog=self.catalog, tables=self.tables).of(records)]

    def log(self) -> list[str]:
        """Everything on record as lines of JSON, as `meta/metadata_log.jsonl` has them: see `lines_of`."""
        with self.records() as records:
            return [*lines_of(records)]

    def mlmd(self, path: Path) -> Mapping[str, int]:
        """Write all of it as a database of ML Metadata; how many artifacts, executions and contexts. Raises: LakeError."""
        with self.records() as records:
            return export_mlmd(records.connection, path)

    def blame(self, name: str) -> Blame:
        """What came of a file or a partition: what to build again, which models to train again, what to withdraw."""
        with self.records() as records:
            return blame(self.lake, self.catalog, records, records.find(name, self.names), [*self.tables])

    @cached_property
    def tables(self) -> Mapping[str, Any]:
        """The tables in flow order."""
        return Holdings(lake=self.lake, catalog=self.catalog).tables

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Tables by their names in SQL, and versions by the name of their model."""
        sql = {f"{table.schema}.{table.name}": key for key, table in self.tables.items() if table.schema}
        return sql | {key.replace("/", ".", 1): key for key in self.tables}


def _frame(artifacts: Sequence[Artifact]) -> pl.DataFrame:
    rows = [
        {
            "id": one.id,
            "type": one.type,
            "table": one.key.table,
            "partition": one.key.partition,
            "digest": one.key.digest,
            "is_held": one.is_held,
            "made_at": one.made_at,
        }
        for one in artifacts
    ]
    own = pl.DataFrame(rows, schema=_ARTIFACTS)
    names = sorted({name for one in artifacts for name in one.properties} - {*_ARTIFACTS})
    more = {name: [one.properties.get(name) for one in artifacts] for name in names}
    return own.with_columns(**{name: pl.Series(name, values, strict=False) for name, values in more.items()})


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _unique(artifacts: Iterator[Artifact]) -> list[Artifact]:
    return [*{one.id: one for one in artifacts}.values()]


def _names(keys: Any) -> list[str]:  # noqa: ANN401 (any keys)
    return sorted(f"{key.name}#{key.digest[:8]}" for key in keys)
