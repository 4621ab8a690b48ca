"""Whether realised predictions came true as the test set promised."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.task import Measured, Task
from mlpipe_assets.monitoring.champions import OVERALL, Tested
from mlpipe_assets.monitoring.odd_days import without_oddest
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.statistics.measurements import Measurement, Verdict

_SURE = 1.96  # standard errors that chance passes once in twenty


def measure_realised(
    rows: pl.DataFrame,
    tested: Tested,
    slices: Sequence[str],
    tolerance: float,
    *,
    keys: Sequence[str] = (),
    task: Task = BINARY,
) -> list[Measurement]:
    """Metrics of realised rows, over all of them and by slice. Columns: those of the task, label, and one of text per slice.

    One metric decides, and comes first. It is worse when it lies on the wrong side of that of the test set by more than the
    tolerance and what chance explains for samples of both sizes, perhaps worse when by more than chance. The rest is
    evidence. Chance takes the rows of one entity as one: the same customer on seven days is no seven customers.
    """
    apart = rows.select(keys).n_unique() / rows.height if keys and rows.height else 1.0
    whole = task.measure_realised(rows).to_dict()
    found = [_judge(OVERALL, whole, tested.get(OVERALL), tolerance, apart, task)]
    found += [
        Measurement(column=OVERALL, method=method, value=_known(whole[name]), n_reference=0, n_current=whole["rows"])
        for method, name in task.realised_evidence.items()
    ]
    for column in slices:
        for value in rows[column].drop_nulls().unique().sort():
            metrics = task.measure_realised(rows.filter(pl.col(column) == value)).to_dict()
            name = f"{column}={value}"
            found.append(_judge(name, metrics, tested.get(name), tolerance, apart, task))
    return found


def is_worse_without(
    rows: pl.DataFrame,
    tested: Tested,
    tolerance: float,
    odd: int,
    *,
    keys: Sequence[str] = (),
    task: Task = BINARY,
    moments: bool = False,
) -> bool:
    """Whether rows came true worse than tested also without the `odd` days of them whose absence helps most, by `as_of`.

    What a day does is seen only beside the others: one on which every probability is twice as large ranks its own rows as
    well as ever. Rows of no more days than that are never worse.
    """
    days = rows.select(day_of_row(moments=moments).unique()).to_series().to_list()
    if len(days) <= odd:
        return False
    of_others = {day: _measure_without(rows, [day], task, moments=moments).to_dict()[task.realised_by] for day in days}
    sign = 1.0 if task.realised_by in task.more_is_better else -1.0
    far = {day: -math.inf if value is None else sign * value for day, value in of_others.items()}
    kept = rows.filter(day_of_row(moments=moments).is_in(without_oddest(far, odd)))
    return measure_realised(kept, tested, [], tolerance, keys=keys, task=task)[0].verdict == "drift"


def _measure_without(rows: pl.DataFrame, days: Sequence[date], task: Task, *, moments: bool) -> Measured:
    return task.measure_realised(rows.filter(~day_of_row(moments=moments).is_in(days)))


def _judge(
    column: str,
    metrics: Mapping[str, Any],
    tested: Mapping[str, Any] | None,
    tolerance: float,
    apart: float,
    task: Task,
) -> Measurement:
    method = task.realised_by
    value, promised = metrics[method], (tested or {}).get(method)
    n = tested["rows"] if tested and promised is not None else 0
    plain = Measurement(column=column, method=method, value=_known(value), n_reference=n, n_current=metrics["rows"])
    if few := task.too_few(metrics):
        return replace(plain, note=few)
    own, of_test = task.spread(metrics, apart), task.spread(tested, 1.0) if tested else None
    if own is None or of_test is None or promised is None:
        return replace(plain, note="the test set did not tell")
    chance = _SURE * math.hypot(own, of_test)
    sign = 1.0 if method in task.more_is_better else -1.0
    lost, slack = sign * (promised - value), task.slack(tolerance, promised)
    verdict: Verdict = "drift" if lost > slack + chance else "possible" if lost > chance else "none"
    return replace(
        plain,
        threshold=promised - sign * slack - sign * chance,
        floor=chance,
        verdict=verdict,
        note=f"{promised:.3f} on the test set",
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value
