"""Rows that a training set has from the set before: those of feature days that are made of what they were made of then."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.validation.sql_lint import looks_across_rows
from mlpipe_assets.engines.engine import DayRows
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.stages.processed.plan import made_of_days
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.plan import TrainingPlan
from mlpipe_assets.transforms.splits import SPLITS

_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What of a training set need not be made again.

    Attributes:
        rows: The rows of feature days, as the newest set up to this one has them.
        made: The days whose rows are made now, in order. One of them is in `rows` too, the witness.
        witness: A day that is made again although it is carried: when its rows come out otherwise beside other days, rows of
            one day depend on other days, and nothing may be carried.
    """

    rows: dict[date, pl.DataFrame]
    made: list[date]
    witness: date | None = None

    def holds(self, frames: DayRows, order: Sequence[str]) -> bool:
        """Whether the witness has come out as it was."""
        if self.witness is None:
            return True
        found, before = frames.day(self.witness, order), self.rows[self.witness]
        if found is None:
            return not before.height
        if {*found.schema.items()} != {*before.schema.items()}:
            return False
        return found.select(before.columns).equals(before, null_equal=True)

    def day(self, frames: DayRows, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """The rows of a day: carried, or made now, and then with the columns in the order of carried ones."""
        if day in self.rows:
            return self.rows[day]
        found = frames.day(day, order)
        return found if found is None or self.witness is None else found.select(self.rows[self.witness].columns)


def nothing_carried(plan: TrainingPlan) -> Carried:
    """A set that is made from its inputs, all of it."""
    return Carried(rows={}, made=plan.used)


def find_carried(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> Carried:
    """What the newest training set up to the day of a plan has already; nothing where that would spare no work.

    A set whose SQL ranks or numbers rows may look at several feature days, so all of it is made each time.
    """
    model = plan.model
    sets = lake.state("processed", model.name)
    before = [day for day in sets.days(keys.TRAIN) if day <= plan.as_of]
    if not before or looks_across_rows(catalog.read_sql(model.sql)):
        return nothing_carried(plan)
    wanted = made_of_days(lake, catalog, plan)
    rows: dict[date, pl.DataFrame] = {}
    try:
        for name in SPLITS:
            file = keys.split(name)
            made = (sets.facts(before[-1], file) or {}).get("made") or {}
            same = [day for day in plan.used if made.get(f"{day}") == wanted[day]]
            if same:
                frame = sets.read(before[-1], file=file)
                of = frame.select(day_of_row(moments=model.view.moments)).to_series()
                rows |= {day: frame.filter(of == day) for day in same}
    except DamagedError as error:
        _log.warning("processed/%s: all of it is made again, for %s", model.name, error)
        return nothing_carried(plan)
    fresh = [day for day in plan.used if day not in rows]
    if len(fresh) + 1 >= len(plan.used):
        return nothing_carried(plan)
    witness = min(rows, key=lambda day: min((abs((day - other).days) for other in fresh), default=0))
    return Carried(rows=rows, made=sorted([*fresh, witness]), witness=witness)
