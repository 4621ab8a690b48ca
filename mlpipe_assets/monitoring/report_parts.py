"""Pieces of the report: tables with headings a screen reader can follow, verdicts that do not rest on colour alone."""

import math
from collections.abc import Iterable, Mapping, Sequence

from mlpipe_assets.learning.tasks.registry import losses
from mlpipe_assets.visible import escape

_SHAPES = {  # the same as the marks in the charts
    "none": '<circle cx="5" cy="5" r="4"/>',
    "possible": '<path d="M5 0l5 5l-5 5l-5 -5z"/>',
    "drift": '<path d="M0 0h10v10h-10z"/>',
}
_LOSSES = losses()
_ORDER = ("none", "possible", "drift")
WORDS = {"none": "no drift", "possible": "possible drift", "drift": "drift"}
SKEW_WORDS = {"none": "no skew", "possible": "possible skew", "drift": "skew"}
PERFORMANCE_WORDS = {"none": "as tested", "possible": "perhaps worse", "drift": "worse than tested"}


def verdict_mark(verdict: str | None, words: Mapping[str, str] = WORDS) -> str:
    """A verdict as shape, colour and words; None says that nothing was measured."""
    if verdict is None:
        return '<span class="verdict unknown">not measured</span>'
    shape = f'<svg viewBox="0 0 10 10" fill="currentColor" aria-hidden="true">{_SHAPES[verdict]}</svg>'
    return f'<span class="verdict {verdict}">{shape}{escape(words[verdict])}</span>'


def worst(verdicts: Iterable[str | None]) -> str | None:
    """The worst of several verdicts; None when there is none."""
    return max((v for v in verdicts if v is not None), key=_ORDER.index, default=None)


def table_of(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), *, kind: str
) -> str:
    """A table whose cells are HTML; the first cell of a row is its heading, and `numbers` are set flush right.

    `kind` is a CSS class; with `cards_css` a row of it becomes a card where the page is narrow.
    """
    kinds = [' class="number"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    # tabindex: a table that scrolls sideways must be reachable without a mouse
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0">'
        f'<table class="{kind}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cards_css(kinds: Mapping[str, Sequence[str]]) -> str:
    """CSS that names the cells of tables by their headings, for pages too narrow to show these above them."""
    rules = "".join(
        f'.{kind} td:nth-child({place})::before{{content:"{name}"}}'
        for kind, head in kinds.items()
        for place, name in enumerate(head, start=1)
        if place > 1
    )
    return f"@media (max-width:44rem){{{rules}}}"


def spell_number(value: float | None) -> str:
    """A number to three digits; empty for none."""
    if value is None or math.isnan(value):
        return ""
    if value and abs(value) < 1e-4:  # noqa: PLR2004 (where digits stop being read)
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 (as above)


def is_loss(method: str) -> bool:
    """Whether less of a measure of realised predictions is better."""
    return method in _LOSSES


def spell_bound(method: str) -> str:
    """Up to where, or down to where, a measure of realised predictions is as tested; a number follows."""
    return "holds up to" if is_loss(method) else "holds down to"


def spell_method(method: str) -> str:
    """A measure as people call it."""
    if method in ("mae", "rmse"):
        return method.upper()
    return method.replace("_", " ").replace("roc auc", "ROC AUC").replace("pr auc", "PR AUC")
