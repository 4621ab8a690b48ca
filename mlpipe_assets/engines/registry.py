"""Which engine runs the SQL of this process; the one place that chooses, so that nobody else knows which it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpipe_assets.engines.bucket_engine import BucketEngine
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Columns, Engine
from mlpipe_assets.engines.portable_subset import Objection, find_unportable
from mlpipe_assets.engines.spark_engine import HasSession, SparkEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import Executor
from mlpipe_assets.settings import ENGINES

KIND, SPARK = ENGINES
MEMORY_LIMIT = "1GB"


def open_engine(memory_limit: str = MEMORY_LIMIT) -> Engine:
    """The engine, within a memory limit such as `1GB`."""
    return DuckDBEngine(memory_limit=memory_limit)


def find_unread(kind: str, sql: str, tables: Mapping[str, Columns]) -> Sequence[Objection]:
    """What an engine of a kind does not read as SQL is meant here, with the line of each; empty when it runs the select.

    Args:
        kind: As `open_engine_on` takes it.
        sql: One select.
        tables: Columns by the names the select uses.
    """
    return find_unportable(sql, tables) if kind == SPARK else ()


def open_engine_on(executor: Executor, memory_limit: str, aside: Path, kind: str = KIND) -> Engine:
    """The engine that has its selects by day run by an executor, where they can be cut into parts, or by Spark.

    Args:
        executor: Who runs them.
        memory_limit: Of each part, such as `1GB`.
        aside: A folder that all of the executors see, for rows until they are asked for.
        kind: `duckdb`, or `spark` for the SQL of Spark, whose cluster the executor must be.

    Raises: SettingsError for another kind, or for Spark without one.
    """
    if kind not in ENGINES:
        raise SettingsError(f"MLPIPE_ENGINE={kind[:40]!r} is no engine. Write one of {', '.join(ENGINES)}.")
    if kind == SPARK:
        if not isinstance(executor, HasSession):
            raise SettingsError(
                "MLPIPE_ENGINE=spark has SQL run by the Spark that MLPIPE_EXECUTOR names, and that names none. Set it to "
                "spark://HOST:7077 or sc://HOST:15002."
            )
        return SparkEngine(memory_limit=memory_limit, cluster=executor, aside=aside)
    if executor.is_here:
        return open_engine(memory_limit)
    return BucketEngine(memory_limit=memory_limit, executor=executor, aside=aside)
