"""What a branch changed is brought into the lake it began from, with all writers kept out.

The contents come first, under their digests; then a tag that names them, so that nothing takes them away, and what is held,
as for a checkout; then all tables in one step. A promotion that was killed holds all its tables, so nobody builds on it: the
same command goes on with it, and `mlpipe checkout now` takes it back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError, SettingsError, shorten
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store import keys
from mlpipe_assets.store.branches import PROMOTED, expect_branch, main_folder, read_base, save_base
from mlpipe_assets.store.hold import Hold, end_hold, read_hold, save_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.private_files import make_folder
from mlpipe_assets.store.tags import Pinned, Tag, delete_tag, list_tags, read_tag, save_tag
from mlpipe_assets.tagging.branching import Changes, differing_days, documents_of, find_changes, held_of, pins_of
from mlpipe_assets.tagging.checkout import RECORD, Reset, prepare_changes, settle_swap
from mlpipe_assets.tagging.making import places_of
from mlpipe_assets.tagging.own_lake import Written

_UNDER_WAY, _OURS = "a promotion under way", {"promotion": True}
_DECIDING = (keys.CHAMPIONS, "validation/golden", keys.ACCEPTANCES)  # who reads these goes by them; they come last


class MovedError(MlpipeError):
    """The lake has moved where a branch changed it, so neither can be taken without losing something."""


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """What a promotion did.

    Attributes:
        tables: Days of tables that hold something else now.
        documents: Files that are of no day.
    """

    tables: Sequence[Reset]
    documents: tuple[str, ...]


def promote(lake: Lake, catalog: Catalog, name: str, *, now: datetime) -> Promoted:
    """Bring what a branch changed into the lake that it began from.

    Days that the branch did not change stay as they are. Afterwards the branch can be gone on with.

    Args:
        lake: The lake that the branch began from.
        catalog: What exists.
        name: The branch.
        now: In UTC.

    Raises: SettingsError where there is no such branch, or a tag is checked out; MovedError, saying where, when the lake has
        changed what the branch changed, or what that was made of; BusyError while a run writes to either; DamagedError when a
        content of the branch is not what was written; StoreError when the disk says no. Nothing is visible then.
    """
    if main := main_folder(lake.root):
        raise SettingsError(f"{lake.root.name} is a branch; it is promoted into {main}. First: unset MLPIPE_BRANCH")
    branch = Lake(data_dir=f"{expect_branch(lake.root, name)}")
    tag_name = f"{PROMOTED}{name}"
    tables = [table for table in tables_of(catalog) if table.files]
    with ExitStack() as turns:
        turns.enter_context(lake.writing(*RECORD))
        held = read_hold(lake.objects)
        if held and held.tag != tag_name:
            raise SettingsError(f"Tag {held.tag} is checked out. First: mlpipe checkout now")
        for table in tables_of(catalog):
            turns.enter_context(lake.writing(table.stage, table.name))
            turns.enter_context(branch.writing(table.stage, table.name))
        settle_swap(lake)
        plan = _Plan.of(lake, branch, tables)
        if not held:
            plan.expect_unmoved(tables)
            _forget_tag(lake, tag_name)
            _make_tag(lake, branch, plan, tag_name, now)
        tag = read_tag(lake.objects, tag_name)
        try:
            publish = prepare_changes(lake, tag)
        except MlpipeError:
            if not held:
                _forget_tag(lake, tag_name)
            raise
        deciding = {key for key in plan.changes.documents if any(keys.is_below(Path(key), f) for f in _DECIDING)}
        _bring(lake, branch, sorted({*plan.changes.documents} - deciding))
        left = held.left if held else {place: plan.main.get(place, Pinned()) for place in tag.tables}
        since, names = now.isoformat(timespec="seconds"), tuple(table.key for table in tables)
        save_hold(lake.objects, Hold(tag=tag_name, since=since, tables=names, left=left))
        resets = publish()
        end_hold(lake.objects)
        _bring(lake, branch, sorted(deciding))
        _agree(lake, branch, tag)
        _forget_tag(lake, tag_name)
    return Promoted(tables=resets, documents=plan.changes.documents)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the branch changed, and what both hold."""

    changes: Changes
    base: Mapping[str, Pinned]
    documents: Mapping[str, str]
    main: Mapping[str, Pinned]
    branch: Mapping[str, Pinned]
    places: frozenset[str]
    main_documents: Mapping[str, str]
    branch_documents: Mapping[str, str]

    @classmethod
    def of(cls, lake: Lake, branch: Lake, tables: Sequence[Table]) -> "_Plan":
        base = read_base(branch.objects)
        return cls(
            changes=find_changes(branch),
            base=base.tables,
            documents=base.documents,
            main=pins_of(lake),
            branch=pins_of(branch),
            places=frozenset(place for table in tables for place in places_of(table)),
            main_documents=documents_of(lake.root),
            branch_documents=documents_of(branch.root),
        )

    def expect_unmoved(self, tables: Sequence[Table]) -> None:
        """Make sure that the lake is as it was wherever it matters to what the branch changed."""
        lines = [*self._moved_days(), *self._moved_inputs(tables), *self._moved_documents()]
        if unknown := sorted({*self.changes.tables} - self.places):
            lines.append(f"{shorten(unknown, 3)}: no table that the catalog declares")
        if lines:
            raise MovedError(
                f"The lake has moved since the branch began, where it matters: {shorten(lines, 8)}. Nothing was changed. See mlpipe diff; "
                "then begin a new branch and do there what this one did."
            )

    def wanted(self) -> dict[str, Pinned]:
        """What the tables that the branch changed are to hold: days of the branch where it changed them, else as they are."""
        return {place: self._wanted(place, days) for place, days in self.changes.tables.items()}

    def _wanted(self, place: str, changed: Sequence[date]) -> Pinned:
        here, there = self.main.get(place, Pinned()), self.branch.get(place, Pinned())
        days = {day: files for day, files in here.days.items() if day not in changed}
        refused = {day: why for day, why in here.refused.items() if day not in changed}
        return Pinned(
            days=dict(sorted((days | {day: there.days[day] for day in changed if day in there.days}).items())),
            refused=refused | {day: there.refused[day] for day in changed if day in there.refused},
        )

    def _moved(self, place: str) -> set[date]:
        """Days of a table that the lake changed, and that do not hold what the branch has."""
        here, there = self.main.get(place, Pinned()), self.branch.get(place, Pinned())
        days = differing_days(self.base.get(place, Pinned()), here)
        return {day for day in days if held_of(here, day) != held_of(there, day)}

    def _moved_days(self) -> Iterator[str]:
        for place, changed in self.changes.tables.items():
            if both := sorted(self._moved(place) & {*changed}):
                yield f"{place} {spell_days(both)}"

    def _moved_inputs(self, tables: Sequence[Table]) -> Iterator[str]:
        """Days that what the branch made may have been made of, and that are others now."""
        by_key = {table.key: table for table in tables}
        reached: dict[str, date] = {}  # the newest day that something the branch made may look at, by table
        for table in reversed(tables):
            changed = [day for place in places_of(table) for day in self.changes.tables.get(place, ())]
            newest = max([*changed, *([reached[table.key]] if table.key in reached else [])], default=None)
            for name in table.upstream if newest else ():
                if name in by_key and newest:
                    reached[name] = max(newest, reached.get(name, newest))
        for name, newest in reached.items():
            moved = sorted({d for place in places_of(by_key[name]) for d in self._moved(place) if d <= newest})
            own = {day for place in places_of(by_key[name]) for day in self.changes.tables.get(place, ())}
            if others := [day for day in moved if day not in own]:
                yield f"{name} {spell_days(others)}, which the branch read as it was"

    def _moved_documents(self) -> Iterator[str]:
        for key in self.changes.documents:
            here = self.main_documents.get(key)
            if here not in (self.documents.get(key), self.branch_documents[key]):
                yield key


def _make_tag(lake: Lake, branch: Lake, plan: _Plan, name: str, now: datetime) -> None:
    """Bring the contents of what the branch changed here, and name them."""
    wanted, written = plan.wanted(), Written()
    for place, pinned in wanted.items():
        there, own = branch.state(*place.rsplit("/", 1)), lake.table(*place.rsplit("/", 1)).contents
        for day in set(plan.changes.tables[place]) & {*pinned.days}:
            for file, part in pinned.days[day].items():
                there.expect_content(day, file)
                target, temporary = own.content(day, file, part), own.temporary(day, file)
                try:
                    temporary.unlink(missing_ok=True)
                    written.take(there.locate(day, file), temporary, root=lake.root)
                    make_folder(lake.root, target.parent)
                    temporary.replace(target)
                except OSError as error:
                    raise explain_writing(error, target, lake.root) from error
    made_at = now.isoformat(timespec="seconds")
    save_tag(lake.objects, Tag(name=name, made_at=made_at, message=_UNDER_WAY, tables=wanted, about=_OURS))


def _forget_tag(lake: Lake, name: str) -> None:
    """Take the tag of a promotion away.

    Raises: SettingsError for one that a person made.
    """
    if name in list_tags(lake.objects):
        if read_tag(lake.objects, name).about != _OURS:
            raise SettingsError(
                f"There is a tag {name!r}, and promotions need that name. First: mlpipe tag {name} --delete"
            )
        delete_tag(lake.objects, name)


def _bring(lake: Lake, branch: Lake, documents: Sequence[str]) -> None:
    """Put files of the branch in their places."""
    for key in documents:
        content = (branch.root / key).read_bytes()
        if keys.table_of(Path(key)) is None:
            lake.objects.put(key, content)
        else:
            lake.publish({key: content})


def _agree(lake: Lake, branch: Lake, tag: Tag) -> None:
    """Put on record that both have what was promoted in common."""
    base, here, there = read_base(branch.objects), pins_of(lake), pins_of(branch)
    tables = {
        place: _common(*(of.get(place, Pinned()) for of in (base.tables, here, there)))
        for place in {*base.tables, *tag.tables}
    }
    main, own = documents_of(lake.root), documents_of(branch.root)
    documents = {**base.documents, **{key: digest for key, digest in own.items() if main.get(key) == digest}}
    save_base(branch.objects, replace(base, tables=tables, documents=documents))


def _common(base: Pinned, here: Pinned, there: Pinned) -> Pinned:
    """What both hold now, where they hold the same; else what the branch began from."""
    days = {*base.days, *there.days, *base.refused, *there.refused}
    of = {day: there if held_of(here, day) == held_of(there, day) else base for day in sorted(days)}
    return Pinned(
        days={day: one.days[day] for day, one in of.items() if day in one.days},
        refused={day: one.refused[day] for day, one in of.items() if day in one.refused},
    )
