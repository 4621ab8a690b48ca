"""The gate over millions of orders, beside the same rules as bare polars expressions.

`python -m mlpipe_assets_tests.benchmarks.validate RAW REPEATS` loads RAW/orders/*.csv once, judges it in turn by the gate
and by the yardstick, holds the two to the same counts and the same bad rows, and prints seconds as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pandera.polars as pa
import polars as pl

from mlpipe_assets.gate import Judgement, judge
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.report import Measured, beside_yardstick
from mlpipe_assets_tests.benchmarks.timing import timed

_CHANNELS = ["web", "app", "store", "partner"]
_REGIONS = ["north", "south", "east", "west", "islands"]
_MOST_TIMES = 3.0


class ArrivedOrders(pa.DataFrameModel):
    """Orders as they arrived, typed, defects and all. Grain: none, orders repeat."""

    order_id: pl.Int64 = pa.Field(unique=True)
    customer_id: pl.Int64
    order_ts: Annotated[pl.Datetime, "us", None]
    amount: float = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 1_000_000})
    quantity: pl.Int64 = pa.Field(nullable=True, in_range={"min_value": 1, "max_value": 100})
    product_id: str = pa.Field(nullable=True, str_matches=r"^P\d{5}$")
    channel: str = pa.Field(nullable=True, isin=_CHANNELS)
    region: str = pa.Field(nullable=True, isin=_REGIONS)

    class Config:
        strict = True


def measure_validation(raw: Path, repeats: int) -> Measured:
    """The gate and the yardstick over the same rows, in turn, in a process of their own."""
    found = python("-m", __spec__.name, f"{raw}", f"{repeats}").result
    name = f"validate {found['rows']:,} orders by 9 rules, {found['bad_rows']:,} bad rows named"
    line = beside_yardstick(name, found["ours"], found["yardstick"], most_times=_MOST_TIMES)
    return Measured(lines=(line,), numbers={"validate": found})


def arrived_orders(raw: Path) -> pl.DataFrame:
    """Every row of every file, typed; unreadable times are null."""
    text = pl.read_csv(
        f"{raw}/orders/*.csv",
        schema_overrides={"order_id": pl.Int64, "customer_id": pl.Int64, "order_ts": pl.String, "amount": pl.Float64},
    )
    return text.with_columns(pl.col("order_ts").str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us"))


def bare_rules(frame: pl.DataFrame) -> tuple[dict[str, int], pl.Series]:
    """Rows that break each rule, and one boolean per row: the rules of ArrivedOrders and nothing else."""
    expected = {"order_id": pl.Int64, "customer_id": pl.Int64, "order_ts": pl.Datetime("us"), "amount": pl.Float64}
    expected |= {"quantity": pl.Int64, "product_id": pl.String, "channel": pl.String, "region": pl.String}
    if dict(frame.schema) != expected:
        raise TypeError(f"{frame.schema}")
    ordered = np.sort(frame["order_id"].drop_nulls().to_numpy())
    repeated = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    flags = frame.lazy().select(
        order_id_null=pl.col("order_id").is_null(),
        customer_id_null=pl.col("customer_id").is_null(),
        order_ts_null=pl.col("order_ts").is_null(),
        amount=~pl.col("amount").is_between(0, 1_000_000),
        quantity=~pl.col("quantity").is_between(1, 100),
        product_id=~pl.col("product_id").str.contains(r"^P\d{5}$"),
        channel=~pl.col("channel").is_in(_CHANNELS),
        region=~pl.col("region").is_in(_REGIONS),
        order_id_unique=pl.col("order_id").is_in(repeated.implode()),
    )
    marks = flags.collect()
    bad = marks.select(pl.any_horizontal(pl.all().fill_null(value=False))).to_series()
    return marks.sum().row(0, named=True), bad


def same(judgement: Judgement, counts: dict[str, int], bad: pl.Series) -> bool:
    """Whether gate and yardstick found the same rows bad, by the same number for every rule, each with its reason."""
    spelled = {"is null": "_null", "unique": "_unique"}
    found = {f"{b.column}{spelled.get(b.text, '')}": b.count for b in judgement.breaches}
    refused = (
        judgement.refused if judgement.refused is not None else pl.repeat(value=False, n=judgement.rows, eager=True)
    )
    return (
        found == {name: count for name, count in counts.items() if count}
        and bool((refused == bad).all())
        and judgement.reasons.len() == int(bad.sum())
        and bool((judgement.reasons.str.len_bytes() > 0).all())
    )


def main() -> None:
    """Judge RAW/orders in turn, REPEATS times after one run to warm up; print what it took."""
    frame = arrived_orders(Path(sys.argv[1]))
    ours: list[float] = []
    yardstick: list[float] = []
    for _ in range(int(sys.argv[2]) + 1):
        seconds, judgement = timed(lambda: judge(frame, ArrivedOrders))
        ours.append(seconds)
        seconds, (counts, bad) = timed(lambda: bare_rules(frame))
        yardstick.append(seconds)
        if not same(judgement, counts, bad):
            raise SystemExit(f"gate and yardstick disagree: {judgement.errors()} against {counts}")
    print(json.dumps({"rows": frame.height, "bad_rows": int(bad.sum()), "ours": ours[1:], "yardstick": yardstick[1:]}))


if __name__ == "__main__":
    main()
