"""The sample deliveries: a shop's orders and customers, with the flaws that real deliveries have. Same arguments, same bytes."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlpipe_assets.sample_files import write_csv, write_gzip, write_json_lines, write_xlsx

CHANNELS = ("web", "app", "store", "partner")
REGIONS = ("north", "south", "east", "west", "islands")
PRODUCTS = 500
INVALID_KINDS = (
    "empty_order_id",
    "empty_customer_id",
    "negative_amount",
    "unparsable_order_ts",
    "zero_quantity",
    "unknown_channel",
    "malformed_product_id",
)
DUPLICATE_SHARE, CORRECTION_SHARE = 0.01, 0.005
INVALID_SHARE = 0.002  # of each kind
INVALID_AGES_PER_SNAPSHOT = 2

# Days after the start on which something special comes.
JSON_LINES_DAY, GZIP_DAY, XLSX_DAY = 40, 50, 61
RAGGED_DAY, CUT_OFF_DAY = 30, 89
LATE_FILE_DAY, LATE_EVENT_DAYS = 78, (70, 71)

ORDER_COLUMNS = ("order_id", "customer_id", "order_ts", "amount", "quantity", "product_id", "channel", "region")
_WEEKDAY_PACE = (0.95, 0.90, 0.95, 1.00, 1.15, 1.25, 0.80)  # Monday first
_GROWTH = 0.15  # over the whole sample
_DAY_SECONDS = 86_400
_SPARED_FOR_MALFORMED_LINES = 6


def write_sample(
    target: Path,
    *,
    days: int = 120,
    orders_per_day: int = 300,
    customers: int = 2000,
    start: date = date(2026, 1, 1),
    seed: int = 7,
) -> dict[str, int]:
    """How many rows of each kind were written to `target`/raw/orders and `target`/raw/customers, flaws included.

    A file's date is the day of arrival. Files of the same names are overwritten, others are left alone.
    Orders `received` = `accepted` + `duplicates` + `corrections` + `quarantined`; the last are the `invalid_*` and `malformed_lines`.
    """
    rng = np.random.default_rng(seed)
    people = _people(rng, customers, days)
    orders = _with_fate(rng, _orders(rng, people, _pace(rng, days, orders_per_day, start)), days)
    return _write_orders(target / "raw" / "orders", _arrivals(rng, orders, days), start) | _write_customers(
        target / "raw" / "customers", rng, people, days, start
    )


def _people(rng: np.random.Generator, count: int, days: int) -> pl.DataFrame:
    """Customers in the order they signed up. Grain: number. `signup_day` counts from the start; `moves_on` too.

    `comes_back` and `pauses` are daily probabilities: people buy in spells, and who they are decides how soon the next one starts.
    """
    known = max(1, round(0.7 * count))
    signup = np.concatenate([rng.integers(-1000, 1, known), rng.integers(1, max(days, 2), count - known)])
    age = rng.triangular(18, 32, 85, count).astype(np.int64)
    region = rng.choice(len(REGIONS), count, p=[0.30, 0.25, 0.20, 0.17, 0.08])
    channel = rng.choice(len(CHANNELS), count, p=[0.45, 0.30, 0.20, 0.05])
    appeal = (
        np.array([0.0, 0.8, -0.8, 0.3])[channel]
        + np.array([0.5, 0.0, 0.0, -0.2, -0.9])[region]
        - 0.02 * (age - 45)
        + 0.5 * rng.normal(size=count)
    )
    moves = rng.random(count) < 0.03
    return pl.DataFrame(
        {
            "signup_day": np.sort(signup),
            "age": age,
            "region": region,
            "new_region": (region + rng.integers(1, len(REGIONS), count)) % len(REGIONS),
            "moves_on": np.where(moves, rng.integers(1, max(days, 2), count), days),
            "channel": channel,
            "comes_back": np.minimum(0.010 * np.exp(appeal), 0.5),
            "pauses": np.full(count, 1 / 18),
            "eagerness": rng.lognormal(0, 0.5, count),
        }
    ).with_row_index("number", offset=1)


def _pace(rng: np.random.Generator, days: int, orders_per_day: int, start: date) -> NDArray[np.int64]:
    """Orders on each day: a weekly rhythm, slight growth, a little noise."""
    day = np.arange(days)
    weekly = np.array(_WEEKDAY_PACE)[(start.weekday() + day) % 7]
    growth = 1 + _GROWTH * (day / max(days - 1, 1) - 0.5)
    return np.round(orders_per_day * weekly * growth * rng.uniform(0.95, 1.05, days)).astype(np.int64)


def _orders(rng: np.random.Generator, people: pl.DataFrame, pace: NDArray[np.int64]) -> pl.DataFrame:
    """The true orders in the order they were placed. Grain: number. `cents` is the exact amount."""
    count = int(pace.sum())
    day = np.repeat(np.arange(len(pace)), pace)
    buyer = _buyers(rng, people, pace)
    second = rng.triangular(5 * 3600, 18 * 3600, 24 * 3600, count).astype(np.int64)
    product = (PRODUCTS * rng.random(count) ** 2.5).astype(np.int64)
    quantity = np.minimum(rng.geometric(0.6, count), 12)
    price = rng.integers(199, 4999, PRODUCTS)
    region = np.where(
        people["moves_on"].to_numpy()[buyer] <= day,
        people["new_region"].to_numpy()[buyer],
        people["region"].to_numpy()[buyer],
    )
    loyal = rng.random(count) < 0.8
    channel = np.where(loyal, people["channel"].to_numpy()[buyer], rng.integers(0, len(CHANNELS), count))
    return (
        pl.DataFrame(
            {
                "customer": people["number"].to_numpy()[buyer],
                "day": day,
                "second": second,
                "cents": price[product] * quantity,
                "quantity": quantity,
                "product": product,
                "channel": channel,
                "region": region,
            }
        )
        .sort("day", "second", maintain_order=True)
        .with_row_index("number", offset=1)
    )


def _buyers(rng: np.random.Generator, people: pl.DataFrame, pace: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row in `people` of each order's customer, day by day; newcomers start with a spell of buying."""
    signup, comes_back, pauses, eagerness = (
        people[name].to_numpy() for name in ("signup_day", "comes_back", "pauses", "eagerness")
    )
    active = rng.random(len(people)) < comes_back / (comes_back + pauses)
    buyers = []
    for day, count in enumerate(pace):
        luck = rng.random(len(people))
        active = np.where(active, luck >= pauses, luck < comes_back) | (signup == day)
        present = active & (signup <= day)
        weight = np.cumsum(np.where(present if present.any() else signup <= day, eagerness, 0.0))
        buyers.append(np.searchsorted(weight, rng.random(count) * weight[-1], side="right"))
    return np.concatenate(buyers)


def _with_fate(rng: np.random.Generator, orders: pl.DataFrame, days: int) -> pl.DataFrame:
    """Each order with its `fate`, what happens to it on the way: sound, an invalid kind, duplicate, correction or late.

    No day gets so many invalid rows that it would pass the source's tolerance of 1 % and at least 20 rows.
    """
    count = orders.height
    shuffled = orders[rng.permutation(count)].with_columns(place=pl.int_range(pl.len()).over("day"))
    day = shuffled["day"].to_numpy()
    allowed = np.maximum(20, np.bincount(day, minlength=days) // 100) - _SPARED_FOR_MALFORMED_LINES
    may_break = np.flatnonzero(shuffled["place"].to_numpy() < allowed[day])
    broken = may_break[: len(INVALID_KINDS) * round(INVALID_SHARE * count)]
    fate = np.full(count, "sound", dtype="U32")
    fate[broken] = np.resize(INVALID_KINDS, len(broken))
    fate[np.flatnonzero(fate == "sound")[: round(DUPLICATE_SHARE * count)]] = "duplicate"
    fate[np.flatnonzero((fate == "sound") & (day < days - 1))[: round(CORRECTION_SHARE * count)]] = "correction"
    if days > LATE_FILE_DAY:
        from_islands = shuffled["region"].to_numpy() == REGIONS.index("islands")
        fate[(fate == "sound") & from_islands & np.isin(day, LATE_EVENT_DAYS)] = "late"
    return shuffled.drop("place").with_columns(fate=pl.Series(fate)).sort("number")


def _arrivals(rng: np.random.Generator, orders: pl.DataFrame, days: int) -> pl.DataFrame:
    """Every row that arrives, in the order of arrival, with the day of its file; the late file's rows come last.

    A duplicate comes ten minutes after its row, a correction one to seven days after its row and ten per cent cheaper.
    """
    first = orders.with_columns(arrival=pl.col("day"), moment=pl.col("second"), again=pl.lit(value=False))
    again = first.with_columns(again=pl.lit(value=True))
    duplicates = again.filter(fate="duplicate").with_columns(pl.col("moment") + 600)
    corrections = again.filter(fate="correction")
    lag = pl.Series(rng.integers(1, 8, corrections.height))
    corrections = corrections.with_columns(
        cents=pl.col("cents") * 9 // 10,
        arrival=pl.min_horizontal(pl.col("day") + lag, days - 1),
        moment=pl.Series(rng.integers(0, _DAY_SECONDS, corrections.height)),
    )
    return (
        pl.concat([first, duplicates, corrections])
        .with_columns(late=pl.col("fate") == "late")
        .with_columns(arrival=pl.when("late").then(LATE_FILE_DAY).otherwise("arrival"))
        .sort("late", "arrival", "moment", "number", "again")
    )


def _as_text(rows: pl.DataFrame, start: date) -> pl.DataFrame:
    """The rows as they stand in a file, all columns String, null where the field is empty."""

    def unless(kind: str, value: pl.Expr | str | None, otherwise: pl.Expr) -> pl.Expr:
        broken = value if isinstance(value, pl.Expr) else pl.lit(value, pl.String)
        return pl.when(fate=kind).then(broken).otherwise(otherwise)

    moment = pl.lit(start).cast(pl.Datetime("us")) + pl.duration(days="day", seconds="second")
    amount = pl.format("{}.{}", pl.col("cents") // 100, (pl.col("cents") % 100).cast(pl.String).str.zfill(2))
    product = pl.col("product").cast(pl.String)
    return rows.select(
        order_id=unless("empty_order_id", None, pl.format("O{}", pl.col("number").cast(pl.String).str.zfill(7))),
        customer_id=unless(
            "empty_customer_id", None, pl.format("C{}", pl.col("customer").cast(pl.String).str.zfill(5))
        ),
        order_ts=unless("unparsable_order_ts", "not-a-timestamp", moment.dt.strftime("%Y-%m-%dT%H:%M:%S")),
        amount=unless("negative_amount", pl.format("-{}", amount), amount),
        quantity=unless("zero_quantity", "0", pl.col("quantity").cast(pl.String)),
        product_id=unless("malformed_product_id", pl.format("X{}", product), pl.format("P{}", product.str.zfill(5))),
        channel=unless("unknown_channel", "fax", _named(CHANNELS, "channel")),
        region=_named(REGIONS, "region"),
    )


def _named(names: tuple[str, ...], column: str) -> pl.Expr:
    return pl.lit(pl.Series(names)).gather(pl.col(column))


def _write_orders(folder: Path, rows: pl.DataFrame, start: date) -> dict[str, int]:
    """One file per day of arrival, some in another format, and the late file."""
    folder.mkdir(parents=True, exist_ok=True)
    deliveries = (
        _as_text(rows, start)
        .with_columns(rows.select("late", "arrival"))
        .partition_by("late", "arrival", as_dict=True, include_key=False)
    )
    malformed = 0
    for (late, arrival), delivery in deliveries.items():
        day = start + timedelta(days=arrival)
        ragged, cut_off = ([], "") if late else _malformed_lines(arrival, day)
        suffix, content = (
            ("csv", write_csv(delivery)) if late else _regular_file(arrival, day, delivery, ragged, cut_off)
        )
        (folder / f"orders_{day}{'_late' if late else ''}.{suffix}").write_bytes(content)
        malformed += len(ragged) + bool(cut_off)
    orders = rows.filter(~pl.col("again"))
    fates = dict(orders["fate"].value_counts().iter_rows())
    invalid = {f"invalid_{kind}": fates.get(kind, 0) for kind in INVALID_KINDS}
    return {
        "order_files": len(deliveries),
        "received": rows.height + malformed,
        "accepted": orders.height - sum(invalid.values()),
        "duplicates": fates.get("duplicate", 0),
        "corrections": fates.get("correction", 0),
        "quarantined": sum(invalid.values()) + malformed,
        **invalid,
        "malformed_lines": malformed,
        "late_rows": fates.get("late", 0),
    }


def _malformed_lines(arrival: int, day: date) -> tuple[list[str], str]:
    """Lines that are no rows: some for the middle of the file, with fields too few or too many, and one cut off within quotes."""
    if arrival == RAGGED_DAY:
        long = f"O9000002,C00018,{day}T10:02:10,1,204.50,2,P00012,web,north"  # a thousands separator
        return [f"O9000001,C00017,{day}T09:12:44", long], ""
    if arrival == CUT_OFF_DAY:
        return ["O9000003,C00019"], f'O9000004,C00020,{day}T18:41:07,25.90,1,"P000'
    return [], ""


def _regular_file(
    arrival: int, day: date, delivery: pl.DataFrame, ragged: list[str], cut_off: str
) -> tuple[str, bytes]:
    """The suffix and the bytes of a day's file."""
    if arrival == JSON_LINES_DAY:
        return "jsonl", write_json_lines(delivery)
    if arrival == XLSX_DAY:
        return "xlsx", write_xlsx(delivery, day)
    if arrival == GZIP_DAY:
        return "csv.gz", write_gzip(write_csv(delivery))
    return "csv", write_csv(delivery, ragged, cut_off)


def _write_customers(
    folder: Path, rng: np.random.Generator, people: pl.DataFrame, days: int, start: date
) -> dict[str, int]:
    """A snapshot of all customers on the first day and on the first of each month after it; two ages in each are nonsense."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshots = [day for day in range(days) if day == 0 or (start + timedelta(days=day)).day == 1]
    counts = {"customer_files": len(snapshots), "customers": people.height, "customer_rows": 0, "invalid_ages": 0}
    for day in snapshots:
        known = people.filter(pl.col("signup_day") <= day)
        nonsense = rng.permutation(known.height)[:INVALID_AGES_PER_SNAPSHOT]
        region = pl.when(pl.col("moves_on") <= day).then("new_region").otherwise("region")
        known.with_row_index("place").with_columns(region=region).select(
            customer_id=pl.format("C{}", pl.col("number").cast(pl.String).str.zfill(5)),
            email=pl.format("user{}@example.com", "number"),
            age=pl.when(pl.col("place").is_in(nonsense)).then(240).otherwise("age"),
            region=_named(REGIONS, "region"),
            signup_date=pl.lit(start) + pl.duration(days="signup_day"),
        ).write_csv(folder / f"customers_{start + timedelta(days=day)}.csv")
        counts["customer_rows"] += known.height
        counts["invalid_ages"] += len(nonsense)
    return counts
