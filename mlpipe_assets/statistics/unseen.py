"""How many rows of a window should hold texts outside the kept categories of its baseline, if nothing changed.

Of texts that came once in the baseline there are about as many as of those that will come for the first time: their share of
the baseline is what a later window will hold of texts it never had. Likewise for texts that it had but did not keep.
Sources: Good (1953), Robbins (1968); the variance after Esty (1983), for any number of times a text was seen.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    texts, out = _outside(times)
    r = np.arange(len(texts), dtype=np.float64)
    before, before_that = np.append(0.0, out[:-1]), np.append([0.0, 0.0], out[:-2])
    expected = float((texts * r * before).sum()) / rows
    spread = texts * (r**2 * before**2 - 2 * r * (r - 1) * before * before_that + r * (r - 1) * before_that**2)
    return UnseenShare(expected=min(1.0, expected), variance=max(0.0, float(spread.sum())) / rows**2)


def expect_unseen_by_day(met: pl.DataFrame, rows: NDArray[np.int64]) -> UnseenShare | None:
    """The same where the rows of a day hang together, as the lines of one order do: what one day held that no other day did.

    An order of ten lines came ten times and will never come again. So each day is held against all others: a text counts
    for its rows of that day unless it would have been kept without them. The variance is the larger of two: with texts
    independent of each other, as in `expect_unseen`, or with days so. None without rows.

    Args:
        met: A row for each text and day: the `text`, how many `rows` it has on the `day` (from 0), and whether it is `kept`.
        rows: All of each day of the baseline, nulls included.
    """
    every = float(rows.sum())
    if not every:
        return None
    of_text = pl.col("rows").sum().over("text")
    met = met.with_columns(of_text.alias(_TIMES))
    _, out = _outside(met.select("text", _TIMES, _KEPT).unique("text"))
    near = met.filter(pl.col(_TIMES) - 2 * pl.col("rows").max().over("text") < len(out)).sort("text")
    text, on, day = (near["text"].rle_id().to_numpy(), near["rows"].to_numpy(), near["day"].to_numpy())
    others = near[_TIMES].to_numpy() - on
    alone = on * _at(out, others)
    by_text, by_day = np.bincount(text, weights=alone), np.bincount(day, weights=alone, minlength=len(rows))
    expected = float(alone.sum()) / every
    spread = float((by_text**2).sum())
    for step in range(1, len(rows)):  # every two days of a text
        same = np.flatnonzero(text[step:] == text[:-step])
        if not len(same):
            break
        later = same + step
        neither = _at(out, others[same] - on[later])
        either = _at(out, others[same]) + _at(out, others[later])
        spread += float((2 * on[same] * on[later] * neither * (neither - either)).sum())
    days = int(np.count_nonzero(rows))
    between = float(((by_day - expected * rows) ** 2).sum()) * days / max(1, days - 1)
    return UnseenShare(expected=min(1.0, expected), variance=max(0.0, spread, between) / every**2)


def _outside(times: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many texts came 0, 1, 2, … times, and which share of those is not kept; all that came oftener are."""
    counted = times.group_by(_TIMES).agg(pl.len().alias("texts"), (~pl.col(_KEPT)).sum().alias("out"))
    often = counted[_TIMES].to_numpy()
    often_out = often[counted["out"].to_numpy() > 0]
    reach = int(often_out.max(initial=0)) + 3
    least_kept = times.filter(_KEPT)[_TIMES].to_numpy().min(initial=reach) if len(often_out) else 1
    texts = np.zeros(reach + 2)
    near = often < len(texts)
    texts[often[near]] = counted["texts"].to_numpy()[near]
    left_out = np.zeros(reach + 2)
    left_out[often[near]] = counted["out"].to_numpy()[near]
    out = np.where(texts > 0, left_out / np.maximum(texts, 1), np.arange(len(texts)) < least_kept)
    out[0] = 1.0
    return texts, out


def _at(out: NDArray[np.float64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(times < len(out), out[np.minimum(times, len(out) - 1)], 0.0)
