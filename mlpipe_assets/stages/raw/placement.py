"""A delivery's records to event files, each row under its day: when its file is read, and whenever what places rows changed."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import placement_version
from mlpipe_assets.errors import LakeError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.intake import Intake, Pending
from mlpipe_assets.intake.known_at import arrival_day
from mlpipe_assets.intake.states import snapshot_days
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.readers.blocks import MALFORMED_SCHEMA, Block
from mlpipe_assets.rules import digest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.transforms.arrival import NO_COLUMN, NO_TIME, UNREAD_TIME, arrive
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, decode, decode_flat

_SPILL_BYTES = 96 << 20
_ROWS_AT_ONCE = 1 << 18
_A_YEAR = timedelta(days=366)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
# Of lakes before the causes were told apart: one text for the last two.
_WITHOUT_DAY = re.compile(f": ({NO_COLUMN}|{NO_TIME}|{UNREAD_TIME}|{NO_TIME} or {UNREAD_TIME})$")


def located(source: Source, delivery: Delivery) -> Delivery:
    """A delivery with the day it arrived, and the digest of all that places its rows in time.

    A snapshot is of the day its record says, its refused rows too.
    """
    facts = [placement_version(source)]
    if not is_snapshot(source):
        delivery = replace(delivery, arrived=_arrival_day(delivery))
        facts += [f"{delivery.arrived}", f"{_last_day_known(source, delivery)}"]
    return replace(delivery, placement=digest(facts)[:8])


def find_misplaced(source: Source, ledger: Ledger) -> list[Delivery]:
    """Deliveries whose rows were placed in time by other rules than the declaration's, as they are to be placed."""
    wanted = list(ledger.deliveries.values())
    if is_snapshot(source):
        days = snapshot_days(sorted(wanted, key=lambda d: ledger.order[d.delivery]))
        wanted = [d if d.copy_of else _of_day(d, days[d.delivery]) for d in wanted]
    wanted = [located(source, delivery) for delivery in wanted]
    return [d for d in wanted if _placed(d) != _placed(ledger.deliveries[d.delivery])]


def _of_day(delivery: Delivery, day: date) -> Delivery:
    return replace(delivery, arrived=day, backdated=day < delivery.known_at.date())


def _placed(delivery: Delivery) -> tuple[str, date]:
    return delivery.placement, delivery.arrived


def read_delivery(
    lake: Lake, source: Source, intake: Intake, pending: Pending, delivery: Delivery, staged: list[Staged]
) -> Delivery:
    """Read what its intake has of a delivery into staged event files, one a day; they are not visible yet."""
    columns: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    tabular = True

    def blocks() -> Iterator[Block]:
        nonlocal columns, left_out, tabular
        for block in intake.open(pending):
            tabular = tabular and block.text is not None
            columns = columns or (tuple(block.text.columns) if block.text is not None else ())
            left_out += block.notes
            yield block

    read = _place(lake, source, delivery, blocks(), staged)
    return replace(read, columns=columns if tabular else (), left_out=left_out)


def place_rows(lake: Lake, source: Source, ledger: Ledger, delivery: Delivery, held: Delivery) -> Delivery:
    """Place the rows that a delivery on record holds as those of `delivery`, as its file would be placed if it came now.

    The record switches once the new files are there; a run killed in between leaves the state before, or this one.
    """
    ledger.begin(delivery.delivery)
    staged: list[Staged] = []
    try:
        placed = _place(lake, source, delivery, _stored_blocks(source, ledger, held), staged, again=True)
    except BaseException:
        lake.discard(*staged)
        raise
    ledger.complete(placed, staged, restated=True)
    return placed


def _place(
    lake: Lake,
    source: Source,
    delivery: Delivery,
    blocks: Iterator[Block],
    staged: list[Staged],
    *,
    again: bool = False,
) -> Delivery:
    """Stage the events of some blocks, one file a day, and a file of the rows refused; `again` when blocks are out of order."""
    with Spill() as spill:
        for block in blocks:
            events, refused = arrive(
                block,
                source,
                delivery=delivery.delivery,
                source_file=delivery.source_file,
                known_at=delivery.known_at,
                snapshot_day=delivery.arrived,
                arrived=delivery.arrived,
            )
            spill.add(events, refused)
        for day, frame in spill.days():
            ordered = frame.sort("record_number") if again else frame
            staged.append(_stage(lake, lake.root / keys.events(source.name, day, delivery.stem), ordered))
        if spill.refused:
            rows = pl.concat(spill.refused).sort("record_number")
            target = lake.root / keys.refused_on_arrival(source.name, delivery.arrived, delivery.stem)
            staged.append(lake.stage(target, rows, {}))
        last = _last_day_known(source, delivery)
        counts = dict(sorted(spill.counts.items()))
        return replace(
            delivery,
            events={day: count for day, count in counts.items() if day <= last},
            ahead={day: count for day, count in counts.items() if day > last},
            quarantined=sum(frame.height for frame in spill.refused),
        )


def _stored_blocks(source: Source, ledger: Ledger, delivery: Delivery) -> Iterator[Block]:
    """The records of a delivery on record as its file had them, and the lines no reader could read beside them."""
    no_lines = pl.DataFrame(schema=MALFORMED_SCHEMA)
    kept = ["record_number", "payload"]
    lake_files = ledger.lake.check(ledger.event_paths(delivery))
    files = [partial(pl.read_parquet, path, columns=kept, hive_partitioning=False, glob=False) for path in lake_files]
    if delivery.quarantined:
        refused = pl.read_parquet(
            ledger.lake.check([ledger.refused_path(delivery)])[0], hive_partitioning=False, glob=False
        )
        without_day = pl.col("reasons").str.contains(_WITHOUT_DAY.pattern)
        lines = refused.filter(~without_day).rename({"reasons": "reason"}).select(list(MALFORMED_SCHEMA))
        yield Block(records=refused.select(kept).clear(), text=None, malformed=lines)
        files.append(partial(refused.filter(without_day).select, kept))
    for read in files:
        for part in read().iter_slices(_ROWS_AT_ONCE):
            yield Block(records=part, text=_text(source, delivery, part["payload"]), malformed=no_lines)


def _text(source: Source, delivery: Delivery, payload: pl.Series) -> pl.DataFrame | None:
    """The columns that place a row; None for rows that name their own."""
    if not delivery.columns:
        return None
    needed = [name for name in delivery.columns if source.prepare is not None or name == source.event_time]
    if not needed:
        return pl.DataFrame(height=payload.len())
    flat = decode_flat(payload, delivery.columns, needed)
    return flat if flat is not None else decode(payload, needed)


def _arrival_day(delivery: Delivery) -> date:
    """The day a file arrived, moved into the partitions: rows refused on arrival count somewhere, whatever its name says."""
    day, last = arrival_day(delivery.known_at), last_partition()
    if day > last:  # a name of next year: the file's modification time, or the day it was first seen
        modified = date(1970, 1, 1) + timedelta(days=delivery.modified_ns // 86_400_000_000_000)
        day = min(modified, delivery.arrived if delivery.placement else last, last)
    return max(day, START_DATE)


def _last_day_known(source: Source, delivery: Delivery) -> date:
    """The last day an event of a delivery can be of: it cannot have been known before it happened.

    A file said to be known long before the partitions begin carries a time that says nothing, as archives and images write.
    """
    if source.event_time is None or arrival_day(delivery.known_at) < START_DATE - _A_YEAR:
        return date.max
    return arrival_day(min(delivery.known_at, _LATEST - source.ahead_within) + source.ahead_within)


def _stage(lake: Lake, target: Path, frame: pl.DataFrame | pl.LazyFrame) -> Staged:
    if isinstance(frame, pl.DataFrame):
        return lake.stage(target, frame, {})
    return lake.stage_with(target, lambda path: frame.sink_parquet(path, compression="zstd", compression_level=1))


class Spill:
    """Events by day, in memory while they are few and on disk when a file is large."""

    def __init__(self) -> None:
        self.counts: dict[date, int] = {}
        self.refused: list[pl.DataFrame] = []
        self._held: dict[date, list[pl.DataFrame]] = {}
        self._bytes = 0
        self._folder: Path | None = None
        self._chunk = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, events: pl.DataFrame, refused: pl.DataFrame) -> None:
        """Take one block."""
        if refused.height:
            self.refused.append(refused.select(list(QUARANTINE_SCHEMA)))
        if not events.height:
            return
        alike = events["event_date"].min() == events["event_date"].max()
        for part in [events] if alike else events.partition_by("event_date", maintain_order=True):
            day = part["event_date"][0]
            self.counts[day] = self.counts.get(day, 0) + part.height
            self._held.setdefault(day, []).append(part)
        self._bytes += int(events.estimated_size())
        if self._bytes > _SPILL_BYTES:
            self._to_disk()

    def days(self) -> Iterator[tuple[date, pl.DataFrame | pl.LazyFrame]]:
        """Each day's events in the order received."""
        if self._folder is None:
            for day in sorted(self._held):
                yield day, pl.concat(self._held[day])
            return
        self._to_disk()
        for day in sorted(self.counts):
            yield day, pl.scan_parquet(sorted((self._folder / f"{day}").glob("*.parquet")), glob=False)

    def _to_disk(self) -> None:
        try:
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="mlpipe-ingest-"))
            for day, parts in self._held.items():
                (self._folder / f"{day}").mkdir(exist_ok=True)
                pl.concat(parts).write_parquet(self._folder / f"{day}" / f"{self._chunk:06}.parquet", compression="lz4")
        except (OSError, pl.exceptions.PolarsError) as error:
            place = self._folder or tempfile.gettempdir()
            raise LakeError(
                f"Cannot put events aside in {place}: {error}. Free some space there, or point TMPDIR elsewhere."
            ) from error
        self._held, self._bytes, self._chunk = {}, 0, self._chunk + 1
