"""A small lake and a small catalog of its own SQL, to plant leaks, holes and late files in.

Orders are (order_id, customer_id, day, amount, channel); customers are (customer_id, age, region, signup_date).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.online.asset import publish_features
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake

Order = tuple[str, str, date, str, str]
Customer = tuple[str, int | None, str, date]
START = date(2026, 1, 1)
ANN: Sequence[Customer] = [("ann", 30, "north", START)]  # the whole snapshot
UtcTime = CustomerFeatures.__annotations__["as_of"]


def day(number: int) -> date:
    """The n-th day of the partitions, counted from 1."""
    return START + timedelta(days=number - 1)


class Spend(pa.DataFrameModel):
    """Spend of each customer over three days. Grain: customer_id. age is null for customers no snapshot knew."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime  # type: ignore[valid-type]
    orders_3d: pl.Int64 = pa.Field(ge=1)
    age: pl.Int64 = pa.Field(nullable=True)

    class Config:
        strict = True


class Returning(Spend):
    """Spend with whether the customer came back. Grain: customer_id, as_of."""

    customer_id: str = pa.Field()
    label: bool = pa.Field(metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


SPEND_SQL = """
-- Orders of three days.
select
    o.customer_id,
    cast(d.day + 1 as timestamp) as as_of,
    cast(count(*) as bigint) as orders_3d,
    cast(max(k.age) as bigint) as age
from days as d
inner join orders as o on o.date > d.day - 3 and o.date <= d.day
left join customers as k on k.customer_id = o.customer_id and k.date = d.customers_snapshot
group by o.customer_id, d.day
order by as_of, customer_id
"""

RETURNING_SQL = """
select f.*exclude (date), exists(
    select 1 from orders as o
    where o.customer_id = f.customer_id and o.date > f.date and o.date <= f.date + $horizon
) as label
from features as f
order by f.as_of, f.customer_id
"""

spend = FeatureView(
    name="spend",
    entity=Entity(name="customer", join_keys=("customer_id",)),
    inputs=("orders", "customers"),
    sql="spend.sql",
    contract=Spend,
    lookback=timedelta(days=3),
)

returning = Model(
    name="returning",
    view=spend,
    inputs=("orders",),
    sql="returning.sql",
    contract=Returning,
    horizon=timedelta(days=2),
    embargo=timedelta(days=2),
    every=timedelta(days=1),
)


def write_sql(folder: Path, **texts: str) -> Path:
    """A folder with a SQL file of each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def planted_catalog(
    folder: Path,
    *,
    spend_sql: str = SPEND_SQL,
    returning_sql: str = RETURNING_SQL,
    view: FeatureView = spend,
    model: Model | None = None,
) -> Catalog:
    """Orders, customers, spend and returning, with SQL of their own below `folder`."""
    write_sql(folder, spend=spend_sql, returning=returning_sql)
    model = replace(model or returning, view=view)
    return Catalog(sources=(orders, customers), feature_views=(view,), models=(model,), sql_dir=folder)


def drop_orders(lake: Lake, name: str, rows: Iterable[Order]) -> Path:
    """Put a file of orders into the drop zone."""
    lines = ["order_id,customer_id,order_ts,amount,quantity,product_id,channel,region"]
    lines += [f"{i},{who},{on}T12:00:00,{amount},1,P00001,{channel},north" for i, who, on, amount, channel in rows]
    return _drop(lake, "orders", name, lines)


def drop_customers(lake: Lake, name: str, rows: Iterable[Customer]) -> Path:
    """Put a snapshot of customers into the drop zone."""
    lines = ["customer_id,email,age,region,signup_date"]
    lines += [f"{who},,{'' if age is None else age},{region},{signup}" for who, age, region, signup in rows]
    return _drop(lake, "customers", name, lines)


def _drop(lake: Lake, source: str, name: str, lines: Sequence[str]) -> Path:
    path = lake.root / "raw" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def bring_in(lake: Lake, catalog: Catalog) -> None:
    """Ingest the drop zone and build every interim day that rows came for, without Dagster."""
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name)
        ingest(lake, source, ledger)
        build_interim(lake, DuckDBEngine(), source, [d for d in ledger.days() if d >= START])


def publish_online(lake: Lake, catalog: Catalog) -> None:
    """Publish the features there are as online answers."""
    publish_features(lake, catalog, plan_snapshot(lake, catalog, datetime.now(tz=UTC)))


def planted_lake(
    root: Path, catalog: Catalog, orders: Iterable[Order], snapshots: Mapping[date, Sequence[Customer]] | None = None
) -> Lake:
    """A lake whose interim tables hold these orders and customers."""
    lake = Lake(data_dir=str(root))
    drop_orders(lake, "orders_2026-06-30.csv", orders)
    for known, rows in (snapshots or {START: ANN}).items():
        drop_customers(lake, f"customers_{known}.csv", rows)
    bring_in(lake, catalog)
    return lake


def one_a_day(first: int, last: int, who: Sequence[str] = ("ann",)) -> list[Order]:
    """One order of each customer on each day from the `first` to the `last`."""
    return [(f"{name}{n}", name, day(n), "10.00", "web") for n in range(first, last + 1) for name in who]


def materialize(
    asset: dg.AssetsDefinition, lake: Lake, first: date, last: date | None = None
) -> dg.ExecuteInProcessResult:
    """One run of one asset over a day or a range, on an instance that forgets; it may fail, but only on purpose."""
    tags = {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last}"}
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        result = dg.materialize(
            [asset],
            resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS},
            instance=instance,
            raise_on_error=False,
            partition_key=None if last else f"{first}",
            tags=tags if last else None,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data is None:
            raise AssertionError(event.step_failure_data.error)
    return result


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Descriptions of failed checks of severity ERROR, by name."""
    return {
        str(c.check_name): str(c.description)
        for c in result.get_asset_check_evaluations()
        if not c.passed and c.severity == dg.AssetCheckSeverity.ERROR
    }


def written_days(result: dg.ExecuteInProcessResult) -> list[date]:
    """Days the run reported as written."""
    events = [e.step_materialization_data.materialization for e in result.all_events if e.is_step_materialization]
    return sorted({date.fromisoformat(e.partition) for e in events if e.partition})
