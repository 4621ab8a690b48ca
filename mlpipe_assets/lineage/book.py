"""What is recorded: executions with their events, all that one publication came to in one transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpipe_assets.lineage.database import Connection
from mlpipe_assets.lineage.terms import COMPLETE, INPUT, OUTPUT, RUN, Key, Told
from mlpipe_assets.rules import digest


@dataclass(kw_only=True)
class Book:
    """The tables of lineage in one transaction of a writer.

    Attributes:
        at: The moment that everything of it is recorded with, UTC, as ISO 8601.
    """

    connection: Connection
    at: str

    def held(self, table: str) -> dict[str, str]:
        """The digest of each partition that a table held when it was recorded last."""
        found = self.connection.all(
            "select h.partition_name, a.digest from held h join artifacts a on a.id = h.artifact_id where h.table_name = ?",
            (table,),
        )
        return dict(found)

    def record(self, told: Sequence[Told], run: str, *, hold: bool = True) -> list[int]:
        """Record executions with what they were given and made; the ids of the executions, in order.

        Args:
            told: What each was given and made.
            run: Of which run they are; empty for none.
            hold: Say that the tables hold now what was made.
        """
        if not told:
            return []
        ids = self._ids_of(told)
        first = self._next("executions")
        numbers = [*range(first, first + len(told))]
        self.connection.many(
            "insert into executions (id, type, name, run, state, at, inputs, properties) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(number, one.type, one.name, run, COMPLETE, self.at),
                    *(inputs_digest(one.inputs, one.code), _spell({"code_version": one.code, **one.how})),
                )
                for number, one in zip(numbers, told, strict=True)
            ],
        )
        events = [(number, ids[key], INPUT) for number, one in zip(numbers, told, strict=True) for key in one.inputs]
        made = [(number, ids[one.made], OUTPUT) for number, one in zip(numbers, told, strict=True) if one.made]
        self.connection.many(
            "insert into events (execution_id, artifact_id, type, at) values (?, ?, ?, ?)",
            [(*event, self.at) for event in (*events, *made)],
        )
        self._add_contexts(told, numbers, ids, run)
        if hold:
            self.hold([one.made for one in told if one.made], ids)
        return numbers

    def note(self, artifacts: Mapping[Key, Mapping[str, Any]], kind: str) -> None:
        """Record artifacts of one type with their properties, which no execution has made, such as files that came."""
        known = self.find(artifacts)
        self._insert([(key, kind) for key in artifacts if key not in known], artifacts)

    def hold(self, keys: Iterable[Key], ids: Mapping[Key, int] | None = None) -> None:
        """Say which artifacts are what their tables hold now."""
        wanted = [*keys]
        known = ids or self.find(wanted)
        self.connection.many(
            "insert into held (table_name, partition_name, artifact_id) values (?, ?, ?) "
            "on conflict (table_name, partition_name) do update set artifact_id = excluded.artifact_id",
            [(key.table, key.partition, known[key]) for key in wanted if key in known],
        )

    def release(self, table: str, partitions: Iterable[str]) -> None:
        """Say which partitions a table holds no more."""
        self.connection.many(
            "delete from held where table_name = ? and partition_name = ?", [(table, name) for name in partitions]
        )

    def find(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The ids of artifacts on record."""
        wanted = {*keys}
        found: dict[Key, int] = {}
        for table in sorted({key.table for key in wanted}):
            rows = self.connection.all(
                "select id, partition_name, digest from artifacts where table_name = ?", (table,)
            )
            there = {Key(table, name, held): number for number, name, held in rows}
            found |= {key: number for key, number in there.items() if key in wanted}
        return found

    def belong(self, kind: str, name: str, keys: Iterable[Key], about: Mapping[str, Any]) -> None:
        """Let artifacts on record, and no others, belong to a context, such as a tag."""
        context = self._context(kind, name, about)
        self.connection.run("delete from attributions where context_id = ?", (context,))
        self.connection.many(
            "insert into attributions (context_id, artifact_id) values (?, ?)",
            [(context, number) for number in self.find(keys).values()],
        )

    def forget(self, kind: str, name: str) -> None:
        """Take a context away."""
        for table, column in (("attributions", "context_id"), ("associations", "context_id"), ("contexts", "id")):
            self.connection.run(
                f"delete from {table} where {column} in (select id from contexts where type = ? and name = ?)",  # noqa: S608
                (kind, name),
            )

    def _ids_of(self, told: Sequence[Told]) -> dict[Key, int]:
        """The ids of all artifacts that are spoken of; those that are new are recorded."""
        types = {key: kind for one in told for key, kind in one.inputs.items()}
        types |= {one.made: one.made_type for one in told if one.made}
        about = {one.made: one.about for one in told if one.made}
        known = self.find(types)
        return known | self._insert([(key, kind) for key, kind in types.items() if key not in known], about)

    def _insert(self, fresh: Sequence[tuple[Key, str]], about: Mapping[Key, Mapping[str, Any]]) -> dict[Key, int]:
        first = self._next("artifacts") if fresh else 0
        self.connection.many(
            "insert into artifacts (id, type, table_name, partition_name, digest, uri, made_at, properties) "
            "values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number, kind, *key, f"{key.table}/{key.partition}", self.at, _spell(about.get(key, {})))
                for number, (key, kind) in enumerate(fresh, start=first)
            ],
        )
        return {key: number for number, (key, _) in enumerate(fresh, start=first)}

    def _add_contexts(self, told: Sequence[Told], numbers: Sequence[int], ids: Mapping[Key, int], run: str) -> None:
        executions: dict[tuple[str, str], list[int]] = {}
        artifacts: dict[tuple[str, str], set[int]] = {}
        for number, one in zip(numbers, told, strict=True):
            for belongs in (*one.contexts, *([(RUN, run)] if run else [])):
                executions.setdefault(belongs, []).append(number)
                artifacts.setdefault(belongs, set()).update([ids[one.made]] if one.made else [])
        for (kind, name), those in executions.items():
            context = self._context(kind, name, {})
            self.connection.many(
                "insert into associations (context_id, execution_id) values (?, ?)",
                [(context, number) for number in those],
            )
            self.connection.many(
                "insert into attributions (context_id, artifact_id) values (?, ?) on conflict do nothing",
                [(context, number) for number in sorted(artifacts[kind, name])],
            )

    def _context(self, kind: str, name: str, about: Mapping[str, Any]) -> int:
        found = self.connection.all("select id from contexts where type = ? and name = ?", (kind, name))
        if found:
            return int(found[0][0])
        number = self._next("contexts")
        self.connection.run(
            "insert into contexts (id, type, name, properties) values (?, ?, ?, ?)", (number, kind, name, _spell(about))
        )
        return number

    def _next(self, table: str) -> int:
        """The next id of a table: nobody else writes meanwhile."""
        return int(self.connection.all(f"select coalesce(max(id), 0) + 1 from {table}")[0][0])  # noqa: S608


def inputs_digest(inputs: Iterable[Key], code: str) -> str:
    """Digest of what an execution was given, and of its code: another of the same digest would make the same."""
    return digest([sorted(map(list, inputs)), code])


def _spell(properties: Mapping[str, Any]) -> str:
    known = {name: value for name, value in properties.items() if value not in (None, "")}
    return json.dumps(known, sort_keys=True, default=str)
