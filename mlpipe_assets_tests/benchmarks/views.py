"""Declared features beside the same features in SQL by hand, and what one new day costs with the totals of the day before.

`python -m mlpipe_assets_tests.benchmarks.views FOLDER WORKLOAD LONG REPEATS` brings two workloads into lakes below FOLDER,
measures, and prints seconds of processor as JSON: walls vary with whatever else the machine does. What is timed of a day is
its whole build: SQL, contract, proof and files. The rows of the written SQL are held to those of the SQL by hand.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.sources import SOURCES
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE, days_between
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.pipeline import drop_files
from mlpipe_assets_tests.benchmarks.report import Line, Measured, median_ratio, spell_seconds
from mlpipe_assets_tests.benchmarks.workload import Workload
from mlpipe_assets_tests.catalog.by_hand import BY_HAND
from mlpipe_assets_tests.catalog.declared import contract_for
from mlpipe_assets_tests.lake_copies import copy_lake

_MOST_TIMES = 1.05
_MOST_OF_A_DAY, _MOST_OF_EIGHT = 0.05, 0.08
_MOST_OF_A_LONG_WINDOW = 1.3
_LATE = timedelta(days=7)  # what a file corrects, at most

Sized = tuple[Workload, Path]


def measure_views(folder: Path, sized: Sized, long: Sized, repeats: int) -> Measured:
    """Both workloads, in a process of their own whose partitions begin with the longer one."""
    found = python(
        "-m",
        __spec__.name,
        f"{folder}",
        *(f"{written}" for _, written in (sized, long)),
        f"{repeats}",
        environment={"MLPIPE_START_DATE": f"{long[0].first}", "MLPIPE_MEMORY_LIMIT": ""},
    ).result
    workload = sized[0]
    days, eight = found["days"], found["eight"]
    size = f"{workload.orders:,} orders, {workload.customers:,} customers"
    hand = median_ratio(found["declared"], found["by_hand"])
    one_of, eight_of = (median_ratio(x, [days] * len(x)) for x in (found["one"], eight))
    longer = median_ratio(found["long"], found["short"])
    lines = (
        Line(
            name=f"features of {workload.days} days, {size}: the written SQL, and the SQL by hand (processor)",
            ours=spell_seconds(found["declared"]),
            yardstick=spell_seconds(found["by_hand"]),
            ratio=f"{hand:.2f}",
            target=f"≤ {_MOST_TIMES}x by hand",
            met=hand <= _MOST_TIMES,
        ),
        Line(
            name="- one new day of them, of all days (processor)",
            ours=spell_seconds(found["one"]),
            yardstick=spell_seconds([days]),
            ratio=f"{one_of:.3f}",
            target=f"≤ {_MOST_OF_A_DAY:.0%} of all days",
            met=one_of <= _MOST_OF_A_DAY,
        ),
        Line(
            name="- one new day with corrections of the seven before it (processor)",
            ours=spell_seconds(eight),
            yardstick=spell_seconds([days]),
            ratio=f"{eight_of:.3f}",
            target=f"≤ {_MOST_OF_EIGHT:.0%} of all days",
            met=eight_of <= _MOST_OF_EIGHT,
        ),
        Line(
            name=f"one new day, windows of up to 365 days and of up to 90 ({long[0].orders:,} orders, {long[0].days} days)",
            ours=spell_seconds(found["long"]),
            yardstick=spell_seconds(found["short"]),
            ratio=f"{longer:.2f}",
            target=f"≤ {_MOST_OF_A_LONG_WINDOW}x of 90 days",
            met=longer <= _MOST_OF_A_LONG_WINDOW,
        ),
    )
    return Measured(lines=lines, numbers={"views": found})


def long_view() -> FeatureView:
    """The built-in view with windows of a year instead of 90 days."""
    aggregates = tuple(
        replace(one, days=tuple(365 if n == 90 else n for n in one.days)) for one in customer_features.aggregates
    )
    view = replace(
        customer_features, name="long_features", aggregates=aggregates, inputs=(), lookback=timedelta(days=365)
    )
    return replace(view, contract=contract_for(view, SOURCES))


def bring_in(lake: Lake, written: Path, days: list[date]) -> None:
    """Take the files of some days, and build the interim days that they touch."""
    drop_files(written, lake.root, days)
    for source in SOURCES:
        before = set(lake.days("interim", source.name))
        ledger = Ledger.load(lake, source.name)
        ingest(lake, source, ledger)
        touched = [d for d in ledger.days() if d >= START_DATE and (d not in before or d >= days[0] - _LATE)]
        build_interim(lake, DuckDBEngine(), source, touched)


def processor_seconds(call: Callable[[], object]) -> float:
    """Seconds of processor, of all threads."""
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    """Measure from a shell; see the module."""
    folder, written, long, repeats = sys.argv[1:]
    found: dict[str, Any] = {**_range(Path(folder) / "range", Path(written), int(repeats))}
    found |= _long_windows(Path(folder) / "long", Path(long), int(repeats))
    print(json.dumps(found))


def _file_days(written: Path) -> list[date]:
    return sorted(date.fromisoformat(file.stem[-10:]) for file in (written / "raw" / "orders").glob("*.csv"))


def _range(folder: Path, written: Path, repeats: int) -> Mapping[str, Any]:
    """All days but the last, by both texts; then the last one, which corrects some before it."""
    *days, new = _file_days(written)
    lake = Lake(data_dir=f"{folder}")
    bring_in(lake, written, days)
    catalog = Catalog(sources=SOURCES, feature_views=(customer_features,))
    by_hand = Catalog(sources=SOURCES, feature_views=(BY_HAND,))
    seconds: dict[str, list[float]] = {"declared": [], "by_hand": []}
    rows: dict[str, list[int]] = {}

    def count(name: str, of: Catalog) -> None:
        rows[name] = _count(lake, of, days)

    for _ in range(repeats):
        for name, of in (("declared", catalog), ("by_hand", by_hand)):
            seconds[name].append(processor_seconds(partial(count, name, of)))
    if rows["declared"] != rows["by_hand"]:
        raise DisagreementError("the written SQL and the SQL by hand give days of other sizes")
    view, engine = customer_features, DuckDBEngine()
    whole = processor_seconds(lambda: build_features(lake, engine, catalog, view, days))
    bring_in(lake, written, [new])
    touched = days_between(new - _LATE, new)
    eight, one = [], []
    for _ in range(repeats):
        again = copy_lake(lake, folder.parent / "again")  # days that were built already are made in another way
        eight.append(processor_seconds(partial(build_features, again, engine, catalog, view, touched)))
        one.append(processor_seconds(partial(build_features, again, engine, catalog, view, [new])))
        shutil.rmtree(again.root)
    return {**seconds, "days": whole, "eight": eight, "one": one}


def _count(lake: Lake, catalog: Catalog, days: list[date]) -> list[int]:
    """Make the rows of some days; how many each has."""
    (view,) = catalog.feature_views
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    with DuckDBEngine().select_by_day(
        catalog.view_sql(view),
        inputs.tables(days[0], days[-1]),
        inputs.params(days[0], days[-1]),
        rows=inputs.rows(days[0], days[-1]),
        keys=view.entity.join_keys,
        days=len(days),
    ) as frames:
        return [0 if (frame := frames.day(day, view.entity.join_keys)) is None else frame.height for day in days]


def _long_windows(folder: Path, written: Path, repeats: int) -> Mapping[str, Any]:
    """The newest of more than 365 days, by both views; each begins with the totals of the day before."""
    days = _file_days(written)
    lake = Lake(data_dir=f"{folder}")
    bring_in(lake, written, days)
    views = {"short": customer_features, "long": long_view()}
    catalog = Catalog(sources=SOURCES, feature_views=tuple(views.values()))
    seconds: dict[str, list[float]] = {name: [] for name in views}
    for view in views.values():
        build_features(lake, DuckDBEngine(), catalog, view, days[-2:-1])
    for _ in range(repeats):
        for name, view in views.items():
            seconds[name].append(
                processor_seconds(partial(build_features, lake, DuckDBEngine(), catalog, view, days[-1:]))
            )
    return seconds


if __name__ == "__main__":
    main()
