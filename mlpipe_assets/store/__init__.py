"""Where the bytes of the lake are, how their places are spelled, and what the lake keeps. Nothing here imports Dagster."""
