"""Which days are behind, and why: the plan of `mlpipe run` and `mlpipe status`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog, Tolerance
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.processed.plan import training_work
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.stages.work import Work, spell_blocked
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import (
    SPEND_SQL,
    START,
    bring_in,
    day,
    drop_customers,
    drop_orders,
    one_a_day,
    planted_catalog,
    planted_lake,
)

LAST = 9


def always(_: date) -> bool:
    return True


def behind(lake: Lake, catalog: Catalog) -> dict[str, Sequence[date]]:
    """Days to build of every table that has some."""
    works = [interim_work(lake, source, always) for source in catalog.sources]
    works += [feature_work(lake, catalog, view, always) for view in catalog.feature_views]
    works += [training_work(lake, catalog, model, always) for model in catalog.models]
    return {work.table: list(work.days) for work in works if work.days}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which everything is up to date."""
    root = tmp_path_factory.mktemp("built")
    catalog = planted_catalog(root / "sql")
    lake = planted_lake(root / "data", catalog, one_a_day(1, LAST))
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(LAST)))
    outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(LAST))
    assert outcome.refused is None
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copy_lake(built, tmp_path / "data")


def test_nothing_is_behind_in_a_lake_that_is_up_to_date(lake: Lake, catalog: Catalog) -> None:
    assert behind(lake, catalog) == {}
    assert look_at_intakes(lake, catalog).new_files == 0


def test_an_empty_lake_has_nothing_to_do(tmp_path: Path, catalog: Catalog) -> None:
    assert behind(Lake(data_dir=str(tmp_path / "none")), catalog) == {}


def test_a_late_file_puts_its_days_and_the_windows_over_them_behind(lake: Lake, catalog: Catalog) -> None:
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "bob", day(3), "1.00", "web")])
    assert look_at_intakes(lake, catalog).new_files == 1
    bring_in(lake, catalog)

    assert behind(lake, catalog)["features/spend"] == [day(3), day(4), day(5)]


def test_a_correction_of_an_old_snapshot_puts_only_the_days_it_is_in_force_behind(lake: Lake, catalog: Catalog) -> None:
    drop_customers(lake, f"customers_{day(4)}.csv", [("ann", 31, "north", START)])
    bring_in(lake, catalog)

    assert behind(lake, catalog)["features/spend"] == days_between(day(4), day(LAST))


def test_new_sql_puts_the_view_and_what_learns_from_it_behind(lake: Lake, tmp_path: Path) -> None:
    newer = planted_catalog(tmp_path / "newer", spend_sql=SPEND_SQL.replace("count(*)", "count(*) + 1"))

    found = behind(lake, newer)

    assert found == {"features/spend": days_between(day(1), day(LAST))}
    build_features(lake, DuckDBEngine(), newer, newer.feature_views[0], found["features/spend"])
    assert behind(lake, newer) == {"processed/returning": [day(LAST)]}


def test_a_new_tolerance_puts_the_source_behind(lake: Lake, catalog: Catalog) -> None:
    orders = replace(catalog.sources[0], tolerance=Tolerance(share=0.5))
    newer = replace(catalog, sources=(orders, *catalog.sources[1:]))

    assert behind(lake, newer)["interim/orders"] == days_between(day(1), day(LAST))


def test_a_partition_that_was_deleted_is_behind(lake: Lake, catalog: Catalog) -> None:
    lake.path("features", "spend", day(4)).unlink()

    assert behind(lake, catalog) == {"features/spend": [day(4)]}


def test_an_acceptance_of_a_day_that_was_not_refused_changes_nothing(lake: Lake, catalog: Catalog) -> None:
    accept(lake, "orders", [day(5)], "a holiday")

    assert behind(lake, catalog) == {}


def test_a_gap_blocks_the_windows_over_it_until_it_is_accepted(tmp_path: Path, catalog: Catalog) -> None:
    lake = planted_lake(tmp_path / "data", catalog, [*one_a_day(1, 3), *one_a_day(5, 9)])
    view = catalog.feature_views[0]

    gap = interim_work(lake, catalog.sources[0], always)
    assert gap.blocked == ((day(4), "nothing came"),)
    [(_, line)] = spell_blocked(gap)
    assert line.startswith(f"interim/orders {day(4)}: nothing came. Deliver what is missing, or take it as it is: ")
    assert f"mlpipe accept orders {day(4)} --reason" in line
    work = feature_work(lake, catalog, view, always)
    assert [d for d, _ in work.blocked] == [day(4), day(5), day(6)]
    assert list(work.days) == [day(1), day(2), day(3), day(7), day(8), day(9)]

    accept(lake, "orders", [day(4)], "closed for stocktaking")
    assert interim_work(lake, catalog.sources[0], always).days == (day(4),)
    build_interim(lake, DuckDBEngine(), catalog.sources[0], [day(4)])
    assert feature_work(lake, catalog, view, always).blocked == ()


def test_only_wanted_days_are_behind(lake: Lake, catalog: Catalog) -> None:
    for n in range(1, LAST + 1):
        lake.path("features", "spend", day(n)).unlink()

    work = feature_work(lake, catalog, catalog.feature_views[0], lambda d: day(3) <= d <= day(5))

    assert work == Work(table="features/spend", days=(day(3), day(4), day(5)))


def test_problems_of_the_drop_zone_are_named(lake: Lake, catalog: Catalog) -> None:
    (lake.root / "raw" / "payments").mkdir()
    (lake.root / "raw" / "orders" / "notes.pdf").write_text("hello")

    problems = look_at_intakes(lake, catalog).problems

    assert "raw/payments/: no source of that name is declared, its files are not read" in problems
    assert "raw/orders/notes.pdf: is of no format we read" in "; ".join(problems)
