"""The part of the report that is about one table: its score over time, its performance, and a fold for each column."""

import re
from datetime import date
from typing import cast

import polars as pl

from mlpipe_assets.monitoring.report_parts import (
    PERFORMANCE_WORDS,
    SKEW_WORDS,
    WORDS,
    is_loss,
    spell_bound,
    spell_method,
    spell_number,
    table_of,
    verdict_mark,
    worst,
)
from mlpipe_assets.monitoring.table_history import TableHistory
from mlpipe_assets.partitions import days_between
from mlpipe_assets.pictures.charts import bars, line_chart
from mlpipe_assets.pictures.lines import Series, Verdict
from mlpipe_assets.visible import escape

AGAINST = {
    "baseline": "against the baseline",
    "previous": "against the period before",
    "skew": "against the training set",
}
MEASURES = (
    "Against",
    "Measure",
    "Verdict",
    "Value",
    "Threshold",
    "Chance up to",
    "p",
    "q",
    "Rows then",
    "Rows now",
    "Note",
)
PERFORMANCE = ("Slice", "Metric", "Verdict", "Realised", "Holds down to", "Rows", "Note")
LOSSES = ("Slice", "Metric", "Verdict", "Realised", "Holds up to", "Rows", "Note")
_OPENED = 6  # columns in drift whose figures are shown without a click
_WORDS = {"skew": SKEW_WORDS, "performance": PERFORMANCE_WORDS}
_FALLBACK = re.compile(r"var\((--[\w-]+), #[0-9a-f]{6}\)")
_QUIET_MARK = re.compile(r"<circle [^>]*><title>[^<]*, none</title></circle>")


def anchor(table: str) -> str:
    """Where a table's section begins."""
    return "table-" + re.sub(r"[^\w-]", "-", table)


def section_of(history: TableHistory) -> str:
    """All of one table."""
    name = anchor(history.table)
    head = f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(history.table)}</h2>'
    if not history.days:
        return f"{head}<p>Nothing was monitored yet.</p></section>"
    newest = history.days[-1]
    state = f" {newest.state[0].upper()}{newest.state[1:]}." if newest.state else ""
    told = f"<p>Newest day {newest.day}. {escape(history.reference)}{escape(state)}</p>"
    moved = {column: _moved(history, column) for column in history.columns()}
    columns = sorted(moved, key=lambda column: -_SEVERITY.index(moved[column]))  # stable: the contract's order within
    shown = [column for column in columns if moved[column] == "drift"][:_OPENED]
    folds = "".join(_fold(history, column, moved[column], opened=column in shown) for column in columns)
    return f"{head}{told}{_score(history)}{_performance(history)}<h3>Columns</h3>{folds}</section>"


def _score(history: TableHistory) -> str:
    if all(state.score is None for state in history.days):
        return ""
    by_day = {state.day: state for state in history.days}
    days = days_between(history.days[0].day, history.days[-1].day)
    states = [by_day.get(day) for day in days]
    series = Series(
        name="drift score",
        points=[(day, state.score if state else None) for day, state in zip(days, states, strict=True)],
        verdicts=["drift" if state and state.drifting else "none" for state in states],
    )
    chart = line_chart(
        [series],
        title="Drift score over time",
        description=f"Share of columns of {history.table} in drift against the baseline, {days[0]} to {days[-1]}",
        threshold=history.retrain_above,
        threshold_label="bad from",
        size=(720, 220),
    )
    return f'<figure class="wide">{_lighter(chart, len(days))}</figure>'


def _performance(history: TableHistory) -> str:
    rows = history.newest.filter(pl.col("comparison") == "performance")
    if not rows.height:
        return ""
    if rows["value"].is_null().all():
        return f"<h3>Performance</h3><p>{escape(rows['note'][0])}</p>"
    cells = [
        [
            escape(row["column"]),
            escape(spell_method(row["method"])),
            verdict_mark(row["verdict"], PERFORMANCE_WORDS) if row["threshold"] is not None else "",
            spell_number(row["value"]),
            spell_number(row["threshold"]),
            f"{row['n_current']:,}",
            escape(row["note"]),
        ]
        for row in rows.to_dicts()
    ]
    method = rows["method"][0]
    realised = measure_by_day(history, "performance", "overall", method)
    chart = line_chart(
        [realised],
        title=f"Realised {spell_method(method)} over time",
        description=f"Over all predictions of {history.table} whose labels are known",
        threshold=rows["threshold"][0],
        threshold_label=spell_bound(method),
        size=(720, 220),
    )
    figure = f'<figure class="wide">{_lighter(chart, len(realised.points))}</figure>'
    return f"<h3>Performance</h3>{figure}{_performance_table(cells, loss=is_loss(method))}"


def _performance_table(cells: list[list[str]], *, loss: bool) -> str:
    head, kind = (LOSSES, "performance losses") if loss else (PERFORMANCE, "performance")
    return table_of("Realised performance, newest window", head, cells, (3, 4, 5), kind=kind)


def _decided(history: TableHistory, column: str) -> list[dict[str, object]]:
    """The deciding measurements of a column on the newest day."""
    return history.newest_decided.filter(
        (pl.col("column") == column) & (pl.col("comparison") != "performance")
    ).to_dicts()


def _moved(history: TableHistory, column: str) -> str:
    """The worst verdict of a column on the newest day."""
    return worst(str(row["verdict"]) for row in _decided(history, column) if row["value"] is not None) or "none"


def _fold(history: TableHistory, column: str, moved: str, *, opened: bool) -> str:
    """One column: its verdicts in a line, and behind it charts and every measurement."""
    newest = _decided(history, column)
    cells = "".join(
        f'<span class="cell"><span class="against">{AGAINST[str(row["comparison"])]}</span>'
        f"{verdict_mark(_verdict(row), _WORDS.get(str(row['comparison']), WORDS))} {_against(row)}</span>"
        for row in newest
    )
    return (
        f'<details class="column" data-verdict="{moved}"{" open" if opened else ""}>'
        f'<summary><span class="name">{escape(column)}</span>{cells}</summary>'
        f'<div class="inside">{_figures(history, column, newest)}{_measurements(history, column)}</div></details>'
    )


def _against(row: dict[str, object]) -> str:
    value, threshold, floor = (cast("float | None", row[name]) for name in ("value", "threshold", "floor"))
    if value is None:
        return ""
    bounds = [f"threshold {threshold:g}"] if threshold is not None else []
    bounds += [f"chance up to {spell_number(floor)}"] if floor is not None else []
    beside = f" ({', '.join(bounds)})" if bounds else ""
    return f'<span class="muted">{spell_number(value)}{beside}</span>'


def _verdict(row: dict[str, object]) -> str | None:
    return str(row["verdict"]) if row["value"] is not None else None


def _figures(history: TableHistory, column: str, newest: list[dict[str, object]]) -> str:
    found: list[str] = []
    measured = [row for row in newest if row["value"] is not None]
    if measured:
        method = str(measured[0]["method"])
        lines = [measure_by_day(history, str(row["comparison"]), column, method) for row in measured]
        chart = line_chart(
            lines,
            title=f"{column}: {spell_method(method)} over time",
            description=f"{measured[0]['verdict']} on the newest day",
            threshold=cast("float | None", measured[0]["threshold"]),
            size=(560, 260),
        )
        found.append(_lighter(chart, max(len(line.points) for line in lines)))
    shape = history.histograms.get(column)
    if shape:
        unit = history.units.get(column)
        then = "training set" if any(row["comparison"] == "skew" for row in newest) else "baseline"
        chart = bars(
            shape.labels,
            shape.reference,
            shape.current,
            title=f"{column}: share of rows",
            description=f"{then.capitalize()} beside the newest window",
            names=(then, "newest window"),
            x_label=unit or "",
            size=(560, 260),
        )
        found.append(_lighter(chart))
    return f'<div class="figures">{"".join(f"<figure>{chart}</figure>" for chart in found)}</div>' if found else ""


def _measurements(history: TableHistory, column: str) -> str:
    rows = history.newest.filter((pl.col("column") == column) & (pl.col("comparison") != "performance"))
    cells = [
        [
            AGAINST[row["comparison"]].removeprefix("against "),
            escape(spell_method(row["method"])),
            verdict_mark(row["verdict"], _WORDS.get(row["comparison"], WORDS))
            if row["threshold"] is not None
            else "evidence",
            *(spell_number(row[name]) for name in ("value", "threshold", "floor", "p_value", "q_value")),
            f"{row['n_reference']:,}",
            f"{row['n_current']:,}",
            f'<span class="note">{escape(row["note"])}</span>',
        ]
        for row in rows.to_dicts()
    ]
    return table_of(
        f"{column}: every measurement of the newest day", MEASURES, cells, tuple(range(3, 10)), kind="measures"
    )


def measure_by_day(
    history: TableHistory, comparison: str, column: str, method: str, *, last: int = 0, name: str | None = None
) -> Series:
    """One measure of a column over the days measured, or the `last` of them, with gaps where a day was not."""
    found = history.rows.filter(
        (pl.col("comparison") == comparison) & (pl.col("column") == column) & (pl.col("method") == method)
    )
    by_day: dict[date, tuple[float | None, Verdict]] = {
        day: (value, verdict) for day, value, verdict in found.select("date", "value", "verdict").iter_rows()
    }
    days = days_between(history.days[0].day, history.days[-1].day)[-last:]
    return Series(
        name=name or AGAINST.get(comparison, "realised"),
        points=[(day, by_day[day][0] if day in by_day else None) for day in days],
        verdicts=[by_day[day][1] if day in by_day else "none" for day in days],
    )


_MANY_POINTS = 31
_SEVERITY = ("none", "possible", "drift")


def _lighter(chart: str, points: int = 0) -> str:
    """The chart without what the page already says, or nobody could tell apart: a third of its bytes.

    The page sets every colour; and where points stand close, only those with something to say keep their mark.
    """
    lighter = _FALLBACK.sub(r"var(\1)", chart)
    return _QUIET_MARK.sub("", lighter) if points > _MANY_POINTS else lighter
