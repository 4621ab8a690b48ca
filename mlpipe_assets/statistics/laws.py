"""The laws that tests compare with: chi-squared and Kolmogorov's, in closed form.

scipy.special has all of them; its import takes a quarter of a second, more than a day's whole monitoring. Tests hold these
against it to 1e-12.
"""

import math
from functools import cache

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_DIRECT_BELOW = 15.0
_NEGLIGIBLE = 1e-18


def chi_squared_tail(statistic: float, freedom: int) -> float:
    """Chance that a chi-squared variable exceeds the statistic; 1 without a degree of freedom, NaN for NaN.

    A finite sum of Poisson terms of mean statistic / 2, over the whole or half numbers below freedom / 2.
    """
    if math.isnan(statistic):
        return math.nan
    if freedom <= 0 or statistic <= 0:
        return 1.0
    if math.isinf(statistic):
        return 0.0
    mean = statistic / 2
    odd = freedom % 2
    found = math.erfc(math.sqrt(mean)) if odd else 0.0
    lowest, highest = odd / 2, freedom / 2 - 1
    if highest < lowest:
        return found
    largest = min(highest, max(lowest, math.floor(mean) + lowest))  # of the terms; from there both ways
    top = _poisson(largest, mean)
    terms = [found, top]
    at, term = largest, top
    while at > lowest and term > _NEGLIGIBLE * top:
        term *= at / mean
        at -= 1
        terms.append(term)
    at, term = largest, top
    while at < highest and term > _NEGLIGIBLE * top:
        at += 1
        term *= mean / at
        terms.append(term)
    return min(1.0, math.fsum(terms))


@cache
def chi_squared_quantile(chance: float, freedom: int) -> float:
    """The value that a chi-squared variable exceeds with a small chance: Newton's steps from Wilson and Hilferty's guess.

    Args:
        chance: Above 0 and below 0.5.
        freedom: At least 1.
    """
    if not 0 < 2 * chance < 1 or freedom < 1:
        raise ValueError(f"chi_squared_quantile({chance}, {freedom}): it takes 0 < chance < 0.5 and freedom >= 1")
    z = math.sqrt(-2 * math.log(2 * chance))  # too far out, so that the steps come from the convex side
    part = 2 / (9 * freedom)
    value = freedom * (1 - part + z * math.sqrt(part)) ** 3
    for _ in range(100):
        tail = chi_squared_tail(value, freedom)
        density = _poisson(freedom / 2 - 1, value / 2) / 2
        step = tail / density * math.log(tail / chance)  # on the logarithm, which is nearly straight
        value += step
        if abs(step) <= 1e-15 * value:
            break
    return value


def kolmogorov_tail(scaled: float) -> float:
    """Chance that the largest gap between two distribution functions, times the root of the rows, exceeds a value.

    Of its two series, the one of which a few terms are enough.
    """
    if math.isnan(scaled):
        return math.nan
    if scaled < 1.0:
        if scaled < 0.04:  # noqa: PLR2004 (below it the chance is 1 to the last bit)
            return 1.0
        exponents = ((2 * k - 1) ** 2 * math.pi**2 / (8 * scaled**2) for k in range(1, 8))
        return 1.0 - math.sqrt(2 * math.pi) / scaled * math.fsum(math.exp(-e) for e in exponents)
    return 2.0 * math.fsum((-1.0) ** (k - 1) * math.exp(-2.0 * (k * scaled) ** 2) for k in range(1, 8))


def _poisson(events: float, mean: float) -> float:
    """exp(-mean) mean^events / Γ(events + 1), for whole and half numbers, to the last digits however large they are.

    Source: Loader (2000), Fast and accurate computation of binomial probabilities.
    """
    if events < _DIRECT_BELOW:
        return math.exp(events * math.log(mean) - mean) / math.gamma(events + 1)
    correction = math.fsum(c / events ** (2 * i + 1) for i, c in enumerate(_STIRLING))
    apart = (mean - events) / events
    return math.exp(events * (math.log1p(apart) - apart) - correction) / math.sqrt(2 * math.pi * events)
