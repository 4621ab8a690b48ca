"""A small lake with everything that work on partitions meets, built by any executor, and its files to compare."""

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.catalog.declarations import Tolerance
from mlpipe_assets.engines.bucket_engine import BucketEngine
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.executors.executor import Executor
from mlpipe_assets.executors.registry import open_executor
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.monitoring.building import build_monitoring
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.monitoring.plan import monitor_work
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import ENGINE, JAN_5, drop, order, orders_csv

DAYS = 10
_ROWS_A_BUCKET = 60
_LENIENT = Tolerance(share=0.5, rows=10)
SOURCES = tuple(replace(s, tolerance=_LENIENT) if s.name == "orders" else s for s in BUILT_IN.sources[:2])
CATALOG = replace(
    BUILT_IN,
    sources=SOURCES,
    feature_views=tuple(view for view in BUILT_IN.feature_views if view.name == "customer_features"),
    models=(),
    monitors=tuple(
        replace(m, retrains=(), window=timedelta(days=2), baseline=timedelta(days=4))
        for m in BUILT_IN.monitors
        if m.table == "interim/orders"
    ),
)


def deliver(lake: Lake) -> None:
    """Orders of ten days: with duplicates, rows refused, a file corrected, orders sent again days later, one file nobody can read."""
    for number in range(DAYS):
        day = JAN_5 + timedelta(days=number)
        lines = [order(f"o{number}-{n}", f"{day}T{n:02}:00:00Z", f"{10 + n}.50") for n in range(20)]
        lines += [lines[3], order(f"o{number}-x", f"{day}T09:00:00Z", "-1.00")]
        if number >= 2:  # of another day: the later delivery wins, and the row before leaves its day
            lines.append(order(f"o{number - 2}-1", f"{day}T23:00:00Z", "99.00"))
        arrived = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
        drop(lake, f"orders_{day}.csv", orders_csv(*lines), modified=arrived)
    drop(lake, "orders_2026-01-09.csv.gz", b"no gzip at all", modified=datetime(2026, 1, 9, 23, tzinfo=UTC))
    customers = "customer_id,email,age,region,signup_date\n"
    for name, ages in (("2026-01-05", (30, 40)), ("2026-01-12", (31, 41))):
        rows = [f"c{n},c{n}@example.org,{age},north,2025-01-0{n}\n" for n, age in enumerate(ages, start=1)]
        drop(lake, f"customers_{name}.csv", customers + "".join(rows), source="customers")


def correct(lake: Lake) -> None:
    """The file of the third day again, under its name: one amount is another, and one order is of the day after."""
    day = JAN_5 + timedelta(days=2)
    lines = [order(f"o2-{n}", f"{day}T{n:02}:00:00Z", "77.00") for n in range(19)]
    lines.append(order("o2-19", f"{day + timedelta(days=1)}T01:00:00Z", "77.00"))
    drop(lake, f"orders_{day}.csv", orders_csv(*lines), modified=datetime(2026, 1, 29, 23, tzinfo=UTC))


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a run over the lake found."""

    problems: tuple[str, ...]
    days: tuple[tuple[object, ...], ...]


def bring_up_to_date(lake: Lake, executor: Executor, other: Engine | None = None) -> Built:
    """Read what came, build interim and features, measure drift."""
    engine = other or ENGINE
    if not other and not executor.is_here:  # with parts of a few rows
        engine = BucketEngine(
            memory_limit="400MB", executor=executor, aside=lake.root / keys.ASIDE, rows_a_bucket=_ROWS_A_BUCKET
        )
    problems: list[str] = []
    days_made: list[tuple[object, ...]] = []
    for source in SOURCES:
        with lake.writing("raw", source.name):
            found = ingest(lake, source, Ledger.load(lake, source.name), executor)
            problems += [f"{p.name}: {p.reason}" for p in found.problems]
    for source in SOURCES:
        with lake.writing("interim", source.name):
            days = interim_work(lake, source, lambda _: True).days
            days_made += [
                (o.day, o.counts, o.refused, o.missing, o.breaches, o.remarks, o.facts)
                for o in build_interim(lake, engine, source, days, executor)
            ]
    for view in CATALOG.feature_views:
        with lake.writing("features", view.name):
            days = feature_work(lake, CATALOG, view, lambda _: True).days
            outcomes, proof = build_features(lake, engine, CATALOG, view, days)
            days_made += [(o.day, o.counts, o.refused, o.missing, o.facts) for o in outcomes]
            problems += [] if proof.passed else [proof.description]
    for monitor in CATALOG.monitors:
        with lake.writing("monitoring", monitor.table.partition("/")[2]):
            days = monitor_work(lake, CATALOG, monitor, lambda _: True).days
            build_monitoring(lake, engine, CATALOG, monitor, days, executor)
    return Built(problems=tuple(problems), days=tuple(days_made))


def paths_of(lake: Lake) -> list[Path]:
    """Every file with rows or counts, below the folder of the lake."""
    found = [path for path in lake.root.rglob("*") if path.is_file() and path.suffix in (".parquet", ".json")]
    return sorted(path for one in found if not _of_moments(path := one.relative_to(lake.root)))


def files_of(lake: Lake) -> dict[str, bytes]:
    """What is in each of them, by its path."""
    return {f"{path}": (lake.root / path).read_bytes() for path in paths_of(lake)}


def _of_moments(path: Path) -> bool:
    """Whether a file says when it was written, or by which run: manifests and ledgers, reports, the line of snapshots."""
    return path.parts[0] in ("meta", "online") or path.parts[:2] == ("validation", "reports")


if __name__ == "__main__":  # a process to be killed
    bring_up_to_date(Lake(data_dir=sys.argv[1]), open_executor(sys.argv[2]))
