"""The outside world: the lake, the SQL engine, the drop zone."""
