"""Event files that do not hold what was written to them: made again from the drop zone, or named with what to do."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.raw.taking import Ingested, ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, one_a_day, planted_catalog, planted_lake

APART = replace(orders, dedupe_within=timedelta(0))  # so that a day needs no other


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return planted_catalog(tmp_path / "sql")


@pytest.fixture
def lake(tmp_path: Path, catalog: Catalog) -> Lake:
    """Three days of orders out of one file, one of them refused."""
    return planted_lake(tmp_path / "data", catalog, [*one_a_day(1, 3), ("bad", "ann", day(2), "-1", "web")])


def events(lake: Lake, number: int, *, there: bool = True) -> Path:
    """The event file of a day, which is named like that of the first day."""
    found = next((lake.root / "raw" / "_events" / "orders" / f"date={day(1)}").glob("*.parquet"))
    path = found.parent.parent / f"date={day(number)}" / found.name
    assert not there or path.exists()
    return path


def flip(path: Path) -> None:
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[30:38] = bytes(byte ^ 0xFF for byte in content[30:38])
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def write_more_rows(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    pl.concat([rows] * 30).write_parquet(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "written again": write_more_rows,
    "gone": lambda path: path.unlink(),
    "the whole day gone": lambda path: shutil.rmtree(path.parent),
    "cut short": lambda path: os.truncate(path, 50),
    "empty": lambda path: path.write_bytes(b""),
    "of another day": lambda path: shutil.copy(next(path.parent.parent.glob(f"date={day(1)}/*.parquet")), path),
    "flipped behind its time": flip,
}


def ingest_again(lake: Lake, catalog: Catalog) -> Ingested:
    source = catalog.source("orders")
    return ingest(lake, source, Ledger.load(lake, source.name))


def rebuild(lake: Lake, catalog: Catalog) -> list[Outcome]:
    shutil.rmtree(lake.root / "interim" / "orders")
    return build_interim(lake, DuckDBEngine(), APART, [day(n) for n in (1, 2, 3)])


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_events_are_made_again_from_the_drop_zone_and_give_the_same_rows(
    lake: Lake, catalog: Catalog, kind: str
) -> None:
    before, clean = events(lake, 2).read_bytes(), lake.read("interim", "orders", day(2))
    path = events(lake, 2)
    DAMAGE[kind](path)

    rebuild(lake, catalog)

    assert path.read_bytes() == before
    assert lake.read("interim", "orders", day(2)).equals(clean)


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if "behind" not in kind])
def test_the_next_look_at_the_drop_zone_makes_damaged_events_again(lake: Lake, catalog: Catalog, kind: str) -> None:
    before, path = events(lake, 2).read_bytes(), events(lake, 2)
    DAMAGE[kind](path)

    found = ingest_again(lake, catalog)

    assert path.read_bytes() == before
    assert (found.new, found.problems) == ([], [])


@pytest.mark.parametrize("kind", DAMAGE)
def test_without_the_file_the_events_are_named_with_what_to_do(lake: Lake, catalog: Catalog, kind: str) -> None:
    (lake.root / "raw" / "orders" / "orders_2026-06-30.csv").unlink()
    DAMAGE[kind](events(lake, 2))

    built = rebuild(lake, catalog)

    assert {o.day: o.refused for o in built if o.refused} == {
        day(
            2
        ): f"raw/orders/orders_2026-06-30.csv: its events of {day(2)} are damaged and cannot be made again: no file in "
        "raw/orders has the content it had. Put orders_2026-06-30.csv with that content back into raw/orders and run again, or "
        f"restore {events(lake, 2, there=False).relative_to(lake.root)} from a copy"
    }
    assert lake.days("interim", "orders") == [day(1), day(3)]
    assert [p.name for p in ingest_again(lake, catalog).problems] == ["orders_2026-06-30.csv"]


def test_a_file_of_other_content_under_the_same_name_heals_nothing(lake: Lake, catalog: Catalog) -> None:
    drop_orders(lake, "orders_2026-06-30.csv", one_a_day(1, 2))
    write_more_rows(events(lake, 2))

    assert "no file in raw/orders has the content it had" in str([o.refused for o in rebuild(lake, catalog)])


def test_the_file_heals_under_another_name_too(lake: Lake, catalog: Catalog) -> None:
    folder = lake.root / "raw" / "orders"
    (folder / "orders_2026-06-30.csv").rename(folder / "put_back.csv")
    before, path = events(lake, 2).read_bytes(), events(lake, 2)
    path.unlink()

    rebuild(lake, catalog)

    assert path.read_bytes() == before


def test_a_folder_in_the_place_of_events_is_named(lake: Lake, catalog: Catalog) -> None:
    path = events(lake, 2)
    path.unlink()
    path.mkdir()

    assert "is a folder where a file belongs. Take it away" in str([o.refused for o in rebuild(lake, catalog)])


def test_a_run_with_nothing_new_reads_no_event_file(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpipe_assets.store.digests.content_digest", lambda path: pytest.fail(f"{path} was read"))

    assert ingest_again(lake, catalog).new == []


def test_rows_refused_on_arrival_are_made_again_too(lake: Lake, catalog: Catalog) -> None:
    path = drop_orders(lake, "orders_2026-07-01.csv", one_a_day(4, 4))
    path.write_text(path.read_text() + "cut off\n")
    bring_in(lake, catalog)
    [refused] = [p for p in (lake.root / "validation" / "quarantine").rglob("*.parquet") if p.name != "refused.parquet"]
    before = refused.read_bytes()
    refused.write_bytes(b"")

    ingest_again(lake, catalog)

    assert refused.read_bytes() == before


def built_and_blocked(outcomes: list[Outcome]) -> tuple[list[date], list[date]]:
    return [o.day for o in outcomes if o.written], [o.day for o in outcomes if o.blocked]


def lose(lake: Lake, number: int) -> None:
    """Damage the events of a day whose file is not in the drop zone any more."""
    (lake.root / "raw" / "orders" / "orders_2026-06-30.csv").unlink()
    events(lake, number).write_bytes(b"")


def test_a_day_that_must_know_the_keys_of_a_lost_day_is_blocked_with_it(lake: Lake, catalog: Catalog) -> None:
    drop_orders(lake, "orders_2026-07-01.csv", one_a_day(20, 21))
    bring_in(lake, catalog)
    lose(lake, 2)
    shutil.rmtree(lake.root / "interim" / "orders")

    outcomes = build_interim(lake, DuckDBEngine(), orders, [day(n) for n in (1, 2, 3, 20, 21)])

    assert built_and_blocked(outcomes) == ([day(20), day(21)], [day(1), day(2), day(3)])  # dedupe_within is seven days


def test_a_day_whose_neighbour_is_built_does_not_need_the_lost_events(lake: Lake, catalog: Catalog) -> None:
    lose(lake, 2)
    drop_orders(lake, "orders_2026-07-01.csv", one_a_day(4, 4))
    ingest_again(lake, catalog)

    assert built_and_blocked(build_interim(lake, DuckDBEngine(), orders, [day(3), day(4)])) == ([day(3), day(4)], [])


def test_words_of_rows_refused_on_arrival_block_no_day(lake: Lake, catalog: Catalog) -> None:
    path = drop_orders(lake, "orders_2026-01-02.csv", [("more", "ann", day(2), "1.00", "web")])
    path.write_text(path.read_text() + "cut off\n")
    bring_in(lake, catalog)
    path.unlink()
    [refused] = [p for p in (lake.root / "validation" / "quarantine").rglob("*.parquet") if p.name != "refused.parquet"]
    refused.write_bytes(b"")

    [outcome] = [o for o in rebuild(lake, catalog) if o.day == day(2)]

    assert (outcome.refused, outcome.counts["received"], outcome.counts["quarantined"]) == (None, 4, 2)
    assert "refused on arrival: 1 of 4 rows; why is damaged" in outcome.breaches
