"""Whether drift, or what the model really achieved, asks for a new model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.partitions import ONE_DAY

_TRIES = 3  # requests for one reference of which none was met


@dataclass(frozen=True, kw_only=True)
class DriftWindow:
    """What monitoring says of the window of a table that ends with a day.

    Attributes:
        drift_score: Weighted share of columns in drift.
        bad: Whether the score, or the realised performance, is beyond what is declared, without the oddest days too.
        reference: Version of the frozen baseline it was held against; of performance, the version that predicted.
        by_performance: Whether it is the realised performance that was judged, not drift.
        evidence: The measurements that speak for it, in words.
    """

    table: str
    day: date
    drift_score: float
    bad: bool
    reference: str
    by_performance: bool = False
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A retraining of a model that was asked for.

    Attributes:
        reference: From what something drifted.
        day: The day it was seen on.
        met: Whether there is a model as of that day or a later one.
    """

    reference: str
    day: date
    met: bool = True


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """A retraining to ask for, as of a day, with what drifted from which reference, and the evidence."""

    model: str
    references: tuple[str, ...]
    day: date
    evidence: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Skip:
    """No retraining, and why. `drifting`: the table has drifted all the same."""

    reason: str
    drifting: bool = False


def decide_retraining(
    model: str, monitor: Monitor, windows: Sequence[DriftWindow], asked: Sequence[Request]
) -> Retraining | Skip:
    """Ask when the newest windows, a day apart, were all bad; once per reference, and not within the cooldown.

    A request that ended without a model is made again after the cooldown, three times in all: then a person has to look.

    It takes as many as `Monitor.in_a_row` says: a window is bad only if it is so without its oddest days too.

    Time is that of the windows, not of the clock: the same lake gives the same decision on any day.

    Args:
        model: The model that would be retrained.
        monitor: How its table is watched.
        windows: Of the monitor's table, in any order.
        asked: Retrainings of the model so far, for whichever table.
    """
    ordered = sorted(windows, key=lambda w: w.day)
    wanted = monitor.in_a_row
    newest = ordered[-wanted:]
    if len(newest) < wanted:
        return Skip(reason=f"{monitor.table}: {spell_count(len(newest), 'window')} so far, it takes {wanted}")
    last = newest[-1]
    good = [w for w in newest if not w.bad]
    if good:
        scores = ", ".join(f"{w.day} {w.drift_score:.2f}" for w in newest)
        return Skip(
            reason=f"{monitor.table}: {len(newest) - len(good)} of {spell_count(len(newest), 'window')} bad ({scores})"
        )
    if last.day - newest[0].day != ONE_DAY * (wanted - 1):
        return Skip(reason=f"{monitor.table}: bad windows from {newest[0].day} to {last.day} with days missing between")
    if any(w.reference != last.reference for w in newest):
        return Skip(reason=f"{monitor.table}: the baseline changed within the last {wanted} windows")
    reference = f"{monitor.table}@{last.reference}"
    same = [request for request in asked if request.reference == reference]
    if any(request.met for request in same):
        return Skip(reason=f"{model}: was retrained for the drift of {reference}", drifting=True)
    recent = max(asked, key=lambda request: request.day, default=None)
    if recent and last.day - recent.day < monitor.cooldown:
        done = "retrained" if recent.met else "asked for"
        until = recent.day + monitor.cooldown
        return Skip(reason=f"{model}: was {done} as of {recent.day}, cooling down until {until}", drifting=True)
    if len(same) >= _TRIES:
        tried = f"{model}: was asked for {_TRIES} times for the drift of {reference}, and no model came of it"
        return Skip(reason=tried, drifting=True)
    return Retraining(model=model, references=(reference,), day=last.day, evidence=last.evidence)


def merge(decisions: Sequence[Retraining]) -> Retraining:
    """One retraining for all tables of a model that ask for one at the same time."""
    return replace(
        decisions[0],
        references=tuple(reference for d in decisions for reference in d.references),
        day=max(d.day for d in decisions),
        evidence=tuple(line for d in decisions for line in d.evidence),
    )


def tags_of(retraining: Retraining) -> dict[str, str]:
    """What the run says of why it was asked for. For people only: what was asked for is kept in the lake."""
    return {
        "mlpipe/model": retraining.model,
        "mlpipe/drifted_from": ", ".join(retraining.references),
        "mlpipe/drifted_on": f"{retraining.day}",
        "mlpipe/evidence": shorten(list(retraining.evidence), 5)[:500] or "none given",
    }
