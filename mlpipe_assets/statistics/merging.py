"""Windows put together: a month is a merge of its days, not a rescan."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.profiles import ColumnProfile, Profile
from mlpipe_assets.statistics.sketches import Distinct, LeadingZeros, SmallestHashes


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all the windows together, as if their rows had been read as one.

    Texts outside the categories are those that a window kept: none is dropped here, so the order of merging does not show.

    Raises:
        MeasureError: If there is no profile, or they were counted into different bins.
    """
    every = list(profiles)
    if not every:
        raise MeasureError("There is no profile to merge. Name at least one window, which may be empty.")
    first = every[0]
    if any(other.bins is not first.bins and other.bins != first.bins for other in every):
        raise MeasureError("Profiles counted into different bins do not merge. Profile again with the frozen bins.")
    columns = {name: _merge_columns([profile.columns[name] for profile in every]) for name in first.columns}
    return replace(first, rows=sum(profile.rows for profile in every), columns=columns)


def _merge_columns(parts: list[ColumnProfile]) -> ColumnProfile:
    counts: Counter[int] = Counter()
    unseen: Counter[str] = Counter()
    for part in parts:
        counts.update(dict(part.counts))
        unseen.update(dict(part.unseen))
    finite = sum(part.finite for part in parts)
    mean = sum(part.mean * (part.finite / finite) for part in parts if part.finite) if finite else 0.0
    squares = sum(part.squares + part.finite * (part.mean - mean) * (part.mean - mean) for part in parts)
    low = [part.minimum for part in parts if part.minimum is not None]
    high = [part.maximum for part in parts if part.maximum is not None]
    return ColumnProfile(
        **{
            name: sum(getattr(part, name) for part in parts)
            for name in ("rows", "nulls", "nans", "zeros", "below", "above")
        },
        minimum=min(low, default=None),
        maximum=max(high, default=None),
        mean=float(mean),
        squares=float(squares),
        distinct=_merge_distinct([part.distinct for part in parts]),
        counts=tuple(sorted(counts.items())),
        unseen=tuple(sorted(unseen.items())),
    )


def _merge_distinct(parts: list[Distinct | None]) -> Distinct | None:
    shown = [part for part in parts if isinstance(part, SmallestHashes)]
    hidden = [part for part in parts if isinstance(part, LeadingZeros)]
    if shown:
        return shown[0].merge(*shown[1:])
    return hidden[0].merge(*hidden[1:]) if hidden else None
