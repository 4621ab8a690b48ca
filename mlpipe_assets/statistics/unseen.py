"""How many rows of a window should hold texts outside the kept categories of its baseline, if nothing changed.

Of texts that came once in the baseline there are about as many as of those that will come for the first time: their share of
the baseline is what a later window will hold of texts it never had. Likewise for texts that it had but did not keep.
Sources: Good (1953), Robbins (1968); the variance after Esty (1983), for any number of times a text was seen.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

_KEPT, _TIMES = "kept", "times"


@dataclass(frozen=True, kw_only=True)
class UnseenShare:
    """The share of rows that is to be expected outside the kept categories, and the variance of that estimate."""

    expected: float
    variance: float


def expect_unseen(times: pl.DataFrame, rows: int) -> UnseenShare | None:
    """What a baseline lets expect; None without rows.

    Args:
        times: A row for each different text: `times` it came, and whether it is `kept` as a category.
        rows: All of the baseline, nulls included.
    """
    if not rows:
        return None
    counted = times.group_by(_TIMES).agg(pl.len().alias("texts"), (~pl.col(_KEPT)).sum().alias("out"))
    often = counted[_TIMES].to_numpy()
    often_out = often[counted["out"].to_numpy() > 0]
    reach = int(often_out.max(initial=0)) + 3
    least_kept = times.filter(_KEPT)[_TIMES].to_numpy().min(initial=reach)
    texts = np.zeros(reach + 2)
    near = often < len(texts)
    texts[often[near]] = counted["texts"].to_numpy()[near]
    left_out = np.zeros(reach + 2)
    left_out[often[near]] = counted["out"].to_numpy()[near]
    out = np.where(texts > 0, left_out / np.maximum(texts, 1), np.arange(len(texts)) < least_kept)
    out[0] = 1.0
    r = np.arange(len(texts), dtype=np.float64)
    before, before_that = np.append(0.0, out[:-1]), np.append([0.0, 0.0], out[:-2])
    expected = float((texts * r * before).sum()) / rows
    spread = texts * (r**2 * before**2 - 2 * r * (r - 1) * before * before_that + r * (r - 1) * before_that**2)
    return UnseenShare(expected=min(1.0, expected), variance=max(0.0, float(spread.sum())) / rows**2)
