"""Whether the pipeline's outputs are the yardstick's: counts, and sums that no order or file layout changes."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets_tests.benchmarks.workload import Truth

_TOTALS = """
select
    (select count(*) from orders) as orders,
    (select sum(amount) from orders) as amount,
    (select sum(quantity) from orders) as quantity,
    (select count(*) from refused) as quarantined,
    f.*
from (
    select
        count(*) as feature_rows,
        sum(orders_7d) as orders_7d,
        sum(orders_30d) as orders_30d,
        sum(orders_90d) as orders_90d,
        sum(cast(round(revenue_7d * 100) as bigint)) as cents_7d,
        sum(cast(round(revenue_30d * 100) as bigint)) as cents_30d,
        sum(cast(round(revenue_90d * 100) as bigint)) as cents_90d,
        sum(cast(round(avg_order_value_30d * 100) as bigint)) as average_cents,
        sum(days_since_last_order) as days_since_last_order,
        sum(distinct_channels_30d) as distinct_channels_30d,
        sum(tenure_days) as tenure_days,
        sum(age) as age,
        count(region) as regions,
        sum(hash(customer_id) % 1009 * orders_30d * (date - date '2026-01-01' + 1)) as who_and_when
    from features
) as f
"""


class DisagreementError(RuntimeError):
    """The pipeline and the yardstick, or the truth, do not say the same; speed means nothing then."""


def read_truth(written: Path) -> dict[date, Truth]:
    """What is in each file of a written workload."""
    document = json.loads((written / "truth.json").read_text(encoding="utf-8"))
    return {date.fromisoformat(day): Truth(**counts) for day, counts in document.items()}


def hold_to_yardstick(data: Path, bare: Path, truth: Mapping[date, Truth], days: Sequence[date]) -> dict[str, Any]:
    """Hold the pipeline's outputs to the yardstick's, and both to what was put into the files; what they agree on.

    Raises: DisagreementError with every number that differs.
    """
    training = data / "processed" / repeat_purchase.name / f"date={days[-1]}"
    ours = _totals(
        orders=data / "interim" / "orders" / "*" / "*.parquet",
        refused=data / "validation" / "quarantine" / "orders" / "*" / "*.parquet",
        features=data / "features" / "customer_features" / "*" / "*.parquet",
        training=training,
    )
    theirs = _totals(
        orders=bare / "interim" / "*" / "*.parquet",
        refused=bare / "quarantine.parquet",
        features=bare / "features" / "*" / "*.parquet",
        training=bare / "processed",
    )
    different = [
        f"{name}: ours {ours[name]}, yardstick {value}" for name, value in theirs.items() if ours[name] != value
    ]
    for name, value in (
        ("orders", sum(truth[day].clean for day in days)),
        ("quarantined", sum(truth[day].invalid for day in days)),
    ):
        if ours[name] != value:
            different.append(f"{name}: ours {ours[name]}, in the files {value}")
    if different:
        raise DisagreementError("; ".join(different))
    return ours


def _totals(*, orders: Path, refused: Path, features: Path, training: Path) -> dict[str, Any]:
    """Counts and sums that do not depend on order or on the layout of files."""
    connection = duckdb.connect(config={"memory_limit": "1GB"})
    for name, files in (("orders", orders), ("refused", refused), ("features", features)):
        typed = (
            "hive_partitioning = true, hive_types = {'date': date}"
            if name == "features"
            else "hive_partitioning = false"
        )
        connection.execute(f"create view {name} as from read_parquet('{files}', {typed}, union_by_name = true)")
    cursor = connection.execute(_TOTALS)
    names = [column[0] for column in cursor.description or ()]
    totals: dict[str, Any] = dict(zip(names, map(_number, cursor.fetchall()[0]), strict=True))
    for split in ("train", "validation", "test"):
        file = training / f"{split}.parquet"
        sql = "select count(*), coalesce(sum(cast(label as integer)), 0), sum(orders_90d) from read_parquet($file)"
        found = connection.execute(sql, {"file": f"{file}"}).fetchall()[0] if file.exists() else (0,)
        totals[split] = tuple(map(_number, found)) if found[0] else "empty"
    connection.close()
    return totals


def _number(value: Decimal | float | None) -> Decimal | None:
    """A number of any type, exactly: the engines sum to different ones."""
    return None if value is None else Decimal(value)
