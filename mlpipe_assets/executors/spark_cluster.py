"""The executors of a Spark cluster, classic and by Connect alike: Arrow batches of places, mapped by Python workers."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import SparkSession

from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.executors.executor import Item, Result
from mlpipe_assets.executors.remote import Wire, host_of, perform, terms, unpack
from mlpipe_assets.quoting import without_values

_ITEMS_A_JOB = 256  # a job gives nothing before all of it is done, and each waits for its last item
_SCHEMA = "at long, answer binary"
_PICKLED = CloudPickleSerializer()
_WIRE = Wire(dumps=_PICKLED.dumps, loads=_PICKLED.loads)


@dataclass(frozen=True, kw_only=True)
class _Items:
    """Packed items, and the work on those whose place a task is given; sent to executors by its name."""

    agreed: Mapping[str, Any]
    packed: Sequence[bytes]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The answers of one task, each with its place."""
        for batch in batches:
            for at in batch.column(0).to_pylist():
                answer = perform(self.agreed, self.packed[at], _WIRE)
                yield pa.record_batch([pa.array([at], pa.int64()), pa.array([answer], pa.binary())], ["at", "answer"])


@dataclass(kw_only=True)
class SparkExecutor:
    """Work on the executors of a Spark cluster: `spark://HOST:PORT`, or `sc://HOST:PORT` by Connect.

    Only what Connect offers is used. An executor that dies takes one task with it, which Spark starts again elsewhere.
    """

    address: str = field(repr=False)  # of Connect it may hold a token
    is_here: bool = False
    _session: SparkSession | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Spark, and where its master or its server is; what follows that may be a token."""
        kind, _, rest = self.address.partition("://")
        how = "Spark Connect" if kind == "sc" else "Spark"
        return f"{how} at {host_of(rest)}"

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], at_once: int = 2) -> Iterator[Result]:  # noqa: ARG002
        """The result of each item, in their order; see `Executor`.

        Raises: ExecutorError when the cluster is lost, or executors die over one item again and again.
        """
        left = iter(items)
        while some := [_PICKLED.dumps((work, item)) for item in islice(left, _ITEMS_A_JOB)]:
            for answer in self._answers(some):
                yield unpack(answer, _WIRE)

    def _answers(self, packed: Sequence[bytes]) -> list[bytes]:
        """The answers of one job, in the order of its items: a task for each of them."""
        session = self.session()
        tasks = session.range(0, len(packed), 1, len(packed))
        try:
            table = tasks.mapInArrow(_Items(agreed=terms(), packed=packed), _SCHEMA).toArrow()
        except PySparkException as error:
            raise ExecutorError(f"{self.name} could not do the work: {_why(error)}") from error
        return list(table.sort_by("at")["answer"].to_pylist())

    def close(self) -> None:
        """End the session; the next work begins another."""
        if self._session is not None:
            self._session.stop()
            self._session = None

    def session(self) -> SparkSession:
        """The session of this process.

        Raises: ExecutorError when the cluster does not answer.
        """
        if self._session is None:
            # What Spark would take instead is the first python3 of each machine's path.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            builder = SparkSession.builder
            try:
                if self.address.startswith("sc://"):
                    self._session = builder.remote(self.address).getOrCreate()
                else:
                    classic = builder.master(self.address).appName("mlpipe")
                    self._session = classic.config("spark.ui.showConsoleProgress", "false").getOrCreate()
                self._session.conf.set("spark.sql.session.timeZone", "UTC")
            except Exception as error:  # noqa: BLE001 (of Java, of gRPC, of sockets)
                raise ExecutorError(
                    f"{self.name} does not answer ({type(error).__name__}: {_why(error)}). Start it, or unset MLPIPE_EXECUTOR."
                ) from None
        return self._session


def _why(error: Exception) -> str:
    """The line of an error of Spark that says what went wrong on an executor."""
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "Exception" in line or "VERSION" in line]
    return without_values((telling or lines or ["no words"])[-1])[:400]
