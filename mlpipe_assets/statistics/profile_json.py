"""Profiles as JSON: small enough for one a day, the same bytes for the same profile."""

import json
import math
from collections.abc import Mapping
from typing import Any

from mlpipe_assets.statistics.bins import Bins, digest
from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.profiles import ColumnProfile, Profile
from mlpipe_assets.statistics.sketches import Distinct, LeadingZeros, SmallestHashes

_COUNTS = ("nulls", "nans", "zeros", "below", "above")
_FLOATS = ("minimum", "maximum", "mean", "squares")


def to_json(profile: Profile) -> str:
    """The profile as JSON, what is zero or absent left out; the bins are named by their digest and stored once, apart."""
    columns = {name: _column_to_dict(column) for name, column in profile.columns.items()}
    document = {"rows": profile.rows, "bins": digest(profile.bins), "columns": columns}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(text: str, bins: Mapping[str, Bins]) -> Profile:
    """The profile that was written, with the bins it was counted into.

    Raises:
        MeasureError: If it was counted into other bins.
    """
    document = json.loads(text)
    if document["bins"] != digest(bins):
        raise MeasureError(
            f"The profile was counted into bins {document['bins']}, not {digest(bins)}. Profile the window again."
        )
    columns = {name: _column_from_dict(column, document["rows"]) for name, column in document["columns"].items()}
    return Profile(rows=document["rows"], bins=dict(bins), columns={name: columns[name] for name in bins})


def _column_to_dict(column: ColumnProfile) -> dict[str, Any]:
    counts = {name: getattr(column, name) for name in _COUNTS}
    floats = {name: _spell(getattr(column, name)) for name in _FLOATS}
    kept = {name: value for name, value in (counts | floats).items() if value not in (0, None)}
    for side in ("minimum", "maximum"):
        if getattr(column, side) is not None:
            kept[side] = floats[side]
    if column.counts:
        last = column.counts[-1][0]
        held = dict(column.counts)
        if len(held) * 2 > last:  # mostly full: a row of numbers is shorter than pairs
            kept["dense"] = [held.get(index, 0) for index in range(last + 1)]
        else:
            kept["counts"] = column.counts
    if column.unseen:
        kept["unseen"] = column.unseen
    if column.distinct is not None:
        kept["registers" if isinstance(column.distinct, LeadingZeros) else "hashes"] = column.distinct.pack()
    return kept


def _column_from_dict(found: dict[str, Any], rows: int) -> ColumnProfile:
    distinct: Distinct | None = None
    if "hashes" in found:
        distinct = SmallestHashes.unpack(found["hashes"])
    elif "registers" in found:
        distinct = LeadingZeros.unpack(found["registers"])
    rest: dict[str, Any] = {name: found.get(name, 0) for name in _COUNTS}
    rest |= {name: _read(found[name]) for name in _FLOATS if name in found}
    return ColumnProfile(
        rows=rows,
        **rest,
        distinct=distinct,
        counts=tuple((index, held) for index, held in found.get("counts", enumerate(found.get("dense", ()))) if held),
        unseen=tuple((name, held) for name, held in found.get("unseen", ())),
    )


def _spell(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def _read(value: float | str) -> float:
    return float(value) if isinstance(value, str) else value
