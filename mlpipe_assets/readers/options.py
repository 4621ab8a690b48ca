"""What a reader is told of the table it reads for: how its files are written, how large they may be, which columns matter."""

from dataclasses import dataclass

from mlpipe_assets.readers.blocks import UnreadableFileError

SMALL_BYTES = 64 << 20
"""Below this size no file is a bomb, however well it was packed."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one file may hold before it is unreadable as a whole.

    Attributes:
        unpacked_bytes: Bytes of its contents once unpacked.
        ratio: How many times larger than the file its contents may be; counted from 64 MB of contents on.
        refused: Rows refused while reading: a file of more is no file of this table.
        cell_bytes: Bytes of one value, and of one JSON object.
        columns: Columns of the header, or names in the objects of a JSON file.
    """

    unpacked_bytes: int = 256 << 30
    ratio: float = 250.0
    refused: int = 100_000
    cell_bytes: int = 16 << 20
    columns: int = 10_000


GENEROUS = Limits()


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How the files of one table are read.

    Attributes:
        delimiter: Of delimited text; None takes it from the header.
        records: Dotted path of the list of records in a JSON file that wraps them: `data`, or `result.items`.
        lines: Pattern of the lines of a log, with named groups; None where there are no logs.
        limits: How much a file may hold.
        columns: Names the table knows; None when any name may matter.
        exact: Columns whose every digit counts: texts and whole numbers; None for all columns.
    """

    delimiter: str | None = None
    records: str | None = None
    lines: str | None = None
    limits: Limits = GENEROUS
    columns: frozenset[str] | None = None
    exact: frozenset[str] | None = None

    def is_exact(self, name: str) -> bool:
        """Whether every digit of a column counts."""
        return self.exact is None or name in self.exact

    def may_name(self, name: str) -> bool:
        """Whether a message may quote a name of the header: what looks like a header may be a row of data."""
        return self.columns is not None and name.casefold() in {known.casefold() for known in self.columns}

    def spell_column(self, name: str, position: int) -> str:
        """A column as a message may call it: by name where the table knows it, else by its position from 1."""
        return name if self.may_name(name) else f"column {position}"


@dataclass(kw_only=True)
class Budget:
    """What of its limits a file has used; raises UnreadableFileError as soon as one is passed."""

    name: str
    packed: int
    limits: Limits
    unpacked: int = 0
    refused: int = 0
    first_reason: str = ""

    def unpack(self, size: int) -> None:
        """Count unpacked bytes."""
        self.unpacked += size
        if self.unpacked > self.limits.unpacked_bytes:
            raise self.error(f"holds more than {self.limits.unpacked_bytes:,} bytes unpacked", "unpacked_bytes")
        if self.unpacked > SMALL_BYTES and self.unpacked > self.limits.ratio * self.packed:
            raise self.error(
                f"{self.packed:,} bytes unpack to more than {self.limits.ratio:,.0f} times as many", "ratio"
            )

    def refuse(self, count: int, reason: str = "") -> None:
        """Count refused rows; the first reason given is kept for the error."""
        self.refused += count
        self.first_reason = self.first_reason or reason
        if self.refused > self.limits.refused:
            because = f" (the first: {self.first_reason})" if self.first_reason else ""
            raise self.error(f"more than {self.limits.refused:,} of its rows cannot be read{because}", "refused")

    def check_columns(self, count: int) -> None:
        """Refuse a header too wide."""
        if count > self.limits.columns:
            raise self.error(f"has {count:,} columns, more than {self.limits.columns:,}", "columns")

    def check_cell(self, size: int) -> None:
        """Refuse a value too long."""
        if size > self.limits.cell_bytes:
            raise self.error(f"holds a value of more than {self.limits.cell_bytes:,} bytes", "cell_bytes")

    def error(self, what: str, limit: str) -> UnreadableFileError:
        """The error of a limit that was passed."""
        return UnreadableFileError(
            f"{self.name}: {what}, so no row of it was used. If the file is right, declare "
            f"feed=Files(limits=Limits({limit}=...)) on its source."
        )
