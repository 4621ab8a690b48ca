"""Which engine runs the SQL of this process; the one place that chooses, so that nobody else knows which it is."""

from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Engine

KIND = "duckdb"
MEMORY_LIMIT = "1GB"


def open_engine(memory_limit: str = MEMORY_LIMIT) -> Engine:
    """The engine, within a memory limit such as `1GB`."""
    return DuckDBEngine(memory_limit=memory_limit)
