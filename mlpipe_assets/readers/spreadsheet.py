"""The first filled sheet of an Excel workbook, cells as the text a person would have typed."""

import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

import openpyxl
import polars as pl
from openpyxl.utils.exceptions import InvalidFileException

from mlpipe_assets.readers.blocks import Block, Malformed, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.delimited_header import column_names
from mlpipe_assets.readers.delimited_slow import wrong_width
from mlpipe_assets.readers.payload import payloads

_OLD_FORMAT = b"\xd0\xcf\x11\xe0"
_BATCH_ROWS = 1_000
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
# What openpyxl and the modules below it raise on damaged files: it checks very little itself.
_BROKEN = (
    zipfile.BadZipFile,
    InvalidFileException,
    zlib.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    OverflowError,
)


def read_spreadsheet(path: Path, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of the first sheet that holds anything; its first filled row is the header, record numbers are sheet rows.

    Formulas give the value Excel last computed. Rows without any value are skipped.
    Raises: UnreadableFileError if the file is no workbook, is encrypted or damaged, or its header names a column twice.
    """
    with path.open("rb") as file:
        if file.read(len(_OLD_FORMAT)) == _OLD_FORMAT:
            message = f"{path.name}: an encrypted workbook or an old .xls. Save it as .xlsx without a password and deliver it again."
            raise UnreadableFileError(message)
        file.seek(0)
        rows = _filled_rows(file, path)
        _, header = next(rows, (0, []))
        names = column_names(header, path)
        numbers: list[int] = []
        cells: list[list[str]] = []
        malformed: list[Malformed] = []
        size, yielded = 0, False
        for number, row in rows:
            size += sum(map(len, row))
            if len(row) > len(names):
                text = json.dumps(row, ensure_ascii=False)
                malformed.append(Malformed(number=number, text=text, reason=wrong_width(len(row), len(names))))
            else:
                numbers.append(number)
                cells.append(row + [""] * (len(names) - len(row)))
            if size >= block_bytes:
                yield _block(names, numbers, cells, malformed)
                numbers, cells, malformed, size, yielded = [], [], [], 0, True
        if numbers or malformed or not yielded:
            yield _block(names, numbers, cells, malformed)


def _filled_rows(file: IO[bytes], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Row number and texts of each row that holds something, without its empty cells at the end."""
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # styles and extensions openpyxl does not know: no matter for values
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            for sheet in workbook.worksheets:
                found = False
                for number, cells in enumerate(_rows_of(sheet), start=1):
                    row = [cell_text(cell.value, getattr(cell, "number_format", "")) for cell in cells]
                    while row and not row[-1]:
                        row.pop()
                    if row:
                        found = True
                        yield number, row
                if found:
                    return
        finally:
            workbook.close()
    except _BROKEN as error:
        message = f"{path.name}: not a readable Excel workbook ({type(error).__name__}). Save it as .xlsx in Excel and deliver it again."
        raise UnreadableFileError(message) from error


def _rows_of(sheet: Any) -> Iterator[Sequence[Any]]:
    """All rows, the empty ones in between too, read a batch at a time so that muting openpyxl does not mute the caller."""
    sheet.reset_dimensions()  # some writers state a wrong size, and rows beyond it would be lost
    rows = sheet.iter_rows()
    while True:
        with warnings.catch_warnings(action="ignore"):
            batch = list(islice(rows, _BATCH_ROWS))
        if not batch:
            return
        yield from batch


def cell_text(value: Any, number_format: str) -> str:
    """A cell as text: whole numbers without a point, times in ISO format, a date alone only where the cell shows no time."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        if value.time() == time() and not _shows_time(number_format):
            return value.date().isoformat()
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value.total_seconds(), 60)
        return f"{int(minutes // 60)}:{int(minutes % 60):02}:{seconds:02g}"
    return repr(value) if isinstance(value, float) else str(value)


def _shows_time(number_format: str) -> bool:
    shown = _LITERALS.sub("", number_format).lower()
    return "h" in shown or "s" in shown or "general" in shown or not shown


def _block(names: Sequence[str], numbers: list[int], rows: list[list[str]], malformed: list[Malformed]) -> Block:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    text = pl.DataFrame({name: pl.Series(column, dtype=pl.String) for name, column in zip(names, columns, strict=True)})
    return Block(records=records_frame(numbers, payloads(text)), text=text, malformed=malformed_frame(malformed))
