"""ML data pipelines as Dagster assets."""
