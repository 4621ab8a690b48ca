"""A lake of two days of orders, whose catalog is built in, and what it says of its tables."""

from pathlib import Path

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, LENIENT, build, drop, order, orders_csv, take


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three orders of January 5th, of which one costs nothing that is allowed, and one of January 6th."""
    found = Lake(data_dir=f"{tmp_path_factory.mktemp('lake') / 'data'}")
    drop(found, "orders_2026-01-05.csv", orders_csv(order("o1"), order("o2"), order("o3", amount="-1.00")))
    drop(found, "orders_2026-01-06.csv", orders_csv(order("o4", "2026-01-06T09:00:00Z")))
    take(found)
    build(found, [JAN_5, JAN_6], LENIENT)
    return found


@pytest.fixture(scope="module")
def entries(two_days: Lake) -> dict[str, Entry]:
    """What the catalog says of each table."""
    return {entry.name: entry for entry in describe(two_days, CATALOG)}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a site or an export goes."""
    return tmp_path / "out"
