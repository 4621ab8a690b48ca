"""The SQL engine as a Dagster resource."""

import dagster as dg

from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Engine


class SqlEngine(dg.ConfigurableResource[Engine]):
    """Gives assets the engine that runs their selects."""

    memory_limit: str = DuckDBEngine.memory_limit

    def create_resource(self, _: dg.InitResourceContext) -> Engine:
        """DuckDB, within the limit."""
        return DuckDBEngine(memory_limit=self.memory_limit)
