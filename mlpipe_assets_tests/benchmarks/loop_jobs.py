"""A job that does nothing beside the project's definitions: what Dagster needs before a first row can be read."""

import dagster as dg

from mlpipe_assets import definitions


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job(executor_def=dg.in_process_executor)
def empty_job() -> None:
    """Do nothing, as a job."""
    nothing()


defs = dg.Definitions.merge(definitions.defs, dg.Definitions(jobs=[empty_job]))
