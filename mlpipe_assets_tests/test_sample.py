"""The sample deliveries: reproducible to the byte, and the injected flaws are really in the files."""

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from mlpipe_assets.sample import INVALID_KINDS, ORDER_COLUMNS, write_sample
from mlpipe_assets.settings import PROJECT_ROOT

MEGABYTE = 1_000_000
Row = tuple[str, ...]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    target = tmp_path_factory.mktemp("sample")
    return target, write_sample(target)


def digests(target: Path) -> dict[str, str]:
    """SHA-256 of each delivery below `target`/raw, by path."""
    files = sorted(f for f in (target / "raw").glob("*/*") if f.is_file())
    return {str(file.relative_to(target)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def text_rows(text: str) -> list[Row]:
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == ORDER_COLUMNS
    return [tuple(row) for row in rows]


def read_delivery(file: Path) -> list[Row]:
    """The rows of one orders file as text, read with the standard library and openpyxl only."""
    if file.name.endswith(".csv.gz"):
        return text_rows(gzip.decompress(file.read_bytes()).decode())
    if file.suffix == ".csv":
        return text_rows(file.read_text())
    if file.suffix == ".jsonl":
        values = [list(json.loads(line).values()) for line in file.read_text().splitlines()]
    else:
        header, *values = [list(row) for row in openpyxl.load_workbook(file).worksheets[0].iter_rows(values_only=True)]
        assert tuple(header) == ORDER_COLUMNS
    return [tuple("" if value is None else str(value) for value in row) for row in values]


def read_orders(target: Path) -> dict[str, list[Row]]:
    return {file.name: read_delivery(file) for file in sorted((target / "raw" / "orders").iterdir())}


def flaws(row: Row) -> list[str]:
    """What the contract of orders says against a row."""
    if len(row) != len(ORDER_COLUMNS):
        return ["malformed"]
    order_id, customer_id, order_ts, amount, quantity, product_id, channel, region = row
    found = {
        "empty_order_id": not order_id,
        "empty_customer_id": not customer_id,
        "negative_amount": float(amount) < 0,
        "unparsable_order_ts": not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", order_ts),
        "zero_quantity": not 1 <= int(quantity) <= 100,
        "unknown_channel": channel not in {"web", "app", "store", "partner"},
        "malformed_product_id": not re.fullmatch(r"P\d{5}", product_id),
        "unknown_region": region not in {"north", "south", "east", "west", "islands"},
    }
    return [kind for kind, broken in found.items() if broken]


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    for target in (first, second):
        write_sample(target, days=65, orders_per_day=20, customers=50)

    assert digests(first) == digests(second)
    assert len(digests(first)) == 65 + 3


def test_another_seed_gives_other_orders(tmp_path: Path) -> None:
    write_sample(tmp_path / "a", days=2, orders_per_day=5, customers=5)
    write_sample(tmp_path / "b", days=2, orders_per_day=5, customers=5, seed=8)

    assert read_orders(tmp_path / "a") != read_orders(tmp_path / "b")


def test_the_committed_sample_is_what_the_generator_writes(sample: tuple[Path, dict[str, int]]) -> None:
    generated = digests(sample[0])

    committed = digests(PROJECT_ROOT / "data")

    assert {name: committed.get(name) for name in generated} == generated


def test_the_sample_is_small_enough_to_clone(sample: tuple[Path, dict[str, int]]) -> None:
    sizes = [file.stat().st_size for file in sample[0].rglob("*") if file.is_file()]

    assert sum(sizes) < 6 * MEGABYTE
    assert max(sizes) < MEGABYTE


def test_every_kind_of_file_comes(sample: tuple[Path, dict[str, int]]) -> None:
    names = set(read_orders(sample[0]))

    assert {
        "orders_2026-01-01.csv",
        "orders_2026-02-10.jsonl",
        "orders_2026-02-20.csv.gz",
        "orders_2026-03-03.xlsx",
        "orders_2026-03-20.csv",
        "orders_2026-03-20_late.csv",
        "orders_2026-04-30.csv",
    } <= names
    assert len(names) == sample[1]["order_files"] == 121


def test_the_injected_flaws_can_be_counted_in_the_files(sample: tuple[Path, dict[str, int]]) -> None:
    target, counts = sample
    rows = [row for delivery in read_orders(target).values() for row in delivery]

    found = Counter(flaw for row in rows for flaw in flaws(row))
    times_sent = Counter(row for row in rows if not flaws(row))
    versions = Counter(row[0] for row in times_sent)

    assert found == {"malformed": 4} | dict.fromkeys(INVALID_KINDS, 72)
    assert all(found[kind] == counts[f"invalid_{kind}"] for kind in INVALID_KINDS)
    assert sum(times - 1 for times in times_sent.values()) == counts["duplicates"] == 361
    assert sum(times - 1 for times in versions.values()) == counts["corrections"] == 180
    assert len(versions) == counts["accepted"]
    assert len(rows) == counts["received"]
    assert len(rows) == counts["accepted"] + counts["duplicates"] + counts["corrections"] + counts["quarantined"]


def test_no_day_has_more_refused_rows_than_orders_tolerate(sample: tuple[Path, dict[str, int]]) -> None:
    for name, rows in read_orders(sample[0]).items():
        refused = sum(bool(flaws(row)) for row in rows)

        assert refused <= max(20, len(rows) // 100), name


def test_a_large_day_keeps_within_one_per_cent(tmp_path: Path) -> None:
    write_sample(tmp_path, days=1, orders_per_day=5000, customers=100)

    (rows,) = read_orders(tmp_path).values()

    assert 0 < sum(bool(flaws(row)) for row in rows) <= len(rows) // 100


def test_a_correction_comes_one_to_seven_days_after_its_order_with_another_amount(
    sample: tuple[Path, dict[str, int]],
) -> None:
    first: dict[str, tuple[date, Row]] = {}
    corrected = []

    for name, rows in read_orders(sample[0]).items():
        arrival = date.fromisoformat(name[7:17])
        for row in rows:
            if flaws(row) or "late" in name:
                continue
            known = first.setdefault(row[0], (arrival, row))
            if known[1] != row:
                corrected.append(((arrival - known[0]).days, known[1], row))

    assert len(corrected) == sample[1]["corrections"]
    assert {days for days, _, _ in corrected} == {1, 2, 3, 4, 5, 6, 7}
    assert all(old[:3] == new[:3] and float(new[3]) < float(old[3]) and old[4:] == new[4:] for _, old, new in corrected)


def test_the_late_file_holds_two_days_of_the_week_before(sample: tuple[Path, dict[str, int]]) -> None:
    late = read_orders(sample[0])["orders_2026-03-20_late.csv"]

    assert {row[2][:10] for row in late} == {"2026-03-12", "2026-03-13"}
    assert len(late) == sample[1]["late_rows"] > 10


def test_customers_join_and_move_between_snapshots(sample: tuple[Path, dict[str, int]]) -> None:
    target, counts = sample
    snapshots = []
    for file in sorted((target / "raw" / "customers").iterdir()):
        with file.open(newline="") as text:
            snapshots.append((file.name, {row["customer_id"]: row for row in csv.DictReader(text)}))

    names = [name for name, _ in snapshots]
    tables = [table for _, table in snapshots]

    assert names == [f"customers_2026-0{month}-01.csv" for month in (1, 2, 3, 4)]
    assert list(tables[0]["C00001"]) == ["customer_id", "email", "age", "region", "signup_date"]
    for (name, table), later in zip(snapshots, tables[1:], strict=False):
        moved = [key for key, row in table.items() if row["region"] != later[key]["region"]]
        assert 0 < len(moved) < 40
        assert table.keys() < later.keys()
        assert max(row["signup_date"] for row in table.values()) <= name[10:20]
    assert sum(row["age"] == "240" for table in tables for row in table.values()) == counts["invalid_ages"] == 8
    assert sum(len(table) for table in tables) == counts["customer_rows"]


def test_between_a_third_and_two_thirds_of_recent_customers_order_again_within_28_days(
    sample: tuple[Path, dict[str, int]],
) -> None:
    days_by_customer: dict[str, list[int]] = {}
    for rows in read_orders(sample[0]).values():
        for row in rows:
            if not flaws(row):
                day = (date.fromisoformat(row[2][:10]) - date(2026, 1, 1)).days
                days_by_customer.setdefault(row[1], []).append(day)

    for as_of in (45, 60, 75, 91):
        recent = [days for days in days_by_customer.values() if any(day <= as_of for day in days)]
        again = [days for days in recent if any(as_of < day <= as_of + 28 for day in days)]
        assert 0.35 < len(again) / len(recent) < 0.65
