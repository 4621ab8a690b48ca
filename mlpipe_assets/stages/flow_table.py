"""What everyone needs to know of one table of the flow."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from mlpipe_assets.errors import LakeError
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.rules import Contract
from mlpipe_assets.stages.work import Wanted, Work
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.keys import PART
from mlpipe_assets.store.lake import Lake

if TYPE_CHECKING:
    import dagster as dg

Place = tuple[str, str, date | None]  # stage, table, day; a version of a model has no day, and is part of the name
_MEND = "see the breaches, mend the inputs, the SQL or the contract they name, then `mlpipe run`"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What a table without partitions holds now.

    Attributes:
        day: The newest day that is in all of it.
        rows: How many rows it has.
        digest: Digest of what it was made of.
    """

    day: date
    rows: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the flow.

    Attributes:
        stage: The first part of its asset's key.
        name: The second one.
        make: Gives its Dagster asset.
        jobs: Jobs that its asset takes part in; the first is the one that builds days that are behind.
        upstream: Tables it is made of, as `stage/name`.
        behind: Gives its days to build, and those that cannot be; None where files decide, or nothing.
        asked: When sensors ask for it: whenever days are behind; for the first training only, since schedules and drift ask
            for the others; when nothing else is behind; or never.
        also: Tables that a sensor asks for in the same run, because they follow from it.
        follows: Whether it is built without being asked for once what it is made of is there, so that a list of what is behind
            can leave it out.
        blocked: Whether days that cannot be built are an error of a run, or a warning.
        to_do: What a person does about days that were refused, or checks that failed.
        healed_at_once: Whether one success makes up for every failure before. Of other tables each day that failed must pass.
        made_of: Gives the partitions that a day is built from, where these are not that day of the tables upstream; it is told
            which partitions are damaged.
        fresh: Says whether it is as new as declared; None where nothing is promised.
        each_day: Whether the day's job has something left to do while a day that is over has no partition.
        folder: Stage and name of the folder of its partitions, where these are not those of the table.
        beside: Other folders that its runs write partitions into.
        state: Gives a digest of what it is made of, where it has no partitions that tell what has changed.
        holds: Gives what it holds, where it has rows and no partitions; None while there is nothing.
        files: Files of a partition, each shown by its own name where there are several; none where it has no partitions.
        schema: Its schema in SQL; None where SQL does not show it as a table of its own.
        contract: What its rows promise; None where SQL does not show it.
    """

    stage: str
    name: str
    make: "Callable[[], dg.AssetsDefinition]"
    jobs: tuple[str, ...]
    upstream: tuple[str, ...] = ()
    behind: Callable[[Lake, Wanted], Work] | None = None
    asked: Literal["always", "first", "last", "never"] = "always"
    also: tuple[str, ...] = ()
    follows: bool = False
    blocked: Literal["error", "warning"] = "error"
    to_do: str = _MEND
    healed_at_once: bool = False
    made_of: Callable[[Lake, date, Collection[Place]], Iterable[Place]] | None = None
    fresh: Callable[[Lake, datetime], TableFreshness] | None = None
    each_day: bool = False
    folder: tuple[str, str] | None = None
    beside: tuple[tuple[str, str], ...] = ()
    state: Callable[[Lake], str] | None = None
    holds: Callable[[Lake], Holding | None] | None = None
    files: tuple[str, ...] = (PART,)
    schema: str | None = None
    contract: Contract | None = None

    @property
    def key(self) -> str:
        """`stage/name`."""
        return f"{self.stage}/{self.name}"

    @property
    def place(self) -> tuple[str, str]:
        """Stage and name of the folder of its partitions."""
        return self.folder or (self.stage, self.name)


def later(function: str, *args: object) -> Callable[..., Any]:
    """A function of a module that is imported when it is called: who reads tables need not load what builds them."""
    module, _, name = function.rpartition(".")
    return lambda *more: getattr(import_module(f"mlpipe_assets.{module}"), name)(*args, *more)


def held_back(table: Table) -> Table:
    """The same table, of which nothing is behind while it is held at a tag.

    What has no partitions, such as online snapshots, shows others what the tables hold now, and stays as it is while any is held.
    """
    find = table.behind
    if find is None or table.stage == "raw":
        return table

    def look(lake: Lake, wanted: Wanted) -> Work:
        try:
            hold = read_hold(lake.objects)
        except LakeError as error:
            return Work(table=table.key, unreadable=f"{error}")
        is_held = hold is not None and (table.key in hold.tables or not table.files)
        return Work(table=table.key) if is_held else find(lake, wanted)

    return replace(table, behind=look)


def behind(function: str, *args: object) -> Callable[[Lake, Wanted], Work]:
    """The same of a function that finds what of a table is behind."""
    find = later(function)
    return lambda lake, wanted: find(lake, *args, wanted)
