"""What differs between two states of the lake: tables, days, rows, columns, models and their numbers.

Days are told apart by the digests of their files; only days that differ are read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.rules import unique_keys
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.branches import MAIN, expect_branch, list_branches, main_folder
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.store.tagged import TaggedLake, at_tag
from mlpipe_assets.store.tags import NOW, Pinned, pin
from mlpipe_assets.tagging.checkout import digests_of
from mlpipe_assets.tagging.making import choose_tables, describe_moment

_PARQUET = ".parquet"


@dataclass(frozen=True, kw_only=True)
class State:
    """One side of a comparison: a tag, or the newest state.

    Attributes:
        about: What was on record beside the tables then.
    """

    name: str
    lake: Lake
    about: Mapping[str, Any]

    def table(self, table: Table) -> TableState | None:
        """A table; None where the tag does not pin it."""
        if isinstance(self.lake, TaggedLake) and not self.lake.pins(*table.place):
            return None
        return self.lake.state(*table.place)


@dataclass(kw_only=True)
class Rows:
    """How rows of days that differ differ. Without a key a row that changed counts as one removed and one added.

    Attributes:
        columns: In how many rows that are on both sides a column differs.
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How one table differs, from the first state to the second.

    Attributes:
        missing: The state that does not have the table, where one of them does not.
        added: Days that only the second has.
        removed: Days that only the first has.
        changed: Days that hold something else.
        before: How many rows the first has.
        after: How many rows the second has.
        columns: Columns that came, went or have another type, as `+ name type`, `- name type` or `name type → type`.
    """

    table: str
    missing: str | None = None
    added: tuple[date, ...] = ()
    removed: tuple[date, ...] = ()
    changed: tuple[date, ...] = ()
    before: int = 0
    after: int = 0
    columns: tuple[str, ...] = ()
    rows: Rows = field(default_factory=Rows)


def open_state(lake: Lake, catalog: Catalog, name: str, root: Path) -> State:
    """A state by its name: a tag, `now`, a branch, or `main`, which branches begin from.

    Raises: SettingsError where there is no such tag or branch.
    """
    main = main_folder(lake.root) or lake.root
    if name == MAIN or name in list_branches(main):
        other = Lake(data_dir=f"{main if name == MAIN else expect_branch(main, name)}")
        return State(name=name, lake=other, about=describe_moment(other, catalog, root))
    if name == NOW:
        return State(name=name, lake=lake, about=describe_moment(lake, catalog, root))
    tagged = at_tag(lake, name)
    return State(name=name, lake=tagged, about=tagged.tag.about)


def differences(catalog: Catalog, first: State, second: State, names: Sequence[str] = ()) -> Iterator[Difference]:
    """The tables that differ, in flow order.

    Args:
        catalog: What exists.
        first: The state to begin from.
        second: The other one.
        names: Tables to compare; none for all that have days.

    Raises: SettingsError for a table that neither state has; DamagedError for a content that is not what it was.
    """
    for table in choose_tables(catalog, names):
        before, after = first.table(table), second.table(table)
        if before is None and after is None and names:
            raise SettingsError(f"Neither {first.name} nor {second.name} pins {table.key}.")
        if before is None or after is None:
            if (found := before or after) and (count := _count(found, table)):
                yield Difference(
                    table=table.key,
                    missing=first.name if before is None else second.name,
                    before=count if before else 0,
                    after=count if after else 0,
                )
        elif (difference := _compare(table, before, after)) is not None:
            yield difference


def metrics(first: State, second: State) -> dict[str, dict[str, tuple[Any, Any]]]:
    """What differs of the champion of each model: version, digests and numbers, each of both states."""
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    models = [state.about.get("models") or {} for state in (first, second)]
    for name in dict.fromkeys([*models[0], *models[1]]):
        before, after = (_flat((of.get(name) or {}).get("champion") or {}) for of in models)
        facts = dict.fromkeys([*before, *after])
        if differing := {f: (before.get(f), after.get(f)) for f in facts if before.get(f) != after.get(f)}:
            found[name] = differing
    return found


def code_versions(first: State, second: State) -> dict[str, tuple[str | None, str | None]]:
    """Tables whose code is another one, with both versions."""
    before, after = (state.about.get("code_versions") or {} for state in (first, second))
    tables = dict.fromkeys([*before, *after])
    return {name: (before.get(name), after.get(name)) for name in tables if before.get(name) != after.get(name)}


def _flat(version: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in version.items() if name != "metrics"} | dict(version.get("metrics", {}))


def _compare(table: Table, before: TableState, after: TableState) -> Difference | None:
    here, there = _days(before), _days(after)
    changed = sorted(d for d in {*here.days} & {*there.days} if digests_of(here, d) != digests_of(there, d))
    added, removed = sorted({*there.days} - {*here.days}), sorted({*here.days} - {*there.days})
    if not (changed or added or removed):
        return None
    return Difference(
        table=table.key,
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        before=_count(before, table),
        after=_count(after, table),
        columns=tuple(_columns(_schema(before, table), _schema(after, table))),
        rows=_compare_days(table, before, after, changed),
    )


def _days(state: TableState) -> Pinned:
    """What a table holds, without days whose files were deleted: those count as none."""
    found = pin(state.manifest)
    return Pinned(days={day: files for day, files in found.days.items() if all(state.has(day, file) for file in files)})


def _count(state: TableState, table: Table) -> int:
    """How many rows a table has, by the footers of its files."""
    paths = [state.locate(day, file) for file in table.files for day in state.days(file)]
    scans = [pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()) for path in paths]
    return sum(int(found.item()) for found in pl.collect_all(scans))


def _schema(state: TableState, table: Table) -> Mapping[str, pl.DataType]:
    """The columns of the newest day."""
    days = [(day, file) for file in table.files for day in state.days(file)[-1:]]
    return pl.read_parquet_schema(state.locate(*max(days))) if days else {}


def _columns(before: Mapping[str, pl.DataType], after: Mapping[str, pl.DataType]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        if name not in before:
            yield f"+ {name} {after[name]}"
        elif name not in after:
            yield f"- {name} {before[name]}"
        elif before[name] != after[name]:
            yield f"{name} {before[name]} → {after[name]}"


def _compare_days(table: Table, before: TableState, after: TableState, days: Sequence[date]) -> Rows:
    found = Rows()
    keys = unique_keys(table.contract) if table.contract else []
    for day in days:
        for file in (name for name in table.files if name.endswith(_PARQUET)):
            frames = [state.read(day, file=file) for state in (before, after) if state.has(day, file)]
            if len(frames) == 1:  # a split that only one of them has
                found.added += frames[0].height * after.has(day, file)
                found.removed += frames[0].height * before.has(day, file)
            elif frames:
                compare_rows(frames[0], frames[1], keys[0] if keys else (), found)
    return found


def compare_rows(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str], found: Rows) -> None:
    """Count how rows differ; columns that only one side has, or with another type, are not compared.

    Args:
        before: Rows of a day.
        after: Rows of the same day.
        key: What tells rows apart; rows without one are compared whole.
        found: Where it is counted.
    """
    shared = [name for name in before.columns if name in after.columns and before[name].dtype == after[name].dtype]
    if not key or any(name not in shared for name in key):
        counts = [Counter(frame.select(shared).hash_rows(seed=1).to_list()) for frame in (before, after)]
        found.added += (counts[1] - counts[0]).total()
        found.removed += (counts[0] - counts[1]).total()
        return
    keys = list(key)
    both = before.select(shared).join(after.select(shared), on=keys, how="inner", suffix=" after", nulls_equal=True)
    others = [name for name in shared if name not in keys]
    differs = both.select(pl.col(name).ne_missing(pl.col(f"{name} after")).alias(name) for name in others)
    found.removed += before.height - both.height
    found.added += after.height - both.height
    found.changed += int(differs.select(pl.any_horizontal(pl.all()).sum()).item()) if others else 0
    found.columns.update({name: count for name in others if (count := int(differs[name].sum()))})
