"""raw: every delivery of an intake as immutable events, each under the day it happened."""

from collections.abc import Iterator

import dagster as dg

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.contracts.events import Events
from mlpipe_assets.executors.executor import Executor
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.registry import check_feed
from mlpipe_assets.intake.untold import forget_untold, list_untold
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.raw.report import FILES_CHECK, ROWS_CHECK, tell_ingested
from mlpipe_assets.stages.raw.taking import add_pulled, ingest
from mlpipe_assets.store.lake import Lake


def raw_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that ingests every delivery of a source not known yet, whichever days it brings.

    Raises: SettingsError for a kind of feed that no intake is registered for.
    """
    check_feed(source)
    key = dg.AssetKey(["raw", source.name])
    checks = (
        check(key, FILES_CHECK, "Every file of the drop zone could be read, and none is still being written."),
        check(
            key,
            ROWS_CHECK,
            "Rows received = accepted as events + quarantined on arrival + kept and not processed.",
        ),
    )

    @dg.asset(
        **daily(
            key,
            description=f"Files of {source.name} as immutable JSON events, exactly as received, each under its event date.",
            owners=source.owners,
            kinds={"polars", "parquet"},
            code_version="1",
            contract=Events,
            checks=checks,
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], executor: dg.ResourceParam[Executor]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            ledger = Ledger.load(lake, source.name, source_version(source))
            found = ingest(lake, source, ledger, executor)
            untold = list_untold(lake, source.name)
            add_pulled(ledger, untold, found)
        yield from tell_ingested(context, lake, key, ledger, found, days, executor.name)
        forget_untold(lake, source.name, untold)

    return build
