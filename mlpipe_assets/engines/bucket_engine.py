"""DuckDB on the executors of a cluster: each runs a select over some of the keys, and leaves its rows where all of them see it."""

import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from secrets import token_hex

import duckdb

from mlpipe_assets.engines.aside import Aside
from mlpipe_assets.engines.duckdb_engine import Bucket, DuckDBEngine, alone
from mlpipe_assets.engines.read_back import DayFrames
from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.executors.executor import Executor

_ROWS_A_BUCKET = 250_000  # a bucket costs a third of a second beyond its rows
_STAGING = "staging"


@dataclass(frozen=True, kw_only=True)
class BucketToCopy:
    """A part of the keys, and the folder in which its rows are to be."""

    engine: DuckDBEngine
    bucket: Bucket
    folder: Path


def copy_bucket(item: BucketToCopy) -> bool:
    """Write the rows of one part, whole or not at all; False when it does not fit in memory.

    Raises: RefusedSqlError; ExecutorError where the folder is not seen.
    """
    if not item.folder.parent.is_dir():  # of this select alone: no other folder under the same path has it
        who, where = f"An executor on {socket.gethostname()}", item.folder.parent
        raise ExecutorError(
            f"{who} has not the data folder that {where} is in, or another one. Mount it there, under the same path."
        )
    own = item.folder.parent / _STAGING / f"{item.folder.name}-{token_hex(8)}"
    own.parent.mkdir(exist_ok=True)
    try:
        item.engine.copy_bucket(item.bucket, own)
    except duckdb.OutOfMemoryException:
        shutil.rmtree(own, ignore_errors=True)
        return False
    try:
        own.rename(item.folder)
    except OSError:
        shutil.rmtree(own, ignore_errors=True)
        if not item.folder.exists():  # else another executor had the same part, and was first
            raise
    return True


@dataclass(frozen=True, kw_only=True)
class BucketEngine(DuckDBEngine):
    """DuckDB of which selects by day run on executors, in parts of the keys; all else, and selects without keys, run here.

    Attributes:
        executor: Who runs the parts.
        aside: A folder that every executor sees, for rows until they are asked for.
        rows_a_bucket: Input rows of a part; where there is one part only, it runs here.
    """

    executor: Executor
    aside: Path
    rows_a_bucket: int = _ROWS_A_BUCKET

    def __reduce__(self) -> tuple[Callable[[str], DuckDBEngine], tuple[str]]:
        """Sent to an executor it is DuckDB alone."""
        return alone, (self.memory_limit,)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"DuckDB in parts, by {self.executor.name}"

    def _parts(self, rows: int, days: int) -> int:
        return max(super()._parts(rows, days), ceil(rows / self.rows_a_bucket))

    def _new_frames(self) -> DayFrames:
        return Aside(folder=self.aside).frames()

    def _fill(self, frames: DayFrames, buckets: Sequence[Bucket]) -> None:
        if len(buckets) == 1:
            super()._fill(frames, buckets)
            return
        engine = alone(self.memory_limit)
        items = [BucketToCopy(engine=engine, bucket=one, folder=frames.folder(one.number)) for one in buckets]
        for fits in self.executor.map(copy_bucket, items):
            if not fits:
                raise duckdb.OutOfMemoryException
