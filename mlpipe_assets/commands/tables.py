"""Rows as a table where it fits, else as records: at any width no number, name or row is cut."""

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlpipe_assets.visible import visible

_NARROWEST = 10
_MOST_SHARE = 3  # a name takes up to a third of the width, its value the rest


def print_table(
    console: Console,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    title: str = "",
) -> None:
    """A table where it fits the width; else a heading a row and its cells below, so that no cell is ever cut.

    Args:
        console: Where to print.
        names: The columns; the first names the row.
        rows: Cells as text.
        numbers: The columns that stand to the right.
        title: What the table is.
    """
    if title:
        console.print(title)
    cells = _visible_cells(rows)
    if _fits(console, names, cells):
        _print_box(console, names, cells, numbers)
        return
    for heading, *values in cells:
        for line in _folded(heading, console.width):
            console.print(Text(line, style="bold"), soft_wrap=True)
        pairs = [f"{name} {value}" for name, value in zip(names[1:], values, strict=True) if value]
        for line in _packed(pairs, console.width - 2):
            console.print(Text(f"  {line}"), soft_wrap=True)


def print_rows(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table where it fits the width; else one record under the other, a line a column, long values folded."""
    cells, shown = _visible_cells(rows), [visible(name) for name in names]
    if _fits(console, shown, cells):
        _print_box(console, shown, cells)
        return
    indent = max(_NARROWEST, min(max(map(cell_len, shown)), console.width // _MOST_SHARE))
    for number, row in enumerate(cells, start=1):
        console.print(f"── row {number} ──", style="bold")
        for name, value in zip(shown, row, strict=True):
            left, right = _folded(name, indent), _folded(value, max(1, console.width - indent - 2))
            for n in range(max(len(left), len(right))):
                label = left[n] if n < len(left) else ""
                text = right[n] if n < len(right) else ""
                line = f"{label}{' ' * (indent - cell_len(label))}  {text}".rstrip()
                console.print(Text(line), soft_wrap=True)


def _visible_cells(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[visible(cell) for cell in row] for row in rows]


def _fits(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    widths = [max(cell_len(name), *(cell_len(row[n]) for row in cells), 0) for n, name in enumerate(names)]
    return not console.is_terminal or sum(widths) + 3 * len(widths) + 1 <= console.width


def _print_box(
    console: Console, names: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[str] = ()
) -> None:
    table = Table()
    for name in names:
        table.add_column(Text(name), justify="right" if name in numbers else "left", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row))
    if console.is_terminal:
        console.print(table)
    else:  # a file or a pipe has no width
        needed = sum(max(map(cell_len, column), default=0) + 3 for column in zip(names, *cells, strict=True)) + 1
        Console(highlight=False, emoji=False, quiet=console.quiet, width=needed).print(table)


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """Parts side by side as far as they fit, none divided; one that is longer than a line is folded."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _folded(part, max(1, width))
    return lines


def _folded(text: str, width: int) -> list[str]:
    """A text in lines of a width that lose no character: after a space or a comma where one is near, so that a number is whole."""
    lines: list[str] = []
    while cell_len(text) > width:
        line = chop_cells(text, width)[0]
        cut = max(line.rfind(mark) for mark in " ,;") + 1
        line = line[:cut] if cut > len(line) // 2 else line
        lines.append(line)
        text = text[len(line) :]
    return [*lines, text]
