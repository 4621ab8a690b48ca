"""What every picture is made of: its frame, title, legend and text, as pieces of SVG."""

from collections.abc import Sequence

from mlpipe_assets.pictures.theme import colour_of
from mlpipe_assets.visible import escape

LETTER_WIDTH = 6.3  # on average, at 11 px
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 50.0, 42.0  # margins around the plot


def draw_picture(size: tuple[int, int], title: str, description: str, parts: Sequence[str]) -> str:
    """A whole picture: its pieces on paper, with a title and a description for those who cannot see it."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="11" style="max-width:100%;height:auto">'
        f"<title>{escape(title)}</title>"
        f"{f'<desc>{escape(description)}</desc>' if description else ''}"
        f'<rect width="{width}" height="{height}" rx="4" fill="{colour_of("paper")}"/>{"".join(parts)}</svg>'
    )


def draw_header(title: str, legend: Sequence[tuple[str, str, bool]], width: int) -> list[str]:
    """The title, and below it what each line stands for, as far as there is room."""
    parts = [draw_text(cut(title, int((width - 24) / 7)), 12, 18, size=13, colour="ink", weight=600)]
    at = 12.0
    for i, (name, colour, dashed) in enumerate(legend):
        short = cut(name, 28)
        taken = 24 + len(short) * LETTER_WIDTH + 12
        if at + taken > width - 4:
            parts.append(draw_text(f"and {len(legend) - i} more", at, 38))
            break
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        parts.append(
            f'<line x1="{px(at)}" x2="{px(at + 18)}" y1="34" y2="34" stroke="{colour}" stroke-width="3"{dash}/>'
        )
        parts.append(draw_text(short, at + 23, 38))
        at += taken
    return parts


def draw_text(
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
    """A line of text at a point; nothing for an empty one. A halo of paper keeps it readable on top of lines."""
    if not text:
        return ""
    around = (
        f' stroke="{colour_of("paper")}" stroke-width="3" paint-order="stroke" stroke-linejoin="round"' if halo else ""
    )
    heavy = f' font-weight="{weight}"' if weight != 400 else ""  # noqa: PLR2004 (the weight of plain text)
    large = f' font-size="{size}"' if size != 11 else ""  # noqa: PLR2004 (the size of plain text)
    placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text x="{px(x)}" y="{px(y)}"{placed} fill="{colour_of(colour)}"{large}{heavy}{around}>{escape(text)}</text>'
    )


def draw_note(text: str, width: int, height: int) -> str:
    """Text in the middle of a picture that has nothing to show."""
    return draw_text(text, width / 2, height / 2 + 4, anchor="middle")


def px(value: float) -> str:
    """A coordinate in hundredths of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def cut(text: str, letters: int) -> str:
    """Text of at most so many letters; an ellipsis stands for the rest."""
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"
