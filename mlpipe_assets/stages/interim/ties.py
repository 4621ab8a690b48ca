"""What a day's deliveries decide among each other, and what of it a person should hear."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.rules import repeated
from mlpipe_assets.transforms.events import own_columns


def table_of_each_day(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Of each day's snapshots the rows of the last one: a snapshot is the whole table, so what it lacks is gone."""
    if not rows.height:
        return rows
    place = pl.col("delivery").replace_strict(ledger.order, return_dtype=pl.Int64)
    return rows.filter(place == place.max().over("event_date"))


def spell_gone(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str], ledger: Ledger) -> list[str]:
    """How many keys of the snapshot before a snapshot lacks, where it is more than half of them, and the files of both."""
    gone = before.join(after, on=list(key), how="anti").height
    if gone * 2 <= before.height:
        return []
    older, newer = (_file(frame, ledger) for frame in (before, after))
    pair = f"{newer}, which has the same name" if older == newer else newer
    line = (
        f"{gone:,} of the {before.height:,} keys of the snapshot before, {older}, are not in {pair}. They are taken as gone. If "
        "the file was cut short, deliver the whole one again"
    )
    return [line]


def _file(snapshot: pl.DataFrame, ledger: Ledger) -> str:
    """The name of the file a snapshot came in."""
    delivery = ledger.deliveries.get(snapshot["delivery"][0])
    return delivery.source_file if delivery else "a file the ledger does not know"


def spell_ties(rows: pl.DataFrame, source: Source, ledger: Ledger) -> dict[date, list[str]]:
    """Where nothing but the names of two files decided which value of a key holds: by day, in words.

    Args:
        rows: Valid rows, several of a key where several came.
        source: Whose.
        ledger: Its deliveries.
    """
    tied = _tied(ledger)
    if not tied or not rows["delivery"].is_in(list(tied)).any():
        return {}
    one = (*source.key, "event_date")
    values = [name for name in own_columns(source) if name not in source.key]
    place = pl.col("delivery").replace_strict(ledger.order, return_dtype=pl.Int64)
    twice = rows.filter(repeated(rows, one)).sort(place, "record_number")
    twice = twice.with_columns(moment=pl.col("delivery").replace_strict(tied, default=None, return_dtype=pl.Int64))
    won = twice.unique(subset=one, keep="last", maintain_order=True)
    lost = twice.unique(subset=[*one, "delivery"], keep="last", maintain_order=True).join(won, on=one, suffix="_won")
    lost = lost.filter(pl.col("moment") == pl.col("moment_won"), pl.col("delivery") != pl.col("delivery_won"))
    differs = [pl.when(pl.col(name).ne_missing(pl.col(f"{name}_won"))).then(pl.lit(name)) for name in values]
    lost = lost.with_columns(column=pl.coalesce(*differs)).filter(pl.col("column").is_not_null())
    found: dict[date, list[str]] = {}
    groups = lost.group_by("event_date", "delivery", "delivery_won").agg(pl.len(), pl.col("column").first())
    for day, name, winner, count, column in groups.sort("event_date", "delivery", "delivery_won").rows():
        files = ledger.deliveries[name].source_file, ledger.deliveries[winner].source_file
        found.setdefault(day, []).append(
            f"{files[0]} and {files[1]} have other values for keys that both have: {count:,} ({column}, for one). Both were known "
            f"and modified at the same moment, so the names alone decided, for {files[1]}. If that is wrong, deliver the right "
            "file again"
        )
    return found


def spell_ties_across(
    lost: pl.DataFrame, candidates: pl.DataFrame, source: Source, ledger: Ledger, built: Collection[date]
) -> dict[date, list[str]]:
    """Files known and modified at the same moment that have rows of one key on different days: by day, in words.

    Args:
        lost: Rows that lost to a row of another day.
        candidates: All rows that were held against each other.
        source: Whose.
        ledger: Its deliveries.
        built: Days being built; of the two days of a pair, the one that lost is told, if it is among them.
    """
    tied = _tied(ledger)
    if not tied or not lost.height:
        return {}
    columns = [*source.key, "event_date", "delivery"]
    moment = pl.col("delivery").replace_strict(tied, default=None, return_dtype=pl.Int64).alias("moment")
    pairs = lost.select(*columns, moment).join(
        candidates.select(*columns, moment), on=[*source.key, "moment"], suffix="_won"
    )
    place, place_won = (
        pl.col(name).replace_strict(ledger.order, return_dtype=pl.Int64) for name in ("delivery", "delivery_won")
    )
    apart = (pl.col("event_date") - pl.col("event_date_won")).abs()
    pairs = pairs.filter(place < place_won, apart > timedelta(0), apart <= source.dedupe_within)
    found: dict[date, list[str]] = {}
    groups = pairs.group_by("event_date", "event_date_won", "delivery", "delivery_won").len()
    for day, day_won, name, winner, count in groups.sort(pl.all()).rows():
        loser, taken = ledger.deliveries[name].source_file, ledger.deliveries[winner].source_file
        rows = "the row of 1 key" if count == 1 else f"the rows of {count:,} keys"
        found.setdefault(day if day in built else day_won, []).append(
            f"{loser} has {rows} on {day} and {taken} on {day_won}. Both files were known and modified at the same moment, so the names "
            f"alone decided, for {taken}. If that is wrong, deliver the right file again"
        )
    return found


def _tied(ledger: Ledger) -> dict[str, int]:
    """Deliveries known and modified at the same moment as another, each with a number of that moment."""
    alike: dict[tuple[object, int], list[str]] = {}
    for d in ledger.deliveries.values():
        if d.events and d.known_by:  # a record of an earlier version knows no modification time
            alike.setdefault((d.known_at, d.modified_ns), []).append(d.delivery)
    return {name: number for number, names in enumerate(alike.values()) if len(names) > 1 for name in names}
