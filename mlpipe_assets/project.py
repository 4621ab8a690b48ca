"""The lake from Python: any table or partition as a polars frame, from a notebook or a script."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import polars as pl

from mlpipe_assets.errors import MissingPartitionError, SettingsError
from mlpipe_assets.pandas_frames import to_pandas
from mlpipe_assets.partitions import gaps, spell_days, spell_gaps
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.data_folder import expect_records
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tagged import at_tag

if TYPE_CHECKING:
    from mlpipe_assets.catalog.declarations import Catalog
    from mlpipe_assets.lineage.asking import Lineage
    from mlpipe_assets.stages.flow_table import Table

_log = logging.getLogger("mlpipe")
_BUILT = {"table": pl.String, "partitions": pl.Int64, "first": pl.Date, "last": pl.Date, "seconds": pl.Float64}

Day = date | str


class _Which(TypedDict, total=False):
    first: Day | None
    last: Day | None
    tag: str | None


class Project:
    """The tables of one data folder: to read, to ask by SQL, and to bring up to date.

    A table is called as its asset (`interim/orders`) or as in SQL (`stg.orders`). A frame has one row per row of the table and a
    column `date`, the partition it lies in; units are those of the table's contract, times are UTC. Frames are polars; they
    follow Arrow's C stream interface, so that what takes Arrow takes them as they are.

    >>> from mlpipe_assets.project import Project
    >>> Project().read("features/customer_features", "2026-01-03").select("customer_id", "orders_7d").rows()
    [('ann', 3), ('bob', 3)]
    >>> project = Project()
    >>> project.tables()[:4]
    ['interim/orders', 'interim/customers', 'interim/serving_log', 'features/customer_features']
    >>> project.days("interim/orders")[-1]
    datetime.date(2026, 1, 3)
    >>> project.scan("interim/orders", first="2026-01-02").select(pl.len()).collect().item()
    4
    >>> project.sql("select count(*) as n from stg.orders").item()
    6
    >>> project.status().filter(pl.col("table") == "interim/orders")["accepted"].sum()
    6
    """

    def __init__(self, data_dir: str | Path | None = None, *, catalog: "Catalog | str | None" = None) -> None:
        """Open the folder and the catalog that the environment names, or others.

        A lake in a bucket is fetched to this machine now, and stays what it was then.

        Raises: SettingsError when the catalog does not hold together or the folder is none.
        """
        from mlpipe_assets.catalog.loading import catalog_of, load_catalog  # contracts take half a second
        from mlpipe_assets.catalog.validation.judgeable import expect_judgeable
        from mlpipe_assets.flow import tables_of

        settings = read_settings()
        if "://" in f"{data_dir or ''}":  # as a path it would be an empty folder here
            raise SettingsError(
                "Project() takes a folder. For a lake in a bucket set MLPIPE_DATA_DIR to its address, and call Project() without one."
            )
        root = settings.data_dir if data_dir is None else Path(data_dir).absolute()
        if root.exists() and not root.is_dir():
            raise SettingsError(f"{str(root)!r} is not a folder. Name the data folder, such as Project('data').")
        own = settings.lake_address if root == settings.data_dir else ""
        self._bucket = BucketLake(address=own, root=root) if own else None
        if self._bucket:
            self._bucket.fetch()
        self._lake = Lake(data_dir=str(root))
        given = (
            load_catalog(catalog, root=settings.project.root, said_in="catalog")
            if isinstance(catalog, str)
            else catalog
        )
        if given:
            expect_judgeable(given)
        self._catalog = given or catalog_of(settings)
        self._tables = [table for table in tables_of(self._catalog) if table.files]
        self._memory_limit = settings.memory_limit

    def tables(self) -> list[str]:
        """Every table that can be read, in the order data flows, with partitions or not."""
        return [table.key for table in self._tables]

    def days(self, table: str, *, tag: str | None = None) -> list[date]:
        """The days a table has partitions of, in order; now, or as a tag has it."""
        known, lake = self._known(table), self._at(tag)
        return sorted({day for file in known.files for day in lake.days(*known.place, file)})

    def read(
        self,
        table: str,
        day: Day | None = None,
        *,
        first: Day | None = None,
        last: Day | None = None,
        tag: str | None = None,
    ) -> pl.DataFrame:
        """Rows of a table as a polars frame: of one day, of a stretch of days, or all.

        Columns are those of the table's contract, with its types and units, and `date`, the partition each row lies in; a
        training set has `split` too (`train`, `validation`, `test`).

        Args:
            table: Such as `interim/orders`; `stg.orders` is the same.
            day: One day, as `2026-01-31` or a date.
            first: The first day of a stretch; unless given, the first there is.
            last: The last day of it, included; unless given, the newest there is.
            tag: Read what this tag names; unless given, what is there now.

        Raises: MissingPartitionError when there is no such table or no partition of those days; SettingsError where there is no such
            tag, or it does not pin the table.
        """
        return self.scan(table, day, first=first, last=last, tag=tag).collect()

    table = read  # what it gives: Project().table("interim/orders", tag="v1.0")

    def scan(
        self,
        table: str,
        day: Day | None = None,
        *,
        first: Day | None = None,
        last: Day | None = None,
        tag: str | None = None,
    ) -> pl.LazyFrame:
        """The same as a lazy frame, for tables larger than memory: only what a query needs is read.

        Raises: as `read`.
        """
        known = self._known(table)
        earliest, latest = _day(day if day is not None else first), _day(day if day is not None else last)
        parts: list[pl.LazyFrame] = []
        state = self._at(tag).state(*known.place)
        for file in known.files:
            wanted = [d for d in state.days(file) if (earliest or d) <= d <= (latest or d)]
            if wanted:
                rows = _scan(state.files(wanted, file))
                parts.append(rows if len(known.files) == 1 else rows.with_columns(split=pl.lit(Path(file).stem)))
            if known.each_day and (lacking := gaps(wanted)):
                _log.warning("%s %s", table, spell_gaps(lacking))
        if not parts:
            there = self.days(table, tag=tag)
            raise MissingPartitionError(
                f"{table}: there is no partition of {earliest or '…'} to {latest or '…'}; there are {spell_days(there)}."
                if there
                else f"{table}: there is no partition yet. Next: mlpipe run"
            )
        return pl.concat(parts)

    def pandas(self, table: str, day: Day | None = None, **which: Unpack[_Which]) -> Any:  # noqa: ANN401 (pandas is not one of our dependencies)
        """The rows of `read`, which takes the same, as a pandas frame; needs pandas, and does without pyarrow.

        Raises: as `read`.
        """
        return to_pandas(self.read(table, day, **which))

    def arrow(self, table: str, day: Day | None = None, **which: Unpack[_Which]) -> Any:  # noqa: ANN401 (pyarrow is not one of our dependencies)
        """The rows of `read`, which takes the same, as a pyarrow table, without a copy of most columns; needs pyarrow.

        Raises: as `read`.
        """
        return self.read(table, day, **which).to_arrow()

    def features(
        self,
        features: Sequence[str],
        spine: object,
        *,
        event_time: str = "event_timestamp",
        time_zone: str | None = None,
        statuses: bool = False,
        as_of: bool = True,
        full_names: bool = False,
        tag: str | None = None,
    ) -> pl.DataFrame:
        """The rows of a spine with features as they were at each row's own time, every row once and in order.

        A row takes of each view the latest feature row with `as_of <= time`, not older than the view's `ttl`. Null where there
        is none. Days of a view that are missing are warned of.

        Args:
            features: Such as `customer_features:orders_30d`, or `customer_features:*` for all of a view.
            spine: A polars or pandas frame, an Arrow table, or a path to a Parquet or CSV file, with the join keys of each view.
            event_time: The column of the spine with the time of each row.
            time_zone: The zone of times without one, and of dates, which are their first moment there; unless given, these are refused.
            statuses: Add `<feature>__status`: PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE.
            as_of: Add `<view>__as_of`: until when the row that was used looks at events.
            full_names: Call a feature `<view>__<feature>`, so that two views may have one of the same name.
            tag: Join what this tag names; unless given, what is there now.

        Raises: RetrievalError, which is a SettingsError, for a spine or a request that has no answer; MissingPartitionError for
            a view without a partition.
        """
        from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording

        wording = Wording(
            event_time=event_time, time_zone=time_zone, statuses=statuses, as_of=as_of, full_names=full_names
        )
        retrieval = Retrieval(self._at(tag), self._catalog, features, spine, wording)
        answer = retrieval.frame()
        for note in retrieval.notes:
            _log.warning("%s", note)
        return answer

    def sql(self, select: str, *, tag: str | None = None) -> pl.DataFrame:
        """Rows of one select over the tables as `mlpipe sql` names them, or as a tag has them, all in memory and typed by the select.

        Raises: SqlError when the text is no select or the engine refuses it.
        """
        from mlpipe_assets.engines.registry import open_engine
        from mlpipe_assets.publish.warehouse import query_frame, tell_gaps

        lake = self._at(tag)
        answer = query_frame(lake, open_engine(self._memory_limit), self._catalog, select)
        for line in tell_gaps(lake, self._catalog, select):
            _log.warning("%s", line)
        return answer

    def status(self) -> pl.DataFrame:
        """One row a partition, as `mlpipe status --json` has them, tables in flow order.

        Columns: table, date; counts of rows: received, accepted, duplicates, quarantined, not_processed and rows (those that
        the next stage reads), null where a stage has none; as_of (UTC, exclusive) and a note, as text.
        """
        from mlpipe_assets.status import status_frame

        return status_frame(self._lake, self._catalog)

    @property
    def lineage(self) -> "Lineage":
        """Where everything came from, and what came of it."""
        from mlpipe_assets.lineage.asking import lineage_of

        return lineage_of(self._lake, self._catalog)

    def run(self, *, first: Day | None = None, last: Day | None = None) -> pl.DataFrame:
        """What was built, one row a table in flow order, after bringing every stage up to date as `mlpipe run` does.

        Columns: table, partitions (how many days were built), first and last (of these days), seconds. No row when nothing was
        behind. Dagster's records of it are kept in the project's home; for a data folder of its own (`Project("lake")`) they
        are thrown away. No alert is sent.

        Args:
            first: Build no day before this one.
            last: Build no day after this one.

        Raises: RunError, when all that can be built was built, with everything that needs a person.
        """
        from mlpipe_assets.commands.by_call import run_project  # it brings Dagster

        earliest, latest = _day(first), _day(last)
        with self._bucket.writing() if self._bucket else nullcontext():
            self._lake.expect_used()
            expect_records(self._lake.root)
            tables = run_project(self._lake, self._catalog, lambda day: (earliest or day) <= day <= (latest or day))
        return pl.DataFrame(tables, schema=_BUILT)

    def _at(self, tag: str | None) -> Lake:
        """The lake as a tag has it, or as it is now."""
        return at_tag(self._lake, tag) if tag else self._lake

    def _known(self, table: str) -> "Table":
        """A table by its asset's name or by its name in SQL."""
        asked = table.replace(".", "/", 1)
        for known in self._tables:
            if asked in (known.key, f"{known.schema}/{known.name}"):
                return known
        raise MissingPartitionError(f"There is no table {table!r}; there are {', '.join(self.tables()) or 'none'}.")


def _scan(paths: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(list(paths), glob=False, hive_partitioning=True, hive_schema={"date": pl.Date})


def _day(day: Day | None) -> date | None:
    if day is None or isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise SettingsError(f"{day!r} is not a day; write it as 2026-01-31.") from None
