"""The common workload: order files as a shop would send them, with a known number of every defect.

A file's day is the day of arrival. Of the orders of a day 1 % come twice in the same file, 0.3 % are sent again 1 to 7
days later with another amount and quantity but the same time (the last arrival wins), and 0.2 % are invalid: an empty
order_id, an empty customer_id, a negative amount or an unreadable time, a quarter each. No order has two defects.
Customers are drawn by a power law. Same arguments, same bytes; a longer workload begins with the shorter one's files.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

FIRST_DAY = date(2026, 1, 1)
_TWICE, _AGAIN, _INVALID = 0.010, 0.003, 0.002
_LATEST_AGAIN = 7
_CHANNELS = ("web", "app", "store", "partner")
_REGIONS = ("north", "south", "east", "west", "islands")
_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How much there is. `orders` is the number placed in `days` days; `more_days` follow at the same rate."""

    orders: int
    customers: int = 100_000
    days: int = 90
    more_days: int = 0
    seed: int = 7
    first: date = FIRST_DAY

    @property
    def all_days(self) -> list[date]:
        """Every day that has a file."""
        return [self.first + timedelta(days=i) for i in range(self.days + self.more_days)]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What one file holds: rows, and how many of them are second copies, corrections of a row of days ago, or invalid."""

    rows: int
    twice: int
    again: int
    invalid: int

    @property
    def clean(self) -> int:
        """Orders that are left when every defect is resolved."""
        return self.rows - self.twice - self.again - self.invalid


def write_workload(target: Path, workload: Workload) -> dict[date, Truth]:
    """Write raw/orders/orders_YYYY-MM-DD.csv and raw/customers/customers.csv; what is in each file of orders."""
    orders = target / "raw" / "orders"
    orders.mkdir(parents=True)
    truth: dict[date, Truth] = {}
    for day, (frame, counts) in zip(workload.all_days, _days(workload), strict=True):
        frame.write_csv(orders / f"orders_{day}.csv", float_precision=2)
        truth[day] = counts
    customers = target / "raw" / "customers"
    customers.mkdir()
    _customers(workload).write_csv(customers / "customers.csv")
    return truth


def _days(workload: Workload) -> Iterator[tuple[pl.DataFrame, Truth]]:
    """Each day's file, and what is in it."""
    weights = np.arange(1, workload.customers + 1) ** -0.8
    share = np.cumsum(weights) / weights.sum()
    shuffled = np.random.default_rng([workload.seed, 0]).permutation(workload.customers) + 1
    waiting: dict[int, list[pl.DataFrame]] = {}
    for day in range(workload.days + workload.more_days):
        first, end = (workload.orders * d // workload.days for d in (day, day + 1))
        random = np.random.default_rng([workload.seed, 1, day])
        placed = _placed(random, workload.first + timedelta(days=day), range(first, end), shuffled, share)
        kind = pl.Series(random.random(end - first))
        twice = placed.filter(kind < _TWICE).with_columns(pl.col("place") + 600)
        again = placed.filter((kind >= _TWICE) & (kind < _TWICE + _AGAIN))
        spoilt = (kind >= _TWICE + _AGAIN) & (kind < _TWICE + _AGAIN + _INVALID)
        for late, part in _sent_again(random, again):
            waiting.setdefault(day + late, []).append(part)
        arrived = waiting.pop(day, [])
        file = pl.concat([_spoil(placed, spoilt), twice, *arrived]).sort(
            "place", "order_id", nulls_last=True, maintain_order=True
        )
        counts = Truth(
            rows=file.height, twice=twice.height, again=sum(p.height for p in arrived), invalid=int(spoilt.sum())
        )
        yield file.drop("place"), counts


def _placed(
    random: np.random.Generator, day: date, ids: range, shuffled: np.ndarray, share: np.ndarray
) -> pl.DataFrame:
    """Orders placed on a day, in order of time, without a defect; `place` orders the rows of a file."""
    n = len(ids)
    second = np.sort(random.integers(0, _DAY, n))
    drawn = np.minimum(np.searchsorted(share, random.random(n)), len(shuffled) - 1)
    at = np.datetime64(day, "us") + second.astype("timedelta64[s]")
    return pl.DataFrame(
        {
            "order_id": np.arange(ids.start + 1, ids.stop + 1),
            "customer_id": shuffled[drawn],
            "order_ts": pl.Series(at).dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "amount": np.maximum(np.round(random.lognormal(3.5, 0.8, n), 2), 0.01),
            "quantity": random.integers(1, 10, n),
            "product_id": [f"P{i:05}" for i in random.integers(0, 5_000, n)],
            "channel": _pick(random, _CHANNELS, n, [0.5, 0.3, 0.15, 0.05]),
            "region": _pick(random, _REGIONS, n, [0.35, 0.25, 0.2, 0.15, 0.05]),
            "place": second,
        }
    )


def _pick(random: np.random.Generator, values: tuple[str, ...], n: int, shares: list[float] | None = None) -> pl.Series:
    return pl.Series(values).gather(random.choice(len(values), n, p=shares))


def _sent_again(random: np.random.Generator, rows: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows as they are sent again: days later, and the rows that come then."""
    later = pl.Series(random.integers(1, _LATEST_AGAIN + 1, rows.height))
    corrected = rows.with_columns(
        amount=(pl.col("amount") * 1.1 + 1).round(2),
        quantity=pl.col("quantity") % 9 + 1,
        place=pl.Series(random.integers(0, _DAY, rows.height)),
    )
    for late in range(1, _LATEST_AGAIN + 1):
        yield late, corrected.filter(later == late)


def _spoil(rows: pl.DataFrame, spoilt: pl.Series) -> pl.DataFrame:
    """The rows with the marked ones made invalid, by turns in four ways."""
    way = pl.when(spoilt).then(spoilt.cast(pl.Int64).cum_sum() % 4)
    return rows.with_columns(
        order_id=pl.when(way == 0).then(None).otherwise("order_id"),
        customer_id=pl.when(way == 1).then(None).otherwise("customer_id"),
        amount=pl.when(way == 2).then(-pl.col("amount")).otherwise("amount"),
        order_ts=pl.when(way == 3).then(pl.lit("not-a-timestamp")).otherwise("order_ts"),
    )


def _customers(workload: Workload) -> pl.DataFrame:
    n, random = workload.customers, np.random.default_rng([workload.seed, 2])
    age, region = random.integers(18, 91, n), _pick(random, _REGIONS, n)
    known = pl.DataFrame(
        {"customer_id": np.arange(1, n + 1), "age": age, "region": region, "known_for": random.integers(0, 1_500, n)}
    )
    return known.select(
        "customer_id",
        email=pl.format("user{}@example.com", "customer_id"),
        age="age",
        region="region",
        signup_date=pl.lit(workload.first) - pl.duration(days="known_for"),
    )


def main() -> None:
    """Write a workload from a shell: TARGET ORDERS CUSTOMERS DAYS MORE_DAYS SEED FIRST; its truth as JSON."""
    target, *numbers, first = sys.argv[1:]
    orders, customers, days, more_days, seed = map(int, numbers)
    workload = Workload(
        orders=orders, customers=customers, days=days, more_days=more_days, seed=seed, first=date.fromisoformat(first)
    )
    truth = write_workload(Path(target), workload)
    print(json.dumps({f"{day}": asdict(counts) for day, counts in truth.items()}))


if __name__ == "__main__":
    main()
