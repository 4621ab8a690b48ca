"""The colours of pictures, on light and on dark paper.

Colours are CSS variables with the light value as fallback. Standing in a page that sets them (`theme_css`) a picture
follows the page; as an image of its own it brings its white paper along, so it can be read on any background.
"""

from pathlib import Path

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


def page_css() -> str:
    """The style that pages share: colours, text, links, and tables that become cards where a page is narrow."""
    return theme_css() + (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def theme_css() -> str:
    """The colours as CSS for a page that pictures stand in: light, and dark where the reader's system asks for it."""
    light = "".join(f"--{name}:{values[0]};" for name, values in _COLOURS.items())
    dark = "".join(f"--{name}:{values[1]};" for name, values in _COLOURS.items())
    return f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def colour_of(name: str) -> str:
    """A colour as an SVG attribute's value. Raises: KeyError for a name the theme does not have."""
    return f"var(--{name}, {_COLOURS[name][0]})"


def line_colour(place: int) -> str:
    """The colour of the n-th line of a chart, from 0; four take turns."""
    return colour_of(f"series-{place % 4 + 1}")
