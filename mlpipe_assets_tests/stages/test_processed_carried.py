"""A training set takes over rows of the set before: the same bytes as when all of it is made, for less work."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import OnlyKeys, Slice
from mlpipe_assets.engines.read_back import DayFrames
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS
from mlpipe_assets_tests.frames import build_training_set, flip
from mlpipe_assets_tests.planted import (
    RETURNING_SQL,
    Order,
    bring_in,
    day,
    drop_orders,
    one_a_day,
    planted_catalog,
    planted_lake,
)

LAST = 16
ORDERS: list[Order] = [*one_a_day(1, LAST), *one_a_day(1, 1, ("bob",)), *one_a_day(13, 13, ("bob",))]


@dataclass(frozen=True)
class CountingEngine(DuckDBEngine):
    """The engine, with the days that it was asked to make rows of."""

    asked: list[list[date]] = field(default_factory=list)

    def select_by_day(
        self,
        sql: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        *,
        rows: int,
        keys: Sequence[str],
        days: int,
        moments: bool = False,
        only: OnlyKeys | None = None,
    ) -> DayFrames:
        """The rows of a select by day."""
        self.asked.append([date.fromisoformat(Path(f"{path}").parent.name[-10:]) for path in tables["features"]])
        return super().select_by_day(sql, tables, params, rows=rows, keys=keys, days=days, moments=moments, only=only)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders and their features."""
    folder = tmp_path_factory.mktemp("described")
    catalog = planted_catalog(folder / "sql")
    lake = planted_lake(folder / "data", catalog, ORDERS)
    describe(catalog, lake)
    return lake.root


def lake_of(described: Path, tmp_path: Path, sql: str = RETURNING_SQL) -> tuple[Catalog, Lake]:
    """A copy of the lake, and a catalog whose training set is made by that SQL."""
    shutil.copytree(described, tmp_path / "data")
    return planted_catalog(tmp_path / "sql", returning_sql=sql), Lake(data_dir=f"{tmp_path / 'data'}")


def describe(catalog: Catalog, lake: Lake) -> None:
    """Build all features there are rows for."""
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(LAST)))


def bring_late(catalog: Catalog, lake: Lake) -> None:
    """An order of the 9th comes late: features of the 9th to the 11th change, and the label of the 7th and the 8th."""
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "bob", day(9), "1.00", "web")])
    bring_in(lake, catalog)
    describe(catalog, lake)


def build(catalog: Catalog, lake: Lake, as_of: int) -> list[list[date]]:
    """Make the training set as of a day; the days that rows were made of, by pass."""
    engine = CountingEngine()
    outcome, checks = build_training_set(lake, engine, catalog, catalog.models[0], day(as_of))
    assert outcome.written, outcome
    assert [c.check_name for c in checks if not c.passed and not c.warns] == []
    return engine.asked


def bytes_of(lake: Lake, as_of: int) -> list[bytes]:
    """The files of the three splits."""
    return [lake.path("processed", "returning", day(as_of), f"{name}.parquet").read_bytes() for name in SPLITS]


def bytes_from_nothing(catalog: Catalog, lake: Lake, as_of: int) -> list[bytes]:
    """The same files, made when there is no set before."""
    shutil.rmtree(lake.folder("processed", "returning"))
    (made,) = build(catalog, lake, as_of)
    assert len(made) >= 11
    return bytes_of(lake, as_of)


@pytest.mark.long
def test_after_a_late_row_only_the_days_that_it_touches_are_made_and_one_as_a_witness(
    described: Path, tmp_path: Path
) -> None:
    catalog, lake = lake_of(described, tmp_path)
    first = build(catalog, lake, 15)
    bring_late(catalog, lake)

    again = build(catalog, lake, 15)

    assert first == [[*map(day, [1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13])]]  # the 8th and the 11th are between two splits
    assert again == [[*map(day, [6, 7, 9, 10])]]  # the 6th is the witness
    carried = bytes_of(lake, 15)
    assert carried == bytes_from_nothing(catalog, lake, 15)


@pytest.mark.long
def test_the_set_of_the_next_day_makes_its_new_day_and_the_days_that_were_in_no_split(
    described: Path, tmp_path: Path
) -> None:
    catalog, lake = lake_of(described, tmp_path)
    build(catalog, lake, 15)
    before = bytes_of(lake, 15)

    made = build(catalog, lake, 16)

    assert made == [[*map(day, [7, 8, 11, 14])]]
    assert bytes_of(lake, 15) == before
    carried = bytes_of(lake, 16)
    assert carried == bytes_from_nothing(catalog, lake, 16)


FIRST_DAYS = "(select customer_id, min(date) as own from features group by customer_id)"
NUMBERED = "(select distinct customer_id, min(date) over (partition by customer_id) as own from features)"


@pytest.mark.long
@pytest.mark.parametrize(
    ("own", "passes"), [(FIRST_DAYS, 2), (NUMBERED, 1)], ids=["seen by its witness", "seen by its text"]
)
def test_a_set_that_drops_rows_for_those_of_other_days_is_made_whole(
    own: str, passes: int, described: Path, tmp_path: Path
) -> None:
    text = RETURNING_SQL.replace(
        "order by", f"inner join {own} as e on f.customer_id = e.customer_id and f.date < e.own + 5 order by"
    )
    catalog, lake = lake_of(described, tmp_path, text)
    build(catalog, lake, 15)
    bring_late(catalog, lake)

    again = build(catalog, lake, 15)

    assert ([*map(len, again)], [*map(len, again)][-1]) == ([4, 11][2 - passes :], 11)
    carried = bytes_of(lake, 15)
    assert carried == bytes_from_nothing(catalog, lake, 15)


def test_nothing_is_taken_from_a_damaged_set(described: Path, tmp_path: Path) -> None:
    catalog, lake = lake_of(described, tmp_path)
    build(catalog, lake, 15)
    before = bytes_of(lake, 15)
    flip(lake.path("processed", "returning", day(15), "train.parquet"))

    made = build(catalog, lake, 15)

    assert [len(days) for days in made] == [11]
    assert bytes_of(lake, 15) == before
