"""`tag_job`: a release gives what the tables hold a name, by Dagster."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from mlpipe_assets.automation.checked_out import record_tag
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.making import digest_of_table, make_tag

_SHOWN = 16
_CONFIG = {
    "name": dg.Field(str, description="Letters, digits and . _ + -, such as v1.0-training-set."),
    "tables": dg.Field([str], default_value=[], description="Such as interim/orders; none for all."),
    "message": dg.Field(str, default_value="", description="Why."),
}


def tag_job(catalog: Catalog, root: Path) -> dg.JobDefinition:
    """The job. Run again with a name that is there and pins the same, it has nothing to do; where it pins something else, it fails.

    Args:
        catalog: What exists.
        root: The folder whose commit of git is put on record.
    """

    @dg.op(config_schema=_CONFIG)
    def tag(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        asked = context.op_config
        try:
            made = make_tag(
                lake,
                catalog,
                asked["name"],
                tables=asked["tables"],
                message=asked["message"],
                now=datetime.now(tz=UTC),
                root=root,
                or_same=True,
            )
        except MlpipeError as error:
            raise dg.Failure(description=f"{error}"[:2000], allow_retries=False) from error
        if made.is_new:
            record_tag(context.instance, catalog, made.tag)
        digests = {place: digest_of_table(pinned)[:_SHOWN] for place, pinned in made.tag.tables.items()}
        partitions = sum(len(pinned.days) for pinned in made.tag.tables.values())
        told = {"tag": asked["name"], "was_there": not made.is_new, "partitions": partitions, "digests": digests}
        context.add_output_metadata(told)

    @dg.job(
        name="tag_job",
        description="Give what the tables hold now a name; nothing is copied. For releases: the same name and content is no error.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        tag()

    return job
