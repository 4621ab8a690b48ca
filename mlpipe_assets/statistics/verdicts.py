"""Whether a column has drifted: by the size of the effect, never by a p-value, and only beyond what chance does."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mlpipe_assets.statistics.baselines import Basis, mass_of
from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.measurements import Measurement, Verdict
from mlpipe_assets.statistics.pairs import Exact, Pair
from mlpipe_assets.statistics.profiles import Profile
from mlpipe_assets.statistics.two_sample import correct_for_columns

_RANKS: dict[Verdict, int] = {"none": 0, "possible": 1, "drift": 2}


def compare(
    reference: Profile,
    current: Profile,
    thresholds: Mapping[str, float],
    *,
    exact: Mapping[str, Exact] | None = None,
    basis: Mapping[str, Basis] | None = None,
    labels: Mapping[str, tuple[str, ...] | None] | None = None,
) -> list[Measurement]:
    """Every measure of every column, columns in the reference's order; a column without a threshold gives evidence only.

    `js_distance_above_noise` decides: the Jensen-Shannon distance over at most 16 pooled bins (nulls and NaN are mass of
    their own), without what sampling adds. 0.1 is about a quarter of a standard deviation, 0.05 about five points of
    share. Beside it, by half the threshold: `null_share`, the change of the share of nulls, and `unseen_share`, by
    how much the share of texts that the baseline did not keep exceeds what is to be expected. Without a `basis`, rows count as independent
    and weekdays as alike; the evidence always does. `labels` are the categories that notes may name, None for all of a column.

    Raises:
        MeasureError: If the two were counted into different bins, or a threshold names no column.
    """
    if reference.bins is not current.bins and reference.bins != current.bins:
        raise MeasureError("The two profiles were counted into different bins. Profile both with the frozen ones.")
    if unknown := [name for name in thresholds if name not in reference.columns]:
        raise MeasureError(f"There is a threshold for {unknown[0]!r}, but no such column was profiled.")
    found: list[Measurement] = []
    for name, bins in reference.bins.items():
        then, now = reference.columns[name], current.columns[name]
        rests_on = (basis or {}).get(name) or Basis(mass=mass_of(then, bins))
        pair = Pair(name=name, bins=bins, reference=then, current=now, basis=rests_on, labels=(labels or {}).get(name))
        found += pair.measure(thresholds.get(name), (exact or {}).get(name))
    return _with_corrected(found)


def worst(measurements: Iterable[Measurement]) -> dict[str, Verdict]:
    """Of each column that has a threshold, the strongest of its verdicts."""
    verdicts: dict[str, Verdict] = {}
    for found in measurements:
        if found.threshold is not None:
            verdicts[found.column] = max(verdicts.get(found.column, "none"), found.verdict, key=_RANKS.__getitem__)
    return verdicts


def drift_score(measurements: Iterable[Measurement], weights: Mapping[str, float]) -> float:
    """Share of the columns with a threshold that are in drift, weighted; a column not named weighs 1. 0 without any."""
    verdicts = worst(measurements)
    total = sum(weights.get(name, 1.0) for name in verdicts)
    drifted = sum(weights.get(name, 1.0) for name, verdict in verdicts.items() if verdict == "drift")
    return drifted / total if total else 0.0


def _with_corrected(found: list[Measurement]) -> list[Measurement]:
    """The same, each p-value beside what is left of it among as many tests as there are columns."""
    tests = [at for at, measurement in enumerate(found) if measurement.p_value is not None]
    corrected = correct_for_columns([found[at].p_value or 0.0 for at in tests])
    for at, value in zip(tests, corrected, strict=True):
        found[at] = replace(found[at], q_value=value)
    return found
