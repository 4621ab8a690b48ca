"""Tags of a lake of a year: made, checked out after a late file, and ten of them over days of change."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets.tagging.making import make_tag
from mlpipe_assets_tests.benchmarks.report import Line, Measured
from mlpipe_assets_tests.frames import file_digests

_FIRST, _YEAR, _TAGS = date(2026, 1, 1), 365, 10
_MOST_SECONDS, _MOST_MORE = 1.0, 0.12
_NOW = datetime(2026, 12, 31, tzinfo=UTC)


def measure_tags(folder: Path, rows: int) -> Measured:
    """Three tables of a year, one with days that a late file rewrites.

    Args:
        folder: Where the lake is made.
        rows: Rows of a partition.
    """
    lake = Lake(data_dir=f"{folder / 'data'}")
    catalog = Catalog(sources=tuple(replace(orders, name=name) for name in ("orders", "returns", "visits")))
    days = [_FIRST + timedelta(days=n) for n in range(_YEAR)]
    for number, source in enumerate(catalog.sources):
        _publish(lake, source.name, days, rows, seed=number)
    partitions = _YEAR * len(catalog.sources)
    before = _blocks(lake.root)
    seconds = _processor(lambda: _tag(lake, catalog, "first"))
    written = sum(size for number, size in _blocks(lake.root).items() if number not in before)
    text = os.path.getsize(lake.root / "meta" / "tags" / "first.json")  # noqa: PTH202 (beside the walk below)

    digests = file_digests(lake.root, "interim")
    late = days[200:203]
    _publish(lake, "orders", late, rows, seed=99)
    touched: list[int] = []

    def go() -> None:
        touched.extend(len(one.touched) for one in check_out(lake, catalog, "first", tables=[], now=_NOW))

    back = _processor(go)
    same = file_digests(lake.root, "interim") == digests

    began = sum(before.values())
    for n in range(_TAGS - 1):  # one in a hundred partitions changes between two tags
        for number, source in enumerate(catalog.sources):
            changed = days[n * 4 : n * 4 + (4 if number else 3)]
            _publish(lake, source.name, changed, rows, seed=1000 + n)
        _tag(lake, catalog, f"day-{n}")
    list(collect(lake, time.time() + 7200, remove=True))
    more = sum(_blocks(lake.root).values()) / began - 1
    lines = (
        Line(
            name=f"a tag of {partitions:,} partitions of {rows:,} rows ({began / 1e6:,.0f} MB), processor time",
            ours=f"{seconds:.2f} s",
            target=f"≤ {_MOST_SECONDS:g} s",
            met=seconds <= _MOST_SECONDS,
        ),
        Line(
            name="- bytes it wrote, which are its text alone",
            ours=f"{written / 1e3:,.0f} kB",
            target="its text",
            met=written <= text + 4096,
        ),
        Line(
            name="a checkout after a late file that rewrote 3 days: days it touched, and whether every digest is as it was",
            ours=f"{sum(touched)}, {'yes' if same else 'no'}",
            target="3, yes",
            met=sum(touched) == len(late) and same,
        ),
        Line(name="- its processor time", ours=f"{back:.2f} s"),
        Line(
            name=f"{_TAGS} tags, between which 1 % of the partitions changed: disk more than without",
            ours=f"{more:.1%}",
            target=f"≤ {_MOST_MORE:.0%}",
            met=more <= _MOST_MORE,
        ),
    )
    numbers = {
        "seconds": seconds,
        "written": written,
        "text": text,
        "touched": sum(touched),
        "back": back,
        "more": more,
    }
    return Measured(lines=lines, numbers={"tags": {f"{rows}": numbers}})


def _tag(lake: Lake, catalog: Catalog, name: str) -> None:
    make_tag(lake, catalog, name, tables=[], message="", now=_NOW, root=lake.root)


def _publish(lake: Lake, name: str, days: Iterable[date], rows: int, *, seed: int) -> None:
    """Days of random numbers, which hardly get smaller when they are compressed."""
    draw = np.random.default_rng(seed)
    change = lake.change("interim", name)
    for day in days:
        frame = pl.DataFrame({"order_id": [f"{day}-{n}" for n in range(rows)], "amount": draw.random(rows)})
        change.put(lake.stage(lake.path("interim", name, day), frame, {"accepted": rows}))
    change.publish()


def _blocks(root: Path) -> dict[int, int]:
    """What each file takes of the disk, by its number: a file under two names is one."""
    found = (os.stat(Path(folder, name)) for folder, _, names in os.walk(root) for name in names)  # noqa: PTH116 (as os.walk)
    return {one.st_ino: one.st_blocks * 512 for one in found}


def _processor(call: Callable[[], object]) -> float:
    """Seconds of this process, user and system."""
    began = time.process_time()
    call()
    return time.process_time() - began
