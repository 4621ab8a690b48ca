"""Bins frozen with the reference: every later window is counted into the same ones, so counts add up and compare."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlpipe_assets.statistics.columns import Categories, Column, Kind, Numbers, Runs, read_column

_MOST_BINS = 256
_MOST_CATEGORIES = 1000


@dataclass(frozen=True, kw_only=True)
class Bins:
    """How the values of one column are counted. Nulls and NaN are counted apart, in no bin.

    Attributes:
        kind: What the column holds.
        edges: Of numbers and times, ascending: bin i holds edges[i - 1] <= x < edges[i]; bin 0 lies below the reference
            and bin len(edges) above it, so that there is one bin more than edges.
        categories: Texts of the reference, the most frequent first; the bin after the last holds every other text.
        personal: Whether no value may be shown; such a column has no bins.
    """

    kind: Kind
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    personal: bool = False

    @property
    def count(self) -> int:
        """How many bins there are."""
        return 0 if self.personal or self.kind == "opaque" else len(self.edges) + len(self.categories) + 1


def freeze_bins(frame: pl.DataFrame, kinds: Mapping[str, Kind], *, personal: Collection[str] = ()) -> dict[str, Bins]:
    """Bins of each column of `kinds`, from the reference.

    Numbers of at most 256 different values get a bin for each value and one for each gap between them; others 256 bins of
    equal mass, where a value that fills a bin alone has it to itself. Categories keep the 1,000 most frequent texts.
    """
    return {
        name: freeze_column(read_column(frame[name], "opaque" if name in personal else kind), kind, name in personal)
        for name, kind in kinds.items()
    }


def freeze_column(column: Column, kind: Kind, personal: bool = False) -> Bins:  # noqa: FBT001, FBT002 - a plain mark
    """Bins of one column that was read."""
    if personal:
        return Bins(kind=kind, personal=True)
    if isinstance(column, Categories):
        return Bins(kind=kind, categories=tuple(column.counted["name"].head(_MOST_CATEGORIES).to_list()))
    if isinstance(column, Numbers):
        return Bins(kind=kind, edges=_edges(column))
    return Bins(kind=kind)


def count_runs(runs: Runs, edges: tuple[float, ...]) -> NDArray[np.int64]:
    """How many of the values lie in each bin."""
    places = np.searchsorted(runs.values, _bounds(runs.values, edges), side="left")
    if runs.repeats is not None:
        places = np.concatenate([[0], np.cumsum(runs.repeats)])[places]
    return np.diff(places, prepend=0, append=runs.rows)


def place_numbers(values: NDArray[Any], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """The bin of each value."""
    return np.searchsorted(_bounds(values, edges), values, side="right").astype(np.int64)


def digest(bins: Mapping[str, Bins]) -> str:
    """Short name of a set of bins: profiles merge and compare only where it is the same."""
    named = {name: _digest_column(of_column) for name, of_column in bins.items()}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]


def bins_to_json(bins: Mapping[str, Bins]) -> str:
    """The bins as JSON; same bins, same bytes."""
    document = {name: asdict(of_column) for name, of_column in bins.items()}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=1024)
def _digest_column(bins: Bins) -> str:
    """Kept, because every profile that is read or written asks for it again."""
    return hashlib.sha256(json.dumps(asdict(bins), sort_keys=True).encode()).hexdigest()


def bins_from_json(text: str) -> dict[str, Bins]:
    """The bins that were written."""
    return {
        name: Bins(kind=b["kind"], edges=tuple(b["edges"]), categories=tuple(b["categories"]), personal=b["personal"])
        for name, b in json.loads(text).items()
    }


def _bounds(values: NDArray[Any], edges: tuple[float, ...]) -> NDArray[Any]:
    bounds = np.asarray(edges, dtype=np.float64)
    if values.dtype.kind == "i":  # an integer is at least an edge where it is at least the next integer
        return np.ceil(np.clip(bounds, -(2.0**62), 2.0**62)).astype(np.int64)
    return bounds


def _edges(column: Numbers) -> tuple[float, ...]:
    runs = column.runs.finite()
    if not runs.rows:
        return ()
    if column.different <= _MOST_BINS:
        lower = alone = np.unique(runs.values)
    else:
        wanted = (np.arange(_MOST_BINS) * runs.rows) // _MOST_BINS
        at = wanted if runs.repeats is None else np.searchsorted(np.cumsum(runs.repeats), wanted, side="right")
        lower = runs.values[at]
        alone = np.append(lower[1:][lower[1:] == lower[:-1]], runs.values[-1])
    whole = runs.values.dtype.kind == "i"
    with np.errstate(over="ignore", under="ignore"):  # after the largest float comes infinity, which is no edge
        upper = alone.astype(np.float64) + 1 if whole else np.nextafter(alone, np.inf)
    edges = np.unique(np.concatenate([lower, upper]).astype(np.float64))
    return tuple(edges[np.isfinite(edges)].tolist())
