"""How often each kind of unchanging table is called drift, and how often a shifted week is seen, as monitoring judges both.

`python -m mlpipe_assets_tests.benchmarks.drift_kinds COLUMNS SHIFTED` prints JSON.
"""

import json
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.monitoring.bases import against_frozen
from mlpipe_assets.monitoring.odd_days import in_drift_without
from mlpipe_assets.resources.profiles import Reference
from mlpipe_assets.statistics.baselines import Rows, describe_column
from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.merging import merge
from mlpipe_assets.statistics.profiles import Profile, profile_frame
from mlpipe_assets.statistics.verdicts import compare, worst
from mlpipe_assets_tests.benchmarks.alike_days import BASELINE, WINDOW
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.kinds_of_days import Day, Kind, MakeDay, odd_kinds, quiet_kinds, shifted_kinds
from mlpipe_assets_tests.benchmarks.report import Line, Measured

MONDAY = date(2026, 1, 5)
_ODD = 2
_DAYS, _STEP = 60, 5
_MOST_A_DAY = 0.1


def measure_drift_kinds(columns: int = 40, shifted: int = 40) -> Measured:
    """False alarms among 100 columns on a day, over all kinds and by kind, and the share of shifted weeks called drift."""
    found = python("-m", __spec__.name, f"{columns}", f"{shifted}").result
    quiet, odd, moved = found["quiet"], found["odd"], found["shifted"]
    every = 100 * sum(kind["drift"] for kind in quiet) / sum(kind["column_days"] for kind in quiet)
    bad = sum(kind["bad"] for kind in quiet)
    lines = [
        Line(
            name=f"false alarms a day of 100 columns, {len(quiet)} kinds of unchanging tables x {columns} columns x "
            f"{_DAYS // _STEP} windows: drift",
            ours=f"{every:.3f}",
            target=f"≤ {_MOST_A_DAY}",
            met=every <= _MOST_A_DAY,
        ),
        Line(name="- of them windows that would ask for a retraining", ours=f"{bad}"),
    ]
    lines += [
        Line(name=f"- {kind['kind']}: a day of 100 columns", ours=f"{100 * kind['drift'] / kind['column_days']:.2f}")
        for kind in quiet
    ]
    lines += [
        Line(
            name=f"- {kind['kind']}: called drift (bad without the {_ODD} oddest days), of {shifted} columns",
            ours=f"{kind['drift'] / shifted:.0%} ({kind['bad'] / shifted:.0%})",
            target="(0%)",
            met=not kind["bad"],
        )
        for kind in odd
    ]
    lines += [
        Line(
            name=f"- {kind['kind']}, for a week: called drift (bad without its {_ODD} oddest days), of {shifted} columns",
            ours=f"{kind['drift'] / shifted:.0%} ({kind['bad'] / shifted:.0%})",
        )
        for kind in moved
    ]
    return Measured(lines=tuple(lines), numbers={"drift_kinds": found})


def count_alarms(kind: Kind, columns: int) -> dict[str, Any]:
    """Column-days, those in drift, and those that would ask for a retraining, of tables of a kind that do not change."""
    days = range(BASELINE + WINDOW - 1, BASELINE + WINDOW - 1 + _DAYS, _STEP)
    found: Counter[str] = Counter(column_days=0, drift=0, bad=0)
    for number in range(columns):
        draw, make = start(kind, number)
        frames = [make(draw, Day(number=day)) for day in range(days[-1] + 1)]
        reference = freeze(kind, frames[:BASELINE])
        profiles = {day: profile_frame(frame.select("x"), reference.bins) for day, frame in enumerate(frames)}
        for day in days:
            drift, bad = judge(kind, reference, profiles, day)
            found["column_days"] += 1
            found["drift"] += drift
            found["bad"] += bad
    return {"kind": kind.name, **found}


def count_seen(kind: Kind, columns: int) -> dict[str, Any]:
    """Of tables of a kind of whose sixth week the last days are shifted, how many are called drift, and bad, at its end."""
    found: Counter[str] = Counter(drift=0, bad=0)
    last = BASELINE + 2 * WINDOW - 1
    for number in range(columns):
        draw, make = start(kind, number)
        frames = [make(draw, Day(number=day, shifted=day > last - kind.days)) for day in range(last + 1)]
        reference = freeze(kind, frames[:BASELINE])
        week = range(last - WINDOW + 1, last + 1)
        profiles = {day: profile_frame(frames[day].select("x"), reference.bins) for day in week}
        drift, bad = judge(kind, reference, profiles, last)
        found["drift"] += drift
        found["bad"] += bad
    return {"kind": kind.name, **found}


def start(kind: Kind, number: int) -> tuple[np.random.Generator, MakeDay]:
    """The chance of one column, and what makes its days; the same for the same number."""
    draw = np.random.default_rng([7, zlib.crc32(kind.name.encode()), number])
    return draw, kind.start(draw)


def freeze(kind: Kind, frames: Sequence[pl.DataFrame]) -> Reference:
    """The baseline as monitoring freezes it."""
    whole = pl.concat(frames)
    values = whole.select("x")
    bins = freeze_bins(values, kinds_of(values.schema))
    rows = Rows(
        days=np.repeat(np.arange(len(frames)), [frame.height for frame in frames]),
        weekdays=np.array([_date(day).weekday() for day in range(len(frames))]),
        entities=whole["entity"].rank("dense").cast(pl.Int64).to_numpy() - 1 if kind.entity else None,
    )
    return Reference(
        days=tuple(_date(day) for day in range(len(frames))),
        watch="",
        origin="",
        profile=profile_frame(values, bins),
        columns={"x": describe_column(whole["x"], bins["x"], rows)},
    )


def judge(kind: Kind, reference: Reference, profiles: dict[int, Profile], last: int) -> tuple[bool, bool]:
    """Whether the window that ends with a day is in drift, and whether it is so without its oddest days."""
    window = {_date(day): profiles[day] for day in range(last - WINDOW + 1, last + 1) if profiles[day].rows}
    if not window:
        return False, False
    thresholds = {"x": kind.threshold}
    current = merge(window.values())
    measured = compare(reference.profile, current, thresholds, basis=against_frozen(reference, window))
    drift = worst(measured)["x"] == "drift"
    return drift, drift and bool(in_drift_without(reference, window, thresholds, {"x"}, _ODD))


def _date(day: int) -> date:
    return MONDAY + timedelta(days=day)


def main(arguments: Sequence[str]) -> None:
    """Count all, and print what came of it."""
    columns, shifted = int(arguments[0]), int(arguments[1])
    quiet = [count_alarms(kind, columns) for kind in quiet_kinds()]
    odd, moved = ([count_seen(kind, shifted) for kind in kinds()] for kinds in (odd_kinds, shifted_kinds))
    print(json.dumps({"quiet": quiet, "odd": odd, "shifted": moved}))


if __name__ == "__main__":
    main(sys.argv[1:])
