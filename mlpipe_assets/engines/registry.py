"""Which engine runs the SQL of this process; the one place that chooses, so that nobody else knows which it is."""

from pathlib import Path

from mlpipe_assets.engines.bucket_engine import BucketEngine
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.executors.executor import Executor

KIND = "duckdb"
MEMORY_LIMIT = "1GB"


def open_engine(memory_limit: str = MEMORY_LIMIT) -> Engine:
    """The engine, within a memory limit such as `1GB`."""
    return DuckDBEngine(memory_limit=memory_limit)


def open_engine_on(executor: Executor, memory_limit: str, aside: Path) -> Engine:
    """The engine that has its selects by day run by an executor, where they can be cut into parts.

    Args:
        executor: Who runs them.
        memory_limit: Of each part, such as `1GB`.
        aside: A folder that all of the executors see, for rows until they are asked for.
    """
    if executor.is_here:
        return open_engine(memory_limit)
    return BucketEngine(memory_limit=memory_limit, executor=executor, aside=aside)
