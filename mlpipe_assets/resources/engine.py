"""The SQL engine as a Dagster resource."""

import dagster as dg

from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.engines.registry import MEMORY_LIMIT, open_engine


class SqlEngine(dg.ConfigurableResource[Engine]):
    """Gives assets the engine that runs their selects."""

    memory_limit: str = MEMORY_LIMIT

    def create_resource(self, _: dg.InitResourceContext) -> Engine:
        """The engine, within the limit."""
        return open_engine(self.memory_limit)
