"""What every reader yields: a block of records, and the refused lines beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mlpipe_assets.errors import MlpipeError

RECORD_SCHEMA = pl.Schema({"record_number": pl.Int64, "payload": pl.String})
MALFORMED_SCHEMA = pl.Schema({"record_number": pl.Int64, "payload": pl.String, "reason": pl.String})


class UnreadableFileError(MlpipeError):
    """A file that cannot be read as what its name says; nothing of it may be used."""


@dataclass(frozen=True, kw_only=True)
class Block:
    r"""A stretch of one file.

    records: record_number Int64, payload String (one JSON object per row). text: the same rows as String columns, or None when only
    the payload is known (JSON). malformed: record_number Int64, payload String (the line as received, undecodable bytes as \xNN),
    reason String. notes: what of the file was left out, in words.
    """

    records: pl.DataFrame
    text: pl.DataFrame | None
    malformed: pl.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """One refused line or element: where it starts, its bytes as received, why it was refused (without its values)."""

    number: int
    text: str
    reason: str


def records_frame(numbers: Sequence[int] | pl.Series, payloads: Sequence[str] | pl.Series) -> pl.DataFrame:
    """The records of a block."""
    return pl.DataFrame({"record_number": numbers, "payload": payloads}, schema=RECORD_SCHEMA)


def malformed_frame(lines: Sequence[Malformed]) -> pl.DataFrame:
    """The refused lines of a block."""
    return pl.DataFrame(
        {
            "record_number": [line.number for line in lines],
            "payload": [line.text for line in lines],
            "reason": [line.reason for line in lines],
        },
        schema=MALFORMED_SCHEMA,
    )


def as_received(line: bytes) -> str:
    r"""The text of a line, with bytes that are not UTF-8 written as \xNN."""
    return line.decode("utf-8", "backslashreplace")
