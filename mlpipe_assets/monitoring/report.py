"""monitoring/report.html: every watched table on one page that needs nothing but a browser."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mlpipe_assets.monitoring.report_parts import spell_number, table_of, verdict_mark, worst
from mlpipe_assets.monitoring.report_section import anchor, section_of
from mlpipe_assets.monitoring.watched import Watched
from mlpipe_assets.pictures.charts import sparkline
from mlpipe_assets.pictures.theme import theme_css

_HERE = Path(__file__).parent
_COMPARISONS = ("baseline", "previous", "skew")


def render_report(tables: Sequence[Watched]) -> bytes:
    """The page. Nothing in it is fetched, now or later: style, script and pictures are part of it.

    A policy in its head lets a browser run this script and no other.
    """
    style, script = theme_css() + _read("report.css"), _read("report.js")
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()]
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digests[0]}'"
    newest = max((watched.days[-1].day for watched in tables if watched.days), default=None)
    body = "".join(section_of(watched) for watched in tables)
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
<p class="muted">{_lead(tables)}</p>
</header>
<main>
<h2 id="summary">Summary</h2>
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


def _lead(tables: Sequence[Watched]) -> str:
    drifted = [watched.table for watched in tables if watched.days and watched.days[-1].drifting]
    newest = max((watched.days[-1].day for watched in tables if watched.days), default=None)
    if newest is None:
        return "Nothing was monitored yet."
    measured = [watched.table for watched in tables if watched.days and watched.days[-1].score is not None]
    skewed = [watched.table for watched in tables if _columns(watched, "skew")]
    worse = [w.table for w in tables if w.days and w.days[-1].bad and not w.days[-1].drifting]
    told = [f"The newest day is {newest}."]
    if drifted:
        told.append(f"{', '.join(drifted)} moved away from the baseline by more than is allowed.")
    elif not measured:
        told.append("No table has a baseline to be held against yet.")
    else:
        told.append(_unmoved(len(measured), len(tables)))
    if skewed:
        told.append(f"{', '.join(skewed)}: made on features that differ from those of the training set.")
    if worse:
        told.append(f"{', '.join(worse)}: came true less often than in the test.")
    return escape(" ".join(told))


def _unmoved(measured: int, watched: int) -> str:
    """That no table moved, of those that have a baseline (at least one)."""
    share = "" if measured == watched else f" (of {watched} watched)"
    if measured == 1:
        return f"The one table with a baseline{share} did not move away from it."
    return f"None of the {measured} tables with a baseline{share} moved away from it."


def _columns(watched: Watched, comparison: str) -> list[str]:
    """Columns in drift on the newest day, in one comparison."""
    return [name for name, verdict in watched.newest_verdicts(comparison).items() if verdict == "drift"]


def _summary(tables: Sequence[Watched]) -> str:
    rows = [_summary_row(watched) for watched in tables]
    head = ("Table", "Newest day", "Verdict", "Drift score", "Score over time", "Columns in drift", "Performance")
    return table_of("Newest verdict of each table, against its frozen baseline", head, rows)


def _summary_row(watched: Watched) -> list[str]:
    link = f'<a href="#{anchor(watched.table)}">{escape(watched.table)}</a>'
    if not watched.days:
        return [link, "none", verdict_mark(None), "", "", "", ""]
    newest = watched.days[-1]
    known = newest.score is not None
    verdicts = watched.newest_verdicts("baseline")
    drifted = _columns(watched, "baseline")
    skewed = _columns(watched, "skew")
    told = [", ".join(drifted) or ("none" if known else "")]
    told += [f"against training: {', '.join(skewed)}"] if skewed else []
    score = (
        f"{spell_number(newest.score)} <span class=muted>(from {watched.retrain_above:g} on bad)</span>"
        if known
        else ""
    )
    line = sparkline([state.score for state in watched.days], title=f"drift score of {watched.table} over time")
    return [
        link,
        f"{newest.day}",
        verdict_mark(worst(verdicts.values()) if known else None),
        score or escape(newest.state),
        line if known else "",
        escape("; ".join(part for part in told if part)),
        escape(watched.performance_in_words()),
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
        "The drift score of a table is the weighted share of its columns in drift against the baseline.</p>"
        f"<ul>{items}</ul></section>"
    )
