"""Small charts as self-contained SVG text: the same numbers give the same bytes, on light and on dark paper.

Colours are CSS variables with the light value as fallback. Standing in a page that sets them (`theme_css`) a picture
follows the page; as an image of its own it brings its white paper along, so it can be read on any background.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Literal

Position = date | float
Verdict = Literal["none", "possible", "drift"]
_COLOURS = {  # light, dark
    "paper": ("#ffffff", "#161a20"),
    "ink": ("#1f2328", "#e8eaed"),
    "muted": ("#57606a", "#a9b1bb"),
    "grid": ("#d8dee4", "#353c46"),
    "series-1": ("#1f6fb2", "#6cb2f2"),
    "series-2": ("#b5500f", "#f2a065"),
    "series-3": ("#1a7f4f", "#62cf9a"),
    "series-4": ("#8a3fa0", "#d19be3"),
    "none": ("#1a7f4f", "#62cf9a"),
    "possible": ("#9a6700", "#e3b341"),
    "drift": ("#c62828", "#ff8a80"),
}
_LARGEST = 1e100  # what lies beyond, infinity included, is no point of a chart; NaN compares false too
_LETTER = 6.3  # average width of a letter at 11 px
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 16.0, 50.0, 42.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart.

    Attributes:
        name: What the legend calls it.
        points: Positions and values, in order; a value that is None or not finite leaves a gap.
        verdicts: One per point, or none at all; a point's mark takes its colour and shape from it.
        dashed: Drawn as a dashed line.
    """

    name: str
    points: Sequence[tuple[Position, float | None]]
    verdicts: Sequence[Verdict] = ()
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """A straight map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def theme_css() -> str:
    """The colours as CSS for a page that pictures stand in: light, and dark where the reader's system asks for it."""
    light = "".join(f"--{name}:{values[0]};" for name, values in _COLOURS.items())
    dark = "".join(f"--{name}:{values[1]};" for name, values in _COLOURS.items())
    return f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    description: str = "",
    x_label: str = "",
    y_label: str = "",
    threshold: float | None = None,
    threshold_label: str = "threshold",
    size: tuple[int, int] = (640, 260),
) -> str:
    """Lines over days or numbers, with a threshold line and points marked by verdict.

    Positions are all days or all numbers. The y axis holds 0 unless a value lies far from it.
    """
    drawn = [(x, y) for one in series for x, y in one.points if _finite(y)]
    values = [float(y) for _, y in drawn if y is not None] + ([threshold] if threshold is not None else [])
    places = [_number(x) for one in series for x, _ in one.points]
    width, height = size
    if not drawn:
        return _svg(size, title, description, [*_header(title, [], width), _note("no data", width, height)])
    ticks = _ticks(*_around(values))
    x = _Scale(low=min(places), high=_above(min(places), max(places)), start=_LEFT + 6, end=width - _RIGHT - 6)
    y = _Scale(low=ticks[0], high=ticks[-1], start=height - _BOTTOM, end=_TOP)
    dates = isinstance(series[0].points[0][0], date)
    parts = [
        *_header(title, [(one.name, _line_colour(i), one.dashed) for i, one in enumerate(series)], width),
        *_y_axis(ticks, y, width, y_label),
        *(_day_axis(places, x, height) if dates else _number_axis(x, height)),
        _x_title(x_label, width, height),
    ]
    if threshold is not None:
        at = _n(y(threshold))
        parts.append(
            f'<line x1="{_n(_LEFT)}" x2="{_n(width - _RIGHT)}" y1="{at}" y2="{at}" stroke="{_colour("drift")}" stroke-width="1.5" '
            f'stroke-dasharray="6 4"/>'
        )
        parts.append(
            _text(
                f"{threshold_label} {_spell(threshold)}",
                width - _RIGHT,
                y(threshold) - 4,
                anchor="end",
                colour="drift",
                halo=True,
            )
        )
    for i, one in enumerate(series):
        parts += _line(one, x, y, _line_colour(i))
        parts += _marks(one, x, y, _line_colour(i))
    return _svg(size, title, description, parts)


def bars(
    labels: Sequence[str],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str,
    description: str = "",
    names: tuple[str, str] = ("reference", "current"),
    x_label: str = "",
    size: tuple[int, int] = (640, 260),
) -> str:
    """Two histograms side by side, one pair of bars a bin or category. Shape: all three of one length, shares or counts.

    Raises: ValueError when the lengths differ.
    """
    width, height = size
    pairs = list(zip(labels, reference, current, strict=True))
    if not pairs:
        return _svg(size, title, description, [*_header(title, [], width), _note("no data", width, height)])
    ticks = _ticks(0.0, max([*map(float, reference), *map(float, current), 1e-9]))
    y = _Scale(low=0.0, high=ticks[-1], start=height - _BOTTOM, end=_TOP)
    step = (width - _LEFT - _RIGHT) / len(pairs)
    bar = step * 0.38
    parts = [
        *_header(title, [(name, _line_colour(i), False) for i, name in enumerate(names)], width),
        *_y_axis(ticks, y, width, ""),
        _x_title(x_label, width, height),
    ]
    letters = max((len(label) for label in labels), default=1)
    every = max(1, math.ceil((min(letters, 14) + 1) * _LETTER / step))
    for i, (label, before, now) in enumerate(pairs):
        left = _LEFT + i * step + step * 0.11
        for place, value in enumerate((before, now)):
            tip = escape(f"{label}, {names[place]}: {_spell(float(value))}")
            parts.append(
                f'<rect x="{_n(left + place * (bar + step * 0.02))}" y="{_n(y(float(value)))}" width="{_n(bar)}" '
                f'height="{_n(y(0.0) - y(float(value)))}" fill="{_line_colour(place)}"><title>{tip}</title></rect>'
            )
        if i % every == 0:
            parts.append(_text(_cut(label, 14), left + bar, height - _BOTTOM + 16, anchor="middle"))
    return _svg(size, title, description, parts)


def curve(
    series: Sequence[Series],
    *,
    title: str,
    description: str = "",
    x_label: str,
    y_label: str,
    diagonal: str | None = None,
    level: float | None = None,
    level_label: str = "",
    size: tuple[int, int] = (380, 380),
) -> str:
    """Lines in the unit square: calibration and ROC with a diagonal, precision and recall with a level line.

    Args:
        series: Points between 0 and 1 on both axes.
        title: Shown above, and read out.
        description: What a reader who cannot see it should know.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        diagonal: What the diagonal stands for; None draws none.
        level: Height of a level line, the prevalence say.
        level_label: What the level line stands for.
        size: Width and height in pixels.
    """
    width, height = size
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    x = _Scale(low=0.0, high=1.0, start=_LEFT, end=width - _RIGHT)
    y = _Scale(low=0.0, high=1.0, start=height - _BOTTOM, end=_TOP)
    legend = [(one.name, _line_colour(i), one.dashed) for i, one in enumerate(series)]
    parts = [*_y_axis(ticks, y, width, y_label), *_number_axis(x, height, ticks), _x_title(x_label, width, height)]
    helpers: list[tuple[str, tuple[float, float], tuple[float, float]]] = []
    if diagonal is not None:
        helpers.append((diagonal, (0.0, 0.0), (1.0, 1.0)))
    if level is not None:
        helpers.append((f"{level_label} {_spell(level)}".strip(), (0.0, level), (1.0, level)))
    for name, (x1, y1), (x2, y2) in helpers:
        legend.append((name, _colour("muted"), True))
        parts.append(
            f'<line x1="{_n(x(x1))}" y1="{_n(y(y1))}" x2="{_n(x(x2))}" y2="{_n(y(y2))}" stroke="{_colour("muted")}" '
            f'stroke-width="1.5" stroke-dasharray="5 4"/>'
        )
    for i, one in enumerate(series):
        parts += _line(one, x, y, _line_colour(i))
        if len(one.points) <= 40:  # noqa: PLR2004 (more marks than that run into each other)
            parts += _marks(one, x, y, _line_colour(i))
    return _svg(size, title, description, [*_header(title, legend, width), *parts])


def sparkline(values: Sequence[float | None], *, title: str, size: tuple[int, int] = (140, 32)) -> str:
    """A line the size of a word, its last value marked. No axes: the title says what it is."""
    width, height = size
    known = [float(v) for v in values if v is not None and _finite(v)]
    if not known:
        return _svg(size, title, "no data", [_note("no data", width, height)])
    low, high = min(known), max(known)
    x = _Scale(low=0.0, high=max(1.0, len(values) - 1), start=4.0, end=width - 5.0)
    y = _Scale(low=low, high=_above(low, high), start=height - 5.0, end=5.0)
    one = Series(name=title, points=list(enumerate(values)))
    place, last = next((i, v) for i, v in reversed(list(enumerate(values))) if v is not None and _finite(v))
    parts = _line(one, x, y, _line_colour(0))
    parts.append(f'<circle cx="{_n(x(place))}" cy="{_n(y(last))}" r="3" fill="{_line_colour(0)}"/>')
    return _svg(size, title, f"from {_spell(known[0])} to {_spell(known[-1])}", parts)


def as_markdown_image(svg: str, alt: str) -> str:
    """Markdown that shows a picture with nothing to fetch."""
    clean = "".join(c for c in alt if c not in "[]\n\r")
    return f"![{clean}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _svg(size: tuple[int, int], title: str, description: str, parts: Sequence[str]) -> str:
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="11" style="max-width:100%;height:auto">'
        f"<title>{escape(title)}</title>"
        f"{f'<desc>{escape(description)}</desc>' if description else ''}"
        f'<rect width="{width}" height="{height}" rx="4" fill="{_colour("paper")}"/>{"".join(parts)}</svg>'
    )


def _header(title: str, legend: Sequence[tuple[str, str, bool]], width: int) -> list[str]:
    """The title, and below it what each line stands for, as far as there is room."""
    parts = [_text(_cut(title, int((width - 24) / 7)), 12, 18, size=13, colour="ink", weight=600)]
    at = 12.0
    for i, (name, colour, dashed) in enumerate(legend):
        short = _cut(name, 28)
        taken = 24 + len(short) * _LETTER + 12
        if at + taken > width - 4:
            parts.append(_text(f"and {len(legend) - i} more", at, 38))
            break
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        parts.append(
            f'<line x1="{_n(at)}" x2="{_n(at + 18)}" y1="34" y2="34" stroke="{colour}" stroke-width="3"{dash}/>'
        )
        parts.append(_text(short, at + 23, 38))
        at += taken
    return parts


def _y_axis(ticks: Sequence[float], y: _Scale, width: int, label: str) -> list[str]:
    parts: list[str] = []
    for tick, spelled in zip(ticks, _spell_all(ticks), strict=True):
        at = y(tick)
        parts.append(
            f'<line x1="{_n(_LEFT)}" x2="{_n(width - _RIGHT)}" y1="{_n(at)}" y2="{_n(at)}" stroke="{_colour("grid")}"/>'
        )
        parts.append(_text(spelled, _LEFT - 7, at + 4, anchor="end"))
    if label:
        middle = (y.start + y.end) / 2
        text = escape(_cut(label, int(abs(y.end - y.start) / _LETTER)))
        parts.append(
            f'<text x="13" y="{_n(middle)}" text-anchor="middle" transform="rotate(-90 13 {_n(middle)})" '
            f'fill="{_colour("muted")}">{text}</text>'
        )
    return parts


def _number_axis(x: _Scale, height: int, ticks: Sequence[float] | None = None) -> list[str]:
    inside = [t for t in ticks or _ticks(x.low, x.high) if x.low <= t <= x.high]
    spelled = _spell_all(inside)
    return [
        _text(text, x(tick), height - _BOTTOM + 16, anchor="middle") for tick, text in zip(inside, spelled, strict=True)
    ]


def _day_axis(places: Sequence[float], x: _Scale, height: int) -> list[str]:
    first, last = int(min(places)), int(max(places))
    most = max(2, int((x.end - x.start) / 85))
    step = max(1, math.ceil((last - first) / (most - 1))) if last > first else 1
    days = range(first, last + 1, step)
    return [
        _text(
            f"{date.fromordinal(day)}",
            x(day),
            height - _BOTTOM + 16,
            anchor="middle" if x(day) < x.end - 20 else "end",
        )
        for day in days
    ]


def _x_title(label: str, width: int, height: int) -> str:
    return _text(_cut(label, int(width / _LETTER)), (_LEFT + width - _RIGHT) / 2, height - 8, anchor="middle")


def _line(series: Series, x: _Scale, y: _Scale, colour: str) -> list[str]:
    """The stretches of a line between its gaps."""
    stretches: list[list[str]] = [[]]
    for place, value in series.points:
        if value is None or not _finite(value):
            stretches.append([])
        else:
            stretches[-1].append(f"{_n(x(_number(place)))},{_n(y(float(value)))}")
    dash = ' stroke-dasharray="5 4"' if series.dashed else ""
    return [
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>'
        for points in stretches
        if len(points) > 1
    ]


def _marks(series: Series, x: _Scale, y: _Scale, colour: str) -> list[str]:
    """A mark on each point; verdicts differ in shape as well as in colour, for readers who do not see the one."""
    parts: list[str] = []
    verdicts: Sequence[Verdict | None] = series.verdicts or [None] * len(series.points)
    for (place, value), verdict in zip(series.points, verdicts, strict=True):
        if value is None or not _finite(value):
            continue
        cx, cy = x(_number(place)), y(float(value))
        spelled = f"{place}" if isinstance(place, date) else _spell(place)
        tip = f"<title>{escape(f'{series.name}, {spelled}: {_spell(float(value))}' + (f', {verdict}' if verdict else ''))}</title>"
        fill = _colour(verdict) if verdict else colour
        if verdict == "drift":
            shape = f"M{_n(cx - 5)} {_n(cy - 5)}h10v10h-10z"
        elif verdict == "possible":
            shape = f"M{_n(cx)} {_n(cy - 6)}l6 6l-6 6l-6 -6z"
        else:
            parts.append(f'<circle cx="{_n(cx)}" cy="{_n(cy)}" r="3" fill="{fill}">{tip}</circle>')
            continue
        parts.append(f'<path d="{shape}" fill="{fill}" stroke="{_colour("paper")}">{tip}</path>')
    return parts


def _text(
    text: str,
    x: float,
    y: float,
    *,
    anchor: str = "start",
    colour: str = "muted",
    size: int = 11,
    weight: int = 400,
    halo: bool = False,
) -> str:
    if not text:
        return ""
    around = (
        f' stroke="{_colour("paper")}" stroke-width="3" paint-order="stroke" stroke-linejoin="round"' if halo else ""
    )
    heavy = f' font-weight="{weight}"' if weight != 400 else ""  # noqa: PLR2004 (the weight of plain text)
    large = f' font-size="{size}"' if size != 11 else ""  # noqa: PLR2004 (the size of plain text)
    placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{placed} fill="{_colour(colour)}"{large}{heavy}{around}>{escape(text)}</text>'


def _note(text: str, width: int, height: int) -> str:
    return _text(text, width / 2, height / 2 + 4, anchor="middle")


def _colour(name: str) -> str:
    return f"var(--{name}, {_COLOURS[name][0]})"


def _line_colour(place: int) -> str:
    return _colour(f"series-{place % 4 + 1}")


def _number(place: Position) -> float:
    return float(place.toordinal()) if isinstance(place, date) else float(place)


def _finite(value: float | None) -> bool:
    return value is not None and abs(value) < _LARGEST


def _above(low: float, high: float) -> float:
    """An upper end that leaves room above the lower one, where floats can tell the two apart."""
    return high if high - low > 1e-9 * max(abs(low), abs(high), 1e-9) else low + max(1.0, abs(low) / 1000)


def _around(values: Sequence[float]) -> tuple[float, float]:
    """The range an axis shows: with 0 where that costs less than half of it."""
    low, high = min(values), max(values)
    if low > 0 and (low < (high - low) or low == high):
        low = 0.0
    if high < 0 and (-high < (high - low) or low == high):
        high = 0.0
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five, from at or below `low` to at or above `high`."""
    high = _above(low, high)
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _spell(value: float) -> str:
    """A number as people read it, the same everywhere."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):  # noqa: PLR2004 (where digits stop being read)
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 (as above)


def _spell_all(ticks: Sequence[float]) -> list[str]:
    """Ticks as people read them, with as many digits as it takes to tell them apart."""
    short = [_spell(tick) for tick in ticks]
    return short if len(set(short)) == len(short) else [f"{tick:.12g}" for tick in ticks]


def _n(value: float) -> str:
    """A coordinate in hundredths of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"
