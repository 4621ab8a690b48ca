"""Days of a view that differ from what they would be now in rows of a few entities only: those that a correction touched.

A row of an entity is made of rows of that entity alone. What an interim day held before is still there for a while after it was built
anew; so where a day of a view was made of exactly that, the rows that came and went since say whose rows have to be made again, and
all others are kept as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from mlpipe_assets.errors import DamagedError
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store import keys
from mlpipe_assets.store.replaced import Replaced, find_replaced_files
from mlpipe_assets.transforms.staging import RECORD

_MOST = 0.5  # of the rows of a day; where more entities were touched, all of them are made anew
_TRIED = 8  # changes of a source that a view may be behind: each is a digest of every day


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """Days that keep rows.

    Attributes:
        inputs: What they are made of.
        days: In order.
        touched: The join keys of entities whose rows have to be made anew, on all of the days.
    """

    inputs: Inputs
    days: Sequence[date]
    touched: pl.DataFrame

    def complete(self, day: date, rows: pl.DataFrame, file: str = keys.PART) -> pl.DataFrame:
        """The rows of a day: those of touched entities, which are given, and those that its partition keeps.

        Args:
            day: One of the days.
            rows: Rows of touched entities, also of others, which do not count.
            file: Which file of the partition they are of.

        Raises: DamagedError when the partition does not hold what was written to it.
        """
        on = list(self.touched.columns)
        kept = self.inputs.made.read(day, file=file)
        anew = rows.select(kept.columns).join(self.touched, on=on, how="semi")
        order = self.inputs.view.row_key
        return pl.concat([kept.join(self.touched, on=on, how="anti"), anew]).sort(*order, multithreaded=False)


def find_untouched(inputs: Inputs, days: Sequence[date], keep_after: date) -> Untouched | None:
    """The days that keep rows, all of them before those that do not; None where there are none.

    Args:
        inputs: What the days are made of.
        days: Days that are to be built, in order.
        keep_after: Days after this one have to have totals.
    """
    view = inputs.view
    if not view.is_declared or view.is_as_known or view.moments or view.scope != "entity":
        return None
    source = next(s for s in inputs.sources if s.source.name == view.source)
    there = [day for day in days if _is_whole(inputs, day, with_totals=inputs.keeps_totals and day > keep_after)]
    for before in _states_before(source) if there else ():
        kept = [day for day in there if _was_made_of(inputs, day, before)]
        if not kept:
            continue
        if any(day < kept[-1] for day in {*days} - {*kept}):
            return None
        touched = _touched(source, {d: had for d, had in before.items() if d <= kept[-1]}, list(view.entity.join_keys))
        fewest = min(int((inputs.made.facts(day) or {}).get("rows", 0)) for day in kept)
        if touched is None or touched.height > _MOST * fewest:
            return None
        return Untouched(inputs=inputs, days=kept, touched=touched)
    return None


def _is_whole(inputs: Inputs, day: date, *, with_totals: bool) -> bool:
    made = inputs.made
    return day not in made.refused and made.facts(day) is not None and (not with_totals or made.has(day, keys.TOTALS))


def _states_before(source: SourceDays) -> list[dict[date, Replaced]]:
    """What the source was before its last changes, one change after the other taken back: the files that days had then."""
    replaced = find_replaced_files(source.state)
    if any(_is_ambiguous(files, source.fact(day, "fingerprint")) for day, files in replaced.items()):
        return []
    moments = sorted({one.since for files in replaced.values() for one in files}, reverse=True)
    return [
        {
            day: had
            for day, files in replaced.items()
            if (had := next((one for one in files if one.since >= moment), None))
        }
        for moment in moments[:_TRIED]
    ]


def _is_ambiguous(files: Sequence[Replaced], now: object) -> bool:
    """Whether a day had other rows under one fingerprint, as when code changed that no version tells of."""
    fingerprints = [*(one.facts.get("fingerprint") for one in files), now]
    return len(set(map(str, fingerprints))) < len(fingerprints)


def _was_made_of(inputs: Inputs, day: date, before: Mapping[date, Replaced]) -> bool:
    """Whether a day was made of what the source was then, and not of what it is now: who asks for such a day wants all of it anew."""
    made_of = (inputs.made.facts(day) or {}).get("inputs")
    fingerprints = {one: f"{had.facts.get('fingerprint')}" for one, had in before.items() if one <= day}
    return made_of == inputs.digest(day, fingerprints) and made_of != inputs.digest(day)


def _of_records(rows: pl.DataFrame, others: pl.DataFrame, how: Literal["semi", "anti"]) -> pl.DataFrame:
    """Rows whose record is, or is not, among others; in their order."""
    return rows.join(others.select(RECORD), on=list(RECORD), how=how, maintain_order="left")


def _touched(source: SourceDays, before: Mapping[date, Replaced], names: list[str]) -> pl.DataFrame | None:
    """The keys of rows that came to some days, or left them; None where code or damage keeps us from telling."""
    found: list[pl.DataFrame] = []
    try:
        for day, had in before.items():
            version = had.facts.get("code_version")
            if version != source.fact(day, "code_version"):
                return None
            old = pl.read_parquet(had.path, hive_partitioning=False, glob=False)
            new = source.state.read(day) if day in source.present else old.clear()
            same = [_of_records(a, b, "semi") for a, b in ((old, new), (new, old))]
            if not same[0].equals(same[1]):  # no version tells of all code that a record became this row by
                return None
            found += [_of_records(a, b, "anti").select(names) for a, b in ((old, new), (new, old))]
    except (DamagedError, OSError, pl.exceptions.PolarsError):
        return None
    return pl.concat(found).unique().sort(names)
