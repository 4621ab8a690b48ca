"""A lake of one source and one view of a few days, whose partitions tests write themselves, and its catalog."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.making import Made, make_tag

Said = Callable[..., str]  # what a command prints, or complains of, when it ends with a code
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CATALOG = Catalog(sources=(orders, replace(orders, name="returns")))


def publish(lake: Lake, values: Mapping[date, int], *, name: str = "orders", gone: Sequence[date] = ()) -> None:
    """Days of an interim table that hold one value each, visible together."""
    change = lake.change("interim", name)
    for day, value in values.items():
        frame = pl.DataFrame({"order_id": [f"o{day.day}"], "amount": [value]})
        change.put(lake.stage(lake.path("interim", name, day), frame, {"accepted": 1, "inputs": f"{value}"}))
    for day in gone:
        change.remove(day)
    change.publish()


def held(lake: Lake, name: str = "orders") -> dict[date, int]:
    """The value of each day, as whoever goes by the manifest reads it."""
    state = lake.state("interim", name)
    return {day: state.read(day)["amount"].item() for day in state.days()}


def shown(lake: Lake, name: str = "orders") -> dict[date, int]:
    """The same by the folders of days, as any other tool reads them."""
    paths = sorted(lake.folder("interim", name).glob("date=*/part.parquet"))
    frames = {path: pl.read_parquet(path, hive_partitioning=False) for path in paths}
    return {day: f["amount"].item() for path, f in frames.items() if (day := keys.read_day(path.parent.name))}


def tag(lake: Lake, name: str, *tables: str, message: str = "") -> Made:
    return make_tag(lake, CATALOG, name, tables=tables, message=message, now=NOON, root=lake.root)


def contents(lake: Lake) -> set[str]:
    """Every content there is, below the folder of contents."""
    return {f"{path.relative_to(lake.root / keys.CONTENTS)}" for path in (lake.root / keys.CONTENTS).rglob("*.parquet")}


def written_blocks(root: Path) -> dict[int, int]:
    """The size of each file below a folder by its number: a file under two names is one."""
    return {path.stat().st_ino: path.stat().st_size for path in root.rglob("*") if path.is_file()}


@contextmanager
def hours_later(hours: float) -> Iterator[None]:
    """A clock that is ahead: contents that were replaced before are kept for nobody any more."""
    import time

    real = time.time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + hours * 3600)
        yield
