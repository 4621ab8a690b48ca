"""Lines and the marks on their points, as pieces of SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mlpipe_assets.pictures.drawing import px
from mlpipe_assets.pictures.scales import Position, Scale, as_number, is_drawable, spell
from mlpipe_assets.pictures.theme import colour_of
from mlpipe_assets.visible import escape

Verdict = Literal["none", "possible", "drift"]


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


def draw_line(series: Series, x: Scale, y: Scale, colour: str) -> list[str]:
    """The stretches of a line between its gaps."""
    stretches: list[list[str]] = [[]]
    for place, value in series.points:
        if value is None or not is_drawable(value):
            stretches.append([])
        else:
            stretches[-1].append(f"{px(x(as_number(place)))},{px(y(float(value)))}")
    dash = ' stroke-dasharray="5 4"' if series.dashed else ""
    return [
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>'
        for points in stretches
        if len(points) > 1
    ]


def draw_marks(series: Series, x: Scale, y: Scale, colour: str) -> list[str]:
    """A mark on each point; verdicts differ in shape as well as in colour, for readers who do not see the one."""
    parts: list[str] = []
    verdicts: Sequence[Verdict | None] = series.verdicts or [None] * len(series.points)
    for (place, value), verdict in zip(series.points, verdicts, strict=True):
        if value is None or not is_drawable(value):
            continue
        cx, cy = x(as_number(place)), y(float(value))
        spelled = f"{place}" if isinstance(place, date) else spell(place)
        tip = f"<title>{escape(f'{series.name}, {spelled}: {spell(float(value))}' + (f', {verdict}' if verdict else ''))}</title>"
        fill = colour_of(verdict) if verdict else colour
        if verdict == "drift":
            shape = f"M{px(cx - 5)} {px(cy - 5)}h10v10h-10z"
        elif verdict == "possible":
            shape = f"M{px(cx)} {px(cy - 6)}l6 6l-6 6l-6 -6z"
        else:
            parts.append(f'<circle cx="{px(cx)}" cy="{px(cy)}" r="3" fill="{fill}">{tip}</circle>')
            continue
        parts.append(f'<path d="{shape}" fill="{fill}" stroke="{colour_of("paper")}">{tip}</path>')
    return parts
