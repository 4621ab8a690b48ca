"""Which measure speaks for a column, and the summary people open."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.monitoring.deciding import SCHEMA, deciding, write_summary

DAY = date(2026, 3, 1)


def row(
    method: str, value: float | None, threshold: float | None, verdict: str, **changes: object
) -> dict[str, object]:
    return {
        "table": "interim/readings",
        "date": DAY,
        "comparison": "baseline",
        "column": "level",
        "method": method,
        "value": value,
        "threshold": threshold,
        "floor": None,
        "p_value": None,
        "q_value": None,
        "n_reference": 10,
        "n_current": 5,
        "verdict": verdict,
        "note": "",
        **changes,
    }


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_the_worst_verdict_decides_then_the_largest_share_of_its_threshold() -> None:
    rows = frame(
        row("psi", 9.0, None, "none"),
        row("distance", 0.19, 0.1, "possible"),
        row("null_share", 0.06, 0.05, "drift"),
        row("distance", 0.02, 0.1, "none", column="colour"),
        row("null_share", 0.04, 0.05, "none", column="colour"),
    )
    assert deciding(rows).select("column", "method").rows() == [("level", "null_share"), ("colour", "null_share")]


def test_a_column_nothing_was_measured_of_keeps_the_row_that_says_why() -> None:
    rows = frame(row("distance", None, 0.1, "none", note="no rows"), row("psi", None, None, "none"))
    assert deciding(rows).select("method", "note").rows() == [("distance", "no rows")]


@given(st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_decide(order: list[int]) -> None:
    rows = [row(f"m{i}", i % 3 / 10, 0.1, ("none", "possible", "drift")[i % 2]) for i in range(6)]
    assert deciding(frame(*(rows[i] for i in order)))["method"].to_list() == ["m5"]


def test_the_summary_holds_thirty_days_the_newest_first_and_drift_before_the_rest() -> None:
    rows = frame(
        *(row("distance", 0.123456789, 0.1, "none", date=DAY - timedelta(days=n)) for n in range(40)),
        row("distance", 0.3, 0.1, "drift", column="colour"),
    )
    lines = write_summary(rows).decode().splitlines()
    assert lines[:3] == [
        "table,date,comparison,column,method,value,threshold,floor,p_value,q_value,n_reference,n_current,verdict,note",
        "interim/readings,2026-03-01,baseline,colour,distance,0.3,0.1,,,,10,5,drift,",
        "interim/readings,2026-03-01,baseline,level,distance,0.123457,0.1,,,,10,5,none,",
    ]
    assert len(lines) == 1 + 31
    assert write_summary(rows.reverse()) == write_summary(rows)
