"""What is on record, read back: artifacts by name and property, what they came from, and what came of them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpipe_assets.errors import MissingPartitionError, shorten
from mlpipe_assets.lineage.database import Connection
from mlpipe_assets.lineage.terms import INPUT, OUTPUT, Artifact, Context, Execution, read_artifact, read_execution

_ARTIFACT = """
select a.id, a.type, a.table_name, a.partition_name, a.digest, a.uri, a.made_at, a.properties,
    exists (select 1 from held h where h.artifact_id = a.id)
from artifacts a
"""
_EXECUTION = "select e.id, e.type, e.name, e.run, e.state, e.at, e.inputs, e.properties from executions e"
# Of an artifact that was made several times counts the last: what also came of other things, to the byte, owes nothing to those before.
_STEPS = """
select i.artifact_id as given, o.artifact_id as made from events i
join events o on o.execution_id = i.execution_id and o.type = 'OUTPUT'
where i.type = 'INPUT' and o.execution_id = (
    select max(l.execution_id) from events l where l.artifact_id = o.artifact_id and l.type = 'OUTPUT'
)
"""
_WALK = """
with recursive found (id) as (
    select id from artifacts where id in ({ids})
    union
    select s.{to} from found join ({steps}) s on s.{start} = found.id
)
"""
_MOST_BOUND = 500  # values in one statement


@dataclass(kw_only=True)
class Records:
    """Lineage as one connection sees it."""

    connection: Connection

    def artifacts(
        self,
        *,
        type: str = "",  # noqa: A002 (the field's own word)
        table: str = "",
        partition: str = "",
        where: Mapping[str, str] | None = None,
    ) -> list[Artifact]:
        """Artifacts of a type, of a table, of a partition, and with properties; in the order they were recorded.

        Args:
            type: Such as `ModelVersion`; empty for any.
            table: Such as `interim/orders`.
            partition: A day; of a file its name, of a model its version.
            where: Properties that an artifact must have, as text.
        """
        wanted = {"type": type, "table_name": table, "partition_name": partition}
        terms = {name: value for name, value in wanted.items() if value}
        clause = " and ".join(f"a.{name} = ?" for name in terms)
        found = self._artifacts(f"where {clause} order by a.id" if clause else "order by a.id", [*terms.values()])
        return [one for one in found if _has(one.properties, where or {})]

    def artifacts_between(self, after: int, last: int) -> list[Artifact]:
        """Artifacts recorded after the one of an id, up to another one, in their order."""
        return self._artifacts("where a.id > ? and a.id <= ? order by a.id", [after, last])

    def executions(self, *, type: str = "", run: str = "", where: Mapping[str, str] | None = None) -> list[Execution]:  # noqa: A002
        """Executions of a type and of a run, in the order they were recorded."""
        terms = {name: value for name, value in {"type": type, "run": run}.items() if value}
        clause = " and ".join(f"e.{name} = ?" for name in terms)
        found = self._executions(f"where {clause} order by e.id" if clause else "order by e.id", [*terms.values()])
        return [one for one in found if _has(one.properties, where or {})]

    def executions_after(self, number: int) -> list[Execution]:
        """Executions recorded after the one of an id, in their order."""
        return self._executions("where e.id > ? order by e.id", [number])

    def execution(self, number: int) -> Execution | None:
        """The execution of an id."""
        return next(iter(self._executions("where e.id = ?", [number])), None)

    def contexts(self, type: str = "") -> list[Context]:  # noqa: A002
        """Runs, models and tags, in the order they were recorded."""
        rows = self.connection.all(
            "select id, type, name, properties from contexts where type = ? or ? = '' order by id", (type, type)
        )
        return [Context(id=row[0], type=row[1], name=row[2], properties=json.loads(row[3])) for row in rows]

    def find(self, text: str, names: Mapping[str, str] | None = None) -> list[Artifact]:
        """The artifacts that a text names: `TABLE@PARTITION`, a file, or either with `#` and the beginning of a digest.

        Of a table it is what it holds now, or held last; of a file what it held before it was corrected, where it was.

        Args:
            text: Such as `interim/orders@2026-01-05`, `repeat_purchase@2026-04-30-c02b8090` or `orders_2026-01-05.csv`.
            names: Other names of tables, such as those in SQL.

        Raises: MissingPartitionError where nothing on record is called so.
        """
        name, _, digest = text.partition("#")
        table, at, partition = name.rpartition("@")
        found = self._named((names or {}).get(table, table), partition) if at else self._files(name)
        if digest:
            found = [one for one in found if one.key.digest.startswith(digest)]
        elif at:
            found = [one for one in found if one.is_held] or found[-1:]
        else:
            found = [one for one in found if not one.is_held] or found
        if not found:
            raise MissingPartitionError(self._nothing(text, (names or {}).get(table, table) if at else ""))
        return found

    def others(self, artifacts: Collection[Artifact]) -> list[Artifact]:
        """What else is on record under the names of some artifacts: other contents."""
        ids = {one.id for one in artifacts}
        names = {one.key[:2] for one in artifacts}
        found = [one for table, partition in sorted(names) for one in self.artifacts(table=table, partition=partition)]
        return [one for one in found if one.id not in ids]

    def came_of(self, start: Collection[Artifact]) -> list[Artifact]:
        """Everything that came of some artifacts, themselves left out."""
        return self._walk(start, "given", "made")

    def made_of(self, start: Collection[Artifact]) -> list[Artifact]:
        """Everything that some artifacts came from, themselves left out."""
        return self._walk(start, "made", "given")

    def makers(self, artifacts: Collection[Artifact]) -> list[tuple[Execution, Artifact]]:
        """The executions that made artifacts, each with what it made."""
        return self._with_executions(artifacts, OUTPUT)

    def users(self, artifacts: Collection[Artifact]) -> list[tuple[Execution, Artifact]]:
        """The executions that were given artifacts, each with what it was given."""
        return self._with_executions(artifacts, INPUT)

    def given(self, executions: Collection[Execution]) -> dict[int, list[Artifact]]:
        """What each of some executions was given, by their ids."""
        return self._of_executions(executions, INPUT)

    def made(self, executions: Collection[Execution]) -> dict[int, list[Artifact]]:
        """What each of some executions made."""
        return self._of_executions(executions, OUTPUT)

    def alike(self, inputs: str) -> list[Execution]:
        """Executions that were given the same, with the same code: see `book.inputs_digest`."""
        return self._executions("where e.inputs = ? order by e.id", (inputs,))

    def of_context(self, type: str, name: str) -> tuple[list[Execution], list[Artifact]]:  # noqa: A002
        """The executions and artifacts of a run, a model or a tag.

        Raises: MissingPartitionError where there is none of that name.
        """
        found = self.connection.all("select id from contexts where type = ? and name = ?", (type, name))
        if not found:
            there = [one.name for one in self.contexts(type)]
            raise MissingPartitionError(f"There is no {type} {name!r} on record; there are {shorten(there) or 'none'}.")
        executions = self._executions(
            "where e.id in (select execution_id from associations where context_id = ?) order by e.id", found[0]
        )
        artifacts = self._artifacts(
            "where a.id in (select artifact_id from attributions where context_id = ?) order by a.id", found[0]
        )
        return executions, artifacts

    def contexts_by_execution(self, executions: Collection[Execution]) -> dict[int, list[Context]]:
        """What each of some executions belongs to, by their ids."""
        known = {one.id: one for one in self.contexts()}
        found: dict[int, list[Context]] = {one.id: [] for one in executions}
        for ids in _chunks([*found]):
            rows = self.connection.all(
                f"select execution_id, context_id from associations where execution_id in ({_marks(ids)}) order by 1, 2",  # noqa: S608
                ids,
            )
            for execution, context in rows:
                found[execution].append(known[context])
        return found

    def contexts_of(self, artifacts: Collection[Artifact], type: str) -> dict[str, int]:  # noqa: A002
        """How many of some artifacts belong to each context of a type, by its name."""
        counts: dict[str, int] = {}
        for ids in _chunks([one.id for one in artifacts]):
            whose = f"where c.type = ? and b.artifact_id in ({_marks(ids)}) group by c.name"
            joined = "from contexts c join attributions b on b.context_id = c.id"
            rows = self.connection.all(f"select c.name, count(*) {joined} {whose}", (type, *ids))
            for name, count in rows:
                counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items()))

    def edges(self, artifacts: Collection[Artifact]) -> list[tuple[str, str, int]]:
        """From which table to which others some artifacts go, and how many partitions: for a picture."""
        wanted = {one.id: one.key.table if one.type != "File" else _FILES for one in artifacts}
        counts: dict[tuple[str, str], set[int]] = {}
        for ids in _chunks([*wanted]):
            rows = self.connection.all(f"select given, made from ({_STEPS}) s where given in ({_marks(ids)})", ids)  # noqa: S608
            for given, made in rows:
                if made in wanted:
                    counts.setdefault((wanted[given], wanted[made]), set()).add(made)
        return [(*tables, len(found)) for tables, found in sorted(counts.items())]

    def _named(self, table: str, partition: str) -> list[Artifact]:
        found = self.artifacts(table=table, partition=partition)
        return found or self.artifacts(table=f"models/{table}", partition=partition)

    def _files(self, name: str) -> list[Artifact]:
        """Files by their path in the drop zone, by source and name, or by their name alone."""
        clean = name.replace("\\", "/").rpartition("/raw/")[2].removeprefix("raw/")
        files = self.artifacts(type="File")
        exact = [one for one in files if clean == f"{one.key.table.removeprefix('raw/')}/{one.key.partition}"]
        return exact or [one for one in files if clean in (one.key.partition, one.key.partition.rpartition("/")[2])]

    def _nothing(self, text: str, table: str) -> str:
        if not table:
            there = [one.key.partition for one in self.artifacts(type="File")]
            return (
                f"No file {text!r} is on record; there are {shorten(there) or 'none yet: run `mlpipe run` first'}. "
                "A partition is named TABLE@DAY."
            )
        there = [one.key.partition for one in self.artifacts(table=table)]
        if there:
            return f"{text}: nothing on record is called so; of {table} there are {shorten(there)}."
        tables = [
            row[0] for row in self.connection.all("select distinct table_name from artifacts order by table_name")
        ]
        return f"There is no table {table!r} on record; there are {shorten(tables, 40) or 'none yet: run `mlpipe run` first'}."

    def _walk(self, start: Collection[Artifact], at: str, to: str) -> list[Artifact]:
        own = {one.id for one in start}
        walk = _WALK.format(ids=", ".join(map(str, sorted(own))) or "null", start=at, to=to, steps=_STEPS)
        found = self._artifacts("where a.id in (select id from found) order by a.id", (), before=walk)
        return [one for one in found if one.id not in own]

    def _with_executions(self, artifacts: Collection[Artifact], kind: str) -> list[tuple[Execution, Artifact]]:
        known = {one.id: one for one in artifacts}
        found: list[tuple[Execution, Artifact]] = []
        for ids in _chunks([*known]):
            rows = self.connection.all(
                f"select v.artifact_id, {_EXECUTION.removeprefix('select ')} join events v on v.execution_id = e.id "
                f"where v.type = ? and v.artifact_id in ({_marks(ids)}) order by e.id",
                (kind, *ids),
            )
            found += [(read_execution(row[1:]), known[row[0]]) for row in rows]
        return found

    def _of_executions(self, executions: Collection[Execution], kind: str) -> dict[int, list[Artifact]]:
        found: dict[int, list[Artifact]] = {one.id: [] for one in executions}
        for ids in _chunks([*found]):
            pairs = self.connection.all(
                f"select execution_id, artifact_id from events where type = ? and execution_id in ({_marks(ids)})",  # noqa: S608
                (kind, *ids),
            )
            known = {one.id: one for one in self._by_id({artifact for _, artifact in pairs})}
            for execution, artifact in pairs:
                found[execution].append(known[artifact])
        return found

    def _by_id(self, ids: Iterable[int]) -> list[Artifact]:
        return [
            one
            for chunk in _chunks(sorted(ids))
            for one in self._artifacts(f"where a.id in ({_marks(chunk)}) order by a.id", chunk)
        ]

    def _artifacts(self, clause: str, values: Sequence[object], before: str = "") -> list[Artifact]:
        return [read_artifact(row) for row in self.connection.all(f"{before}{_ARTIFACT}{clause}", values)]

    def _executions(self, clause: str, values: Sequence[object]) -> list[Execution]:
        return [read_execution(row) for row in self.connection.all(f"{_EXECUTION} {clause}", values)]


_FILES = "files"


def _has(properties: Mapping[str, Any], where: Mapping[str, str]) -> bool:
    return all(name in properties and _text(properties[name]) == value for name, value in where.items())


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, (bool, list, dict)) else f"{value}"


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _MOST_BOUND] for start in range(0, len(ids), _MOST_BOUND))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
