"""One table as the data catalog knows it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ColumnEntry:
    """One column.

    Attributes:
        checks: What the contract asks of its values, in words.
        personal: Whether its contract marks it as personal data.
        made_of: Columns it comes from, as `stage/table.column`; none where that is not known.
    """

    name: str
    type: str
    nullable: bool
    description: str
    unit: str
    checks: tuple[str, ...]
    personal: bool
    made_of: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What became of the newest partitions.

    Attributes:
        since: The first day that is counted; None where there is no partition.
        days: Each day: rows, rows set apart, duplicates, and whether the day was refused.
    """

    since: str | None
    partitions: int
    rows: int
    quarantined: int
    duplicates: int
    refused: int
    days: tuple[tuple[str, int, int, int, bool], ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One table.

    Attributes:
        name: `stage/name`.
        sql: Its name in `mlpipe sql`; empty where SQL does not show it.
        path: Its files, below the data folder.
        grain: What a row is.
        contract: Name and digest of its contract; empty without one.
        version: Digest of what decides its rows.
        fresh_within_hours: How old its newest partition may be; None where nothing is promised.
        newest: Its newest partition.
        upstream, downstream: Tables it is made of, and those made of it.
        show_rows: How many of its rows the site may show.
    """

    name: str
    stage: str
    sql: str
    path: str
    description: str
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    grain: str
    key: tuple[str, ...]
    columns: tuple[ColumnEntry, ...]
    contract: str
    contract_digest: str
    version: str
    fresh_within_hours: float | None
    first: str | None
    newest: str | None
    partitions: int
    rows: int
    quality: Quality
    personal: tuple[str, ...]
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]
    show_rows: int

    def document(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return asdict(self)
