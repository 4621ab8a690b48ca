"""What changed on the newest day of the monitored tables, as someone on duty needs it: what, since when, how bad, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from mlpipe_assets.errors import spell_count
from mlpipe_assets.monitoring.champions import OVERALL
from mlpipe_assets.monitoring.report_parts import is_loss, spell_bound, spell_method, spell_number
from mlpipe_assets.monitoring.table_history import TableHistory
from mlpipe_assets.partitions import spell_days

_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that changed in one table.

    Attributes:
        table: The monitored table.
        kind: `drift` (against the baseline), `skew` (against the training set), `performance` or `refused`.
        what: In a few words, without the table.
        since: When it was first seen without a break since; empty where it has no beginning.
        how_bad: The worst column in numbers, then the others by name.
        to_do: The next step.
        columns: Columns concerned, the worst first.
    """

    table: str
    kind: str
    what: str
    since: str = ""
    how_bad: str = ""
    to_do: str
    columns: tuple[str, ...] = ()


def list_changes(tables: Sequence[TableHistory]) -> list[Change]:
    """Everything that changed, the most urgent kind first: refused days, performance, drift, skew.

    Of a table whose newest day is older than that of others it is said of which day.
    """
    newest = newest_day(tables)
    found = [_dated(change, history, newest) for history in tables for change in _changes_of(history)]
    order = ("refused", "performance", "drift", "skew")
    return sorted(found, key=lambda change: order.index(change.kind))


def newest_day(tables: Sequence[TableHistory]) -> date | None:
    """The newest day that was monitored of any table."""
    return max((history.days[-1].day for history in tables if history.days), default=None)


def spell_older(tables: Sequence[TableHistory]) -> list[str]:
    """Tables of which the page shows an older day than there is, or than it shows of others; with why."""
    newest = newest_day(tables)
    found = []
    for history in (history for history in tables if history.days):
        day = history.days[-1].day
        if history.present and history.present > day:
            found.append(
                f"{history.table} of {day}, though it has days until {history.present}: mlpipe run measures them"
            )
        elif newest and day < newest:
            found.append(f"{history.table} of {day}, its newest: mlpipe status says why no later day came")
    return found


def in_drift(history: TableHistory, comparison: str) -> list[dict[str, Any]]:
    """The deciding measurements of the newest day that are in drift, the furthest beyond its threshold first."""
    rows = history.newest_decided.filter(
        (pl.col("comparison") == comparison) & (pl.col("verdict") == "drift") & pl.col("value").is_not_null()
    )
    return sorted(rows.to_dicts(), key=lambda row: -_times(row))


def drifting_since(history: TableHistory, comparison: str, columns: Sequence[str]) -> date | None:
    """The first day of the unbroken stretch of monitored days, up to the newest, on which any of the columns was in drift."""
    rows = history.decided.filter(
        (pl.col("comparison") == comparison) & pl.col("column").is_in(list(columns)) & (pl.col("verdict") == "drift")
    )
    bad = set(rows["date"].to_list())
    since = None
    for state in reversed(history.days):
        if state.day not in bad:
            break
        since = state.day
    return since


def _changes_of(history: TableHistory) -> list[Change]:
    found = [_refused(history)] if history.refused else []
    if not history.days:
        return found
    if change := _performance(history):
        found.append(change)
    if rows := in_drift(history, "baseline"):
        found.append(_drift(history, rows))
    if rows := in_drift(history, "skew"):
        found.append(_skew(history, rows))
    return found


def _dated(change: Change, history: TableHistory, newest: date | None) -> Change:
    if change.kind == "refused" or history.days[-1].day == newest:
        return change
    return replace(change, since=f"{change.since}, as of {history.days[-1].day}".removeprefix(", "))


def _drift(history: TableHistory, rows: list[dict[str, Any]]) -> Change:
    names = tuple(row["column"] for row in rows)
    bad = history.days[-1].drifting
    beyond = "" if bad else " Too few columns to count as a bad window."
    asks = (
        f" If it lasts, a retraining of {', '.join(history.retrains)} is asked for." if bad and history.retrains else ""
    )
    return Change(
        table=history.table,
        kind="drift",
        what=f"{_columns(rows)} moved away from the baseline",
        since=_since(history, "baseline", names),
        how_bad=f"{_in_numbers(rows)}{beyond}",
        to_do="look at the columns opened below. Wrong files: deliver them again, corrected, under the same names. "
        f"A real change: train on newer days with training_job.{asks}",
        columns=names,
    )


def _skew(history: TableHistory, rows: list[dict[str, Any]]) -> Change:
    names = tuple(row["column"] for row in rows)
    return Change(
        table=history.table,
        kind="skew",
        what=f"{_columns(rows)} differ{'s' if len(rows) == 1 else ''} from what the champion learnt from",
        since=_since(history, "skew", names),
        how_bad=_in_numbers(rows),
        to_do="train on newer days with training_job; if nothing should have changed, look at the features' own changes.",
        columns=names,
    )


def _performance(history: TableHistory) -> Change | None:
    rows = history.newest.filter(
        (pl.col("comparison") == "performance") & (pl.col("verdict") == "drift") & pl.col("value").is_not_null()
    ).to_dicts()
    if not any(row["column"] == OVERALL for row in rows):
        return None
    holds = (
        "" if history.days[-1].performance_bad else ". Without its oddest days it holds, so no retraining is asked for"
    )
    worst = [
        f"{row['column']}: {spell_method(row['method'])} {spell_number(row['value'])}"
        + (f", {spell_bound(row['method'])} {spell_number(row['threshold'])}" if row["threshold"] is not None else "")
        for row in rows
    ]
    return Change(
        table=history.table,
        kind="performance",
        what=f"predictions come true less {'well' if is_loss(rows[0]['method']) else 'often'} than in the champion's test",
        since=_since(history, "performance", (OVERALL,)),
        how_bad=f"{_some(worst, '; ')}{holds}.",
        to_do="look at the changes of its features, then train on newer days with training_job, or go back to the champion "
        "before with mlpipe rollback.",
    )


def _refused(history: TableHistory) -> Change:
    stage, _, name = history.table.partition("/")
    count = len(history.refused)
    cure = (
        f"deliver corrected files under the same names, or take a day as it is: mlpipe accept {name} DATE --reason …"
        if stage == "interim"
        else "mlpipe status says why of each day and what to do."
    )
    return Change(
        table=history.table,
        kind="refused",
        what=f"{count:,} {'day was' if count == 1 else 'days were'} refused and {'is' if count == 1 else 'are'} not in these numbers",
        how_bad=spell_days(sorted(history.refused)),
        to_do=cure,
    )


def _columns(rows: Sequence[object]) -> str:
    return spell_count(len(rows), "column")


def _times(row: dict[str, Any]) -> float:
    return float(row["value"] / row["threshold"]) if row["threshold"] else float("inf")


def _in_numbers(rows: list[dict[str, Any]]) -> str:
    first, *others = rows
    bound = f", {_times(first):.1f} times its threshold of {first['threshold']:g}" if first["threshold"] else ""
    more = f". Also {_some([row['column'] for row in others], ', ')}" if others else ""
    return f"{first['column']} most: {spell_number(first['value'])}{bound}{more}."


def _since(history: TableHistory, comparison: str, columns: Sequence[str]) -> str:
    return _spell_since(history, drifting_since(history, comparison, columns))


def _spell_since(history: TableHistory, since: date | None) -> str:
    if since is None:
        return ""
    days = (history.days[-1].day - since) // timedelta(days=1) + 1
    if days == 1:
        return f"first seen on {since}"
    before = " or before" if since == history.days[0].day else ""
    return f"since {since}{before} ({days} days)"


def _some(names: Sequence[str], between: str) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more
