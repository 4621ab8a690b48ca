"""Axes with their ticks and titles, as pieces of SVG."""

import math
from collections.abc import Sequence
from datetime import date

from mlpipe_assets.pictures.drawing import BOTTOM, LEFT, LETTER_WIDTH, RIGHT, cut, draw_text, px
from mlpipe_assets.pictures.scales import Scale, round_ticks, spell_all
from mlpipe_assets.pictures.theme import colour_of
from mlpipe_assets.visible import escape


def draw_value_axis(ticks: Sequence[float], y: Scale, width: int, label: str) -> list[str]:
    """Grid lines across the plot with their values on the left, and the label standing beside them."""
    parts: list[str] = []
    for tick, spelled in zip(ticks, spell_all(ticks), strict=True):
        at = y(tick)
        parts.append(
            f'<line x1="{px(LEFT)}" x2="{px(width - RIGHT)}" y1="{px(at)}" y2="{px(at)}" stroke="{colour_of("grid")}"/>'
        )
        parts.append(draw_text(spelled, LEFT - 7, at + 4, anchor="end"))
    if label:
        middle = (y.start + y.end) / 2
        text = escape(cut(label, int(abs(y.end - y.start) / LETTER_WIDTH)))
        parts.append(
            f'<text x="13" y="{px(middle)}" text-anchor="middle" transform="rotate(-90 13 {px(middle)})" '
            f'fill="{colour_of("muted")}">{text}</text>'
        )
    return parts


def draw_number_axis(x: Scale, height: int, ticks: Sequence[float] | None = None) -> list[str]:
    """Numbers below the plot; without ticks of its own, round ones that lie inside the scale."""
    inside = [t for t in ticks or round_ticks(x.low, x.high) if x.low <= t <= x.high]
    spelled = spell_all(inside)
    return [
        draw_text(text, x(tick), height - BOTTOM + 16, anchor="middle")
        for tick, text in zip(inside, spelled, strict=True)
    ]


def draw_day_axis(places: Sequence[float], x: Scale, height: int) -> list[str]:
    """Days below the plot, as many as there is room for; places and scale are ordinals of days."""
    first, last = int(min(places)), int(max(places))
    most = max(2, int((x.end - x.start) / 85))
    step = max(1, math.ceil((last - first) / (most - 1))) if last > first else 1
    days = range(first, last + 1, step)
    return [
        draw_text(
            f"{date.fromordinal(day)}",
            x(day),
            height - BOTTOM + 16,
            anchor="middle" if x(day) < x.end - 20 else "end",
        )
        for day in days
    ]


def draw_axis_title(label: str, width: int, height: int) -> str:
    """What the horizontal axis shows, below its ticks; nothing for an empty label."""
    return draw_text(cut(label, int(width / LETTER_WIDTH)), (LEFT + width - RIGHT) / 2, height - 8, anchor="middle")
