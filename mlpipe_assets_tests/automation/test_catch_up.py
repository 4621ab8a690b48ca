"""`mlpipe run` without the command line: what is behind is built, in runs of exactly those days, and nothing else."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.automation.catch_up import Summary, catch_up
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import LakeError
from mlpipe_assets.partitions import days_between, last_partition
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.status import partitions
from mlpipe_assets.store import keys
from mlpipe_assets.store import lake as lake_module
from mlpipe_assets.store.acceptances import NOTHING_CAME, accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import (
    ANN,
    SPEND_SQL,
    START,
    day,
    drop_customers,
    drop_orders,
    one_a_day,
    planted_catalog,
)

LAST = 8
State = dict[str, tuple[str, int]]
Run = Callable[..., Summary]


@contextmanager
def running(root: Path) -> Iterator[Run]:
    """Catches up the lake below a folder, by default with the planted catalog, all days wanted."""
    lake = Lake(data_dir=str(root / "data"))
    with dg.DagsterInstance.ephemeral(tempdir=str(root)) as instance, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPIPE_DATA_DIR", lake.data_dir)
        patch.setenv("MLPIPE_SETTLE_SECONDS", "0")

        def call(catalog: Catalog | None = None, wanted: Callable[[date], bool] = lambda _: True) -> Summary:
            catalog = catalog or planted_catalog(root / "sql")
            return catch_up(lake, catalog, lambda: (build_graph(catalog, read_settings()), instance), wanted)

        yield call


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Catches up the lake of a test."""
    with running(tmp_path) as call:
        yield call


@pytest.fixture
def tables(tmp_path: Path) -> Catalog:
    """The planted catalog without its training set, which takes as long as everything before it."""
    return without_models(tmp_path / "sql")


def without_models(folder: Path, spend_sql: str = SPEND_SQL) -> Catalog:
    return replace(planted_catalog(folder, spend_sql=spend_sql), models=())


@pytest.fixture
def lake(lake: Lake) -> Lake:
    """Files of eight days in the drop zone, not yet ingested."""
    return drop_days(lake)


def drop_days(lake: Lake) -> Lake:
    for n in range(1, LAST + 1):
        drop_orders(lake, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    return lake


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Summary]:
    """The lake of eight days, caught up once, and what that said."""
    root = tmp_path_factory.mktemp("built")
    lake = drop_days(Lake(data_dir=str(root / "data")))
    with running(root) as run:
        return lake, run()


@pytest.fixture
def whole(first_run: tuple[Lake, Summary], tmp_path: Path) -> Lake:
    """A copy of the lake of eight days in which nothing is behind."""
    return copy_lake(first_run[0], tmp_path / "data")


@pytest.fixture(scope="module")
def refused_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Summary]:
    """The same whose fourth day was refused, and what the run said."""
    root = tmp_path_factory.mktemp("refused")
    lake = drop_days(Lake(data_dir=str(root / "data")))
    drop_orders(lake, f"orders_{day(4)}.csv", [(f"x{i}", "ann", day(4), "-1.00", "web") for i in range(30)])
    with running(root) as run:
        return lake, run(without_models(root / "sql"))


@pytest.fixture
def refused(refused_run: tuple[Lake, Summary], tmp_path: Path) -> Lake:
    """A copy of the lake whose fourth day was refused."""
    return copy_lake(refused_run[0], tmp_path / "data")


def state(lake: Lake) -> State:
    """Digest and mtime of every partition, by path."""
    found = [p for stage in ("interim", "features", "processed") for p in (lake.root / stage).rglob("*.parquet")]
    return {
        p.relative_to(lake.root).as_posix(): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in found
    }


def changed(lake: Lake, before: State, table: str) -> list[date]:
    """Days of a table whose file was written since."""
    after = state(lake)
    paths = [p for p in after if p.startswith(table) and after[p] != before.get(p)]
    return sorted({date.fromisoformat(p.split("date=")[1][:10]) for p in paths})


def built(summary: Summary) -> dict[str, list[date]]:
    return {table: sorted(set(done.days)) for table, done in summary.tables.items()}


def test_a_fresh_lake_is_built_whole_and_a_second_call_does_nothing(
    first_run: tuple[Lake, Summary], whole: Lake, run: Run
) -> None:
    _, summary = first_run

    days = days_between(day(1), day(LAST))
    assert built(summary) == {
        "raw/orders": days,
        "raw/customers": [day(1)],
        "interim/orders": days,
        "interim/customers": [day(1)],
        "features/spend": days,
        "online/features": [last_partition()],
        "processed/returning": [day(LAST)],
        "meta/catalog": [last_partition()],
    }
    assert summary.errors == []
    assert len(summary.run_ids) == 8  # one a table, however many days

    before = state(whole)
    again = run()

    assert again.did_nothing
    assert (again.errors, state(whole)) == ([], before)


def test_a_late_file_rebuilds_its_days_and_the_windows_over_them_only(whole: Lake, run: Run) -> None:
    before = state(whole)
    drop_orders(whole, "orders_2026-07-01.csv", [("late", "eve", day(3), "5.00", "app")])

    summary = run()

    assert changed(whole, before, "interim/orders") == built(summary)["interim/orders"] == [day(3)]
    assert changed(whole, before, "features/spend") == built(summary)["features/spend"] == [day(3), day(4), day(5)]
    assert changed(whole, before, "processed/returning") == [day(LAST)]


def test_rows_that_a_killed_server_had_answered_for_are_taken_by_the_next_run(whole: Lake, run: Run) -> None:
    left = whole.root / "raw" / "orders" / ".spool-abcdefgh-01234567.jsonl"
    row = {
        "order_id": "pushed",
        "customer_id": "ann",
        "order_ts": f"{day(2)}T13:00:00",
        "amount": "1.00",
        "quantity": 1,
        "product_id": "P00001",
        "channel": "web",
        "region": "north",
    }
    left.write_text(f'{json.dumps(row)}\n{{"order_id": "torn')

    summary = run()

    assert "raw/orders: 1 file of rows that a dead server had answered for, taken as deliveries" in summary.warnings
    assert "pushed" in whole.read("interim", "orders", day(2))["order_id"].to_list()
    assert not left.exists()
    assert run().warnings == []


def test_a_new_day_is_one_more_partition(whole: Lake, run: Run) -> None:
    before = state(whole)
    drop_orders(whole, f"orders_{day(LAST + 1)}.csv", one_a_day(LAST + 1, LAST + 1))

    run()

    assert changed(whole, before, "interim") == changed(whole, before, "features") == [day(LAST + 1)]


def test_new_sql_rebuilds_the_view_and_what_learns_from_it(whole: Lake, run: Run, tmp_path: Path) -> None:
    before = state(whole)

    summary = run(planted_catalog(tmp_path / "newer", spend_sql=SPEND_SQL.replace("count(*)", "count(*) + 1")))

    assert changed(whole, before, "interim") == []
    assert built(summary) == {
        "features/spend": days_between(day(1), day(LAST)),
        "online/features": [last_partition()],
        "processed/returning": [day(LAST)],
        "meta/catalog": [last_partition()],
    }


def test_a_refused_day_blocks_the_windows_over_it_and_leaves_the_others(refused_run: tuple[Lake, Summary]) -> None:
    lake, summary = refused_run

    assert lake.days("interim", "orders") == [d for d in days_between(day(1), day(LAST)) if d != day(4)]
    assert lake.days("features", "spend") == [day(1), day(2), day(3), day(7), day(8)]
    text = "\n".join(summary.errors)
    assert "interim/orders 2026-01-04: 30 of 30 rows refused, 20 tolerated" in text
    assert "features/spend 2026-01-04 to 2026-01-06: interim/orders has holes: 2026-01-04 refused" in text
    assert len([line for line in summary.errors if line.startswith("features/spend")]) == 1


def test_an_accepted_day_is_built_and_so_are_the_windows_over_it(refused: Lake, run: Run, tables: Catalog) -> None:
    again = run(tables)
    accept(refused, "orders", [day(4)], "the till was broken")

    summary = run(tables)

    assert again.did_nothing
    assert again.errors != []
    assert summary.errors == []
    assert built(summary)["interim/orders"] == [day(4)]
    assert built(summary)["features/spend"] == [day(4), day(5), day(6)]


def test_a_corrected_file_mends_a_refused_day(refused: Lake, run: Run, tables: Catalog) -> None:
    drop_orders(refused, f"orders_{day(4)}.csv", one_a_day(4, 4))

    summary = run(tables)

    assert summary.errors == []
    assert refused.days("features", "spend") == days_between(day(1), day(LAST))


def test_days_outside_the_range_asked_for_are_not_built(lake: Lake, run: Run, tables: Catalog) -> None:
    run(tables, wanted=lambda d: day(3) <= d <= day(6))

    assert lake.days("interim", "orders") == days_between(day(3), day(6))
    assert lake.days("features", "spend") == []  # their windows reach back to the 1st


def test_leaky_sql_is_an_error_that_names_the_check(lake: Lake, run: Run, tmp_path: Path) -> None:
    summary = run(without_models(tmp_path / "leaky", SPEND_SQL.replace("o.date <= d.day", "o.date <= $end")))

    assert lake.days("features", "spend") == []
    assert any("spend.sql knows the future" in line for line in summary.errors)


def test_a_bug_in_the_sql_is_told_without_a_traceback(lake: Lake, run: Run, tmp_path: Path) -> None:
    summary = run(without_models(tmp_path / "broken", SPEND_SQL.replace("cast(count(*)", "cast(o.customer_id", 1)))

    assert any("spend.sql" in line and "onver" in line for line in summary.errors)
    assert not any("Traceback" in line or "Stack Trace" in line for line in summary.errors)


def test_a_file_that_could_not_be_read_and_was_taken_away_leaves_a_run_that_finds_nothing_wrong(
    run: Run, tables: Catalog, lake: Lake
) -> None:
    broken = lake.root / "raw" / "orders" / "orders_2026-01-09.parquet"
    broken.write_bytes(b"not parquet")
    first = run(tables)
    broken.unlink()

    second = run(tables)
    third = run(tables)

    assert first.errors == [
        "raw/orders/orders_2026-01-09.parquet: not a readable Parquet file (ComputeError). Deliver it again."
    ]
    assert (second.errors, list(second.tables)) == ([], ["raw/orders"])
    assert third.did_nothing


def test_events_that_all_lie_outside_the_partitions_are_a_warning(run: Run, tables: Catalog, tmp_path: Path) -> None:
    drop_orders(
        Lake(data_dir=str(tmp_path / "data")), "orders_2025-06-30.csv", [("o", "ann", date(2025, 6, 1), "1", "web")]
    )

    summary = run(tables)

    assert any("every event, 2025-06-01 to 2025-06-01, lies outside the partitions" in w for w in summary.warnings)
    assert any("every event" in w for w in run(tables).warnings)


def test_days_behind_one_hole_are_one_line(run: Run, tables: Catalog, lake: Lake) -> None:
    (lake.root / "raw" / "orders" / f"orders_{day(4)}.csv").unlink()

    errors = run(tables).errors

    assert errors == [f"features/spend {day(4)} to {day(6)}: interim/orders has holes: {day(4)} missing"]


def test_a_manifest_that_cannot_be_read_stops_its_own_table_is_named_and_heals_once_it_is_deleted(
    whole: Lake, run: Run, tmp_path: Path
) -> None:
    broken = whole.root / keys.manifest("features/spend")
    broken.write_text("half")
    drop_orders(whole, f"orders_{day(LAST + 1)}.csv", one_a_day(LAST + 1, LAST + 1))

    summary = run()

    assert [error.partition(" cannot")[0] for error in summary.errors][:1] == [f"features/spend: {broken}"]
    assert whole.days("interim", "orders")[-1] == day(LAST + 1)
    with pytest.raises(LakeError, match=r"features\.spend\.json cannot be read: .*delete it and run again"):
        list(partitions(whole, planted_catalog(tmp_path / "sql")))
    broken.unlink()
    assert run().errors == []
    assert whole.days("features", "spend")[-1] == day(LAST + 1)


def test_a_manifest_of_training_sets_that_cannot_be_read_is_an_error_too(whole: Lake, run: Run) -> None:
    (whole.root / keys.manifest("processed/returning")).write_text("half")

    assert [error for error in run().errors if error.startswith("processed/returning: ") and "cannot be read" in error]


def test_damaged_files_are_made_again_and_nothing_else_changes(whole: Lake, run: Run) -> None:
    before = state(whole)
    clean = whole.path("interim", "orders", day(3))
    features = whole.path("features", "spend", day(4))
    events = next((whole.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet"))
    for path in (clean, features, events):
        content = path.read_bytes()
        path.write_bytes(content[:40] + bytes(8) + content[48:])

    summary = run()

    assert summary.errors == []
    assert {path: digest for path, (digest, _) in state(whole).items()} == {path: d for path, (d, _) in before.items()}
    assert run().did_nothing


@pytest.mark.long
def test_damaged_events_without_their_file_are_an_error_until_it_is_put_back(whole: Lake, run: Run) -> None:
    dropped = whole.root / "raw" / "orders" / f"orders_{day(2)}.csv"
    kept, modified = dropped.read_bytes(), dropped.stat().st_mtime_ns
    dropped.unlink()
    next((whole.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet")).unlink()

    assert any("are damaged and cannot be made again" in error for error in run().errors)
    drop_orders(
        whole, f"orders_{day(LAST + 1)}.csv", [*one_a_day(LAST + 1, LAST + 1), ("late", "ann", day(2), "1", "web")]
    )

    summary = run()

    assert whole.days("interim", "orders")[-1] == day(LAST + 1)
    assert [e.partition(": ")[0] for e in summary.errors if "interim/" in e] == [
        f"interim/orders {day(2)}",
        f"features/spend {day(2)} to {day(4)}",
    ]
    assert built(summary)["features/spend"] == [day(LAST + 1)]
    again = run()
    assert (again.did_nothing, again.errors) == (True, summary.errors)

    dropped.write_bytes(kept)
    os.utime(dropped, ns=(modified, modified))
    assert run().errors == []
    assert run().did_nothing


def correct_orders(lake: Lake, n: int, *, mistyped: date | None = None, amount: str = "10.00") -> None:
    """The file of a day, with one of its two rows perhaps dated wrong."""
    rows = one_a_day(n, n, ("ann", "bob"))
    if mistyped:
        (key, customer, _, _, channel) = rows[0]
        rows = [(key, customer, mistyped, amount, channel), *rows[1:]]
    drop_orders(lake, f"orders_{day(n)}.csv", rows)


def test_a_mistyped_date_ends_no_table_and_its_correction_is_as_if_it_never_was(
    lake: Lake, run: Run, tables: Catalog, tmp_path: Path
) -> None:
    correct_orders(lake, 5, mistyped=date(2026, 9, 5))

    first = run(tables)

    assert first.errors == []
    (line,) = [line for line in first.warnings if "dated after" in line]
    assert line.startswith(
        "raw/orders: 1 event is dated after its file was known, e.g. orders_2026-01-05.csv line 2, dated"
    )
    assert lake.days("interim", "orders") == lake.days("features", "spend") == days_between(day(1), day(LAST))

    correct_orders(lake, 5)
    second = run(tables)

    assert (second.errors, [line for line in second.warnings if "dated after" in line]) == ([], [])
    clean = Lake(data_dir=str(tmp_path / "clean"))
    for n in range(1, LAST + 1):
        drop_orders(clean, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    assert rows_of(lake, "interim", "orders") == rows_of_files(clean)


def rows_of(lake: Lake, stage: str, table: str) -> list[str]:
    frames = [lake.read(stage, table, on) for on in lake.days(stage, table)]
    return [key for frame in frames for key in frame["order_id"].to_list()]


def rows_of_files(lake: Lake) -> list[str]:
    files = sorted((lake.root / "raw" / "orders").glob("*.csv"))
    return [line.split(",")[0] for file in files for line in sorted(file.read_text().splitlines()[1:])]


@pytest.mark.parametrize(("wrong", "first"), [(day(40), 1), (day(200), 1), (day(1), 4)])
def test_a_day_all_of_whose_rows_are_refused_is_neither_the_first_nor_the_newest(
    lake: Lake, run: Run, tables: Catalog, wrong: date, first: int
) -> None:
    """The file of the wrong date came on that date, so the date alone gives nothing away; its amount breaks the contract."""
    for n in range(1, first):
        (lake.root / "raw" / "orders" / f"orders_{day(n)}.csv").unlink()
    drop_orders(lake, f"orders_{wrong}.csv", [("odd", "ann", wrong, "-1.00", "app")])

    summary = run(tables)

    assert lake.days("features", "spend") == days_between(day(first), day(LAST))
    assert not [line for line in (*summary.errors, *summary.warnings) if "missing" in line or NOTHING_CAME in line]


@pytest.mark.long
def test_another_time_zone_reaches_the_features_with_no_file_in_the_drop_zone(
    whole: Lake, run: Run, tmp_path: Path
) -> None:
    for file in (whole.root / "raw" / "orders").glob("*.csv"):
        file.unlink()
    planted = planted_catalog(tmp_path / "sql")
    west = replace(planted.sources[0], time_zone="Etc/GMT+12")
    moved = replace(planted, sources=(west, *planted.sources[1:]))

    summary = run(moved)

    assert summary.errors == []
    later = days_between(day(2), day(LAST + 1))  # noon there is the midnight after in UTC
    assert whole.days("interim", "orders") == whole.days("features", "spend") == later
    assert run(moved).did_nothing


def test_a_file_without_a_row_that_has_a_day_is_a_warning_however_small_it_is(
    lake: Lake, run: Run, tables: Catalog
) -> None:
    path = drop_orders(lake, f"orders_{day(LAST + 1)}.csv", one_a_day(LAST + 1, LAST + 1, ("ann", "bob")))
    path.write_text(path.read_text().replace(f"{day(LAST + 1)}T", "noon of "))

    summary = run(tables)

    said = [line for line in summary.warnings if "was refused on arrival" in line]
    assert [line.partition(" (")[0] for line in said] == [
        f"raw/orders: every row of {path.name} was refused on arrival"
    ]


@pytest.mark.parametrize("error", [dg.DagsterExecutionInterruptedError(), KeyboardInterrupt()])
def test_ctrl_c_in_the_middle_of_a_step_ends_the_run_and_is_no_failure_of_its_table(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("mlpipe_assets.stages.features.asset.build_features", stopped)

    with pytest.raises(KeyboardInterrupt):
        run()

    assert lake.days("interim", "orders") != []
    assert lake.days("processed", "returning", "train.parquet") == []


def test_what_another_run_was_building_is_not_built_again(whole: Lake, run: Run, tmp_path: Path) -> None:
    for built in whole.days("features", "spend"):
        whole.remove(whole.path("features", "spend", built))
    catalog = planted_catalog(tmp_path / "sql")
    second: list[Summary] = []

    with whole.writing("catch_up", "features.spend"):  # as the first run holds it
        waiting = threading.Thread(target=lambda: second.append(run(catalog)))
        waiting.start()
        days = days_between(day(1), day(LAST))
        build_features(whole, DuckDBEngine(), catalog, catalog.feature_views[0], days)
    waiting.join()

    assert whole.days("features", "spend") == days
    assert [summary.tables for summary in second] == [{}]


def test_a_run_leaves_what_follows_to_the_run_that_is_in_its_way(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "PATIENCE", 0.1)

    with lake.writing("catch_up", "interim.orders"):
        summary = run()

    assert summary.errors == []
    assert summary.busy == [
        "interim/orders: another `mlpipe run` is building this table, and does what follows from it. Run again when it has ended."
    ]
    assert [*summary.tables] == ["raw/orders", "raw/customers"]
