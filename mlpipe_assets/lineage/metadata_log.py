"""`meta/metadata_log.jsonl`: what is on record as text, a line for each artifact and each execution, for who reads lines.

The database has the truth, and lines are added after it: the last execution in the file tells what is missing. A process that
is killed leaves lines that are missing, or half a line, and whoever comes next goes on behind the last execution that is
whole. One that the database does not know is of another database, and the file is written again from nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from mlpipe_assets.errors import BusyError
from mlpipe_assets.lineage.database import Database, is_kept
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import RUN, Artifact, Context, Execution
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.private_files import create_file, make_folder, writer
from mlpipe_assets.store.turns import take_turn

_AT_ONCE = 500  # executions whose events are read by one statement
_EXECUTION = "execution"
_BEGINNING = '{"kind": "execution"'  # of the line of one
_TAIL = 1 << 16  # bytes in which the end of the last line is looked for at a time


class Done(NamedTuple):
    """What lines there are already: all up to these ids."""

    execution: int = 0
    artifact: int = 0


_NOTHING = Done()


@dataclass(frozen=True, kw_only=True)
class MetadataLog:
    """The log of a lake in a folder. One in a bucket has none: an object cannot be added to."""

    lake: Lake
    database: Database

    @property
    def path(self) -> Path:
        """The file."""
        return self.lake.root / keys.LINEAGE_LOG

    def bring_up_to_date(self) -> int:
        """Add a line for each execution that has none; how many that were. Nothing while another process does so.

        Raises: LineageError when the database cannot be read; StoreError when the file cannot be written.
        """
        if not is_kept(self.lake, ""):
            return 0
        try:
            with take_turn(self.lake.root, "lineage", "metadata_log", patience=0.0, highest=lambda: 0):
                return self._write()
        except BusyError:
            return 0
        except OSError as error:
            raise explain_writing(error, self.path, self.lake.root) from error

    def _write(self) -> int:
        with self.database.reading() as connection:
            records = Records(connection=connection)
            end, last = _last_execution(self.path)
            if last and (done := _done(records, last)):
                with self.path.open("r+b") as file:
                    file.truncate(end)
                    file.seek(end)
                    return _add(file, lines_of(records, done))
            return self._write_anew(lines_of(records))

    def _write_anew(self, lines: Iterator[str]) -> int:
        beside = self.path.with_name(f".{self.path.name}.{writer()}.tmp")
        make_folder(self.lake.root, self.path.parent)
        create_file(beside)
        try:
            with beside.open("r+b") as file:
                count = _add(file, lines)
            if count or self.path.exists():
                beside.replace(self.path)
        finally:
            beside.unlink(missing_ok=True)
        return count


def lines_of(records: Records, done: Done = _NOTHING) -> Iterator[str]:
    """A JSON object for each artifact and each execution, in an order in which none speaks of a later one.

    Keys of an artifact: kind, id, type, table, partition, digest, at (UTC), properties. Of an execution: kind, id, type, name, run,
    state, at (UTC), properties, contexts (type and name of the models and tags it belongs to), inputs and outputs (ids of
    artifacts), artifacts (the highest id of an artifact that has a line by then).

    Args:
        records: What is on record.
        done: What to leave out.
    """
    executions, last = records.executions_after(done.execution), done.artifact
    for start in range(0, len(executions), _AT_ONCE):
        some = executions[start : start + _AT_ONCE]
        given, made, contexts = records.given(some), records.made(some), records.contexts_by_execution(some)
        for one in some:
            needed = max([last, *(artifact.id for artifact in (*given[one.id], *made[one.id]))])
            if needed > last:
                yield from (_spell(_of_artifact(artifact)) for artifact in records.artifacts_between(last, needed))
                last = needed
            ids = {"inputs": _ids(given[one.id]), "outputs": _ids(made[one.id]), "artifacts": last}
            yield _spell({**_of_execution(one, contexts[one.id]), **ids})


def _of_artifact(one: Artifact) -> Mapping[str, Any]:
    table, partition, digest = one.key
    return {
        "kind": "artifact",
        "id": one.id,
        "type": one.type,
        "table": table,
        "partition": partition,
        "digest": digest,
        "at": one.made_at,
        "properties": one.properties,
    }


def _of_execution(one: Execution, contexts: Sequence[Context]) -> Mapping[str, Any]:
    return {
        "kind": _EXECUTION,
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "run": one.run,
        "state": one.state,
        "at": one.at,
        "properties": one.properties,
        "contexts": [{"type": context.type, "name": context.name} for context in contexts if context.type != RUN],
    }


def _ids(artifacts: Sequence[Artifact]) -> list[int]:
    return sorted(one.id for one in artifacts)


def _spell(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)


def _add(file: BinaryIO, lines: Iterator[str]) -> int:
    count = 0
    for line in lines:
        file.write(f"{line}\n".encode())
        count += line.startswith(_BEGINNING)
    return count


def _done(records: Records, line: bytes) -> Done | None:
    """What lines there are up to that of an execution; None where it is no line of this database's."""
    try:
        told = json.loads(line)
        done, name, at = Done(int(told["id"]), int(told["artifacts"])), told["name"], told["at"]
    except (ValueError, TypeError, KeyError):
        return None
    found = records.execution(done.execution)
    return done if found and (found.name, found.at) == (name, at) else None


def _last_execution(path: Path) -> tuple[int, bytes]:
    """Where the last whole line of an execution ends, and the line; nothing of a file that has none, or is not there."""
    try:
        start = size = path.stat().st_size
    except FileNotFoundError:
        return 0, b""
    mark = f"\n{_BEGINNING}".encode()
    with path.open("rb") as file:
        while True:
            start = max(0, start - _TAIL)
            file.seek(start)
            tail = (b"" if start else b"\n") + file.read(size - start)  # the first line begins like all others
            whole = tail[: tail.rfind(b"\n") + 1]
            found = whole.rfind(mark, 0, len(whole) - 1)
            if found >= 0:
                end = whole.index(b"\n", found + 1)
                return start + end + (1 if start else 0), whole[found + 1 : end]
            if not start:
                return 0, b""
