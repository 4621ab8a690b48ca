"""What the newest day of a monitored table says, as statements that hold or do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import polars as pl

from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.learning.tasks.registry import realised_methods
from mlpipe_assets.monitoring.champions import OVERALL
from mlpipe_assets.monitoring.report_parts import spell_bound, spell_number
from mlpipe_assets.monitoring.table_history import TableHistory

Row = Mapping[str, object]
_ALIKE = ("comparison", "method", "threshold", "n_current", "n_reference", "note")  # of columns that are told together
AGAINST = {"baseline": "the baseline", "previous": "the period before", "skew": "the training set"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A statement about the newest day, whether it holds, and the numbers it rests on."""

    holds: bool
    text: str


def no_column_drifted(history: TableHistory) -> Finding:
    """Whether any column drifted from the baseline or the period before; what may have drifted is named, and holds."""
    return _moved(history, ("baseline", "previous"), "No column drifted")


def training_matches_serving(history: TableHistory) -> Finding:
    """Whether predictions are made on rows like those the champion learnt from."""
    return _moved(history, ("skew",), "The features predictions were made on are like those of the training set")


def performance_holds(history: TableHistory) -> Finding:
    """Whether predictions whose labels are known came true as on the champion's test set."""
    rows = _newest(history, "performance").to_dicts()
    deciding = realised_methods()
    whole = [row for row in rows if row["column"] == OVERALL and row["method"] in deciding]
    if not whole or whole[0]["value"] is None:
        return Finding(holds=True, text=f"{_day(history)}: {whole[0]['note'] if whole else 'nothing was predicted'}.")
    worse = [_spell_ranking(row) for row in rows if row["verdict"] == "drift"]
    perhaps = [_spell_ranking(row) for row in rows if row["verdict"] == "possible"]
    holds = whole[0]["verdict"] != "drift"
    parts = [f"{_day(history)}: {_spell_ranking(whole[0])}"]
    parts += [f"worse than tested: {_some(worse, 5)}"] if worse else []
    parts += [f"perhaps worse: {_some(perhaps, 5)}"] if perhaps else []
    advice = "" if holds else " Look at the drift of its features, then train a new model with training_job."
    return Finding(holds=holds, text="; ".join(parts) + "." + advice)


def baseline_is_complete(history: TableHistory) -> Finding:
    """Whether there is a baseline to hold the newest day against."""
    if not history.days:
        return Finding(holds=False, text="Nothing was monitored yet.")
    state = f"{_day(history)}: {history.days[-1].state}. " if history.days[-1].state else ""
    return Finding(holds=history.frozen, text=f"{state}{history.reference}")


def _moved(history: TableHistory, comparisons: tuple[str, ...], fine: str) -> Finding:
    rows = [row for name in comparisons for row in _newest(history, name).to_dicts()]
    measured = [row for row in rows if row["value"] is not None]
    drifted = _spell_all([row for row in measured if row["verdict"] == "drift"])
    possible = _spell_all([row for row in measured if row["verdict"] == "possible"])
    perhaps = f" Possible: {_some(possible, 5)}." if possible else ""
    if drifted:
        return Finding(holds=False, text=f"{_day(history)}: {_some(drifted, 8)}.{perhaps}")
    if not measured:
        why = rows[0]["note"] if rows else "nothing was monitored yet"
        return Finding(holds=True, text=f"{_day(history)}: nothing measured, {why}.")
    return Finding(
        holds=True, text=f"{_day(history)}: {fine} ({len({row['column'] for row in measured})} looked at).{perhaps}"
    )


def _newest(history: TableHistory, comparison: str) -> pl.DataFrame:
    rows = history.newest if comparison == "performance" else history.newest_decided
    return rows.filter(pl.col("comparison") == comparison)


def _day(history: TableHistory) -> str:
    return f"[{history.days[-1].day}]" if history.days else "[no day]"


def _spell_all(rows: Sequence[Row]) -> list[str]:
    """What moved, a text for all columns that were measured alike."""
    alike: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault(tuple(row[name] for name in _ALIKE), []).append(row)
    return [_spell(found) for found in alike.values()]


def _spell(rows: Sequence[Row]) -> str:
    row = rows[0]
    note = f" ({row['note']})" if row["note"] else ""
    against = f"against {AGAINST[str(row['comparison'])]}: {row['method']}"
    values = [f"{one['column']} {_number(one['value'])}" for one in rows]
    told = (
        f"{row['column']} {against} {_number(row['value'])}"
        if len(rows) == 1
        else f"{spell_count(len(rows), 'column')} {against} of {shorten(values, 8)}"
    )
    return f"{told}, threshold {_number(row['threshold'])}, {_rows(row)} against {row['n_reference']:,}{note}"


def _spell_ranking(row: Row) -> str:
    holds = spell_bound(str(row["method"]))
    bound = f", {holds} {_number(row['threshold'])}" if row["threshold"] is not None else ""
    note = f" ({row['note']})" if row["note"] else ""
    return f"{row['column']}: {row['method']} {_number(row['value'])} of {_rows(row)}{bound}{note}"


def _rows(row: Row) -> str:
    return spell_count(cast("int", row["n_current"]), "row")


def _number(value: object) -> str:
    return spell_number(value) if isinstance(value, float) else ""


def _some(lines: list[str], most: int) -> str:
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more
