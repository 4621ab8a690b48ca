"""Every measure of one column between two windows."""

import math
from dataclasses import dataclass, replace

import numpy as np

from mlpipe_assets.errors import shorten
from mlpipe_assets.statistics import distances
from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.measurements import Measurement, Verdict
from mlpipe_assets.statistics.noise import distance_above_noise, pool_ordered, pool_rare, share_floor
from mlpipe_assets.statistics.profiles import ColumnProfile
from mlpipe_assets.statistics.summaries import bounds, finite_counts, quantiles
from mlpipe_assets.statistics.two_sample import Test, chi_squared, ks_p_value

DECIDING = "js_distance_above_noise"
NULL_SHARE = "null_share"

_POSSIBLE_FROM = 0.5


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Measures taken on the full data, to stand in for those on bins."""

    test: Test
    wasserstein: float | None = None


def judge(value: float, threshold: float | None, floor: float | None) -> Verdict:
    """`drift` from the threshold on, `possible` from half of it on, both only beyond the floor; a NaN is neither."""
    if threshold is None or floor is None or not value > floor:
        return "none"
    if value >= threshold:
        return "drift"
    return "possible" if value >= _POSSIBLE_FROM * threshold else "none"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One column of two windows, counted into the same bins."""

    name: str
    bins: Bins
    reference: ColumnProfile
    current: ColumnProfile

    def measure(self, threshold: float | None, exact: Exact | None) -> list[Measurement]:
        """Every measure of the column: what decides first, then the evidence."""
        nulls = self._null_share(threshold)
        if not self.bins.count:
            return [nulls]
        p, q = self._mass(self.reference), self._mass(self.current)
        pooled = pool_rare(p, q) if self.bins.kind == "category" else pool_ordered(p, q, missing=2)
        value, floor = distance_above_noise(*pooled)
        decided = self._say(
            DECIDING, value, threshold=threshold, floor=floor, verdict=judge(value, threshold, floor), note=self._note()
        )
        shared = [
            self._say("jensen_shannon_divergence", distances.jensen_shannon_divergence(p, q)),
            self._say("jensen_shannon_distance", distances.jensen_shannon_distance(p, q)),
            self._say("population_stability_index", distances.population_stability_index(p, q)),
            self._say("normalised_absolute_difference", distances.normalised_absolute_difference(p, q)),
        ]
        own = self._of_category(p, q, exact) if self.bins.kind == "category" else self._of_number(exact)
        return [decided, nulls, *shared, *own]

    def _null_share(self, threshold: float | None) -> Measurement:
        before, after = self.reference, self.current
        if not before.rows or not after.rows:
            return self._say(NULL_SHARE, math.nan, threshold=threshold, floor=math.nan, note="a side has no rows")
        value = abs(before.nulls / before.rows - after.nulls / after.rows)
        floor = share_floor(before.nulls, before.rows, after.nulls, after.rows)
        sides = ([side.nulls, side.rows - side.nulls] for side in (before, after))
        p_value = chi_squared(*sides).p_value if before.nulls or after.nulls else None
        verdict = judge(value, threshold, floor)
        return self._say(NULL_SHARE, value, threshold=threshold, floor=floor, p_value=p_value, verdict=verdict)

    def _of_category(self, p: Vector, q: Vector, exact: Exact | None) -> list[Measurement]:
        test = exact.test if exact else chi_squared(p, q, least_expected=5.0)
        return [
            self._say("chi_squared", test.statistic, p_value=test.p_value),
            self._say("l_infinity", distances.l_infinity(p, q)),
        ]

    def _of_number(self, exact: Exact | None) -> list[Measurement]:
        before, after = self.reference.histogram(self.bins), self.current.histogram(self.bins)
        n, m = int(before.sum()), int(after.sum())
        if exact:
            test = exact.test
        else:
            statistic = distances.binned_kolmogorov_smirnov(before, after)
            test = Test(statistic=statistic, p_value=ks_p_value(statistic, n, m, exact_below=0))
        lower, upper = quantiles(self.reference, self.bins, (0.25, 0.75))
        unit = distances.spread(self.reference.deviation, lower, upper) if self.reference.finite else math.nan
        moved = exact.wasserstein if exact and exact.wasserstein is not None else self._wasserstein()
        both = self.reference.finite and self.current.finite
        shift = abs(self.current.mean - self.reference.mean) / unit if both else math.nan
        found = [
            self._say("kolmogorov_smirnov", test.statistic, p_value=test.p_value),
            self._say("wasserstein_scaled", moved / unit),
            self._say("mean_shift_scaled", shift),
        ]
        return [replace(measurement, n_reference=n, n_current=m) for measurement in found]

    def _wasserstein(self) -> float:
        p, q = (finite_counts(side, self.bins) for side in (self.reference, self.current))
        return distances.binned_wasserstein(p, q, bounds(self.reference, self.bins, self.current))

    def _mass(self, side: ColumnProfile) -> Vector:
        return np.append(side.histogram(self.bins), [side.nulls, side.nans])

    def _note(self) -> str:
        if not self.reference.rows or not self.current.rows:
            return "a side has no rows"
        if self.bins.kind != "category":
            return ""
        before, after = (self._texts(side) for side in (self.reference, self.current))
        new = sorted((text for text in after if text not in before), key=lambda text: (-after[text], text))
        gone = sorted((text for text in before if text not in after), key=lambda text: (-before[text], text))
        told = [("new", new, after), ("gone", gone, before)]
        return "; ".join(
            f"{word}: {shorten([f'{text!r:.40} ({rows[text]:,} rows)' for text in texts], 3)}"
            for word, texts, rows in told
            if texts
        )

    def _texts(self, side: ColumnProfile) -> dict[str, int]:
        known = {self.bins.categories[at]: rows for at, rows in side.counts if at < len(self.bins.categories)}
        return known | dict(side.unseen)

    def _say(
        self,
        method: str,
        value: float,
        *,
        threshold: float | None = None,
        floor: float | None = None,
        p_value: float | None = None,
        verdict: Verdict = "none",
        note: str = "",
    ) -> Measurement:
        return Measurement(
            column=self.name,
            method=method,
            value=value,
            threshold=threshold,
            n_reference=self.reference.rows,
            n_current=self.current.rows,
            p_value=p_value,
            floor=floor,
            verdict=verdict,
            note=note,
        )
