"""Where values fall in a picture: scales, the ranges and ticks of axes, and numbers as people read them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

Position = date | float
_LARGEST = 1e100  # what lies beyond, infinity included, is no point of a chart; NaN compares false too


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A straight map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def as_number(place: Position) -> float:
    """A position as a number; a day as its ordinal."""
    return float(place.toordinal()) if isinstance(place, date) else float(place)


def is_drawable(value: float | None) -> bool:
    """Whether a value is a point of a chart: known, finite and not absurdly large."""
    return value is not None and abs(value) < _LARGEST


def upper_end(low: float, high: float) -> float:
    """An upper end that leaves room above the lower one, where floats can tell the two apart."""
    return high if high - low > 1e-9 * max(abs(low), abs(high), 1e-9) else low + max(1.0, abs(low) / 1000)


def axis_range(values: Sequence[float]) -> tuple[float, float]:
    """The range an axis shows: with 0 where that costs less than half of it."""
    low, high = min(values), max(values)
    if low > 0 and (low < (high - low) or low == high):
        low = 0.0
    if high < 0 and (-high < (high - low) or low == high):
        high = 0.0
    return low, high


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five, from at or below `low` to at or above `high`."""
    high = upper_end(low, high)
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def spell(value: float) -> str:
    """A number as people read it, the same everywhere."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):  # noqa: PLR2004 (where digits stop being read)
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 (as above)


def spell_all(ticks: Sequence[float]) -> list[str]:
    """Ticks as people read them, with as many digits as it takes to tell them apart."""
    short = [spell(tick) for tick in ticks]
    return short if len(set(short)) == len(short) else [f"{tick:.12g}" for tick in ticks]
