"""One day of interim while it is being built: what came for it, why it may not be written, and its digests and facts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import spell_count
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.rules import digest
from mlpipe_assets.store.staging import Staged


@dataclass(kw_only=True)
class Day:
    """One day while it is being built.

    Attributes:
        refused_rows: Digest of which rows were refused.
        refused_files: Files without a row taken, in words: a day that is written all the same has to say so.
        replaced: Deliveries whose refused rows no longer count: their file, or the whole table, was delivered again.
        set_aside: Valid rows that a later version of their file, or of the whole table, took the place of.
        records_replaced: Rows that won their day, had not a later version of their file taken their place.
        dead: Valid rows that are not the ones known last, in the columns of the contract, with `replaced_at`: when a later
            version of their file took their place on another day, null where none did.
        before: Of a snapshot, the keys and the delivery of the one that it replaced on the same day.
    """

    day: date
    deliveries: list[Delivery]
    accepted: int = 0
    refused: int = 0
    standing_refused: int = 0
    refused_rows: str = ""
    superseded: list[tuple[str, int]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    refused_files: list[str] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    set_aside: int = 0
    records_replaced: list[tuple[str, int]] = field(default_factory=list)
    dead: pl.DataFrame | None = None
    before: pl.DataFrame | None = None
    staged: Staged | None = None
    quarantine: Staged | None = None

    @property
    def on_arrival(self) -> int:
        """Rows refused on arrival of files that came on this day."""
        return sum(d.quarantined for d in self.deliveries if d.arrived == self.day)

    @property
    def events(self) -> int:
        """Events that lie on this day."""
        return sum(d.events.get(self.day, 0) for d in self.deliveries)

    @property
    def counts(self) -> dict[str, int]:
        """Rows received, and what became of them."""
        left = self.accepted - len(self.superseded)
        return {
            "received": self.events + self.on_arrival,
            "accepted": left,
            "duplicates": self.events - self.refused - left,
            "quarantined": self.refused + self.on_arrival,
        }


def spell_refused_files(away: pl.DataFrame, entry: Day) -> list[str]:
    """Files every row of which was refused on this day: within a tolerance in rows nothing else would tell of a small one.

    Args:
        away: Rows of the day that the contract refuses.
        entry: The day.
    """
    refused = dict(away.group_by("delivery").len().rows())
    whole = [
        d
        for d in entry.deliveries
        if d.delivery not in entry.replaced and refused.get(d.delivery, 0) == d.events.get(entry.day, 0) > 0
    ]
    return [_spell_refused_file(away.filter(delivery=d.delivery), d.source_file) for d in whole]


def _spell_refused_file(away: pl.DataFrame, file: str) -> str:
    reason = str(away["reasons"].value_counts(sort=True, name="n")["reasons"][0])
    rows = spell_count(away.height, "row")
    return f"every row of {file} was refused ({rows}; {reason}). They are in quarantine: correct the file and deliver it again"


def problem_of(source: Source, entry: Day) -> str | None:
    """Why a day may not be written; rows of files that their sender has replaced since no longer count."""
    standing = [d for d in entry.deliveries if d.delivery not in entry.replaced]
    if entry.lacking:
        return "; ".join(entry.lacking)
    refused = entry.standing_refused + sum(d.quarantined for d in standing if d.arrived == entry.day)
    received = sum(d.events.get(entry.day, 0) + (d.quarantined if d.arrived == entry.day else 0) for d in standing)
    if not source.tolerance.allows(refused, received):
        allowed = max(source.tolerance.rows, int(source.tolerance.share * received))
        return f"{refused:,} of {received:,} rows refused, {allowed:,} tolerated"
    # Rows superseded by another day's, or replaced, do not count: whether they came together must not decide over a day.
    repeated = entry.counts["duplicates"] - len(entry.superseded) - entry.set_aside
    if not source.duplicate_tolerance.allows(repeated, entry.counts["received"]):
        return f"{repeated:,} of {entry.counts['received']:,} rows are duplicates, beyond the tolerance"
    return None


def without_time(source: Source, ledger: Ledger, corrected: Collection[str]) -> list[Delivery]:
    """Files that name their columns and lack the event time: no row of theirs has a day, so the day they came is refused."""
    if source.event_time is None or source.prepare is not None:
        return []
    standing = [d for d in ledger.deliveries.values() if d.delivery not in corrected]
    return [d for d in standing if d.columns and d.quarantined and not d.events and source.event_time not in d.columns]


def digest_seen(entry: Day) -> str:
    """Digest of what a person who accepts a day sees: what came, what of it was replaced, and what was refused."""
    names = [d.delivery for d in entry.deliveries]
    return digest([names, [name for name in names if name in entry.replaced], entry.refused_rows])


def inputs_digest(source: Source, deliveries: Sequence[Delivery]) -> str:
    """Digest of all a day is made of: its deliveries and the code."""
    return digest([source_version(source), [d.stem for d in deliveries]])


def refusal_digest(source: Source, ledger: Ledger, day: date) -> str:
    """Digest of all a refusal rests on: the day's deliveries, which of them were replaced since, and the code."""
    deliveries = ledger.of_day(day)
    return digest(
        [inputs_digest(source, deliveries), sorted(d.delivery for d in deliveries if d.delivery in ledger.corrected)]
    )


def facts_of(source: Source, entry: Day, reason: str | None) -> dict[str, object]:
    """The facts of a day: what it was made of, and what became of the rows received."""
    inputs = inputs_digest(source, entry.deliveries)
    return {
        "table": f"interim/{source.name}",
        "date": f"{entry.day}",
        "code_version": source_version(source),
        "inputs": inputs,
        "fingerprint": fingerprint(inputs, entry.superseded, entry.records_replaced),
        "superseded": entry.superseded,
        "replaced": entry.records_replaced,
        "deliveries": [d.delivery for d in entry.deliveries],
        **({} if entry.dead is None else {"past": entry.dead.height + len(entry.superseded)}),
        "columns": entry.columns,
        **entry.counts,
        **({"accepted_because": reason} if reason is not None else {}),
    }


def fingerprint(inputs: str, superseded: Sequence[Sequence[object]], replaced: Sequence[Sequence[object]]) -> str:
    """Digest of what a day's rows are: what they were made of, and which of them other rows took the place of."""
    return digest([inputs, *([list(row) for row in rows] for rows in (superseded, replaced))])
