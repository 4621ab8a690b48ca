"""interim: events cast, judged and deduplicated into one clean row per key; the refused in quarantine, with reasons."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import shorten
from mlpipe_assets.gate import judge
from mlpipe_assets.outcome import Outcome, tell
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.resources.acceptances import accepted_days
from mlpipe_assets.resources.deliveries import Delivery, Ledger
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.resources.refusals import clear, refuse
from mlpipe_assets.resources.schemas import write_schema
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.daily import at_work, check, column_schema, daily, first_sentence
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, clean_text, decode, decode_flat, own_columns
from mlpipe_assets.transforms.staging import (
    MISSING,
    RANK,
    cast_rows,
    column_digests,
    key_hash,
    latest_of_each_day,
    reasons_in_words,
    superseded,
)

_log = logging.getLogger("mlpipe")
_ROWS_AT_ONCE = 300_000
_ORIGIN = ("event_date", *RANK, "source_file", "payload")


def interim_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that makes a source's clean table of each day out of its events."""
    key = dg.AssetKey(["interim", source.name])
    checks = (
        check(
            key,
            "contract_holds",
            f"Every row of {source.contract.__name__} holds; the rest is quarantined.",
            blocking=True,
        ),
        check(key, "rows_are_accounted_for", "Rows received = accepted + duplicates + quarantined, each day."),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(source.contract),
            owners=source.owners,
            kinds={"polars", "parquet"},
            fresh_within=source.fresh_within,
            code_version=source_version(source),
            schema=column_schema(source.contract),
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["raw", source.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: Lake, engine: Engine
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_interim(lake, engine, source, days)
            write_schema(lake, source)
        yield from tell(context, lake, key, outcomes)

    return build


@dataclass(kw_only=True)
class _Day:
    """One day while it is being built."""

    day: date
    deliveries: list[Delivery]
    accepted: int = 0
    refused: int = 0
    standing_refused: int = 0
    superseded: list[tuple[str, int]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    staged: Staged | None = None
    quarantine: Staged | None = None

    @property
    def on_arrival(self) -> int:
        return sum(d.quarantined for d in self.deliveries if d.arrived == self.day)

    @property
    def events(self) -> int:
        return sum(d.events.get(self.day, 0) for d in self.deliveries)

    @property
    def counts(self) -> dict[str, int]:
        left = self.accepted - len(self.superseded)
        return {
            "received": self.events + self.on_arrival,
            "accepted": left,
            "duplicates": self.events - self.refused - left,
            "quarantined": self.refused + self.on_arrival,
        }


def build_interim(lake: Lake, engine: Engine, source: Source, days: Sequence[date]) -> list[Outcome]:
    """Build the given days in one pass; a day that breaks its tolerance stays as it was, and is named.

    A day is a function of the events within `dedupe_within` of it and of nothing else, so neither the order of files
    nor the order of runs shows. Rows of days not asked for that lose to a row built here leave their partition too.
    """
    ledger = Ledger.load(lake, source.name)
    built = {day: _Day(day=day, deliveries=ledger.of_day(day)) for day in days}
    hashes: list[np.ndarray] = []
    where: list[np.ndarray] = []
    accepted = accepted_days(lake, source.name)
    chunks = list(_chunks(built))
    judged = in_order(lambda chunk: _judge_chunk(lake, engine, source, ledger, chunk), chunks)
    for chunk, winners in zip(chunks, judged, strict=True):
        _log.info("interim/%s: %s to %s", source.name, chunk[0].day, chunk[-1].day)
        parts = dict(zip(*_by_day(winners), strict=True)) if winners.height else {}
        for entry in chunk:
            rows = parts.get(entry.day, winners[:0]).sort(*source.key)
            entry.accepted = rows.height
            entry.columns = column_digests(rows.select(own_columns(source)))
            hashes.append(key_hash(rows, source.key).to_numpy())
            where.append(np.full(rows.height, entry.day.toordinal(), dtype=np.int32))
            entry.staged = lake.stage(
                lake.path("interim", source.name, entry.day),
                rows.drop("event_date"),
                _facts(source, entry, accepted.get(entry.day)),
            )
    lost = _lost(
        engine, source, ledger, built, np.concatenate(hashes or [np.empty(0)]), np.concatenate(where or [np.empty(0)])
    )
    for entry in built.values():
        entry.superseded = sorted(
            (row["delivery"], row["record_number"]) for row in lost.filter(pl.col("event_date") == entry.day).to_dicts()
        )
    # First: a run killed in between must leave a day that is still to be built, not a key that stands twice.
    withdrawn = _withdraw(lake, source, lost.filter(~pl.col("event_date").is_in(list(built))))
    return [_settle(lake, source, entry, ledger, accepted.get(entry.day)) for entry in built.values()] + withdrawn


def _by_day(frame: pl.DataFrame) -> tuple[list[date], list[pl.DataFrame]]:
    """The event dates of a frame, and its rows of each."""
    parts = frame.partition_by("event_date", maintain_order=True)
    return [part["event_date"][0] for part in parts], parts


def _chunks(built: dict[date, _Day]) -> Iterator[list[_Day]]:
    """Days in order, as many together as hold a bounded number of rows."""
    chunk: list[_Day] = []
    for entry in (built[day] for day in sorted(built)):
        if chunk and sum(e.events for e in chunk) + entry.events > _ROWS_AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(entry)
    if chunk:
        yield chunk


def _read(
    engine: Engine,
    source: Source,
    ledger: Ledger,
    days: Sequence[date],
    names: list[str] | None = None,
    only: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Events of days with their clean text columns; columns a file never had are marked in `lacking`.

    Args:
        engine: Decodes what cannot be cut.
        source: Whose events.
        ledger: Its deliveries.
        days: Event dates.
        names: Columns wanted; None takes all of the contract.
        only: Deliveries, or records of them, wanted; None takes all.
    """
    parts: list[pl.DataFrame] = []
    wanted = names or own_columns(source)
    groups: dict[tuple[str, ...], list[Path]] = {}
    wanted_deliveries = None if only is None else set(only["delivery"])
    for delivery in ledger.deliveries.values():
        if wanted_deliveries is not None and delivery.delivery not in wanted_deliveries:
            continue
        paths = [ledger.event_path(delivery.delivery, day) for day in days if delivery.events.get(day)]
        if paths:
            groups.setdefault(delivery.columns, []).extend(paths)
    for columns, paths in sorted(groups.items()):
        needed = columns if source.prepare else tuple(name for name in wanted if name in columns)
        events, text = _decoded(engine, sorted(paths), columns, needed, only)
        clean = clean_text(text, source, wanted)
        lacking = [] if not columns or source.prepare else [name for name in wanted if name not in columns]
        marked = pl.lit(lacking, dtype=pl.List(pl.String)).alias("lacking")
        parts.append(pl.concat([events, clean.select(wanted)], how="horizontal").with_columns(marked))
    empty = {
        **{n: QUARANTINE_SCHEMA[n] for n in _ORIGIN},
        **dict.fromkeys(wanted, pl.String()),
        "lacking": pl.List(pl.String),
    }
    return pl.concat(parts) if parts else pl.DataFrame(schema=empty)


def _decoded(
    engine: Engine, paths: list[Path], columns: tuple[str, ...], needed: tuple[str, ...], only: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and the needed fields of their payload as text: the fastest way that is exact for them."""
    frame = pl.read_parquet(paths, columns=list(_ORIGIN), hive_partitioning=False)
    if only is not None:
        frame = frame.join(only, on=only.columns, how="semi", maintain_order="left")
    if not columns:  # JSON as its sender wrote it: numbers must keep their digits
        return frame, decode(frame["payload"])
    if not needed:
        return frame, pl.DataFrame(height=frame.height)
    flat = decode_flat(frame["payload"], columns, needed)
    if flat is not None:
        return frame, flat
    if len({name.lower() for name in needed}) == len(needed):
        try:
            parsed = engine.decode(paths, needed)
            if only is not None:
                parsed = parsed.join(only, on=only.columns, how="semi", maintain_order="left")
            text = parsed.select(pl.col(f"field_{i}").alias(name) for i, name in enumerate(needed))
            return parsed.select(_ORIGIN), text
        except duckdb.Error:
            _log.debug("the engine's JSON reader refused %s; read them one by one", paths)
    return frame, decode(frame["payload"], needed)


def _judge_chunk(lake: Lake, engine: Engine, source: Source, ledger: Ledger, chunk: list[_Day]) -> pl.DataFrame:
    """Winners of each day of a chunk; refused rows are staged for quarantine and counted."""
    frame = _read(engine, source, ledger, [entry.day for entry in chunk])
    rows, refused = _judged(frame, source)
    corrected = ledger.corrected
    for entry in chunk:
        lacking = frame.filter(pl.col("event_date") == entry.day)["lacking"].explode().drop_nulls().unique().sort()
        standing = [
            d for d in entry.deliveries if d.columns and d.events.get(entry.day) and d.delivery not in corrected
        ]
        files = {name: [d.source_file for d in standing if name not in d.columns] for name in lacking}
        entry.lacking = [f"{name}: {MISSING} ({shorten(names, 3)})" for name, names in files.items() if names]
        entry.errors += _turned_away(ledger, entry)
        away = refused.filter(pl.col("event_date") == entry.day).sort("delivery", "record_number")
        entry.refused = away.height
        entry.standing_refused = away.filter(~pl.col("delivery").is_in(list(corrected))).height
        entry.errors += reasons_in_words(away, entry.events, source)
        if away.height:
            target = lake.root / "validation" / "quarantine" / source.name / f"date={entry.day}" / "refused.parquet"
            entry.quarantine = lake.stage(target, away, {})
    return latest_of_each_day(rows, source.key)


def _judged(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that hold (with event_date), and the rows refused as quarantine keeps them."""
    typed = cast_rows(frame.select(own_columns(source)), frame.select(RANK), source)
    uncast, reasons = typed.uncast, dict(typed.reasons)
    for name in frame["lacking"].explode().drop_nulls().unique():
        flag = frame["lacking"].list.contains(name)
        merged = uncast[name] | flag if name in uncast.columns else flag
        uncast = pl.DataFrame([*uncast.drop(name, strict=False).get_columns(), merged.alias(name)])
        reasons[name] = MISSING
    verdict = judge(typed.rows, source.contract, uniqueness=False, uncast=uncast, uncast_reasons=reasons)
    rows = typed.rows.with_columns(frame["event_date"])
    if verdict.refused is None:
        return rows, pl.DataFrame(schema=QUARANTINE_SCHEMA)
    away = frame.filter(verdict.refused).with_columns(verdict.reasons, source=pl.lit(source.name))
    return rows.filter(~verdict.refused), away.select(list(QUARANTINE_SCHEMA))


def _turned_away(ledger: Ledger, entry: _Day) -> list[str]:
    """Why rows were refused on arrival, without values: a line that cannot be read may hold anything."""
    paths = [
        ledger.refused_path(d.delivery, entry.day) for d in entry.deliveries if d.quarantined and d.arrived == entry.day
    ]
    reasons = [pl.read_parquet(path, columns=["reasons"], hive_partitioning=False) for path in paths]
    counted = (
        pl.concat(reasons).group_by("reasons").len().sort("len", "reasons", descending=[True, False])
        if reasons
        else pl.DataFrame()
    )
    return [f"{reason}: {count:,} of {entry.counts['received']:,} rows" for reason, count in counted.head(10).rows()]


def _lost(
    engine: Engine, source: Source, ledger: Ledger, built: dict[date, _Day], hashes: np.ndarray, where: np.ndarray
) -> pl.DataFrame:
    """Rows that lose to a row of another day: their key, event_date and rank."""
    columns = [*source.key, "event_date", *RANK]
    empty = pl.DataFrame(
        schema={
            **{k: pl.String() for k in source.key},
            "event_date": pl.Date,
            **{r: QUARANTINE_SCHEMA[r] for r in RANK},
        }
    )
    if not source.dedupe_within or not hashes.size:
        return empty
    near = _neighbours(ledger, source, built)
    halo = _same_keys(engine, source, ledger, near, hashes) if near else None
    ordered = np.sort(hashes)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if halo is not None and halo.height:
        suspects = np.union1d(suspects, key_hash(halo, source.key).to_numpy())
    if not suspects.size:
        return empty
    wanted = pl.Series(suspects)
    parts = [halo.select(columns)] if halo is not None else []
    involved = {int(o) for o in np.unique(where[np.isin(hashes, suspects)])}
    for entry in built.values():
        if entry.day.toordinal() in involved and entry.staged:
            rows = pl.read_parquet(entry.staged.temporary, columns=[*source.key, *RANK], hive_partitioning=False)
            rows = rows.filter(key_hash(rows, source.key).is_in(wanted.implode()))
            parts.append(rows.with_columns(event_date=pl.lit(entry.day)).select(columns))
    return superseded(pl.concat(parts), source.key, source.dedupe_within)


def _neighbours(ledger: Ledger, source: Source, built: dict[date, _Day]) -> list[date]:
    """Days not being built that hold rows and lie near enough to share keys with one that is."""
    reach = source.dedupe_within
    last = last_partition()
    return [
        day
        for day in ledger.days()
        if day not in built and START_DATE <= day <= last and any(abs(day - other) <= reach for other in built)
    ]


def _same_keys(
    engine: Engine, source: Source, ledger: Ledger, days: list[date], hashes: np.ndarray
) -> pl.DataFrame | None:
    """Valid rows of neighbouring days whose key is among those built, one per key and day: key, event_date and rank."""
    parts: list[pl.DataFrame] = []
    known = pl.Series(np.unique(hashes))
    for day in days:
        winners = _winners_on_disk(engine, source, ledger, day)
        if winners is not None:
            parts.append(winners.filter(key_hash(winners, source.key).is_in(known.implode())))
            continue
        keys = _read(engine, source, ledger, [day], list(source.key))
        if not keys.height:
            continue
        typed = cast_rows(*_padded(keys, source), source).rows
        same = key_hash(typed, source.key).is_in(known.implode())
        if same.any():
            parts.append(_winners(engine, source, ledger, day, keys.filter(same).select("delivery", "record_number")))
    found = [part for part in parts if part.height]
    return pl.concat(found) if found else None


def _winners(engine: Engine, source: Source, ledger: Ledger, day: date, only: pl.DataFrame) -> pl.DataFrame:
    """Of some records or deliveries of a day, the valid row of each key that was known last."""
    frame = _read(engine, source, ledger, [day], only=only)
    return latest_of_each_day(_judged(frame, source)[0], source.key).select(*source.key, "event_date", *RANK)


def _winners_on_disk(engine: Engine, source: Source, ledger: Ledger, day: date) -> pl.DataFrame | None:
    """The same of a whole day, from its partition and the few rows that are not in it; None when the code has changed.

    Not in it are rows that lost to another day, and those of deliveries that came since it was built.
    """
    facts = ledger.lake.facts("interim", source.name, day)
    present = {d.delivery for d in ledger.of_day(day)}
    if not facts or facts["code_version"] != source_version(source) or not present >= set(facts["deliveries"]):
        return None
    rows = ledger.lake.read("interim", source.name, day, [*source.key, *RANK])
    parts = [rows.with_columns(event_date=pl.lit(day)).select(*source.key, "event_date", *RANK)]
    if facts["superseded"]:
        schema = {"delivery": pl.String, "record_number": pl.Int64}
        gone = pl.DataFrame(facts["superseded"], schema=schema, orient="row")
        parts.append(_winners(engine, source, ledger, day, gone))
    since = sorted(present - set(facts["deliveries"]))
    if since:
        parts.append(_winners(engine, source, ledger, day, pl.DataFrame({"delivery": since})))
    return latest_of_each_day(pl.concat(parts), source.key) if len(parts) > 1 else parts[0]


def _padded(keys: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Key columns beside empty ones, as cast_rows wants them, and their provenance."""
    absent = [pl.lit(None, dtype=pl.String).alias(n) for n in own_columns(source) if n not in keys.columns]
    return keys.with_columns(absent).select(own_columns(source)), keys.select(RANK)


def _settle(lake: Lake, source: Source, entry: _Day, ledger: Ledger, reason: str | None) -> Outcome:
    """Write a day, or leave it as it was and say why."""
    outcome = Outcome(day=entry.day, counts=entry.counts, breaches=entry.errors, accepted_because=reason)
    if entry.quarantine:
        lake.commit(entry.quarantine)
    else:
        lake.remove(lake.root / "validation" / "quarantine" / source.name / f"date={entry.day}" / "refused.parquet")
    problem = _problem(source, entry, ledger)
    nothing_came = not entry.events and not entry.on_arrival and not source.empty_days
    if (problem or nothing_came) and reason is None:
        if entry.staged:
            lake.discard(entry.staged)
        if problem:
            inputs = refusal_digest(source, ledger, entry.day)
            refuse(lake, "interim", source.name, entry.day, problem=problem, inputs=inputs, counts=entry.counts)
            return replace(outcome, refused=problem)
        return replace(outcome, missing=f"nothing came for {entry.day}")
    if source.event_time is None and not entry.events:
        if entry.staged:
            lake.discard(entry.staged)
        clear(lake, "interim", source.name, entry.day)
        return replace(outcome, carried=True)
    written = _commit(lake, source, entry, reason)
    clear(lake, "interim", source.name, entry.day)
    return replace(outcome, written=written, facts=_facts(source, entry, reason))


def _problem(source: Source, entry: _Day, ledger: Ledger) -> str | None:
    """Why a day may not be written; rows of files that their sender has replaced since no longer count."""
    corrected = ledger.corrected
    standing = [d for d in entry.deliveries if d.delivery not in corrected]
    if entry.lacking:
        return "; ".join(entry.lacking)
    refused = entry.standing_refused + sum(d.quarantined for d in standing if d.arrived == entry.day)
    received = sum(d.events.get(entry.day, 0) + (d.quarantined if d.arrived == entry.day else 0) for d in standing)
    if not source.tolerance.allows(refused, received):
        allowed = max(source.tolerance.rows, int(source.tolerance.share * received))
        return f"{refused:,} of {received:,} rows refused, {allowed:,} tolerated"
    # Rows superseded by another day's do not count: whether they came together must not decide over a day.
    repeated = entry.counts["duplicates"] - len(entry.superseded)
    if not source.duplicate_tolerance.allows(repeated, entry.counts["received"]):
        return f"{repeated:,} of {entry.counts['received']:,} rows are duplicates, beyond the tolerance"
    return None


def _commit(lake: Lake, source: Source, entry: _Day, reason: str | None) -> Staged | None:
    """Replace the day's partition with the staged rows, less those superseded by another day's."""
    staged = entry.staged
    if staged is None:
        return None
    if entry.superseded:
        gone = pl.DataFrame(entry.superseded, schema={"delivery": pl.String, "record_number": pl.Int64}, orient="row")
        rows = pl.read_parquet(staged.temporary, hive_partitioning=False)
        rows = rows.join(gone, on=["delivery", "record_number"], how="anti", maintain_order="left")
        entry.columns = column_digests(rows.select(own_columns(source)))
        staged = lake.stage(staged.target, rows, _facts(source, entry, reason))
    lake.commit(staged)
    return staged


def inputs_digest(source: Source, deliveries: Sequence[Delivery]) -> str:
    """Digest of all a day is made of: its deliveries and the code."""
    return digest([source_version(source), [d.delivery for d in deliveries]])


def refusal_digest(source: Source, ledger: Ledger, day: date) -> str:
    """Digest of all a refusal rests on: the day's deliveries, which of them were replaced since, and the code."""
    deliveries = ledger.of_day(day)
    return digest(
        [inputs_digest(source, deliveries), sorted(d.delivery for d in deliveries if d.delivery in ledger.corrected)]
    )


def _facts(source: Source, entry: _Day, reason: str | None) -> dict[str, object]:
    inputs = inputs_digest(source, entry.deliveries)
    return {
        "table": f"interim/{source.name}",
        "date": f"{entry.day}",
        "code_version": source_version(source),
        "inputs": inputs,
        "fingerprint": digest([inputs, entry.superseded]),
        "superseded": entry.superseded,
        "deliveries": [d.delivery for d in entry.deliveries],
        "columns": entry.columns,
        **entry.counts,
        **({"accepted_because": reason} if reason is not None else {}),
    }


def _withdraw(lake: Lake, source: Source, lost: pl.DataFrame) -> list[Outcome]:
    """Take rows that lost to a newer day's out of partitions that were not being built."""
    outcomes: list[Outcome] = []
    for (day,), gone in lost.group_by("event_date", maintain_order=True):
        if not isinstance(day, date):
            continue
        facts = lake.facts("interim", source.name, day)
        if facts is None:
            continue
        rows = lake.read("interim", source.name, day)
        kept = rows.join(gone, on=["delivery", "record_number"], how="anti", maintain_order="left")
        if kept.height == rows.height:
            continue
        away = sorted({*map(tuple, facts["superseded"]), *gone.select("delivery", "record_number").rows()})
        moved = rows.height - kept.height
        facts |= {"columns": column_digests(kept.select(own_columns(source)))}
        facts |= {"superseded": away, "fingerprint": digest([facts["inputs"], away])}
        facts |= {"accepted": facts["accepted"] - moved, "duplicates": facts["duplicates"] + moved}
        staged = lake.stage(lake.path("interim", source.name, day), kept, facts)
        lake.commit(staged)
        counts = {name: facts[name] for name in ("received", "accepted", "duplicates", "quarantined")}
        outcomes.append(Outcome(day=day, counts=counts, written=staged, facts=facts, beyond_the_run=True))
    return outcomes
