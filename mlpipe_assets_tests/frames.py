"""Small files, the frames they become, and runs over them, for tests to share."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model, Source, Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.stages.daily import DAILY
from mlpipe_assets.stages.interim.asset import build_interim, interim_asset
from mlpipe_assets.stages.processed.asset import build_training_sets
from mlpipe_assets.stages.raw.asset import raw_asset
from mlpipe_assets.stages.raw.taking import Ingested, ingest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

JAN_5, JAN_6, JAN_7, JAN_8 = (date(2026, 1, day) for day in (5, 6, 7, 8))
HEADER = "order_id,customer_id,order_ts,amount,quantity,product_id,channel,region"
ENGINE = DuckDBEngine(memory_limit="400MB")
STRICT = replace(orders, tolerance=Tolerance(share=0.0))  # one refused row is one too many
LENIENT = replace(orders, tolerance=Tolerance(share=0.0, rows=1))
_REFUSED = {"event_date": pl.Date, "source_file": pl.String, "record_number": pl.Int64, "reasons": pl.String}


def order(
    order_id: str = "o1",
    ts: str = "2026-01-05T10:00:00Z",
    amount: str = "10.00",
    quantity: str = "1",
    channel: str = "web",
) -> str:
    """One line of an orders file."""
    return f"{order_id},c1,{ts},{amount},{quantity},P00001,{channel},north"


def orders_csv(*lines: str, header: str = HEADER) -> str:
    """An orders file."""
    return "".join(f"{line}\n" for line in (header, *lines))


def drop(
    lake: Lake, name: str, content: str | bytes, *, source: str = "orders", modified: datetime | None = None
) -> Path:
    """Put a file into the drop zone, last touched at noon of 2026-02-01 unless told otherwise."""
    path = lake.root / "raw" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    moment = (modified or datetime(2026, 2, 1, 12, tzinfo=UTC)).timestamp()
    os.utime(path, (moment, moment))
    return path


def take(lake: Lake, source: Source = orders) -> Ingested:
    """Ingest what lies in the drop zone, without Dagster."""
    with lake.writing("raw", source.name):
        return ingest(lake, source, Ledger.load(lake, source.name))


def build(lake: Lake, days: Sequence[date], source: Source = orders) -> list[Outcome]:
    """Build interim days, without Dagster."""
    with lake.writing("interim", source.name):
        return build_interim(lake, ENGINE, source, days)


def counts(received: int, accepted: int, duplicates: int = 0, quarantined: int = 0) -> dict[str, int]:
    """The accounting of a day."""
    return {"received": received, "accepted": accepted, "duplicates": duplicates, "quarantined": quarantined}


def order_ids(lake: Lake, day: date, source: str = "orders") -> list[str]:
    """Keys of a written day of orders, in the order stored."""
    return lake.read("interim", source, day)["order_id"].to_list()


def events(lake: Lake, source: str = "orders") -> pl.DataFrame:
    """Every event of a source, by day, file and record."""
    ledger = Ledger.load(lake, source)
    paths = [path for d in ledger.deliveries.values() for path in ledger.event_paths(d)]
    frame = pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in paths])
    return frame.sort("event_date", "source_file", "record_number")


def quarantined(lake: Lake, source: str = "orders") -> pl.DataFrame:
    """Every refused row of a source: where it came from, under which day it is kept, and why it was refused."""
    paths = sorted((lake.root / "validation" / "quarantine" / source).glob("date=*/*.parquet"))
    parts = [pl.read_parquet(path, hive_partitioning=False).select(list(_REFUSED)) for path in paths]
    return pl.concat([pl.DataFrame(schema=_REFUSED), *parts]).sort("event_date", "source_file", "record_number")


def refusals(*rows: tuple[date, str, int, str]) -> pl.DataFrame:
    """The expected quarantine."""
    return pl.DataFrame(rows, schema=_REFUSED, orient="row")


def file_digests(root: Path, *below: str) -> dict[str, str]:
    """SHA-256 of every file below folders of the lake, by path.

    Manifests and locks are left out: each write of one has a number of its own, and what manifests say is in the files.
    """
    there = (path for folder in below for path in (root / folder).rglob("*") if path.is_file())
    paths = sorted(path for path in there if not path.is_relative_to(root / keys.TABLES) and "locks" not in path.parts)
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a Dagster run of raw, interim and something downstream came to."""

    result: dg.ExecuteInProcessResult
    report: dict[str, Any]
    checks: dict[str, dg.AssetCheckEvaluation]
    materialized: dict[str, list[str]]
    observed: dict[str, dict[str, object]]
    failure: dg.Failure | None


def materialize(lake: Lake, first: date, last: date | None = None, *, source: Source = orders) -> Run:
    """Run raw and interim of a source, and an asset downstream of them, over a range of days."""

    @dg.asset(
        key=["downstream", source.name],
        deps=[["interim", source.name]],
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def downstream() -> None: ...

    span = {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last or first}"}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [raw_asset(source), interim_asset(source), downstream],
            instance=instance,
            resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": ENGINE, "executor": THREADS},
            tags=span,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    materialized: dict[str, list[str]] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            materialized.setdefault(made.asset_key.to_user_string(), []).append(made.partition or "")
    observed: dict[str, dict[str, object]] = {}
    for event in result.all_events:
        if event.event_type_value == dg.DagsterEventType.ASSET_OBSERVATION.value:
            seen = event.asset_observation_data.asset_observation
            why = seen.metadata["not_written_because"].value
            observed.setdefault(seen.asset_key.to_user_string(), {})[seen.partition or ""] = why
    failures = [e.step_failure_data.user_failure_data for e in result.all_events if e.is_step_failure]
    told = next((f for f in failures if f), None)
    return Run(
        result=result,
        report=json.loads((lake.root / "validation" / "reports" / f"{result.run_id}.json").read_text(encoding="utf-8")),
        checks={f"{c.asset_key.to_user_string()}:{c.check_name}": c for c in result.get_asset_check_evaluations()},
        materialized={table: sorted(days) for table, days in materialized.items()},
        observed=observed,
        failure=dg.Failure(description=told.description, metadata=told.metadata) if told else None,
    )


def days_from(first: date, offsets: Iterable[int]) -> list[date]:
    """Days counted from the first."""
    return [first + timedelta(days=offset) for offset in offsets]


def refuse(lake: Lake, stage: str, name: str, day: date, *, problem: str, inputs: str, **more: object) -> None:
    """Put on record that a day was refused."""
    change = lake.change(stage, name)
    change.refuse(day, problem=problem, inputs=inputs, **more)
    change.publish()


def clear(lake: Lake, stage: str, name: str, day: date) -> None:
    """Take a refusal back."""
    change = lake.change(stage, name)
    change.clear(day)
    change.publish()


def build_training_set(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, as_of: date
) -> tuple[Outcome, list[CheckResult]]:
    """The training set of one day."""
    (outcome,), checks = build_training_sets(lake, engine, catalog, model, [as_of])
    return outcome, checks


def flip(path: Path) -> None:
    """Eight bytes of a data page turned over, size and time as before."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    for place in range(20, 28):
        content[place] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
