"""monitoring/report.html: every monitored table on one page that needs nothing but a browser."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mlpipe_assets.errors import spell_count
from mlpipe_assets.monitoring.changes import Change, in_drift, list_changes, newest_day, spell_older
from mlpipe_assets.monitoring.report_parts import SKEW_WORDS, cards_css, spell_number, table_of, verdict_mark, worst
from mlpipe_assets.monitoring.report_section import LOSSES, MEASURES, PERFORMANCE, anchor, section_of
from mlpipe_assets.monitoring.table_history import TableHistory
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.pictures.charts import sparkline
from mlpipe_assets.pictures.theme import page_css
from mlpipe_assets.visible import escape

_HERE = Path(__file__).parent
_SUMMARY = ("Table", "Verdict", "Columns", "Drift score", "Over time", "Newest day", "Performance")
_KINDS = {
    "refused": '<span class="kind drift">refused</span>',
    "performance": '<span class="kind drift">worse</span>',
    "drift": '<span class="kind drift">drift</span>',
    "skew": '<span class="kind possible">skew</span>',
}


def render_report(tables: Sequence[TableHistory], *, written: datetime | None = None) -> bytes:
    """The page. Nothing in it is fetched, now or later: style, script and pictures are part of it.

    A policy in its head lets a browser run this script and no other. `written` is when, UTC; None leaves it out.
    """
    cards = cards_css({"summary": _SUMMARY, "measures": MEASURES, "performance": PERFORMANCE, "losses": LOSSES})
    style, script = page_css() + _read("report.css") + cards, _read("report.js")
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()]
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digests[0]}'"
    newest = newest_day(tables)
    body = "".join(section_of(history) for history in tables)
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Monitoring{f" as of {newest}" if newest else ""}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#tables">Skip to the tables</a>
<header>
<h1>Monitoring</h1>
<p class="muted">{_lead(tables, written)}</p>
</header>
<main>
<h2 id="changes">What changed</h2>
{_changes(tables)}
<h2 id="summary">Tables</h2>
{_summary(tables)}
{_tools()}
<div id="tables" tabindex="-1">{body}</div>
{_legend()}
</main>
<script>{script}</script>
</body>
</html>
"""
    return page.encode()


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _lead(tables: Sequence[TableHistory], written: datetime | None) -> str:
    """How old the newest day is, and when the page was written."""
    newest = newest_day(tables)
    if newest is None:
        return "Nothing was monitored yet."
    if written is None:
        return f"Newest day {newest}."
    age = (written.date() - newest) // ONE_DAY
    old = "today" if age <= 0 else f"{spell_count(age, 'day')} old"
    return f"Newest day {newest}, {old} when this page was written: {written:%Y-%m-%d %H:%M} UTC."


def _changes(tables: Sequence[TableHistory]) -> str:
    """What changed, one card each; or that nothing did, of what could be compared."""
    found = list_changes(tables)
    if found:
        return f'<ul class="changes">{"".join(map(_card, found))}</ul>{_not_compared(tables)}{_older(tables)}'
    measured = sum(1 for history in tables if history.days and history.days[-1].score is not None)
    if not measured:
        calm = "No table has a baseline to be held against yet." if newest_day(tables) else ""
    elif measured == 1:
        calm = "Nothing. The one table with a baseline did not move away from it."
    else:
        calm = f"Nothing. None of the {measured} tables with a baseline moved away from it."
    return f"<p>{calm}</p>{_not_compared(tables)}{_older(tables)}" if calm else ""


def _card(change: Change) -> str:
    since = f' <span class="muted">{escape(change.since)}</span>' if change.since else ""
    bad = f"<p>{escape(change.how_bad)}</p>" if change.how_bad else ""
    return (
        f'<li><p>{_KINDS[change.kind]} <a href="#{anchor(change.table)}">{escape(change.table)}</a></p>'
        f"<p><strong>{escape(change.what)}</strong>{since}</p>{bad}<p><b>To do:</b> {escape(change.to_do)}</p></li>"
    )


def _not_compared(tables: Sequence[TableHistory]) -> str:
    """Tables of which nothing can be said yet, and why."""
    waiting = [
        f"{history.table} ({history.days[-1].state or 'no baseline'})"
        if history.days
        else f"{history.table} (no day yet)"
        for history in tables
        if not history.days or history.days[-1].score is None
    ]
    return f'<p class="muted">Not compared with a baseline yet: {escape("; ".join(waiting))}.</p>' if waiting else ""


def _older(tables: Sequence[TableHistory]) -> str:
    """Tables whose part of the page is of another day than the page."""
    found = spell_older(tables)
    return f"<p>Not of the newest day: {escape('; '.join(found))}.</p>" if found else ""


def _summary(tables: Sequence[TableHistory]) -> str:
    rows = [_summary_row(history) for history in tables]
    return table_of("Every monitored table on its newest day", _SUMMARY, rows, kind="summary")


def _summary_row(history: TableHistory) -> list[str]:
    link = f'<a href="#{anchor(history.table)}">{escape(history.table)}</a>'
    if not history.days:
        return [link, verdict_mark(None), "", "", "", "", ""]
    newest = history.days[-1]
    known = newest.score is not None
    drifted, skewed = ([row["column"] for row in in_drift(history, c)] for c in ("baseline", "skew"))
    marks = [verdict_mark(worst(history.newest_verdicts("baseline").values()) if known else None)]
    if compared := history.newest_verdicts("skew"):
        marks.append(verdict_mark(worst(compared.values()), SKEW_WORDS))
    moved = [f"{len(drifted)} in drift"] if known else []
    moved += [f"{len(skewed)} in skew"] if any(compared.values()) else []
    line = sparkline([state.score for state in history.days], title=f"drift score of {history.table} over time")
    score = (
        f'{spell_number(newest.score)} <span class="muted">(bad from {history.retrain_above:g})</span>' if known else ""
    )
    return [
        link,
        "<br>".join(marks),
        ", ".join(moved),
        score,
        line if known else "",
        f"{newest.day}",
        escape(history.performance_in_words()),
    ]


def _tools() -> str:
    return (
        '<div class="tools" role="group" aria-label="Columns" hidden>'
        '<button type="button" id="open-all">Open all columns</button>'
        '<button type="button" id="close-all">Close all columns</button>'
        '<button type="button" id="only-moved" aria-pressed="false">Only columns that moved</button>'
        '<span id="said" role="status" class="muted"></span></div>'
    )


def _legend() -> str:
    marks = {
        "none": "below half of the threshold, or within what chance explains for samples of these sizes",
        "possible": "from half of the threshold on, and beyond chance",
        "drift": "from the threshold on, and beyond chance",
    }
    items = "".join(f"<li>{verdict_mark(verdict)}: {text}</li>" for verdict, text in marks.items())
    return (
        '<section aria-labelledby="how"><h2 id="how">How to read this</h2>'
        "<p>A column is measured by how far its values lie apart, not by a p-value: with many rows every difference is significant. "
        "Chance is what two samples of these sizes seldom exceed; a value within it is no drift, whatever the threshold. "
        "The drift score of a table is the weighted share of its columns in drift against the baseline.</p>"
        f"<ul>{items}</ul></section>"
    )
