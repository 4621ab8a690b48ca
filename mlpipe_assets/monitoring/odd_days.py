"""Whether a window is bad without its oddest days: one odd day is in seven windows, and is no new state of the world."""

import math
from collections.abc import Collection, Mapping
from datetime import date

from mlpipe_assets.monitoring.bases import against_frozen
from mlpipe_assets.monitoring.references import Reference
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.merging import merge
from mlpipe_assets.statistics.noise import CHANCE
from mlpipe_assets.statistics.pairs import Pair
from mlpipe_assets.statistics.profiles import Profile

_CONFIRMED = 1e-3


def in_drift_without(
    reference: Reference,
    window: Mapping[date, Profile],
    thresholds: Mapping[str, float],
    drifted: Collection[str],
    odd: int,
) -> set[str]:
    """Of the columns in drift, those that are so without the `odd` days of the window that are farthest from the baseline.

    Each column leaves out days of its own. A window of no more days with rows than that is never in drift. The whole window
    has passed what chance passes once in 100,000; that its other days agree is asked for at once in a thousand, or a small
    table could never show it: the days left out take rows away, and are those that were farthest.
    """
    return {name for name in drifted if _still(reference, window, name, thresholds[name], odd)}


def without_oddest(far: Mapping[date, float], odd: int) -> list[date]:
    """The days that are left of some without the `odd` that are farthest off, in order; of days equally far the later go first."""
    left_out = sorted(far, key=lambda day: (far[day], day), reverse=True)[:odd]
    return sorted(set(far) - set(left_out))


def _still(reference: Reference, window: Mapping[date, Profile], name: str, threshold: float, odd: int) -> bool:
    if len(window) <= odd:
        return False
    far = {day: _farthest(decide(reference, {day: profile}, name, threshold)) for day, profile in window.items()}
    kept = {day: window[day] for day in without_oddest(far, odd)}
    return any(found.verdict == "drift" for found in decide(reference, kept, name, threshold, _CONFIRMED))


def decide(
    reference: Reference, window: Mapping[date, Profile], name: str, threshold: float, chance: float = CHANCE
) -> list[Measurement]:
    """The measures that give the verdict on one column of a window, without the evidence."""
    bins = reference.bins[name]
    parts = [
        Profile(rows=profile.rows, bins={name: bins}, columns={name: profile.columns[name]})
        for profile in window.values()
    ]
    pair = Pair(
        name=name,
        bins=bins,
        reference=reference.profile.columns[name],
        current=merge(parts).columns[name],
        basis=against_frozen(reference, window, [name])[name],
        chance=chance,
    )
    return pair.decide(threshold)


def _farthest(measured: list[Measurement]) -> float:
    """The largest share of its threshold that a measure reaches."""
    return max((m.value / m.threshold for m in measured if m.threshold and math.isfinite(m.value)), default=0.0)
