"""One call that reads given bytes as a file of a given name, all blocks put together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.readers.blocks import MALFORMED_SCHEMA
from mlpipe_assets.readers.open import read_pieces
from mlpipe_assets.readers.options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class Whole:
    """All blocks of a file as one."""

    records: pl.DataFrame
    text: pl.DataFrame | None
    malformed: pl.DataFrame


def read_file(path: Path, *, block_bytes: int = 16 << 20, **options: Any) -> Whole:
    """Everything in a file, even when none of it is a record."""
    blocks = list(read_pieces(path, ReadOptions(**options), block_bytes=block_bytes))
    texts = [block.text for block in blocks if block.text is not None]
    return Whole(
        records=pl.concat([block.records for block in blocks]),
        text=pl.concat(texts) if texts else None,
        malformed=pl.concat([block.malformed for block in blocks]),
    )


def read_bytes(
    folder: Path, content: bytes, name: str = "orders.csv", *, block_bytes: int = 16 << 20, **options: Any
) -> Whole:
    """Everything in a file with this content."""
    path = folder / name
    path.write_bytes(content)
    return read_file(path, block_bytes=block_bytes, **options)


def records(*rows: tuple[int, str]) -> pl.DataFrame:
    """The expected records."""
    return pl.DataFrame(rows, schema={"record_number": pl.Int64, "payload": pl.String}, orient="row")


def malformed(*rows: tuple[int, str, str]) -> pl.DataFrame:
    """The expected refused lines."""
    return pl.DataFrame(rows, schema=MALFORMED_SCHEMA, orient="row")
