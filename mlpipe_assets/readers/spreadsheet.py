"""The sheets of an Excel workbook that hold the table: which they are, and their rows."""

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import polars as pl
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.exceptions import InvalidFileException

from mlpipe_assets.readers.blocks import Block, Malformed, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.delimited_header import column_names
from mlpipe_assets.readers.delimited_slow import wrong_width
from mlpipe_assets.readers.options import Budget, ReadOptions
from mlpipe_assets.readers.payload import payloads
from mlpipe_assets.readers.spreadsheet_cell import TOO_MANY_DIGITS, Cell, read_cell

_OLD_FORMAT = b"\xd0\xcf\x11\xe0"
_BATCH_ROWS = 1_000
_SHOWN = 5
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


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """A sheet that holds something: its first filled row is the header."""

    sheet: Any
    place: int
    visible: bool
    names: tuple[str, ...]

    def __str__(self) -> str:
        """By its place, from 1, hidden sheets counted: its title may be the name of a person."""
        return f"sheet {self.place} (hidden ones counted)"


def read_spreadsheet(path: Path, options: ReadOptions, budget: Budget, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of all visible sheets that hold the table, one after another, with the columns of all of them.

    Record numbers are sheet rows; those of a further sheet count on from the last row of the sheet before. Formulas give the value Excel
    last computed. Rows without any value are skipped. Sheets that are not read are named in the notes of the last block.
    Raises: UnreadableFileError if the file is no workbook, is encrypted or damaged, passes a limit, or its sheets do not fit together.
    """
    with path.open("rb") as file:
        if file.read(len(_OLD_FORMAT)) == _OLD_FORMAT:
            message = f"{path.name}: an encrypted workbook or an old .xls. Save it as .xlsx without a password and deliver it again."
            raise UnreadableFileError(message)
        file.seek(0)
        try:
            _weigh(file, budget)
            yield from _read(file, path, options, budget, block_bytes)
        except _BROKEN as error:
            what = f"{path.name}: not a readable Excel workbook ({type(error).__name__})"
            raise UnreadableFileError(f"{what}. Save it as .xlsx in Excel and deliver it again.") from error


def _weigh(file: IO[bytes], budget: Budget) -> None:
    """Count what the parts of a workbook unpack to; none can be larger than it says here."""
    with zipfile.ZipFile(file) as parts:
        budget.unpack(sum(part.file_size for part in parts.infolist()))
    file.seek(0)


def _read(file: IO[bytes], path: Path, options: ReadOptions, budget: Budget, block_bytes: int) -> Iterator[Block]:
    with warnings.catch_warnings(action="ignore"):  # styles and extensions openpyxl does not know: no matter for values
        reader = _ValuesReader(file, read_only=True, data_only=True, keep_links=False)
        reader.read()
    with closing(reader.wb) as workbook:
        every = enumerate(workbook.worksheets, start=1)
        filled = [found for place, sheet in every if (found := _open(sheet, place, path, options, budget))]
        chosen = _fitting(filled, path, options)
        names = tuple(dict.fromkeys(name for sheet in chosen for name in sheet.names))
        notes = tuple(
            f"{found} was not read: it {'has another header' if found.visible else 'is hidden'}"
            for found in filled
            if found not in chosen
        )
        rows = _Rows(names=names, options=options, budget=budget)
        for sheet in chosen:
            for number, cells in _filled_rows(sheet.sheet, options, sheet.names, skip_header=True):
                rows.add(number, cells, sheet.names)
                if rows.size >= block_bytes:
                    yield rows.block(())
            rows.first += rows.last
            rows.last = 0
        yield rows.block(notes)


class _ValuesReader(ExcelReader):  # type: ignore[misc]  # it has no types
    """openpyxl's reader without charts: it fails on chart sheets it does not understand."""

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """Pass over a chart sheet."""


def _open(sheet: Any, place: int, path: Path, options: ReadOptions, budget: Budget) -> _Sheet | None:
    """A sheet with its header; None when it is empty."""
    for _, cells in _filled_rows(sheet, options, (), skip_header=False):
        budget.check_columns(len(cells))
        visible = sheet.sheet_state == "visible"
        header = [cell.text or "" for cell in cells]
        # A hidden sheet is not read, so its header may be anything.
        names = column_names(header, path, options) if visible and not _is_cover(header, options) else tuple(header)
        return _Sheet(sheet=sheet, place=place, visible=visible, names=names)
    return None


def _is_cover(header: Sequence[str], options: ReadOptions) -> bool:
    return options.columns is not None and options.columns.isdisjoint(cell.strip() for cell in header)


def _fitting(filled: Sequence[_Sheet], path: Path, options: ReadOptions) -> list[_Sheet]:
    """The visible sheets that hold the table: those whose header has more than half of the columns that the best one has.

    Raises: UnreadableFileError when only hidden sheets hold anything, or when one of those sheets lacks a column another one has.
    """
    visible = [sheet for sheet in filled if sheet.visible]
    if filled and not visible:
        raise UnreadableFileError(
            f"{path.name}: only hidden sheets hold anything: {', '.join(f'{s}' for s in filled[:_SHOWN])}. "
            "Unhide the one to be read and deliver the file again."
        )
    if not visible:
        return []
    if options.columns is None:
        return [sheet for sheet in visible if set(sheet.names) == set(visible[0].names)]
    known = {id(sheet): options.columns & set(sheet.names) for sheet in visible}
    best = max(known.values(), key=len)
    if not best:
        return visible[:1]  # its header is judged, and refused, like that of any other file
    chosen = [sheet for sheet in visible if 2 * len(known[id(sheet)]) > len(best)]
    for sheet in chosen:
        lacking = sorted(set().union(*(known[id(other)] for other in chosen)) - known[id(sheet)])
        if lacking:
            raise UnreadableFileError(
                f"{path.name}: {sheet} has no column {', '.join(lacking[:_SHOWN])}, which another sheet has. "
                "Add it, or hide the sheet if it is no part of the table; no row of the file was used."
            )
    return chosen


@dataclass(kw_only=True)
class _Rows:
    """Rows until they make a block. `first` is what the numbers of the sheet at hand are counted from, `last` its last row."""

    names: tuple[str, ...]
    options: ReadOptions
    budget: Budget
    first: int = 0
    last: int = 0
    size: int = 0
    numbers: list[int] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)

    def add(self, number: int, cells: Sequence[Cell], names: tuple[str, ...]) -> None:
        """Take a row of a sheet with these columns, or refuse it."""
        self.last = number
        texts = [cell.text for cell in cells]
        sizes = [len(text or "") for text in texts]
        self.budget.check_cell(max(sizes))
        self.size += sum(sizes)
        reason = ""
        if len(texts) > len(names):
            reason = wrong_width(len(texts), len(names))
        else:
            lost = next(
                (place for place, (cell, _) in enumerate(zip(cells, names, strict=False)) if cell.inexact), None
            )
            reason = "" if lost is None else f"{self.options.spell_column(names[lost], lost + 1)}: {TOO_MANY_DIGITS}"
        if reason:
            self.budget.refuse(1, reason)
            shown = json.dumps(texts, ensure_ascii=False)
            self.malformed.append(Malformed(number=self.first + number, text=shown, reason=reason))
            return
        row: dict[str, str | None] = dict.fromkeys(self.names, "")
        row.update(zip(names, texts, strict=False))
        self.numbers.append(self.first + number)
        self.rows.append(list(row.values()))

    def block(self, notes: tuple[str, ...]) -> Block:
        """The rows so far."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.names)
        text = pl.DataFrame(
            {name: pl.Series(column, dtype=pl.String) for name, column in zip(self.names, columns, strict=True)}
        )
        found = Block(
            records=records_frame(self.numbers, payloads(text)),
            text=text,
            malformed=malformed_frame(self.malformed),
            notes=notes,
        )
        self.numbers, self.rows, self.malformed, self.size = [], [], [], 0
        return found


def _filled_rows(
    sheet: Any, options: ReadOptions, names: tuple[str, ...], *, skip_header: bool
) -> Iterator[tuple[int, list[Cell]]]:
    """Row number and cells of each row that holds something, without its empty cells at the end."""
    exact = [options.is_exact(name) for name in names]
    for number, cells in enumerate(_rows_of(sheet), start=1):
        row = [read_cell(cell, exact=i >= len(exact) or exact[i]) for i, cell in enumerate(cells)]
        while row and row[-1].text == "":
            row.pop()
        if not row:
            continue
        if skip_header:
            skip_header = False
            continue
        yield number, row


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
