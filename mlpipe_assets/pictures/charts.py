"""Charts as SVG text: lines over time, pairs of histograms, curves in the unit square, lines the size of a word."""

import base64
import math
from collections.abc import Sequence
from datetime import date

from mlpipe_assets.pictures.axes import draw_axis_title, draw_day_axis, draw_number_axis, draw_value_axis
from mlpipe_assets.pictures.drawing import (
    BOTTOM,
    LEFT,
    LETTER_WIDTH,
    RIGHT,
    TOP,
    cut,
    draw_header,
    draw_note,
    draw_picture,
    draw_text,
    px,
)
from mlpipe_assets.pictures.lines import Series, draw_line, draw_marks
from mlpipe_assets.pictures.scales import Scale, as_number, axis_range, is_drawable, round_ticks, spell, upper_end
from mlpipe_assets.pictures.theme import colour_of, line_colour
from mlpipe_assets.visible import escape


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
    drawn = [(x, y) for one in series for x, y in one.points if is_drawable(y)]
    values = [float(y) for _, y in drawn if y is not None] + ([threshold] if threshold is not None else [])
    places = [as_number(x) for one in series for x, _ in one.points]
    width, height = size
    if not drawn:
        return draw_picture(
            size, title, description, [*draw_header(title, [], width), draw_note("no data", width, height)]
        )
    ticks = round_ticks(*axis_range(values))
    x = Scale(low=min(places), high=upper_end(min(places), max(places)), start=LEFT + 6, end=width - RIGHT - 6)
    y = Scale(low=ticks[0], high=ticks[-1], start=height - BOTTOM, end=TOP)
    dates = isinstance(series[0].points[0][0], date)
    parts = [
        *draw_header(title, [(one.name, line_colour(i), one.dashed) for i, one in enumerate(series)], width),
        *draw_value_axis(ticks, y, width, y_label),
        *(draw_day_axis(places, x, height) if dates else draw_number_axis(x, height)),
        draw_axis_title(x_label, width, height),
    ]
    if threshold is not None:
        at = px(y(threshold))
        parts.append(
            f'<line x1="{px(LEFT)}" x2="{px(width - RIGHT)}" y1="{at}" y2="{at}" stroke="{colour_of("drift")}" stroke-width="1.5" '
            f'stroke-dasharray="6 4"/>'
        )
        parts.append(
            draw_text(
                f"{threshold_label} {spell(threshold)}",
                width - RIGHT,
                y(threshold) - 4,
                anchor="end",
                colour="drift",
                halo=True,
            )
        )
    for i, one in enumerate(series):
        parts += draw_line(one, x, y, line_colour(i))
        parts += draw_marks(one, x, y, line_colour(i))
    return draw_picture(size, title, description, parts)


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
    """Two histograms side by side, one pair of bars a bin or category. Shape: all three of one length, shares, counts or means.

    Raises: ValueError when the lengths differ.
    """
    width, height = size
    pairs = list(zip(labels, reference, current, strict=True))
    if not pairs:
        return draw_picture(
            size, title, description, [*draw_header(title, [], width), draw_note("no data", width, height)]
        )
    heights = [*map(float, reference), *map(float, current)]
    ticks = round_ticks(min([0.0, *heights]), max([*heights, 1e-9]))
    y = Scale(low=min(0.0, ticks[0]), high=ticks[-1], start=height - BOTTOM, end=TOP)
    step = (width - LEFT - RIGHT) / len(pairs)
    bar = step * 0.38
    parts = [
        *draw_header(title, [(name, line_colour(i), False) for i, name in enumerate(names)], width),
        *draw_value_axis(ticks, y, width, ""),
        draw_axis_title(x_label, width, height),
    ]
    letters = max((len(label) for label in labels), default=1)
    every = max(1, math.ceil((min(letters, 14) + 1) * LETTER_WIDTH / step))
    for i, (label, before, now) in enumerate(pairs):
        left = LEFT + i * step + step * 0.11
        for place, value in enumerate((before, now)):
            tip = escape(f"{label}, {names[place]}: {spell(float(value))}")
            parts.append(
                f'<rect x="{px(left + place * (bar + step * 0.02))}" y="{px(y(max(0.0, float(value))))}" width="{px(bar)}" '
                f'height="{px(abs(y(0.0) - y(float(value))))}" fill="{line_colour(place)}"><title>{tip}</title></rect>'
            )
        if i % every == 0:
            parts.append(draw_text(cut(label, 14), left + bar, height - BOTTOM + 16, anchor="middle"))
    return draw_picture(size, title, description, parts)


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
    x = Scale(low=0.0, high=1.0, start=LEFT, end=width - RIGHT)
    y = Scale(low=0.0, high=1.0, start=height - BOTTOM, end=TOP)
    legend = [(one.name, line_colour(i), one.dashed) for i, one in enumerate(series)]
    parts = [
        *draw_value_axis(ticks, y, width, y_label),
        *draw_number_axis(x, height, ticks),
        draw_axis_title(x_label, width, height),
    ]
    helpers: list[tuple[str, tuple[float, float], tuple[float, float]]] = []
    if diagonal is not None:
        helpers.append((diagonal, (0.0, 0.0), (1.0, 1.0)))
    if level is not None:
        helpers.append((f"{level_label} {spell(level)}".strip(), (0.0, level), (1.0, level)))
    for name, (x1, y1), (x2, y2) in helpers:
        legend.append((name, colour_of("muted"), True))
        parts.append(
            f'<line x1="{px(x(x1))}" y1="{px(y(y1))}" x2="{px(x(x2))}" y2="{px(y(y2))}" stroke="{colour_of("muted")}" '
            f'stroke-width="1.5" stroke-dasharray="5 4"/>'
        )
    for i, one in enumerate(series):
        parts += draw_line(one, x, y, line_colour(i))
        if len(one.points) <= 40:  # noqa: PLR2004 (more marks than that run into each other)
            parts += draw_marks(one, x, y, line_colour(i))
    return draw_picture(size, title, description, [*draw_header(title, legend, width), *parts])


def sparkline(values: Sequence[float | None], *, title: str, size: tuple[int, int] = (140, 32)) -> str:
    """A line the size of a word, its last value marked. No axes: the title says what it is."""
    width, height = size
    known = [float(v) for v in values if v is not None and is_drawable(v)]
    if not known:
        return draw_picture(size, title, "no data", [draw_note("no data", width, height)])
    low, high = min(known), max(known)
    x = Scale(low=0.0, high=max(1.0, len(values) - 1), start=4.0, end=width - 5.0)
    y = Scale(low=low, high=upper_end(low, high), start=height - 5.0, end=5.0)
    one = Series(name=title, points=list(enumerate(values)))
    place, last = next((i, v) for i, v in reversed(list(enumerate(values))) if v is not None and is_drawable(v))
    parts = draw_line(one, x, y, line_colour(0))
    parts.append(f'<circle cx="{px(x(place))}" cy="{px(y(last))}" r="3" fill="{line_colour(0)}"/>')
    return draw_picture(size, title, f"from {spell(known[0])} to {spell(known[-1])}", parts)


def as_markdown_image(svg: str, alt: str) -> str:
    """Markdown that shows a picture with nothing to fetch."""
    clean = "".join(c for c in alt if c not in "[]\n\r")
    return f"![{clean}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
