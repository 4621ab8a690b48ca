"""Rows of a source as they were known at any past moment, each version from when it was known until another took its place.

A partition of interim has the rows that hold now; beside it lie the valid rows that others took the place of. Who wins follows
from the rows known by a moment alone, so the past is read off the two, without going back to the files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.join_keys import of_entities
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.sample import read_entities, scan_days
from mlpipe_assets.store import keys
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.transforms.staging import ORIGIN, RECORD

if TYPE_CHECKING:
    from mlpipe_assets.point_in_time.source_days import SourceDays

_TIME = pl.Datetime("us", "UTC")
_ROW = ("date", *ORIGIN)
Life = tuple[datetime, datetime | None]  # since when a version held, and until when; None while it still does


@dataclass(frozen=True, kw_only=True)
class KnownRows:
    """Rows of some days with the time in which each version held.

    Attributes:
        whole: Days whose partition can be read as it is: each of its rows could be read from its `known_at` on, and holds since.
        others: All other versions, in the columns of the contract, with the day as `date`, and `known_until`; `known_at` is when the
            version began to hold, `known_until` when it ceased to, null where it still holds.
    """

    whole: Sequence[date]
    others: pl.DataFrame

    def of(self, days: Sequence[date]) -> "KnownRows":
        """Those of some of the days."""
        chosen = {*days}
        others = self.others.filter(pl.col("date").is_in(list(chosen)))
        return KnownRows(whole=[day for day in self.whole if day in chosen], others=others)


def read_known_rows(days: "SourceDays", ledger: Ledger, wanted: Sequence[date]) -> KnownRows:
    """Every version of the rows of some days, which must be there.

    Raises: DamagedError when a partition, or what lies beside it, does not hold what was written to it.
    """
    source, state = days.source, days.state
    near = [day for day in state.days() if any(abs(day - one) <= source.dedupe_within for one in wanted)]
    for day in near:
        facts = state.facts(day)
        if facts is None or lacks_history(state, day, facts):
            raise DamagedError(
                f"interim/{source.name} [{day}]: the rows that others took the place of are not beside the partition, so what was known "
                "earlier cannot be told. `mlpipe run` builds the day again."
            )
    beside = state.files([day for day in near if state.has(day, keys.SUPERSEDED)], keys.SUPERSEDED)
    later = {day for day in wanted if any(ledger.shown[d.delivery] > d.known_at for d in ledger.of_day(day))}
    if not beside and not later:
        return KnownRows(whole=list(wanted), others=_nothing(source))
    rows = scan_days(beside).collect() if beside else _nothing(source).rename({"known_until": "replaced_at"})
    paths = state.files(near)
    living = read_entities(paths, rows.select(source.key).unique(), [*source.key, *_ROW])
    living = of_entities(living, rows, source.key).with_columns(
        replaced_at=pl.lit(None, dtype=_TIME), now=pl.lit(value=True)
    )
    columns = [*source.key, *_ROW, "replaced_at", "now"]
    both = pl.concat([rows.with_columns(now=pl.lit(value=False)).select(columns), living.select(columns)])
    both = both.with_columns(known_at=when_shown(ledger))
    lives = find_lives(both, source.key, source.dedupe_within, ledger.order)
    odd = lives.filter("now", (pl.col("since") != pl.col("known_at")) | pl.col("known_until").is_not_null())
    apart = sorted(({*odd["date"]} | later) & {*wanted})
    held = lives.select("date", *RECORD, "since", "known_until")
    on = ["date", *RECORD]
    versions = [rows.filter(pl.col("date").is_in(list(wanted))).drop("replaced_at").join(held, on=on, how="inner")]
    versions += [state.read(day).with_columns(date=pl.lit(day)).join(held, on=on, how="left") for day in apart]
    # A row of these days that never had a rival has no life of its own: it holds since it could be read.
    others = pl.concat(versions).with_columns(known_at=pl.coalesce("since", when_shown(ledger)))
    columns = list(_nothing(source).schema)
    return KnownRows(whole=[day for day in wanted if day not in apart], others=others.select(columns))


def recall_known_rows(days: "SourceDays", wanted: Sequence[date], read: dict[frozenset[date], KnownRows]) -> KnownRows:
    """The same from what was `read` of a source already, and kept there; read a day longer at both ends, as the proof of a build asks.

    Raises: DamagedError as `read_known_rows` does.
    """
    for there, known in read.items():
        if there.issuperset(wanted):
            return known.of(wanted)
    longer = frozenset({day + n * ONE_DAY for day in wanted for n in (-1, 0, 1)} & days.present)
    read[longer] = read_known_rows(days, days.ledger, sorted(longer))
    return read[longer].of(wanted)


def when_shown(ledger: Ledger) -> pl.Expr:
    """Since when rows with `known_at` and `delivery` could be read: see `Ledger.shown`."""
    later = {name: moment for name, moment in ledger.shown.items() if moment > ledger.deliveries[name].known_at}
    known = pl.col("known_at")
    return pl.col("delivery").replace_strict(later, default=known, return_dtype=_TIME) if later else known


def lacks_history(state: TableState, day: date, facts: Mapping[str, Any]) -> bool:
    """Whether the rows that others took the place of are not known: a partition of an earlier version, or a file that was lost."""
    return "past" not in facts or (facts["past"] > 0 and not state.has(day, keys.SUPERSEDED))


def find_lives(rows: pl.DataFrame, key: Sequence[str], within: timedelta, order: dict[str, int]) -> pl.DataFrame:
    """When each version of some rows held: one row for each stretch of time; versions that never held are left out.

    Args:
        rows: Valid rows: the key, `date`, `known_at`, `delivery`, `record_number`, `replaced_at` (when a later version of their
            file took their place on another day) and `now` (whether the row holds now). All rows of a key are there.
        key: Columns of the key.
        within: How far apart the days of two rows with one key may lie.
        order: The place of each delivery in the order in which they became known.
    """
    place = pl.col("delivery").replace_strict(order, return_dtype=pl.Int64).alias("place")
    ranked = rows.with_columns(place).sort("place", "record_number")
    last = ranked.unique([*key, "date", "delivery"], keep="last", maintain_order=True).with_row_index("row")
    rival = last.select(*key, "date", "known_at", "row")
    pairs = last.select(*key, "date", "row").join(rival, on=list(key), suffix="_rival")
    near = (pl.col("date") - pl.col("date_rival")).abs() <= within
    lost = pairs.filter(pl.col("row_rival") > pl.col("row"), near).group_by("row").agg(lost_at=pl.col("known_at").min())
    known = last.join(lost, on="row", how="left").with_columns(
        since="known_at", known_until=pl.min_horizontal("lost_at", "replaced_at")
    )
    unlike = known.filter(pl.col("replaced_at").is_not_null() | (pl.col("now") & pl.col("known_until").is_not_null()))
    told_apart = known.join(unlike.select(key).unique(), on=list(key), how="semi")
    plain = known.join(unlike.select(key).unique(), on=list(key), how="anti")
    plain = plain.filter(pl.col("now") | (pl.col("known_until") > pl.col("known_at")))
    columns = ["date", *RECORD, "known_at", "now", "since", "known_until"]
    return pl.concat(
        [plain.select(columns), *(_replayed(group, within).select(columns) for group in _groups(told_apart, key))]
    )


def _groups(rows: pl.DataFrame, key: Sequence[str]) -> list[pl.DataFrame]:
    return rows.partition_by(list(key), maintain_order=True) if rows.height else []


def _replayed(rows: pl.DataFrame, within: timedelta) -> pl.DataFrame:
    """The lives of the versions of one key, found by playing what became known when: a version may hold, lose, and hold again."""
    known = rows.to_dicts()
    moments = sorted({row["known_at"] for row in known} | {row["replaced_at"] for row in known if row["replaced_at"]})
    lives: dict[int, list[Life]] = {}
    for number, moment in enumerate(moments):
        until = moments[number + 1] if number + 1 < len(moments) else None
        for row in _holding(known, moment, within):
            stretches = lives.setdefault(row["row"], [])
            if stretches and stretches[-1][1] == moment:
                stretches[-1] = (stretches[-1][0], until)
            else:
                stretches.append((moment, until))
    stretches_of = [(row, since, until) for row, found in sorted(lives.items()) for since, until in found]
    schema = {"row": rows.schema["row"], "since": _TIME, "known_until": _TIME}
    found = pl.DataFrame(stretches_of, schema=schema, orient="row")
    return rows.drop("since", "known_until").join(found, on="row", how="inner")


def _holding(rows: list[dict[str, Any]], moment: datetime, within: timedelta) -> list[dict[str, Any]]:
    """The versions of one key that hold at a moment, in the words of interim: of a day the last, of near days the last too."""
    there = [r for r in rows if r["known_at"] <= moment and not (r["replaced_at"] and r["replaced_at"] <= moment)]
    last: dict[date, dict[str, Any]] = {}
    for row in there:  # in order of their rank
        last[row["date"]] = row
    return [
        row
        for row in last.values()
        if not any(other["row"] > row["row"] and abs(other["date"] - row["date"]) <= within for other in last.values())
    ]


def _nothing(source: Source) -> pl.DataFrame:
    schema = {name: column.dtype.type for name, column in source.contract.to_schema().columns.items()}
    return pl.DataFrame(schema={**schema, "date": pl.Date, "known_until": _TIME})
