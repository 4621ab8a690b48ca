"""What `mlpipe verify` promises of a damaged file of each kind is what the next run does."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.automation.catch_up import Summary, catch_up
from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.settings import read_settings
from mlpipe_assets.verification import verify
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import day

pytestmark = pytest.mark.long

AGAIN = (  # glob of the file, the oldest of its kind; the next run makes it again
    "raw/_events/orders/date=*/*.parquet",
    "raw/_events/customers/date=*/*.parquet",
    "interim/orders/date=*/part.parquet",
    "interim/customers/date=*/part.parquet",
    "features/spend/date=*/part.parquet",
    "processed/returning/date=*/validation.parquet",
    "predictions/returning/date=*/part.parquet",
    "predictions/returning/date=*/part.csv",
    "validation/returning_golden/date=*/part.parquet",
    "monitoring/drift/interim.orders/date=*/part.parquet",
    "monitoring/profiles/interim.orders/date=*/profile.json",
    "monitoring/report.html",
    "monitoring/drift_summary.csv",
    "meta/monitoring_report.json",
)
A_PERSON = (
    "models/returning/*/model.skops",
    "models/returning/*/golden.parquet",
    "validation/golden/returning.parquet",
    "monitoring/reference/interim.orders.json",
    "meta/champions/returning.json",
    "meta/model_registry.parquet",
    "meta/feature_registry.parquet",
    "meta/dataset_splits.parquet",
)


class World:
    """A small lake with a champion, predictions and monitoring, and the runs that bring it up to date."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        catalog, self.lake, _ = crowned_lake(root)
        week, days = timedelta(days=3), timedelta(days=2)
        self.catalog: Catalog = replace(
            catalog, monitors=(Monitor(table="interim/orders", window=days, baseline=week),)
        )
        self._instance = instance

    def run(self) -> Summary:
        settings = replace(read_settings(), data_dir=self.lake.root)
        return catch_up(
            self.lake, self.catalog, lambda: (build_definitions(self.catalog, settings), self._instance), lambda _: True
        )

    def promised(self) -> dict[str, bool]:
        """Whether a run makes each file again that is wrong now."""
        return {wrong.path: wrong.again for wrong in verify(self.lake, self.catalog, None, lambda _: None).wrong}

    def find(self, pattern: str) -> Path:
        return min(self.lake.root.glob(pattern))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("promises")
    with dg.DagsterInstance.ephemeral(tempdir=str(root)) as instance:
        world = World(root, instance)
        world.run()
        assert world.promised() == {}
        shutil.copytree(world.lake.root, root / "sound")
        yield world


@pytest.fixture
def world(built: World) -> World:
    """The same lake as it was first built."""
    sound = built.lake.root.parent / "sound"
    shutil.rmtree(built.lake.root)
    shutil.copytree(sound, built.lake.root)
    return built


def flip(path: Path) -> None:
    """Change a byte in the middle, and keep size and time."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_what_is_promised_to_be_made_again_is_made_again(world: World) -> None:
    files = [world.find(pattern) for pattern in AGAIN]
    for path in files:
        flip(path)
    names = {str(path.relative_to(world.lake.root)) for path in files}
    assert world.promised() == dict.fromkeys(names, True)

    world.run()

    assert world.promised() == {}


def test_what_needs_a_person_is_not_promised_and_stays_for_one(world: World) -> None:
    files = [world.find(pattern) for pattern in A_PERSON]
    for path in files:
        flip(path)
    names = {str(path.relative_to(world.lake.root)) for path in files}
    assert world.promised() == dict.fromkeys(names, False)

    world.run()

    assert world.promised() == dict.fromkeys(names, False)


def test_what_is_built_from_lost_events_is_not_promised(world: World) -> None:
    world.find("raw/orders/*.csv").unlink()
    flip(world.find(f"raw/_events/orders/date={day(2)}/*"))
    hindered = [world.lake.path("interim", "orders", day(2)), world.lake.path("features", "spend", day(4))]
    others = [world.lake.path("features", "spend", day(5)), world.lake.path("predictions", "returning", day(5))]
    for path in (*hindered, *others):
        flip(path)
    lost = world.find(f"raw/_events/orders/date={day(2)}/*")
    names = {path: str(path.relative_to(world.lake.root)) for path in (lost, *hindered, *others)}

    promised = world.promised()
    world.run()

    assert promised == {name: path in others for path, name in names.items()}
    assert world.promised() == {names[path]: False for path in (lost, *hindered)}
