"""Every measure of one column between two windows."""

import math
from dataclasses import dataclass, replace

import numpy as np

from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.statistics import distances
from mlpipe_assets.statistics.baselines import Basis, mass_of
from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.measurements import Measurement, Verdict
from mlpipe_assets.statistics.noise import (
    CHANCE,
    Above,
    distance_above_noise,
    pool_ordered,
    pool_rare,
    share_above_noise,
)
from mlpipe_assets.statistics.profiles import ColumnProfile
from mlpipe_assets.statistics.summaries import bounds, finite_counts, quantiles
from mlpipe_assets.statistics.two_sample import Test, chi_squared, ks_p_value

DECIDING = "js_distance_above_noise"
NULL_SHARE = "null_share"
UNSEEN_SHARE = "unseen_share"

_POSSIBLE_FROM = 0.5
_OF_A_SHARE = 0.5  # a share that moves by so much of the threshold is as far as the distance at the threshold
_SURE = 1.645  # standard errors that a distance exceeds once in twenty


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Measures taken on the full data, to stand in for those on bins."""

    test: Test
    wasserstein: float | None = None


def judge(found: Above, threshold: float | None) -> Verdict:
    """`drift` where a value beyond the floor is not clearly below the threshold, `possible` from half of it on.

    Not clearly: one in twenty shifts of just the size that is declared comes out 1.645 standard errors below it. A value below
    half the threshold is never drift, a NaN is nothing.
    """
    if threshold is None or not found.value > found.floor:
        return "none"
    half = _POSSIBLE_FROM * threshold
    if found.value >= max(half, threshold - _SURE * found.error):
        return "drift"
    return "possible" if found.value >= half else "none"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One column of two windows, counted into the same bins."""

    name: str
    bins: Bins
    reference: ColumnProfile
    current: ColumnProfile
    basis: Basis
    labels: tuple[str, ...] | None = None  # categories that notes may name; None for all
    chance: float = CHANCE  # how often a verdict may be drift where there is none, were it not for the threshold

    def measure(self, threshold: float | None, exact: Exact | None) -> list[Measurement]:
        """Every measure of the column: what decides first, then the evidence."""
        deciding = self.decide(threshold)
        if not self.bins.count:
            return deciding
        p, q = mass_of(self.reference, self.bins), mass_of(self.current, self.bins)
        shared = [
            self._say("jensen_shannon_divergence", distances.jensen_shannon_divergence(p, q)),
            self._say("jensen_shannon_distance", distances.jensen_shannon_distance(p, q)),
            self._say("population_stability_index", distances.population_stability_index(p, q)),
            self._say("normalised_absolute_difference", distances.normalised_absolute_difference(p, q)),
        ]
        own = self._of_category(p, q, exact) if self.bins.kind == "category" else self._of_number(exact)
        return [*deciding, *shared, *own]

    def decide(self, threshold: float | None) -> list[Measurement]:
        """The measures that give a verdict."""
        share = None if threshold is None else _OF_A_SHARE * threshold
        nulls = self._judged(NULL_SHARE, self._null_share(), share, note=self._one_side_is_empty())
        if self.reference.nulls or self.current.nulls:
            sides = ([side.nulls, side.rows - side.nulls] for side in (self.reference, self.current))
            nulls = replace(nulls, p_value=chi_squared(*sides).p_value)
        if not self.bins.count:
            return [nulls]
        found = [self._judged(DECIDING, self._distance(), threshold, note=self._note()), nulls]
        if self.basis.unseen is not None:
            found.append(self._judged(UNSEEN_SHARE, self._unseen_share(), share, note=self._one_side_is_empty()))
        return found

    def _judged(self, method: str, found: Above, threshold: float | None, note: str) -> Measurement:
        verdict = judge(found, threshold)
        if verdict == "drift" and threshold is not None and found.value < threshold:
            note = "; ".join(filter(None, [note, f"not clearly below the threshold: ±{_SURE * found.error:.2g}"]))
        return self._say(method, found.value, threshold=threshold, floor=found.floor, verdict=verdict, note=note)

    def _distance(self) -> Above:
        p, q = self.basis.mass * self.basis.reference, mass_of(self.current, self.bins) * self.basis.current
        if self.basis.nulls_current < self.basis.current:  # they come together, so their own share judges them
            p, q = (np.append(side[:-2], [0.0, side[-1]]) for side in (p, q))
        if self.bins.kind != "category":
            return self._above(*pool_ordered(p, q, missing=2))
        kept = self.reference.rows and self.basis.mass.sum() / self.reference.rows * self.basis.reference
        p, q = self._with_unseen(p, q, kept)
        return self._above(*pool_rare(p, q, rest=len(self.bins.categories)))

    def _with_unseen(self, p: Vector, q: Vector, kept: float) -> tuple[Vector, Vector]:
        """Texts outside the categories in bins of their own, so that a new one may stand alone; the rest stays together."""
        before, after = dict(self.reference.unseen), dict(self.current.unseen)
        texts = list(before | after)
        apart = np.array([before.get(text, 0) for text in texts]) * kept
        now = np.array([after.get(text, 0) for text in texts]) * self.basis.current
        other = len(self.bins.categories)
        p, q = np.append(p, apart), np.append(q, now)
        p[other], q[other] = max(0.0, p[other] - apart.sum()), max(0.0, q[other] - now.sum())
        return p, q

    def _null_share(self) -> Above:
        mass, current = self.basis.mass, self.current
        n = float(mass.sum())
        if not n or not current.rows:
            return Above(value=math.nan, floor=math.nan)
        before, after = float(mass[-2]) / n, current.nulls / current.rows
        n, m = n * self.basis.nulls_reference, current.rows * self.basis.nulls_current
        seen = self.basis.nulls_seen
        # Blocks of nulls vary the more the more nulls there are, so the larger share tells by how much.
        pooled = (before * n + after * m) / (n + m) if math.isinf(seen) else max(before, after, key=_spread)
        return share_above_noise(abs(before - after), pooled, n, m, seen=seen, chance=self.chance)

    def _above(self, p: Vector, q: Vector) -> Above:
        return distance_above_noise(p, q, uneven=self.basis.uneven, seen=self.basis.seen, chance=self.chance)

    def _unseen_share(self) -> Above:
        unseen, rows = self.basis.unseen, self.current.rows
        if unseen is None or not rows:
            return Above(value=math.nan, floor=math.nan)
        share = float(self.current.histogram(self.bins)[-1]) / rows
        n, m = float(self.basis.mass.sum()) * self.basis.reference, rows * self.basis.current
        pooled = (unseen.expected * n + share * m) / (n + m)
        return share_above_noise(
            max(0.0, share - unseen.expected), pooled, math.inf, m, more=unseen.variance, chance=self.chance
        )

    def _one_side_is_empty(self) -> str:
        return "" if self.reference.rows and self.current.rows else "a side has no rows"

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

    def _note(self) -> str:
        if empty := self._one_side_is_empty():
            return empty
        if self.bins.kind != "category":
            return ""
        before, after = (self._texts(side) for side in (self.reference, self.current))
        new = sorted((text for text in after if text not in before), key=lambda text: (-after[text], text))
        gone = sorted((text for text in before if text not in after), key=lambda text: (-before[text], text))
        told = [("new", new, after), ("gone", gone, before)]
        return "; ".join(
            f"{word}: {shorten([f'{self._label(text)} ({_rows(rows[text])})' for text in texts], 3)}"
            for word, texts, rows in told
            if texts
        )

    def _label(self, text: str) -> str:
        return f"{text!r:.40}" if self.labels is None or text in self.labels else "a category"

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


def _rows(count: int) -> str:
    return spell_count(count, "row")


def _spread(share: float) -> float:
    return share * (1 - share)
