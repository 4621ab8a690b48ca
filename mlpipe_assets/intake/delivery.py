"""One delivery: a file, or what else came at once, and its place in the order in which rows became known."""

import hashlib
import re
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from mlpipe_assets.intake.intake import Mark

_EXTENSION = re.compile(r"\.[A-Za-z]+(\.gz)?$")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One file as it arrived.

    Attributes:
        delivery: Digest of content, base name and known_at: what the delivery is called everywhere.
        content: SHA-256 of the file's bytes.
        known_at: When its rows could first be known, UTC.
        known_by: What said so: the date in its name, or its modification time.
        known_note: What may surprise about it, in words.
        modified_ns: Modification time of the file when it was first seen, in nanoseconds.
        arrived: The day refused rows without a readable event time are kept under.
        events: Rows per event date.
        ahead: Rows per event date of those dated after they could be known: kept, and not processed.
        placement: Digest of what placed its rows in time; empty in a record of the version before.
        quarantined: Rows refused on arrival.
        columns: Column names as received; empty where rows name their own (JSON).
        replaces: The delivery this name stood for before.
        backdated: Whether the first snapshot, of no date, was taken to hold from the start.
        copy_of: The delivery whose state this one repeats: it brings no rows of its own then.
        left_out: What of the file was not read, in words: sheets of a workbook that do not hold the table.
        mark: What was taken, for good; None of a file, which may change under its name: there the ledger notes it by that.
    """

    source: str
    delivery: str
    source_file: str
    known_at: datetime
    arrived: date
    events: dict[date, int]
    content: str = ""
    known_by: str = ""
    known_note: str = ""
    modified_ns: int = 0
    quarantined: int = 0
    columns: tuple[str, ...] = ()
    replaces: str | None = None
    backdated: bool = False
    copy_of: str | None = None
    left_out: tuple[str, ...] = ()
    ahead: dict[date, int] = field(default_factory=dict)
    placement: str = ""
    mark: Mark | None = None

    @property
    def received(self) -> int:
        """Rows in the file."""
        return sum(self.events.values()) + sum(self.ahead.values()) + self.quarantined

    @property
    def stem(self) -> str:
        """Name of its files of events and of refused rows, without the ending."""
        return f"{self.delivery}-{self.placement}" if self.placement else self.delivery

    @property
    def place(self) -> tuple[object, ...]:
        """Its place in the order of deliveries: known later, then modified later, then the later name."""
        return (self.known_at, self.modified_ns, natural(self.source_file))


@lru_cache(maxsize=100_000)  # a ledger is put in order at each look
def natural(name: str) -> tuple[object, ...]:
    """A file name as people order it: base name first, digits as numbers, then the shallower and the earlier folder."""
    path = PurePosixPath(name)
    stem = _EXTENSION.sub("", path.name)
    return (_parts(stem), path.name[len(stem) :], len(path.parts), _parts(str(path.parent)), name)


def identity(content: str, name: str, known_at: datetime) -> str:
    """What a delivery is called: the same content under the same base name, known at the same moment, is the same one."""
    return hashlib.sha256(f"{content} {PurePosixPath(name).name} {known_at.isoformat()}".encode()).hexdigest()


def dump(delivery: Delivery) -> dict[str, Any]:
    """A delivery as its record in the ledger."""
    fields = {name: value for name, value in asdict(delivery).items() if name != "mark" or value is not None}
    return fields | {
        "known_at": delivery.known_at.isoformat(),
        "arrived": delivery.arrived.isoformat(),
        "events": {day.isoformat(): count for day, count in sorted(delivery.events.items())},
        "ahead": {day.isoformat(): count for day, count in sorted(delivery.ahead.items())},
        "received": delivery.received,
    }


def parse(record: dict[str, Any]) -> Delivery:
    """A delivery from its record; one of the version before was named by its content.

    Raises: KeyError, TypeError or ValueError when the record is not one.
    """
    fields = {name: value for name, value in record.items() if name != "received"}
    fields["content"] = fields.get("content") or fields["delivery"]
    fields["known_at"] = datetime.fromisoformat(fields["known_at"])
    fields["arrived"] = date.fromisoformat(fields["arrived"])
    fields["events"] = {date.fromisoformat(day): count for day, count in fields["events"].items()}
    fields["ahead"] = {date.fromisoformat(day): count for day, count in fields.get("ahead", {}).items()}
    fields["columns"] = tuple(fields["columns"])
    fields["left_out"] = tuple(fields.get("left_out") or ())
    found = Delivery(**fields)
    if not all(
        isinstance(count, int)
        for count in (*found.events.values(), *found.ahead.values(), found.quarantined, found.modified_ns)
    ):
        raise TypeError("rows are not whole numbers")
    return found


def _parts(text: str) -> tuple[tuple[int, int, str], ...]:
    """Runs of digits as numbers, and the text between them; numbers come before text."""
    parts = re.findall(r"\d+|\D+", text, flags=re.ASCII)
    return tuple((0, int(part), part) if part[0] in "0123456789" else (1, 0, part.casefold()) for part in parts)
