"""Events that are kept and not processed: before the partitions, after today, or dated after they could be known."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.store.lake import Lake


def describe_outside(lake: Lake, source: Source) -> list[str]:
    """How many events of a source belong to no partition, with the file and line of one of each side."""
    ledger = Ledger.load(lake, source.name)
    days = ledger.events_by_day()
    last = last_partition()
    sides = (
        (f"before {START_DATE} (MLPIPE_START_DATE)", [day for day in days if day < START_DATE]),
        ("after today", [day for day in days if day > last]),
    )
    found = [(where, side, sum(days[day] for day in side)) for where, side in sides if side]
    lines = [f"{spell_count(count, 'event')} {where} (e.g. {_example(ledger, side)})" for where, side, count in found]
    kept = "is kept" if [count for *_, count in found] == [1] else "are kept"
    return [f"raw/{source.name}: {' and '.join(lines)} {kept}, not processed"] if lines else []


def describe_ahead(lake: Lake, source: Source) -> list[str]:
    """Which files hold events dated after they could be known; a file that was corrected since is not named."""
    ledger = Ledger.load(lake, source.name)
    files = [d for d in ledger.deliveries.values() if d.ahead and d.delivery not in ledger.corrected]
    if not files:
        return []
    ordered = sorted(files, key=lambda d: d.place)
    count = sum(sum(d.ahead.values()) for d in ordered)
    days = sorted({day for d in ordered for day in d.ahead})
    said, kept = ("event is dated after its", "it is") if count == 1 else ("events are dated after their", "they are")
    line = (
        f"raw/{source.name}: {count:,} {said} file was known, e.g. {_example(ledger, days)}; {kept} kept, not processed. "
        f"Files: {shorten([d.source_file for d in ordered], 5)}. Correct the dates and deliver the file under the same name, "
        f"or declare ahead_within on {source.name} if its events may lie ahead."
    )
    return [line]


def _example(ledger: Ledger, days: Sequence[date]) -> str:
    """File, line and day of one event of some days."""
    found = [(day, d) for d in ledger.deliveries.values() for day in days if day in d.events or day in d.ahead]
    day, delivery = min(found, key=lambda pair: (pair[1].delivery in ledger.corrected, pair[0], pair[1].source_file))
    return f"{delivery.source_file} line {_first_line(ledger, delivery, day)}, dated {day}"


def _first_line(ledger: Ledger, delivery: Delivery, day: date) -> str:
    path = ledger.event_path(delivery, day)
    if not path.exists():
        return "?"
    columns = ["record_number"]
    numbers = pl.read_parquet(path, columns=columns, hive_partitioning=False, glob=False).sort("record_number").head(1)
    return f"{numbers.item():,}"
