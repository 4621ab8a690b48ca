"""Which columns of a table are profiled, and the frozen windows that later days are held against."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.errors import LakeError
from mlpipe_assets.quoting import labels_to_show
from mlpipe_assets.rules import Contract, columns, digest
from mlpipe_assets.statistics.baselines import (
    VERSION,
    ColumnBaseline,
    Rows,
    describe_column,
    from_document,
    to_document,
)
from mlpipe_assets.statistics.bins import Bins, bins_from_json, bins_to_json, freeze_column
from mlpipe_assets.statistics.columns import Kind, kinds_of, read_column
from mlpipe_assets.statistics.profile_json import from_json, to_json
from mlpipe_assets.statistics.profiles import Profile, profile_frame
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import damage
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_FROZEN_ANEW = (
    "Restore it from a copy, or delete it and run again: the baseline is frozen anew, from the first days that may stand in it "
    "now, and drift is measured against that."
)


@dataclass(frozen=True, kw_only=True)
class ProfiledColumns:
    """Which columns of a table are profiled, as what, and the drift thresholds of those that are compared.

    Attributes:
        labels: Of each column the categories that pictures and notes may name; None for all of them.
        entity: Columns that say which rows are of one thing; rows are independent without any.
        window: Length of the windows that are compared.
    """

    kinds: Mapping[str, Kind]
    unseen: frozenset[str]
    thresholds: Mapping[str, float]
    labels: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    entity: tuple[str, ...] = ()
    window: timedelta = timedelta(days=7)

    @cached_property
    def digest(self) -> str:
        """Changes when a reference or profiles made before no longer fit."""
        known = [VERSION, sorted(self.thresholds), self.entity, self.window]
        return digest([sorted(self.kinds.items()), sorted(self.unseen), known])


def choose_columns(
    contract: Contract,
    leave_out: Iterable[str] = (),
    *,
    entity: tuple[str, ...] = (),
    window: timedelta = timedelta(days=7),
) -> ProfiledColumns:
    """What a contract says of its columns.

    Of unique columns there is nothing to count. Text without a threshold names things more often than it groups them:
    like personal columns it is counted, and none of its values is kept.
    """
    left_out = set(leave_out)
    promised = [c for c in columns(contract) if not c.unique and c.name not in left_out]
    kinds = kinds_of({c.name: c.dtype for c in promised})
    plain = {c.name for c in promised if kinds[c.name] == "category" and "drift" not in c.metadata}
    personal = {c.name for c in promised if c.metadata.get("personal")}
    thresholds = {c.name: float(c.metadata["drift"]) for c in promised if "drift" in c.metadata}
    return ProfiledColumns(
        kinds=kinds,
        unseen=frozenset(plain | personal),
        thresholds={name: bound for name, bound in thresholds.items() if name not in personal},
        labels={c.name: labels_to_show(c) for c in promised},
        entity=entity,
        window=window,
    )


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A frozen window: the bins all later days are counted into, and its own profile.

    Attributes:
        days: The days it is made of.
        profiled: Digest of which columns were profiled, and as what.
        origin: What else it depends on, such as the code version of the table.
        columns: What else is known of each column.
    """

    days: tuple[date, ...]
    profiled: str
    origin: str
    profile: Profile
    columns: Mapping[str, ColumnBaseline] = field(default_factory=dict)

    @property
    def bins(self) -> Mapping[str, Bins]:
        """The bins."""
        return self.profile.bins

    @cached_property
    def version(self) -> str:
        """Short name of exactly this reference."""
        known = {name: to_document(column) for name, column in self.columns.items()}
        return digest(
            [[f"{day}" for day in self.days], self.profiled, to_json(self.profile), json.dumps(known, sort_keys=True)]
        )[:16]


def read_reference(lake: Lake, name: str, *, cure: str = _FROZEN_ANEW) -> Reference | None:
    """The reference that was written under a name; None when there is none, or one of an earlier version of this code.

    Raises: LakeError, ending in the cure, when it cannot be read.
    """
    path = lake.root / keys.baseline(name)
    wrong = damage(lake.root, path) if path.exists() else None  # deleting it is the way to have it made anew
    if wrong:
        raise LakeError(f"{path} {wrong}. {cure}")
    return Record(objects=lake.objects, key=keys.baseline(name), parse=_parse_reference, cure=cure).read()


def _parse_reference(stored: dict[str, Any]) -> Reference | None:
    if {"bins", "watch", "version"} <= stored.keys() and stored.get("laid_out") != VERSION:
        return None  # by an earlier version of this code, and no damage: it is frozen anew
    bins = bins_from_json(json.dumps(stored["bins"]))
    return Reference(
        days=tuple(date.fromisoformat(day) for day in stored["days"]),
        profiled=stored["watch"],
        origin=stored["origin"],
        profile=from_json(json.dumps(stored["profile"]), bins),
        columns={name: from_document(column) for name, column in stored.get("columns", {}).items()},
    )


def write_reference(lake: Lake, name: str, reference: Reference) -> None:
    """Freeze it: what is counted into its bins from now on names its version."""
    document = {
        "bins": json.loads(bins_to_json(reference.bins)),
        "columns": {name: to_document(column) for name, column in reference.columns.items()},
        "days": [f"{day}" for day in reference.days],
        "laid_out": VERSION,
        "origin": reference.origin,
        "profile": json.loads(to_json(reference.profile)),
        "version": reference.version,
        "watch": reference.profiled,
    }
    content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    lake.publish({keys.baseline(name): content})


def freeze(
    profiled: ProfiledColumns,
    files: Sequence[Path],
    *,
    days: Sequence[date],
    origin: str,
) -> Reference:
    """Bins and profile of the rows in some files, one for each of the days or one for all.

    They are read a column at a time, so that memory stays at a column's size.
    """
    rows = _rows_of(profiled, files, days)
    bins: dict[str, Bins] = {}
    found: list[Profile] = []
    known: dict[str, ColumnBaseline] = {}
    for name, kind in profiled.kinds.items():
        series = pl.read_parquet(list(files), columns=[name], hive_partitioning=False, glob=False)[name]
        unseen = name in profiled.unseen
        bins[name] = Bins(kind=kind, personal=True) if unseen else freeze_column(read_column(series, kind), kind)
        found.append(profile_frame(series.to_frame(), {name: bins[name]}))
        if name in profiled.thresholds:
            known[name] = describe_column(series, bins[name], rows)
    joined = {name: part.columns[name] for part in found for name in part.columns}
    profile = Profile(rows=found[0].rows if found else 0, bins=bins, columns=joined)
    return Reference(days=tuple(days), profiled=profiled.digest, origin=origin, profile=profile, columns=known)


def _rows_of(profiled: ProfiledColumns, files: Sequence[Path], days: Sequence[date]) -> Rows:
    """Day and entity of every row, in the order of the files."""
    heights = [
        pl.scan_parquet(file, hive_partitioning=False, glob=False).select(pl.len()).collect().item() for file in files
    ]
    dated = len(files) > 1 and len(files) == len(days)
    entities = None
    if profiled.entity:
        keys = pl.read_parquet(list(files), columns=list(profiled.entity), hive_partitioning=False, glob=False)
        numbered = keys.unique(maintain_order=True).with_row_index("_entity")
        joined = keys.join(numbered, on=list(profiled.entity), how="left", nulls_equal=True, maintain_order="left")
        entities = joined["_entity"].cast(pl.Int64).to_numpy()
    return Rows(
        days=np.repeat(np.arange(len(files)), heights) if dated else np.zeros(sum(heights), dtype=np.int64),
        weekdays=np.array([day.weekday() for day in days] if dated else [], dtype=np.int64),
        window=profiled.window.days,
        entities=entities,
    )
