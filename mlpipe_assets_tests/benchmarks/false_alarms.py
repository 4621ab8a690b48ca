"""How often the verdicts cry wolf, and what they see: alarms on days that are all alike, and shifts put in on purpose.

Windows are those of `catalog.declarations.Monitor`: 7 days against the 7 before, and against the first 28, frozen.
`python -m mlpipe_assets_tests.benchmarks.false_alarms PART SIZE DAYS`, with a part of `alarms` or `detections`, prints JSON.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpipe_assets.pictures.charts import bars, line_chart
from mlpipe_assets.pictures.lines import Series
from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.merging import merge
from mlpipe_assets.statistics.profiles import profile_frame
from mlpipe_assets.statistics.verdicts import compare, worst
from mlpipe_assets_tests.benchmarks.alike_days import BASELINE, WINDOW, columns, make_day
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.report import Line, Measured
from mlpipe_assets_tests.benchmarks.seeded_shifts import detect

_MOST_A_DAY = 0.1


def measure_false_alarms(pictures: Path | None, most: int = 100, days: int = 60, repeats: int = 100) -> Measured:
    """Alarms a day among `most` columns over `days` days, and how often each shift is seen in `repeats` tries.

    Two pictures go to the folder `pictures`, where there is one.
    """
    alarms = python("-m", __spec__.name, "alarms", f"{most}", f"{days}").result
    seen = python("-m", __spec__.name, "detections", f"{repeats}", "0").result
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        (pictures / "false-alarms.svg").write_text(draw_alarms(alarms, most), encoding="utf-8")
        (pictures / "shifts-seen.svg").write_text(draw_detections(seen), encoding="utf-8")
    lines = [*_alarm_lines(alarms, most, days), *_detection_lines(seen)]
    return Measured(lines=tuple(lines), numbers={"false_alarms": {"alarms": alarms, "detections": seen}})


def count_alarms(most: int, days: int) -> dict[str, dict[str, list[int]]]:
    """Columns that alarm on each day, by comparison and by rule.

    Rules: our levels `drift` and `possible`; `p below 0.05`, as most tools have it; `q below 0.05`, corrected over columns.
    """
    wanted = columns(most)
    thresholds = {column.name: column.threshold for column in wanted}
    baseline = [make_day(day, wanted) for day in range(BASELINE)]
    first = baseline[0].vstack(baseline[1])
    for frame in baseline[2:]:
        first = first.vstack(frame)
    bins = freeze_bins(first, kinds_of(first.schema))
    frozen = profile_frame(first, bins)
    kept = {day: profile_frame(frame, bins) for day, frame in enumerate(baseline)}
    found: dict[str, dict[str, list[int]]] = {"baseline": {}, "previous": {}}
    for last in range(BASELINE + WINDOW - 1, BASELINE + WINDOW - 1 + days):
        for day in range(last - 2 * WINDOW + 1, last + 1):
            if day not in kept:
                kept[day] = profile_frame(make_day(day, wanted), bins)
        current = merge(kept[day] for day in range(last - WINDOW + 1, last + 1))
        previous = merge(kept[day] for day in range(last - 2 * WINDOW + 1, last - WINDOW + 1))
        for comparison, reference in (("baseline", frozen), ("previous", previous)):
            for rule, count in _alarms(compare(reference, current, thresholds)).items():
                found[comparison].setdefault(rule, []).append(count)
    return found


def draw_alarms(alarms: dict[str, dict[str, list[int]]], most: int) -> str:
    """Alarms of each day against the baseline, by rule."""
    rules = ("p below 0.05", "possible", "drift")
    days = len(alarms["baseline"]["drift"])
    return line_chart(
        [
            Series(name=rule, points=[(float(day + 1), float(alarms["baseline"][rule][day])) for day in range(days)])
            for rule in rules
        ],
        title=f"False alarms a day among {most} columns that never change",
        description="; ".join(f"{rule}: {statistics.mean(alarms['baseline'][rule]):.2f} a day" for rule in rules),
        x_label="day",
        y_label="columns",
    )


def draw_detections(seen: list[dict[str, Any]]) -> str:
    """How often each shift is called drift, with few and with many rows."""
    rows = sorted({case["rows_a_day"] for case in seen})
    fewest, most = rows[0], rows[-1]
    shifts = list(dict.fromkeys(case["shift"] for case in seen))
    rate = {(case["shift"], case["rows_a_day"]): case["drift"] for case in seen}
    return bars(
        shifts,
        [rate[shift, fewest] for shift in shifts],
        [rate[shift, most] for shift in shifts],
        title="Share of seeded shifts called drift",
        description="; ".join(f"{shift}: {rate[shift, most]:.0%}" for shift in shifts),
        names=(f"{fewest:,} rows a day", f"{most:,} rows a day"),
        size=(1240, 280),
    )


def _alarms(measurements: Sequence[Measurement]) -> dict[str, int]:
    verdicts = list(worst(measurements).values())
    tests = [m for m in measurements if m.p_value is not None and m.q_value is not None]
    return {
        "drift": verdicts.count("drift"),
        "possible": verdicts.count("possible"),
        "p below 0.05": sum(m.p_value < 0.05 for m in tests if m.p_value is not None),
        "q below 0.05": sum(m.q_value < 0.05 for m in tests if m.q_value is not None),
    }


def _alarm_lines(alarms: dict[str, dict[str, list[int]]], most: int, days: int) -> list[Line]:
    lines = []
    for comparison, against in (("baseline", "the frozen 28 days"), ("previous", "the 7 days before")):
        counts = alarms[comparison]
        means = {rule: statistics.mean(counts[rule]) for rule in counts}
        lines.append(
            Line(
                name=f"false alarms a day, {most} columns that never change x {days} days, against {against}: drift; possible "
                "(yardstick: two-sample p < 0.05)",
                ours=f"{means['drift']:.2f}; {means['possible']:.2f}",
                yardstick=f"{means['p below 0.05']:.2f}",
                target=f"≤ {_MOST_A_DAY}",
                met=means["drift"] + means["possible"] <= _MOST_A_DAY,
            )
        )
    return lines


def _detection_lines(seen: list[dict[str, Any]]) -> list[Line]:
    """One line a shift: called drift, and in brackets at least possible, by rows a day."""
    rows = sorted({case["rows_a_day"] for case in seen})
    with_rows = "; ".join(f"{count:,}" for count in rows)
    lines = []
    for shift in dict.fromkeys(case["shift"] for case in seen):
        cases = sorted((case for case in seen if case["shift"] == shift), key=lambda case: case["rows_a_day"])
        lines.append(
            Line(
                name=f"- {shift} for a week: called drift (at least possible) at {with_rows} rows a day",
                ours="; ".join(f"{case['drift']:.0%} ({case['possible']:.0%})" for case in cases),
            )
        )
    return lines


def main(arguments: Sequence[str]) -> None:
    """Do one of the two parts, and print what came of it."""
    part, size, days = arguments[0], int(arguments[1]), int(arguments[2])
    print(json.dumps(count_alarms(size, days) if part == "alarms" else detect(size)))


if __name__ == "__main__":
    main(sys.argv[1:])
