"""What was measured, beside what was promised: a table on the terminal, in docs/benchmarks.md and in a JSON file."""

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

_BEGIN, _END = "<!-- results -->", "<!-- /results -->"
_HEAD = ("what", "ours", "yardstick", "ratio", "target", "")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table. `met` is None where nothing was promised."""

    name: str
    ours: str
    yardstick: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """Met, missed, or nothing."""
        return "" if self.met is None else "met" if self.met else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it."""
        return (self.name, self.ours, self.yardstick, self.ratio, self.target, self.verdict)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Lines to show, and every number behind them."""

    lines: tuple[Line, ...]
    numbers: Mapping[str, Any]


def median_ratio(ours: Sequence[float], yardstick: Sequence[float]) -> float:
    """Times the yardstick, in the middle of the turns the two took."""
    return statistics.median(a / b for a, b in zip(ours, yardstick, strict=True))


def beside_yardstick(name: str, ours: Sequence[float], yardstick: Sequence[float], *, most_times: float) -> Line:
    """The line of seconds that may be so many times the yardstick's."""
    ratio = median_ratio(ours, yardstick)
    return Line(
        name=name,
        ours=spell_seconds(ours),
        yardstick=spell_seconds(yardstick),
        ratio=f"{ratio:.2f}",
        target=f"≤ {most_times}x yardstick",
        met=ratio <= most_times,
    )


def spell_seconds(values: Sequence[float]) -> str:
    """The median, and the extremes where there are several."""
    middle = statistics.median(values)
    digits = 1 if middle >= 1 else 3
    if len(values) == 1:
        return f"{middle:.{digits}f} s"
    return f"{middle:.{digits}f} s ({min(values):.{digits}f} to {max(values):.{digits}f})"


def spell_bytes(value: float) -> str:
    """Bytes in units of 10⁹."""
    return f"{value / 1e9:.2f} GB"


def show(measured: Sequence[Measured], title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for name in _HEAD:
        table.add_column(name, justify="left" if name in ("what", "target", "") else "right")
    for line in (line for m in measured for line in m.lines):
        table.add_row(*line.cells())
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=180)).print(table)


def surroundings() -> dict[str, Any]:
    """Where and with what the numbers were taken."""
    packages = ("dagster", "polars", "duckdb", "pandera", "scikit-learn", "scipy")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def write_json(target: Path, measured: Sequence[Measured], options: Mapping[str, Any]) -> None:
    """Every number, for machines."""
    document = {
        "surroundings": surroundings(),
        "options": options,
        "lines": [{**asdict(line)} for m in measured for line in m.lines],
        "numbers": {name: value for m in measured for name, value in m.numbers.items()},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")


def write_page(page: Path, measured: Sequence[Measured]) -> None:
    """Replace the table between the markers of a Markdown page; the prose around it stays.

    Raises: ValueError when the page has no markers.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {_BEGIN} … {_END}, where the table goes.")
    page.write_text(f"{before}{begin}\n{_markdown(measured)}\n{end}{after}", encoding="utf-8")


def _markdown(measured: Sequence[Measured]) -> str:
    rows: list[tuple[str, ...]] = [_HEAD, ("---", "--:", "--:", "--:", "---", "---")]
    rows += [line.cells() for m in measured for line in m.lines]
    where = surroundings()
    versions = ", ".join(
        f"{name} {where[name]}"
        for name in ("python", "dagster", "polars", "duckdb", "pandera", "scikit-learn", "scipy")
    )
    machine = f"{where['cores']} cores, {where['memory_gb']} GB of memory, {where['system']}"
    return "\n".join(
        [
            f"Measured on {where['date']}: {machine}; {versions}. Repeat it with `make bench`.",
            "",
            *(f"| {' | '.join(row)} |" for row in rows),
        ]
    )
