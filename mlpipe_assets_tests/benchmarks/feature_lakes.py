"""Lakes of feature partitions to join to: one view of 100,000 customers over 90 days, or ten views of a hundred features.

The partitions are written as the features stage writes them; what is in them is drawn, for a join does not look at it.
A customer is described from one day to another, so that a spine finds rows of days before, and nothing for some.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Source
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.store.lake import Lake

FIRST_DAY = date(2026, 1, 1)
NARROW = ("orders_7d", "orders_30d", "revenue_30d", "days_since_last_order")
_UtcTime = Annotated[pl.Datetime, "us", "UTC"]


class Visits(Sourced):
    """What the views are declared over."""

    visit_id: pl.Int64 = pa.Field(unique=True)
    customer_id: pl.Int64
    visited_at: _UtcTime

    class Config:
        strict = True


def lake_catalog(folder: Path, views: int, features: Sequence[str]) -> Catalog:
    """Views `view_0`, `view_1` and so on, each of the same features, whole numbers all."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"cast(count(*) as bigint) as {name}" for name in features)
    (folder / "view.sql").write_text(
        f"select v.customer_id, cast(d.day + 1 as timestamp) as as_of, {columns} from days as d "
        "inner join visits as v on v.date = d.day group by v.customer_id, d.day order by as_of, v.customer_id\n"
    )
    visits = Source(name="visits", contract=Visits, key=("visit_id",), event_time="visited_at")
    contract = type(
        "Drawn",
        (pa.DataFrameModel,),
        {
            "__doc__": "Drawn numbers. Grain: customer_id.",
            "__annotations__": {"customer_id": pl.Int64, "as_of": _UtcTime, **dict.fromkeys(features, pl.Int64)},
            "customer_id": pa.Field(unique=True),
        },
    )
    found = [
        FeatureView(
            name=f"view_{number}",
            entity=Entity(name="customer", join_keys=("customer_id",)),
            inputs=("visits",),
            sql="view.sql",
            contract=contract,
            lookback=timedelta(days=1),
        )
        for number in range(views)
    ]
    return Catalog(sources=(visits,), feature_views=tuple(found), models=(), sql_dir=folder)


def write_lake(root: Path, catalog: Catalog, customers: int, days: int) -> Lake:
    """The partitions of every view, each whole."""
    random = np.random.default_rng([7, customers, days])
    first = np.minimum(random.exponential(days / 12, customers).astype(int), days + 9)
    last = first + random.integers(days // 2, 2 * days, customers)
    lake = Lake(data_dir=f"{root}")
    for view in catalog.feature_views:
        names = [name for name in view.contract.to_schema().columns if name not in ("customer_id", "as_of")]
        change = lake.change("features", view.name)
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            known = np.flatnonzero((first <= number) & (number <= last)) + 1
            end = pl.lit(datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC), pl.Datetime("us", "UTC"))
            drawn = {name: random.integers(0, 1000, len(known)) for name in names}
            rows = pl.DataFrame({"customer_id": known, **drawn}).select("customer_id", end.alias("as_of"), *names)
            facts = {"rows": rows.height, "code_version": view_version(catalog, view), "fingerprint": f"{day}"}
            change.put(change.table.stage(day, rows, facts))
        change.publish()
    return lake


def write_spine(path: Path, rows: int, customers: int, days: int) -> None:
    """Rows of customers, a few of them drawn often, at any second of the days and of the one after."""
    random = np.random.default_rng([8, rows])
    share = np.cumsum(np.arange(1, customers + 1) ** -0.8)
    drawn = np.minimum(np.searchsorted(share / share[-1], random.random(rows)), customers - 1)
    seconds = random.integers(0, (days + 1) * 86_400, rows).astype("timedelta64[s]")
    spine = pl.DataFrame(
        {
            "row_id": np.arange(rows),
            "customer_id": random.permutation(customers)[drawn] + 1,
            "event_timestamp": np.datetime64(FIRST_DAY, "us") + seconds,
        }
    )
    spine.with_columns(pl.col("event_timestamp").dt.replace_time_zone("UTC")).write_parquet(path)


def write_flat(path: Path, lake: Lake, view: str) -> None:
    """A view as one file in order of key and time, as an as-of join likes it best."""
    files = lake.state("features", view)
    whole = pl.scan_parquet(files.files(files.days()), glob=False, hive_partitioning=False).collect()
    whole.sort("customer_id", "as_of").write_parquet(path)
