"""Freshness as people see it: a check per table with its history, and one alert per cause."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.automation.clock import has_passed
from mlpipe_assets.automation.freshness import freshness_of, upstream_of
from mlpipe_assets.automation.memory import remember
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import shorten
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.partitions import days_between, spell_days
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Log

CHECK = "newest_partition_is_there"
_MOST_SHOWN = 20
_LONGEST_HELD = timedelta(hours=1)
_OWN_JOBS = ("freshness_job", "__ASSET_JOB")  # the latter is what a person starts from the UI


@dataclass(frozen=True, kw_only=True)
class FreshnessLook:
    """What was told last, as the lake keeps it.

    Attributes:
        state: Digest of what was told.
        number: How often something was told.
        held_since: Since when something else is so, and was held back because runs may be about to change it.
    """

    state: str = ""
    number: int = 0
    held_since: datetime | None = None

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "FreshnessLook":
        """The look that a record tells of."""
        since = found.get("held_since")
        return cls(**{**found, "held_since": datetime.fromisoformat(since) if since else None})

    def write(self) -> dict[str, Any]:
        """The record of a look."""
        return {**vars(self), "held_since": self.held_since.isoformat() if self.held_since else None}

    def next(self, state: str, now: datetime, *, busy: bool) -> tuple["FreshnessLook", bool]:
        """The look at a new state, and whether to tell it: not while runs may be about to change it, for an hour at most."""
        if state == self.state:
            return replace(self, held_since=None), False
        held_since = self.held_since or now
        if busy and not has_passed(_LONGEST_HELD, held_since, now):
            return replace(self, held_since=held_since), False
        return FreshnessLook(state=state, number=self.number + 1), True


def keep_look(lake: Lake, look: FreshnessLook) -> None:
    """Store a look."""
    with remember(lake, "freshness") as memory:
        memory.clear()
        memory.update(look.write())


def freshness_check(catalog: Catalog) -> dg.AssetChecksDefinition:
    """One check per daily table; none blocks, since old data is a matter of time, not of truth."""
    specs = [
        dg.AssetCheckSpec(CHECK, asset=_key(table), description="The newest partition that is due lies in the lake.")
        for table in upstream_of(catalog)
    ]

    @dg.multi_asset_check(name="freshness", specs=specs, can_subset=True)
    def judge(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[dg.AssetCheckResult]:
        if context.run.job_name not in _OWN_JOBS:  # part of another job's run over a selection of its assets
            return
        found = freshness_of(lake, catalog, datetime.now(tz=UTC))
        history = note_transitions(lake, found, datetime.now(tz=UTC))
        wanted = {key.asset_key for key in context.selected_asset_check_keys}
        for table in found:
            if _key(table.table) in wanted:
                yield check_result(table, [t for t in history if t["table"] == table.table])

    return judge


def check_result(table: TableFreshness, history: Sequence[dict[str, Any]]) -> dg.AssetCheckResult:
    """What the check says of a table; a table late only because of another warns, the other is the error."""
    caused = table.cause not in (None, table.table)
    shown = [dg.TableRecord({name: f"{t[name]}" for name in ("at", "state", "newest", "cause")}) for t in history]
    metadata: dict[str, Any] = {
        "newest": f"{table.newest}",
        "expected": f"{table.expected}",
        "fresh_within_hours": table.fresh_within.total_seconds() / 3600,
        "history": dg.MetadataValue.table(shown[: -_MOST_SHOWN - 1 : -1]) if shown else "no change so far",
    }
    if table.late_since:
        metadata |= {"late_since": f"{table.late_since:%Y-%m-%d %H:%M} UTC", "late_because_of": f"{table.cause}"}
    return dg.AssetCheckResult(
        asset_key=_key(table.table),
        check_name=CHECK,
        passed=table.state == "fresh",
        severity=dg.AssetCheckSeverity.WARN if caused else dg.AssetCheckSeverity.ERROR,
        description=spell(table),
        metadata=metadata,
    )


def spell(table: TableFreshness) -> str:
    """The state of a table in words."""
    newest = f"the newest is {table.newest}" if table.newest else "there is none yet"
    if table.state == "fresh":
        due = f"{table.expected} was due" if table.expected else "nothing more is due"
        return f"{due}, {newest}." if table.newest else "Nothing is due yet."
    missing = _spell_missing(table)
    because = f" because {table.cause} is late" if table.cause != table.table else ""
    return f"{missing}{because}; {newest}, late since {table.late_since:%Y-%m-%d %H:%M} UTC."


def _spell_missing(table: TableFreshness) -> str:
    """What a late table lacks: every day up to the newest that is due, or a newer partition than it has."""
    if not table.expected:
        return "no delivery in time"
    if table.lacking:
        return f"no partition of {spell_days(days_between(table.lacking, table.expected))}"
    return f"no partition of {table.expected} or later"


def problems_of(found: Sequence[TableFreshness]) -> list[Problem]:
    """What to tell: each late table that no upstream explains, with those it made late counted.

    A lake into which nothing ever came is not late, it is new.
    """
    late = [table for table in found if table.state != "fresh"]
    if all(table.newest is None for table in found if table.table.startswith("raw/")):
        return []
    problems: list[Problem] = []
    for root in (table for table in late if table.cause == table.table):
        caused = [table.table for table in late if table.cause == root.table and table is not root]
        stage, _, name = root.table.partition("/")
        problems.append(
            Problem(
                key=root.table,
                what=_spell_missing(root),
                where=root.table,
                how_many=f"{1 + len(caused)} tables late: {shorten([root.table, *caused], 6)}",
                example=f"the newest partition is {root.newest}" if root.newest else "there is no partition yet",
                since=root.late_since,
                to_do=f"see why no file of {name} came, and put it into raw/{name}/; the rest follows by itself"
                if stage == "raw"
                else "see `mlpipe status` for what keeps it, then `mlpipe run`",
            )
        )
    return problems


def note_transitions(lake: Lake, found: Sequence[TableFreshness], now: datetime) -> list[dict[str, Any]]:
    """Changes of state since the beginning, oldest first, those just seen included; kept in meta/freshness.jsonl."""
    log = Log(objects=lake.objects, key=keys.FRESHNESS, parse=_read, cure="Mend that line by hand, or take it out.")
    with lake.writing("meta", "freshness"):
        history = log.read()
        last = {record["table"]: record["state"] for record in history}
        new = [_record(table, now) for table in found if last.get(table.table) != table.state]
        if new:
            log.append(new)
    return [*history, *new]


def _record(table: TableFreshness, now: datetime) -> dict[str, Any]:
    return {
        "at": now.isoformat(timespec="seconds"),
        "cause": table.cause,
        "expected": f"{table.expected}" if table.expected else None,
        "late_since": table.late_since.isoformat() if table.late_since else None,
        "newest": f"{table.newest}" if table.newest else None,
        "state": table.state,
        "table": table.table,
    }


def _read(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "table": record["table"], "state": record["state"]}


def _key(table: str) -> dg.AssetKey:
    return dg.AssetKey(table.split("/"))


def with_freshness_job(
    jobs: Iterable[dg.JobDefinition | UnresolvedAssetJobDefinition], catalog: Catalog, tags: Mapping[str, str]
) -> list[UnresolvedAssetJobDefinition]:
    """Jobs as they are but for the freshness checks, which have a job of their own.

    A job over assets takes in every check on them: each run would judge freshness and pay for its events.
    """
    apart = dg.AssetSelection.checks(*(dg.AssetCheckKey(_key(table), CHECK) for table in upstream_of(catalog)))
    own = dg.define_asset_job(
        "freshness_job", selection=apart, description="Is the newest partition of each table there?", tags=tags
    )
    others = [
        dg.define_asset_job(j.name, selection=j.selection - apart, description=j.description, tags=tags)
        for j in jobs
        if isinstance(j, UnresolvedAssetJobDefinition)
    ]
    return [*others, own] if catalog.sources else others
