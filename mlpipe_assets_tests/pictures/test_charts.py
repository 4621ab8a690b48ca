"""Pictures: well-formed, the same bytes for the same numbers, readable without colour, and nothing to fetch."""

import base64
import math
import re
from collections.abc import Callable
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.pictures.charts import as_markdown_image, bars, curve, line_chart, sparkline
from mlpipe_assets.pictures.lines import Series
from mlpipe_assets.pictures.theme import theme_css

DAYS = [date(2026, 1, 1) + timedelta(days=i) for i in range(4)]
DRIFT = Series(
    name="spend",
    points=list(zip(DAYS, [0.01, 0.06, None, 0.2], strict=True)),
    verdicts=["none", "possible", "none", "drift"],
)
SVG = "{http://www.w3.org/2000/svg}"
PICTURES: dict[str, Callable[[], str]] = {
    "line": lambda: line_chart([DRIFT], title="Drift & co <1>", description="d", threshold=0.1, y_label="distance"),
    "bars": lambda: bars(["a<b", "c"], [0.5, 0.5], [0.2, 0.8], title="Shares"),
    "curve": lambda: curve(
        [Series(name="m", points=[(0.0, 0.0), (1.0, 1.0)])], title="C", x_label="x", y_label="y", diagonal="even"
    ),
    "spark": lambda: sparkline([1, None, 3], title="rows"),
    "nothing": lambda: line_chart([], title="nothing"),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_whole_accessible_and_self_contained(picture: Callable[[], str]) -> None:
    svg = picture()
    root = ET.fromstring(svg)  # noqa: S314 (our own text)

    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == root.get("aria-label")
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not {"image", "script", "use", "foreignObject"} & {one.tag.removeprefix(SVG) for one in root.iter()}
    assert picture() == svg
    assert "nan" not in svg


def test_points_take_shape_as_well_as_colour_from_their_verdict() -> None:
    root = ET.fromstring(PICTURES["line"]())  # noqa: S314 (our own text)
    marks = {
        title.text: (one.tag.removeprefix(SVG), one.get("fill"))
        for one in root.iter()
        for title in one.findall(f"{SVG}title")
        if one is not root
    }

    assert marks == {
        "spend, 2026-01-01: 0.01, none": ("circle", "var(--none, #1a7f4f)"),
        "spend, 2026-01-02: 0.06, possible": ("path", "var(--possible, #9a6700)"),
        "spend, 2026-01-04: 0.2, drift": ("path", "var(--drift, #c62828)"),
    }


def test_a_gap_splits_the_line_and_the_threshold_is_named() -> None:
    svg = PICTURES["line"]()

    assert svg.count("<polyline") == 1  # the point after the gap stands alone
    assert ">threshold 0.1<" in svg


def test_bars_stand_as_high_as_their_values() -> None:
    root = ET.fromstring(bars(["a"], [2.0], [4.0], title="t"))  # noqa: S314 (our own text)

    heights = [float(one.get("height", 0)) for one in root.iter(f"{SVG}rect") if len(one)]

    assert heights[1] == pytest.approx(2 * heights[0], abs=0.02)


def test_histograms_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        bars(["a", "b"], [1.0], [1.0, 2.0], title="t")


def test_ticks_that_lie_close_are_told_apart() -> None:
    svg = line_chart([Series(name="x", points=[(i, 1_000_000.0 + i) for i in range(5)])], title="t")

    assert all(f">{1000000 + i}<" in svg for i in range(5))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(), max_size=12),
    name=st.text(max_size=40),
    threshold=st.none() | st.floats(-10, 10),
)
def test_any_numbers_and_any_text_give_a_picture(
    values: list[float | None], name: str, threshold: float | None
) -> None:
    text = "".join(c for c in name if c.isprintable())
    series = Series(name=text, points=list(enumerate(values)))

    for svg in (line_chart([series], title=text, threshold=threshold), sparkline(values, title=text)):
        root = ET.fromstring(svg)  # noqa: S314 (our own text)
        numbers = [float(v) for one in root.iter() for k in ("x", "y", "cx", "cy", "x1", "y1") if (v := one.get(k))]
        assert all(math.isfinite(number) for number in numbers)


def test_a_markdown_image_holds_the_picture_itself() -> None:
    svg = PICTURES["spark"]()
    markdown = as_markdown_image(svg, "rows [a]\nday")

    found = re.fullmatch(r"!\[rows aday\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    assert base64.b64decode(found[1]).decode() == svg


def test_the_theme_has_every_colour_in_light_and_dark() -> None:
    used = set(re.findall(r"var\(--([a-z0-9-]+)", "".join(picture() for picture in PICTURES.values())))

    light, dark = theme_css().split("@media (prefers-color-scheme:dark)")
    assert used
    assert all(f"--{name}:" in light and f"--{name}:" in dark for name in used)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_paper(theme: int) -> None:
    found = [dict(re.findall(r"--([a-z0-9-]+):(#[0-9a-f]{6})", part)) for part in theme_css().split("@media")][theme]

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(colour: str) -> float:
        bright, dim = sorted((luminance(colour), luminance(found["paper"])), reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    ratios = {name: contrast(colour) for name, colour in found.items() if name not in ("paper", "grid")}
    assert len(ratios) == 9
    assert min(ratios.values()) >= 4.5, ratios  # WCAG AA for text
