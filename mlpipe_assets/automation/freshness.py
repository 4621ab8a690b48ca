"""Which tables lack their newest expected partition, since when, and which upstream made them late."""

from dataclasses import replace
from datetime import datetime

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.store.lake import Lake


def freshness_of(lake: Lake, catalog: Catalog, now: datetime) -> list[TableFreshness]:
    """Every daily table in flow order, judged by the partitions that lie in the lake.

    Dagster's own policy looks at the time of the last materialization, so that backfilling old days turns it green. Here
    only the newest day counts: day D must be there `fresh_within` after it ended.
    """
    verdicts: dict[str, TableFreshness] = {}
    for table in tables_of(catalog):
        if table.fresh is None:
            continue
        verdict = table.fresh(lake, now)
        causes = [v.cause for name in table.upstream if (v := verdicts.get(name)) and v.state != "fresh"]
        cause = None if verdict.state == "fresh" else next(iter(causes), table.key)
        verdicts[table.key] = replace(verdict, cause=cause)
    return list(verdicts.values())


def upstream_of(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Every table that is watched for freshness, in flow order, with the tables it is made of."""
    return {table.key: table.upstream for table in tables_of(catalog) if table.fresh}
