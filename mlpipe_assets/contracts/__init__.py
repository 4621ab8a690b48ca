"""What each table promises, as pandera polars classes."""
