"""What the lake holds, partition by partition, read off ledgers and manifests."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import LakeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.counts import count_by_day
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import ONE_DAY, START_DATE, last_partition
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.lake import Lake

_COUNTS = ("received", "accepted", "duplicates", "quarantined", "not_processed", "rows")
_FRAME = {
    "table": pl.String,
    "date": pl.Date,
    **dict.fromkeys(_COUNTS, pl.Int64),
    "as_of": pl.String,
    "note": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One partition of one table. Counts that a stage does not have are None.

    Rows received = accepted + duplicates + quarantined + not_processed. A day of raw whose rows are all kept and not processed is
    listed too, though it is no partition: it has no `rows`.

    Attributes:
        rows: Those that the next stage reads.
        not_processed: Kept as events, and left out: outside the partitions, or dated after their file was known.
    """

    table: str
    date: date
    received: int | None = None
    accepted: int | None = None
    duplicates: int | None = None
    quarantined: int | None = None
    not_processed: int | None = None
    rows: int | None = None
    digest: str | None = None
    as_of: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One delivery: when its rows were known, and why.

    Attributes:
        known_by: `date in the name` or `modification time`; None in records of an earlier version.
        note: What may surprise about that, in words.
        copy_of: The file whose state it repeats, so that it brings no rows.
        left_out: What of the file was not read, such as sheets of a workbook.
    """

    table: str
    file: str
    known_at: str
    known_by: str | None
    note: str | None
    copy_of: str | None
    left_out: tuple[str, ...] = ()


def arrivals(lake: Lake, catalog: Catalog) -> Iterator[Arrival]:
    """Every delivery of every source, the one known first at the beginning."""
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name)
        for delivery in sorted(ledger.deliveries.values(), key=lambda d: ledger.order[d.delivery]):
            twin = ledger.deliveries.get(delivery.copy_of or "")
            yield Arrival(
                table=f"raw/{source.name}",
                file=delivery.source_file,
                known_at=delivery.known_at.isoformat(),
                known_by=delivery.known_by or None,
                note=delivery.known_note or None,
                copy_of=twin.source_file if twin else delivery.copy_of,
                left_out=delivery.left_out,
            )


def spell_surprising(found: Iterable[Arrival]) -> list[str]:
    """A line for each file whose name does not plainly say when it was known, the one known last first."""
    lines = [f"{a.table}/{a.file}: known {a.known_at[:19]}Z by its {a.known_by}: {a.note}" for a in found if a.note]
    return lines[::-1]


def spell_left_out(found: Iterable[Arrival]) -> list[str]:
    """A line for each part of a file that was not read, the file known last first."""
    lines = [f"{a.table}/{a.file}: {part}" for a in found for part in a.left_out]
    return lines[::-1]


def partitions(lake: Lake, catalog: Catalog, *, digests: bool = True) -> Iterator[Partition]:
    """Every partition, table by table in flow order, day by day; what a table without partitions holds is one."""
    for table in tables_of(catalog):
        if table.stage == "raw":
            yield from _raw(lake, table.name)
        for file in table.files:
            yield from _partitions_of(lake, table, file, digests=digests)
        if table.holds and (held := table.holds(lake)):
            yield Partition(
                table=table.key, date=held.day, rows=held.rows, digest=held.digest, as_of=_as_of(held.day), note=None
            )


def status_frame(lake: Lake, catalog: Catalog) -> pl.DataFrame:
    """The same without digests, as a frame."""
    rows = [asdict(one) for one in partitions(lake, catalog, digests=False)]
    return pl.DataFrame(rows, schema=_FRAME)


def _raw(lake: Lake, name: str) -> Iterator[Partition]:
    ledger = Ledger.load(lake, name)
    last = last_partition()
    for day, counts in count_by_day(ledger.deliveries.values()).items():
        unused, inside = counts["not_processed"], START_DATE <= day <= last
        why = "dated after their file was known" if inside else "outside the partitions"
        names = "".join(d.delivery for d in ledger.of_day(day))
        processed = counts["received"] > unused
        yield Partition(
            table=f"raw/{name}",
            date=day,
            **counts,
            rows=counts["accepted"] if processed else None,
            digest=hashlib.sha256(names.encode()).hexdigest() if names else None,
            as_of=_as_of(day) if processed else None,
            note=f"{unused:,} {'row' if unused == 1 else 'rows'} {why}: kept, not processed" if unused else None,
        )


def _partitions_of(lake: Lake, table: Table, file: str, *, digests: bool) -> Iterator[Partition]:
    """The days of a table that are there or were refused; of a partition in several files, those of one."""
    stage, name = table.place
    state = lake.state(stage, name)
    refused, present = state.refused, state.days(file)
    shown = table.key if len(table.files) == 1 else f"{table.key}/{file.removesuffix('.parquet')}"
    for day in sorted({*present, *refused}):
        try:
            facts, wrong = state.facts(day, file) or {}, None
        except LakeError as error:
            facts, wrong = {}, str(error)
        note = f"accepted: {facts['accepted_because']}" if "accepted_because" in facts else wrong
        if day in refused:
            note = "refused; the partition before stays" if facts else "refused"
        yield Partition(
            table=shown,
            date=day,
            received=facts.get("received"),
            accepted=facts.get("accepted"),
            duplicates=facts.get("duplicates"),
            quarantined=facts.get("quarantined"),
            rows=facts.get("rows", facts.get("accepted")),
            digest=state.digest(day, file) if digests and facts else None,
            as_of=_as_of(day) if facts else None,
            note=note,
        )


def _as_of(day: date) -> str:
    return f"{day + ONE_DAY}T00:00:00+00:00"
