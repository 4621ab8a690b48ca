"""A cell of a workbook as the text a person would have typed, or sees."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

TOO_MANY_DIGITS = "a number of more than 15 digits, and Excel keeps 15; format the column as text"

_MOST_EXACT = 10**15
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
_PIECES = re.compile(r'"([^"]*)"|\\(.)|(0+)|([- ():])|(.)', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The text of a cell, None where it holds an error such as #N/A; `inexact` when digits of it may be lost."""

    text: str | None
    inexact: bool = False


_EMPTY = Cell(text="")


def read_cell(cell: Any, *, exact: bool) -> Cell:
    """A cell; `exact` says that it is an identifier or a whole number, in which every digit counts."""
    value = cell.value
    if value is None:
        return _EMPTY
    if cell.data_type == "e":
        return Cell(text=None)
    if isinstance(value, str):
        return Cell(text=value)
    number_format = cell.number_format
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell(text=cell_text(value, number_format))
    whole = isinstance(value, int) or value.is_integer()
    if whole and exact and abs(value) >= _MOST_EXACT:
        return Cell(text=str(int(value)), inexact=True)
    if whole and value >= 0:
        shown = _digits_shown(number_format)
        if shown and (exact or len(shown) == 1):
            return Cell(text=_in_format(int(value), shown))
    return Cell(text=cell_text(value, number_format))


def cell_text(value: Any, number_format: str) -> str:
    """A cell as text: 15 significant digits, whole numbers without a point, ISO times, a date alone where the cell shows no time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = f"{Decimal(f'{value:.15g}'):f}"
        return text.rstrip("0").removesuffix(".") if "." in text else text
    if isinstance(value, datetime):
        if value.time() == time() and not _shows_time(number_format):
            return value.date().isoformat()
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value.total_seconds(), 60)
        return f"{int(minutes // 60)}:{int(minutes % 60):02}:{seconds:02g}"
    return str(value)


@cache
def _digits_shown(number_format: str) -> tuple[str | int, ...]:
    """The parts of a format of nothing but zeros and literals, such as 00000 or "K-"000: a count of digits, or a text."""
    parts: list[str | int] = []
    for quoted, escaped, zeros, mark, other in _PIECES.findall(number_format.partition(";")[0]):
        if other:
            return ()
        parts.append(len(zeros) if zeros else quoted or escaped or mark)
    digits = [part for part in parts if isinstance(part, int)]
    return tuple(parts) if sum(digits) > 1 or len(parts) > len(digits) > 0 else ()


def _in_format(value: int, parts: tuple[str | int, ...]) -> str:
    digits = str(value).zfill(sum(part for part in parts if isinstance(part, int)))
    shown: list[str] = []
    first = next(i for i, part in enumerate(parts) if isinstance(part, int))
    for i in range(len(parts) - 1, -1, -1):
        part = parts[i]
        if isinstance(part, str):
            shown.append(part)
        elif i == first:
            shown.append(digits)
        else:
            shown.append(digits[-part:])
            digits = digits[:-part]
    return "".join(reversed(shown))


@cache
def _shows_time(number_format: str) -> bool:
    shown = _LITERALS.sub("", number_format).lower()
    return "h" in shown or "s" in shown or "general" in shown or not shown
