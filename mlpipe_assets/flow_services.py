"""The tables of the flow that others are served from: the online snapshot, the data catalog, and the warehouse."""

from collections.abc import Iterable, Iterator

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.contracts.online_parity import OnlineParity
from mlpipe_assets.serving.parity_gate import ONLINE_PARITY, PARITY_TABLE
from mlpipe_assets.settings import postgres_url
from mlpipe_assets.stages.flow_table import Table, behind, later


def online_tables(catalog: Catalog) -> Iterator[Table]:
    """What was answered is asked again before anything is published anew."""
    views = tuple(f"features/{view.name}" for view in catalog.online_views)
    log = find_serving_log(catalog)
    if views and log:
        yield Table(
            stage="validation",
            name=ONLINE_PARITY,
            make=later("stages.online.parity.parity_asset", catalog, log),
            jobs=("daily_job",),
            upstream=(f"interim/{log.name}", *views),
            behind=behind("stages.online.parity_plan.parity_work", log),
            to_do="find out what changed: `mlpipe verify` for the features, who wrote into the online store; `mlpipe online rollback` "
            f"lets the snapshot before answer; then `mlpipe accept {PARITY_TABLE} DATE --reason …`",
            made_of=later("stages.made_of.log_of_day", log),
            schema="validation",
            contract=OnlineParity,
        )
    if views:
        yield Table(
            stage="online",
            name="features",
            make=later("stages.online.asset.online_asset", catalog),
            jobs=("daily_job",),
            upstream=(*views, *((PARITY_TABLE,) if log else ())),
            behind=behind("stages.online.plan.online_work", catalog),
            blocked="warning",
            to_do="see what is wrong with the features, or with the online store; the snapshot before goes on answering",
            healed_at_once=True,
            fresh=later("stages.online.plan.judge_snapshot", catalog),
            state=lambda lake: later("stages.online.plan.inputs_of_snapshot")(lake, catalog),
            holds=later("stages.online.plan.snapshot_held"),
            files=(),
        )


def warehouse_tables(catalog: Catalog, others: Iterable[Table]) -> Iterator[Table]:
    """What is published of all other tables, where there is a warehouse."""
    if not postgres_url():
        return
    others = [*others]
    shown = tuple(table.key for table in others if table.schema or table.stage == "raw")
    yield Table(
        stage="warehouse",
        name="postgres",
        make=later("warehouse.asset.warehouse_asset", catalog, shown),
        jobs=tuple(dict.fromkeys(["daily_job", *(job for table in others for job in table.jobs)])),
        upstream=shown,
        behind=behind("warehouse.plan.warehouse_work", catalog),
        asked="last",
        follows=True,
        to_do="see what PostgreSQL said, then `mlpipe publish`",
        healed_at_once=True,
        state=lambda lake: later("warehouse.plan.inputs_of_warehouse")(lake, catalog),
        holds=later("warehouse.plan.warehouse_held"),
        files=(),
    )


def catalog_tables(catalog: Catalog, others: Iterable[Table]) -> Iterator[Table]:
    """What is written down of all other tables, for people who look for data."""
    others = [*others]
    if others:
        yield Table(
            stage="meta",
            name="catalog",
            make=later("data_catalog.asset.catalog_asset", catalog, tuple(table.key for table in others)),
            jobs=tuple(dict.fromkeys(["daily_job", *(job for table in others for job in table.jobs)])),
            upstream=tuple(table.key for table in others),
            behind=behind("data_catalog.record.catalog_work", catalog),
            asked="last",
            follows=True,
            to_do="see what kept it from being written, then `mlpipe run`",
            healed_at_once=True,
            state=lambda lake: later("data_catalog.record.inputs_of_catalog")(lake, catalog),
            holds=later("data_catalog.record.catalog_held"),
            files=(),
        )
