"""Where the bytes of the lake are, and how their places are spelled. Nothing here imports Dagster or polars."""
