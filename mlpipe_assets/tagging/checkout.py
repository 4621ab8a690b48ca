"""Tables are reset to a tag, and brought back: only days that differ are touched, each table at once.

What is held is put on record before the first table changes, with what the tables held before. A checkout that was killed
is gone on with, or taken back, by the same commands; and contents that it left are pinned as those of a tag are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError, shorten
from mlpipe_assets.flow import tables_of
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.hold import Hold, end_hold, read_hold, save_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.manifest import Part
from mlpipe_assets.store.swaps import begin_swap, end_swap, swapped_tables
from mlpipe_assets.store.tagged import TaggedLake, TaggedState
from mlpipe_assets.store.tags import NOW, Pinned, Tag, pin, read_tag
from mlpipe_assets.tagging.making import choose_tables, places_of

RECORD = ("meta", "checkout")  # the turn to write what is held: of several checkouts each adds to what it read


@dataclass(frozen=True, kw_only=True)
class Reset:
    """What was done to one table.

    Attributes:
        place: The folder of its days.
        days: Days that hold something else now, with the digests of their files.
        gone: Days that there are no more.
    """

    place: str
    days: Mapping[date, Mapping[str, str]]
    gone: tuple[date, ...]

    @property
    def touched(self) -> list[date]:
        """Days that are not as they were."""
        return sorted({*self.days, *self.gone})


def check_out(lake: Lake, catalog: Catalog, name: str, *, tables: Sequence[str], now: datetime) -> list[Reset]:
    """Reset tables to what a tag names, and hold them there: nothing builds them until `go_back`.

    Args:
        lake: The lake.
        catalog: What exists.
        name: The tag.
        tables: Such as `interim/orders`; none for all that the tag pins.
        now: In UTC.

    Raises: SettingsError where there is no such tag, or it does not pin a table; BusyError while a run writes one of them;
        DamagedError when a content that is needed is not what the tag says. Nothing was changed then.
    """
    tag = read_tag(lake.objects, name)
    chosen = pinned_tables(catalog, tag, tables)
    wanted = {place: tag.tables[place] for table in chosen for place in places_of(table) if place in tag.tables}
    with ExitStack() as turns:
        turns.enter_context(lake.writing(*RECORD))
        held = read_hold(lake.objects)
        others = {place: left for place, left in held.left.items() if place not in wanted} if held else {}
        for table in _writers(catalog, {*wanted, *others}):
            turns.enter_context(lake.writing(table.stage, table.name))
        settle_swap(lake)
        before = {place: pin(lake.state(*place.rsplit("/", 1)).manifest) for place in wanted}
        changes = [_Change.of(lake, place, pinned, name) for place, pinned in wanted.items()]
        changes += _ways_back(lake, held, others)
        hold = Hold(
            tag=name,
            since=now.isoformat(timespec="seconds"),
            tables=tuple(table.key for table in chosen),
            left={**before, **(held.left if held else {})},
        )
        save_hold(lake.objects, hold)
        for change in changes:
            change.fill(lake).publish()
        save_hold(lake.objects, replace(hold, whole=True, left={place: hold.left[place] for place in wanted}))
    return [change.reset for change in changes]


def go_back(lake: Lake, catalog: Catalog) -> list[Reset]:
    """Bring tables back to what they held before they were checked out; a day that was built since stays as it is.

    Raises: SettingsError where nothing is checked out; BusyError while a run writes one of the tables; DamagedError when a content
        that is needed is not what it was. Nothing was changed then.
    """
    with ExitStack() as turns:
        turns.enter_context(lake.writing(*RECORD))
        held = read_hold(lake.objects)
        if held is None:
            raise SettingsError(
                "No tag is checked out, so this is the newest state already. To go to one: mlpipe checkout NAME"
            )
        for table in _writers(catalog, held.left):
            turns.enter_context(lake.writing(table.stage, table.name))
        settle_swap(lake)
        changes = _ways_back(lake, held, held.left)
        save_hold(lake.objects, replace(held, whole=False))
        for change in changes:
            change.fill(lake).publish()
        end_hold(lake.objects)
    return [change.reset for change in changes]


def prepare_changes(lake: Lake, tag: Tag) -> Callable[[], list[Reset]]:
    """What makes all tables of a tag hold what it pins, in one step, in the turns of whoever calls it: every content is looked at before.

    Raises: DamagedError when a content is not what the tag says.
    """
    changes = [_Change.of(lake, place, pinned, tag.name) for place, pinned in tag.tables.items()]

    def publish() -> list[Reset]:
        begin_swap(lake.objects, {change.reset.place: change.fill(lake).foresee() for change in changes})
        settle_swap(lake)
        return [change.reset for change in changes]

    return publish


def settle_swap(lake: Lake) -> None:
    """Bring a step that several tables took to its end, in their turns; nothing where there is none.

    Raises: BusyError; LakeError when its record cannot be read; StoreError when the disk says no.
    """
    if places := swapped_tables(lake.objects):
        for place in places:
            lake.table(*place.rsplit("/", 1)).settle()
        end_swap(lake.objects)


def pinned_tables(catalog: Catalog, tag: Tag, names: Sequence[str]) -> list[Table]:
    """The tables of some names that a tag pins; all of those it pins where none is named.

    Raises: SettingsError for a table that it does not pin.
    """
    chosen = choose_tables(catalog, names)
    pinned = [table for table in chosen if any(place in tag.tables for place in places_of(table))]
    if lacking := [table.key for table in chosen if names and table not in pinned]:
        raise SettingsError(
            f"Tag {tag.name} does not pin {lacking[0]}; it pins {shorten(sorted(tag.tables), 20) or 'no table'}."
        )
    if not pinned:
        raise SettingsError(
            f"Tag {tag.name} pins no table that the catalog declares; it pins {shorten(sorted(tag.tables), 20)}."
        )
    return pinned


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What has to change in one table, every content of it held to its digest."""

    reset: Reset
    files: Mapping[date, Mapping[str, Part]]
    refused: Mapping[date, Mapping[str, object] | None]

    @classmethod
    def of(cls, lake: Lake, place: str, pinned: Pinned, tag: str, only: Iterable[date] | None = None) -> "_Change":
        """From what a table holds to what is pinned, of all days or of some.

        Raises: DamagedError.
        """
        now = lake.state(*place.rsplit("/", 1))
        then = _read(lake, place, pinned, tag)
        here = pin(now.manifest)
        asked = {*here.days, *pinned.days} if only is None else set(only)
        digests = {day: digests_of(pinned, day) for day in asked & {*pinned.days}}
        lost = {day for day in digests if day in here.days and not all(now.has(day, file) for file in digests[day])}
        days = {day: found for day, found in digests.items() if found != digests_of(here, day) or day in lost}
        refused = {
            day: pinned.refused.get(day)
            for day in {*here.refused, *pinned.refused}
            if (only is None or day in asked) and here.refused.get(day) != pinned.refused.get(day)
        }
        return cls(
            reset=Reset(place=place, days=days, gone=tuple(sorted(asked & {*here.days} - {*pinned.days}))),
            files={day: {file: then.part(day, file) for file in pinned.days[day]} for day in days},
            refused=refused,
        )

    def fill(self, lake: Lake) -> TableChange:
        """All of it, to be published."""
        change = lake.change(*self.reset.place.rsplit("/", 1))
        for day, files in self.files.items():
            change.restore(day, files)
        for day in self.reset.gone:
            change.remove(day)
        for day, record in self.refused.items():
            change.restore_refusal(day, record)
        return change


def _ways_back(lake: Lake, held: Hold | None, left: Mapping[str, Pinned]) -> list[_Change]:
    """What brings tables back to what was left, but for days that were built since: those are not as the tag has them."""
    if held is None:
        return []
    tag = read_tag(lake.objects, held.tag)
    changes: list[_Change] = []
    for place, before in left.items():
        here, then = pin(lake.state(*place.rsplit("/", 1)).manifest), tag.tables.get(place, Pinned())
        days = {*here.days, *then.days, *before.days, *here.refused, *before.refused}
        same = [day for day in days if digests_of(here, day) == digests_of(then, day)]
        changes.append(_Change.of(lake, place, before, f"{NOW} before {held.tag}", same))
    return changes


def digests_of(pinned: Pinned, day: date) -> dict[str, str]:
    """The digests of the files of a day."""
    return {file: part.sha256 for file, part in pinned.days.get(day, {}).items()}


def _read(lake: Lake, place: str, pinned: Pinned, tag: str) -> TaggedState:
    """A table as it is pinned."""
    tagged = TaggedLake(data_dir=lake.data_dir, tag=Tag(name=tag, made_at="", tables={place: pinned}))
    return tagged.pinned_state(place)


def _writers(catalog: Catalog, places: Iterable[str]) -> list[Table]:
    """The tables whose runs write some folders."""
    wanted = set(places)
    return [table for table in tables_of(catalog) if table.files and wanted & {*places_of(table)}]
