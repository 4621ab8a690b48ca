"""An Arrow stream and nothing else. Polars remembers the types it was given for good, and DuckDB prints pages about that at the end."""

from collections.abc import Callable


class ArrowStream:
    """What gives an Arrow stream when it is asked; this module imports no engine, so that its type holds none."""

    def __init__(self, give: Callable[[object], object]) -> None:
        self._give = give

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._give(requested_schema)
