"""`meta/metadata_log.jsonl`: what is on record as text, a line for each execution, for people and tools that read lines.

The database has the truth, and lines are added after it: the last line of the file tells what is missing. A process that is
killed leaves lines that are missing, or half a line, and whoever comes next goes on behind the last whole one. A last line
that the database does not know is of another one, and the file is written again from nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

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
_TAIL = 1 << 16  # bytes in which the end of the last line is looked for at a time


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
            end, last = _last_line(self.path)
            if last and (number := _number_of(records, last)) is not None:
                with self.path.open("r+b") as file:
                    file.truncate(end)
                    file.seek(end)
                    return _add(file, lines_of(records, after=number))
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


def lines_of(records: Records, *, after: int = 0) -> Iterator[str]:
    """A JSON object for each execution, in the order they were recorded.

    Keys: id, type, name, run, state, at (UTC), properties, contexts (type and name of the models and tags it belongs to), inputs
    (type, table, partition, digest), outputs (the same, with their properties).

    Args:
        records: What is on record.
        after: Leave out what was recorded up to the execution of this id.
    """
    executions = records.executions_after(after)
    for start in range(0, len(executions), _AT_ONCE):
        some = executions[start : start + _AT_ONCE]
        given, made, contexts = records.given(some), records.made(some), records.contexts_by_execution(some)
        for one in some:
            yield json.dumps(_line(one, given[one.id], made[one.id], contexts[one.id]), ensure_ascii=False)


def _line(
    one: Execution, given: Sequence[Artifact], made: Sequence[Artifact], contexts: Sequence[Context]
) -> Mapping[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "run": one.run,
        "state": one.state,
        "at": one.at,
        "properties": one.properties,
        "contexts": [{"type": context.type, "name": context.name} for context in contexts if context.type != RUN],
        "inputs": [_of(artifact) for artifact in given],
        "outputs": [{**_of(artifact), "properties": artifact.properties} for artifact in made],
    }


def _of(artifact: Artifact) -> Mapping[str, Any]:
    table, partition, digest = artifact.key
    return {"type": artifact.type, "table": table, "partition": partition, "digest": digest}


def _add(file: BinaryIO, lines: Iterator[str]) -> int:
    count = 0
    for line in lines:
        file.write(f"{line}\n".encode())
        count += 1
    return count


def _number_of(records: Records, line: bytes) -> int | None:
    """The id of the execution that a line tells of; None where it is no line of this database's."""
    try:
        told = json.loads(line)
        number, name, at = int(told["id"]), told["name"], told["at"]
    except (ValueError, TypeError, KeyError):
        return None
    found = records.execution(number)
    return number if found and (found.name, found.at) == (name, at) else None


def _last_line(path: Path) -> tuple[int, bytes]:
    """Where the last whole line of a file ends, and the line; nothing of a file that has none, or is not there."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0, b""
    with path.open("rb") as file:
        tail, start = b"", size
        while start and tail.count(b"\n") <= 1:  # behind the last whole line there may be half a one
            start = max(0, start - _TAIL)
            file.seek(start)
            tail = file.read(size - start)
    whole = tail.rpartition(b"\n")[0]
    return start + len(whole) + 1 if whole else 0, whole.rpartition(b"\n")[2]
