"""warehouse/postgres: the lake in PostgreSQL, after everything else of a run."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.stages.daily import check
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.warehouse.plan import POSTGRES, expect_warehouse, publish_behind
from mlpipe_assets.warehouse.postgres import Published
from mlpipe_assets.warehouse.tables import warehouse_tables

_EQUAL = "warehouse_equals_lake"


def warehouse_asset(catalog: Catalog, upstream: Sequence[str]) -> dg.AssetsDefinition:
    """The asset of the warehouse: whatever of the lake is not there as it is here, table by table.

    Args:
        catalog: What exists.
        upstream: Tables that are published, as `stage/name`.
    """
    key = dg.AssetKey(["warehouse", POSTGRES])

    @dg.asset(
        key=key,
        backfill_policy=dg.BackfillPolicy.single_run(),  # one look at all, but the command line asks it of all that a range selects
        group_name="warehouse",
        description="Every table of the lake in PostgreSQL. A table changes in one transaction.",
        kinds={"postgres"},
        deps=[dg.AssetKey(table.split("/")) for table in upstream],
        check_specs=[
            check(key, _EQUAL, "Counts and sums of what was published are those of the lake.", blocking=True),
        ],
    )
    def build(lake: dg.ResourceParam[Lake]) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        warehouse = expect_warehouse(lake)
        behind = warehouse.find_behind(warehouse_tables(lake, catalog))
        published, problems = publish_behind(warehouse, behind)
        rows = sum(one.rows for one in published)
        told = shorten(problems) if problems else f"{spell_count(rows, 'row')} came as they were sent."
        yield dg.AssetCheckResult(
            check_name=_EQUAL, passed=not problems, description=told, metadata={"problems": problems[:50]}
        )
        if problems:
            raise dg.Failure(
                description=f"warehouse/{POSTGRES}: {shorten(problems)}. These tables are as they were; `mlpipe publish` tries again.",
                allow_retries=False,
            )
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "warehouse": warehouse.locate(),
                "tables": len(published),
                "partitions": sum(one.parts for one in published),
                "rows": rows,
                "published": dg.TableMetadataValue(_records(published), _schema()),
            },
        )

    return build


def _records(published: Sequence[Published]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord({"table": one.table, "partitions": one.parts, "taken away": one.gone, "rows": one.rows})
        for one in published
    ]


def _schema() -> dg.TableSchema:
    kinds = {"table": "string", "partitions": "int", "taken away": "int", "rows": "int"}
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in kinds.items()])
