"""How often each kind of unchanging table is called drift, and how often a shifted week is seen, as monitoring judges both.

`python -m mlpipe_assets_tests.benchmarks.drift_kinds COLUMNS SHIFTED SEED` prints JSON.
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
from scipy.special import chdtri

from mlpipe_assets.monitoring.odd_days import decide, in_drift_without
from mlpipe_assets.monitoring.references import Reference
from mlpipe_assets.statistics.baselines import Rows, describe_column
from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.measurements import Verdict
from mlpipe_assets.statistics.profiles import Profile, profile_frame
from mlpipe_assets.statistics.verdicts import worst
from mlpipe_assets_tests.benchmarks.alike_days import BASELINE, WINDOW
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.kinds_of_days import Day, Kind, MakeDay, odd_kinds, quiet_kinds, shifted_kinds
from mlpipe_assets_tests.benchmarks.kinds_of_rows import kinds_by_rows
from mlpipe_assets_tests.benchmarks.report import Line, Measured

MONDAY = date(2026, 1, 5)
_ODD = 2
_DAYS, _STEP = 60, 5
_MOST_A_DAY = 0.1
_SELDOM = 0.05
SEED = 4099  # none that the rules were looked at with: 7, 77, 101, 202, 301, 302, 2027 and 2028


def measure_drift_kinds(columns: int = 100, shifted: int = 40, seed: int = SEED) -> Measured:
    """False alarms among 100 columns on a day, over all kinds and by kind, and the share of shifted weeks called drift."""
    one_core = {"POLARS_MAX_THREADS": "1"}
    found = python("-m", __spec__.name, f"{columns}", f"{shifted}", f"{seed}", environment=one_core).result
    quiet, odd, moved = found["quiet"], found["odd"], found["shifted"]
    windows = sum(kind["windows"] for kind in quiet)
    every = 100 * sum(kind["drift"] for kind in quiet) / windows
    lines = [
        Line(
            name=f"false alarms a day of 100 columns, {len(quiet)} kinds of unchanging tables x {columns} columns (seed {seed}), "
            f"{windows:,} windows: drift",
            ours=_spell_rate(sum(kind["drift"] for kind in quiet), windows),
            target=f"≤ {_MOST_A_DAY}",
            met=every <= _MOST_A_DAY,
        ),
        *(
            Line(name=f"- {words}", ours=_spell_rate(sum(kind[name] for kind in quiet), windows))
            for name, words in (
                ("bad", "of them bad, which asks for a retraining"),
                ("possible", "possible drift beside it"),
            )
        ),
    ]
    lines += [
        Line(
            name=f"- {kind['kind']}: drift (bad; possible), {kind['windows']:,} windows",
            ours=f"{_spell_rate(kind['drift'], kind['windows'])} ({100 * kind['bad'] / kind['windows']:.2f}; "
            f"{100 * kind['possible'] / kind['windows']:.2f})",
        )
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
    return Measured(lines=tuple(lines), numbers={"drift_kinds": {"seed": seed, **found}})


def most_likely(alarms: int, windows: int) -> float:
    """The largest rate that lets so few alarms come once in twenty times; of none in n windows 3 / n, the rule of three.

    Windows of one column overlap and share a baseline, so that they tell less than as many columns would. Source:
    Hanley and Lippman-Hand (1983), and the Poisson limit of Garwood (1936) for more alarms than none.
    """
    return float(chdtri(2 * alarms + 2, _SELDOM)) / 2 / windows


def _spell_rate(alarms: int, windows: int) -> str:
    return f"{100 * alarms / windows:.2f}, at most {100 * most_likely(alarms, windows):.2f}"


def count_alarms(kind: Kind, columns: int, seed: int = SEED) -> dict[str, Any]:
    """Windows, those in drift, those that would ask for a retraining, and columns with any, of tables that do not change."""
    days = range(BASELINE + WINDOW - 1, BASELINE + WINDOW - 1 + _DAYS, _STEP)
    found: Counter[str] = Counter(windows=0, drift=0, bad=0, possible=0, columns_in_drift=0)
    for number in range(columns):
        draw, make = start(kind, number, seed)
        frames = [make(draw, Day(number=day)) for day in range(days[-1] + 1)]
        reference = freeze(kind, frames[:BASELINE])
        profiles = {day: profile_frame(frames[day].select("x"), reference.bins) for day in range(BASELINE, len(frames))}
        judged = [judge(kind, reference, profiles, day) for day in days]
        found["windows"] += len(judged)
        found["possible"] += sum(verdict == "possible" for verdict, _ in judged)
        drift = sum(verdict == "drift" for verdict, _ in judged)
        found["drift"] += drift
        found["columns_in_drift"] += drift > 0
        found["bad"] += sum(bad for _, bad in judged)
    return {"kind": kind.name, **found}


def count_seen(kind: Kind, columns: int, seed: int = SEED) -> dict[str, Any]:
    """Of tables of a kind of whose sixth week the last days are shifted, how many are called drift, and bad, at its end."""
    found: Counter[str] = Counter(drift=0, bad=0)
    last = BASELINE + 2 * WINDOW - 1
    for number in range(columns):
        draw, make = start(kind, number, seed)
        frames = [make(draw, Day(number=day, shifted=day > last - kind.days)) for day in range(last + 1)]
        reference = freeze(kind, frames[:BASELINE])
        week = range(last - WINDOW + 1, last + 1)
        profiles = {day: profile_frame(frames[day].select("x"), reference.bins) for day in week}
        verdict, bad = judge(kind, reference, profiles, last)
        found["drift"] += verdict == "drift"
        found["bad"] += bad
    return {"kind": kind.name, **found}


def start(kind: Kind, number: int, seed: int = SEED) -> tuple[np.random.Generator, MakeDay]:
    """The chance of one column, and what makes its days; the same for the same number and seed."""
    draw = np.random.default_rng([seed, zlib.crc32(kind.name.encode()), number])
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
        profiled="",
        origin="",
        profile=profile_frame(values, bins),
        columns={"x": describe_column(whole["x"], bins["x"], rows)},
    )


def judge(kind: Kind, reference: Reference, profiles: dict[int, Profile], last: int) -> tuple[Verdict, bool]:
    """The verdict on the window that ends with a day, and whether it is drift without its oddest days too."""
    window = {_date(day): profiles[day] for day in range(last - WINDOW + 1, last + 1) if profiles[day].rows}
    if not window:
        return "none", False
    verdict = worst(decide(reference, window, "x", kind.threshold))["x"]
    drift = verdict == "drift"
    return verdict, drift and bool(in_drift_without(reference, window, {"x": kind.threshold}, {"x"}, _ODD))


def _date(day: int) -> date:
    return MONDAY + timedelta(days=day)


def main(arguments: Sequence[str]) -> None:
    """Count all, and print what came of it."""
    columns, shifted, seed = map(int, arguments)
    quiet = [count_alarms(kind, columns, seed) for kind in (*quiet_kinds(), *kinds_by_rows())]
    odd, moved = ([count_seen(kind, shifted, seed) for kind in kinds()] for kinds in (odd_kinds, shifted_kinds))
    print(json.dumps({"quiet": quiet, "odd": odd, "shifted": moved}))


if __name__ == "__main__":
    main(sys.argv[1:])
