"""The entries of the data catalog: read off the declarations, the contracts and the manifests, nothing kept twice."""

from collections.abc import Sequence
from datetime import date, timedelta

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.data_catalog.entry import Entry, Quality
from mlpipe_assets.data_catalog.facts import (
    columns_of,
    contract_of,
    declaration_of,
    description_of,
    grain_of,
    key_of,
    origins_of,
    owners_of,
    path_of,
    tags_of,
    version_of,
)
from mlpipe_assets.flow import tables_of
from mlpipe_assets.rules import contract_digest
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.status import Partition, partitions
from mlpipe_assets.store.lake import Lake

QUALITY_DAYS = 30


def describe(lake: Lake, catalog: Catalog) -> list[Entry]:
    """Every table of a catalog in the order data flows, with what the lake holds of it now."""
    tables = [table for table in tables_of(catalog) if table.stage != "meta"]
    held: dict[str, list[Partition]] = {}
    for one in partitions(lake, catalog, digests=False):
        held.setdefault("/".join(one.table.split("/")[:2]), []).append(one)
    made: dict[str, list[str]] = {}
    for table in tables:
        for name in table.upstream:
            made.setdefault(name, []).append(table.key)
    return [_entry(catalog, table, _one_split(held.get(table.key, [])), made.get(table.key, [])) for table in tables]


def _entry(catalog: Catalog, table: Table, held: Sequence[Partition], downstream: Sequence[str]) -> Entry:
    declared, contract = declaration_of(catalog, table), contract_of(table)
    shown = columns_of(contract, origins_of(catalog, table, declared)) if contract else ()
    days = sorted(one.date for one in held if one.rows is not None)
    within = getattr(declared, "fresh_within", None) if table.fresh else None
    return Entry(
        name=table.key,
        stage=table.stage,
        sql=f"{table.schema}.{table.name}" if table.schema else "",
        path=path_of(table),
        description=description_of(table, declared, contract),
        tags=tags_of(catalog, table, declared, shown),
        owners=owners_of(catalog, table, declared),
        grain=grain_of(table, declared),
        key=key_of(table, declared, contract),
        columns=shown,
        contract=contract.__name__ if contract else "",
        contract_digest=contract_digest(contract)[:16] if contract else "",
        version=version_of(catalog, table, declared),
        fresh_within_hours=within.total_seconds() / 3600 if within else None,
        first=f"{days[0]}" if days else None,
        newest=f"{days[-1]}" if days else None,
        partitions=len(days),
        rows=sum(one.rows or 0 for one in held),
        quality=_quality(held),
        personal=tuple(column.name for column in shown if column.personal),
        upstream=table.upstream,
        downstream=tuple(downstream),
        show_rows=getattr(declared, "show_rows", 0) if table.stage in ("interim", "features") else 0,
    )


def _one_split(held: Sequence[Partition]) -> list[Partition]:
    """The partitions of a table; of one in several files each day once, with the rows of all of them."""
    days: dict[date, Partition] = {}
    for one in held:
        before = days.get(one.date)
        rows = (before.rows or 0) + (one.rows or 0) if before and one.rows is not None else one.rows
        days[one.date] = Partition(**{**vars(one), "rows": rows})
    return [*days.values()]


def _quality(held: Sequence[Partition]) -> Quality:
    newest = max((one.date for one in held), default=None)
    recent = [one for one in held if newest and one.date > newest - timedelta(days=QUALITY_DAYS)]
    lines = tuple(
        (f"{one.date}", one.rows or 0, one.quarantined or 0, one.duplicates or 0, _is_refused(one)) for one in recent
    )
    return Quality(
        since=lines[0][0] if lines else None,
        partitions=len(lines),
        rows=sum(line[1] for line in lines),
        quarantined=sum(line[2] for line in lines),
        duplicates=sum(line[3] for line in lines),
        refused=sum(line[4] for line in lines),
        days=lines,
    )


def _is_refused(one: Partition) -> bool:
    return (one.note or "").startswith("refused")
