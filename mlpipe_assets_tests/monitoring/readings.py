"""A small table to watch, written as interim partitions: readings with a level, a colour and an address nobody may see."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Monitor, Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.monitoring.building import build_monitoring
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.rules import columns, digest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day

SECRET = "someone@example.org"  # noqa: S105 (a personal value, to look for)
ROWS = 300


class Readings(Sourced):
    """Readings of a meter. Grain: reading_id."""

    reading_id: str = pa.Field(unique=True)
    level: float = pa.Field(nullable=True, metadata={"drift": 0.1, "unit": "m"})
    colour: str = pa.Field(metadata={"drift": 0.1, "examples": True})
    address: str = pa.Field(metadata={"personal": True, "drift": 0.1})
    remark: str = pa.Field(nullable=True)


class WiderReadings(Readings):
    """Readings of a meter that tells more. Grain: reading_id."""

    remark: str = pa.Field(nullable=True, metadata={"drift": 0.2})


def readings_catalog(contract: type[Readings] = Readings, **changes: object) -> Catalog:
    """Readings, watched in windows of two days with a baseline of four."""
    source = Source(name="readings", contract=contract, key=("reading_id",), event_time="known_at")
    declared = {"window": timedelta(days=2), "baseline": timedelta(days=4), "retrain_above": 0.5, **changes}
    monitor = Monitor(table="interim/readings", **declared)  # type: ignore[arg-type]
    return Catalog(sources=(source,), monitors=(monitor,))


def readings(number: int, *, shift: float = 0.0, red: float = 0.5, rows: int = ROWS) -> pl.DataFrame:
    """Readings of a day: levels around `shift` with a spread of 1, a share of them red; no other day has the same."""
    chance = np.random.default_rng(number)
    return pl.DataFrame(
        {
            "known_at": pl.Series([datetime(2026, 1, 1, tzinfo=UTC)] * rows, dtype=pl.Datetime("us", "UTC")),
            "delivery": pl.Series(["0" * 64] * rows, dtype=pl.String),
            "record_number": pl.Series(range(rows), dtype=pl.Int64),
            "reading_id": pl.Series([f"{number}-{i}" for i in range(rows)], dtype=pl.String),
            "level": pl.Series(chance.normal(shift, 1.0, rows), dtype=pl.Float64),
            "colour": pl.Series(np.where(chance.random(rows) < red, "red", "blue").tolist(), dtype=pl.String),
            "address": pl.Series([SECRET] * rows, dtype=pl.String),
            "remark": pl.Series([None] * rows, dtype=pl.String),
        }
    ).select([column.name for column in columns(Readings)])


def put(lake: Lake, catalog: Catalog, days: Mapping[int, pl.DataFrame]) -> None:
    """Write interim partitions as the interim stage does: facts in the footer, a fingerprint of the rows among them."""
    version = source_version(catalog.source("readings"))
    for number, frame in days.items():
        facts = {"fingerprint": digest(frame.to_dicts()), "code_version": version, "rows": frame.height}
        lake.commit(lake.stage(lake.path("interim", "readings", day(number)), frame, facts))


def readings_lake(root: Path, catalog: Catalog, days: Iterable[int]) -> Lake:
    """A lake with undisturbed readings of some days."""
    lake = Lake(data_dir=str(root))
    put(lake, catalog, {number: readings(number) for number in days})
    return lake


def measure(lake: Lake, catalog: Catalog, numbers: Sequence[int]) -> list[Outcome]:
    """Build monitoring of some days."""
    return build_monitoring(lake, DuckDBEngine(), catalog, catalog.monitors[0], [day(n) for n in numbers])


def drift_of(lake: Lake, number: int) -> pl.DataFrame:
    """What was stored of a day."""
    return lake.read("monitoring/drift", "interim.readings", day(number))


def verdicts(lake: Lake, number: int, comparison: str) -> dict[str, str]:
    """The verdict of the deciding measure of each column."""
    rows = drift_of(lake, number).filter(comparison=comparison, method="js_distance_above_noise")
    return dict(rows.select("column", "verdict").iter_rows())
