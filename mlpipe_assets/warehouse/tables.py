"""The tables of the lake as a warehouse has them: schema, columns, key, and the partitions that are replaced whole."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.contracts.drift_measurements import DriftMeasurements
from mlpipe_assets.contracts.events import Events
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.publish.warehouse import read_decisions
from mlpipe_assets.rules import columns, digest, first_sentence
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import read_registry
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.training.model_files import REGISTRY
from mlpipe_assets.warehouse.columns import Column, columns_of, expect_name, key_of

_DAY, _SPLIT = "date", "split"
_PLAIN = {"table": "table_name", "column": "column_name"}  # SQL reserves these: the names that `mlpipe sql` shows
_COMMENTS = {
    "dataset_splits": "What each training set is made of, split by split.",
    "feature_registry": "The versions of each feature view.",
    "model_registry": "The versions of each model: what each learned from, how it did, and what became of it.",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One partition: what is replaced at once.

    Attributes:
        where: The values of columns that all of its rows have, and no others; none where it is the whole table.
        digest: Of its rows: another one where these may have changed.
        read: Gives its rows.
    """

    where: Mapping[str, str | date]
    digest: str
    read: Callable[[], pl.DataFrame]

    @property
    def name(self) -> str:
        """What it is called on record."""
        return " ".join(map(str, self.where.values()))


@dataclass(frozen=True, kw_only=True)
class WarehouseTable:
    """One table of the lake.

    Attributes:
        key: Columns that tell its rows apart; none where nothing promises that.
        parts: Its partitions, in order.
        parted_by: Columns that have one value in all rows of a partition; none where it is replaced whole.
    """

    schema: str
    name: str
    comment: str
    columns: Sequence[Column]
    key: Sequence[str]
    parts: Sequence[Part]
    parted_by: Sequence[str] = (_DAY,)

    @property
    def full_name(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @property
    def shape(self) -> str:
        """Digest of what rows have to fit: another shape is another table."""
        return digest([[[column.name, column.type, column.nullable] for column in self.columns], [*self.key]])

    @property
    def comments(self) -> str:
        """Digest of what is said of it."""
        return digest([self.comment, [column.comment for column in self.columns]])


def warehouse_tables(lake: Lake, catalog: Catalog) -> list[WarehouseTable]:
    """Every table, with or without rows, in the order data flows; the facts about them last.

    Raises: LakeError when one cannot be read; UnfitError when one has a column that PostgreSQL cannot hold.
    """
    tables = (_of_flow(lake, table) for table in tables_of(catalog) if table.schema)
    found = [_events(lake, catalog), *(table for table in tables if table), _drift(lake), _refused(lake)]
    return found + [_registry(lake, catalog, path) for path in sorted(lake.root.glob(keys.registry("*")))]


def _of_flow(lake: Lake, table: Table) -> WarehouseTable | None:
    """A table of a stage: a partition a day, of one file or of several that are told apart by `split`."""
    state = lake.state(*table.place)
    days = [day for day in state.days(table.files[0]) if all(state.has(day, file) for file in table.files)]
    contract = table.contract
    if not days and not contract:
        return None
    several = len(table.files) > 1
    schema = {c.name: c.dtype for c in columns(contract)} if contract else dict(state.read(days[-1]).schema)
    schema |= {_DAY: pl.Date(), **({_SPLIT: pl.String()} if several else {})}
    beside = (_DAY, *((_SPLIT,) if several else ()))
    key = key_of(contract)
    return WarehouseTable(
        schema=table.schema or "",
        name=expect_name(table.name),
        comment=first_sentence(contract) if contract else "",
        columns=columns_of(schema, contract, required=beside),
        key=(*beside, *key) if key else (),
        parts=[
            Part(
                where={_DAY: day},
                digest=digest([state.digest(day, file) for file in table.files]),
                read=partial(_read_day, state, table.files, day, [*schema]),
            )
            for day in days
        ],
    )


def _read_day(state: TableState, files: Sequence[str], day: date, names: Sequence[str]) -> pl.DataFrame:
    """The rows of a day, with the day itself, and the name of the file where there are several."""
    rows = [
        state.read(day, file=file).with_columns(pl.lit(day).alias(_DAY), pl.lit(file.partition(".")[0]).alias(_SPLIT))
        for file in files
    ]
    return pl.concat(rows).select(names)


def _events(lake: Lake, catalog: Catalog) -> WarehouseTable:
    """Every row as it was received, by source and day."""
    parts: list[Part] = []
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name)
        paths: dict[date, list[Path]] = {}
        for delivery in sorted(ledger.deliveries.values(), key=lambda d: ledger.order[d.delivery]):
            for day in {*delivery.events, *delivery.ahead} if delivery.copy_of is None else ():
                paths.setdefault(day, []).append(ledger.event_path(delivery, day))
        for day, found in sorted(paths.items()):
            names = digest([path.name for path in found])  # they hold what their names say, for good
            parts.append(
                Part(
                    where={"source": source.name, _DAY: day}, digest=names, read=partial(_read_files, lake, found, day)
                )
            )
    schema = {**{column.name: column.dtype for column in columns(Events)}, _DAY: pl.Date()}
    return WarehouseTable(
        schema="raw",
        name="raw_events",
        comment=first_sentence(Events),
        columns=columns_of(schema, Events, required=(_DAY,)),
        key=(_DAY, "source", "delivery", "record_number"),
        parts=parts,
        parted_by=("source", _DAY),
    )


def _read_files(lake: Lake, paths: Sequence[Path], day: date) -> pl.DataFrame:
    """The events in some files. Raises: DamagedError when one does not hold what was written to it."""
    lake.check(paths)
    names = [column.name for column in columns(Events)]
    rows = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in paths)
    return rows.select(*names, pl.lit(day).alias(_DAY))


def _drift(lake: Lake) -> WarehouseTable:
    """The measurements of all monitored tables."""
    states = [lake.state(keys.DRIFT, name) for name in lake.names(keys.DRIFT)]
    days = sorted({day for state in states for day in state.days()})

    def read(day: date) -> pl.DataFrame:
        rows = pl.concat(state.read(day) for state in states if state.has(day))
        return rows.rename(_PLAIN)

    schema = {_PLAIN.get(column.name, column.name): column.dtype for column in columns(DriftMeasurements)}
    return WarehouseTable(
        schema="monitoring",
        name="drift",
        comment=first_sentence(DriftMeasurements),
        columns=columns_of(schema, DriftMeasurements, required=()),
        key=(),
        parts=[
            Part(
                where={_DAY: day},
                digest=digest([state.digest(day) for state in states if state.has(day)]),
                read=partial(read, day),
            )
            for day in days
        ],
    )


def _refused(lake: Lake) -> WarehouseTable:
    """Refused rows of all sources."""
    paths: dict[date, list[Path]] = {}
    for path in sorted(lake.root.glob(keys.partitions(keys.QUARANTINE, "*", "*.parquet"))):
        paths.setdefault(date.fromisoformat(path.parent.name.partition("=")[2]), []).append(path)
    own = {**{column.name: column.dtype for column in columns(Events)}, "reasons": pl.String()}

    def read(day: date) -> pl.DataFrame:
        lake.check(paths[day])
        rows = pl.concat((pl.read_parquet(path, hive_partitioning=False) for path in paths[day]), how="diagonal")
        return rows.with_columns(pl.lit(day).alias(_DAY))

    return WarehouseTable(
        schema="meta",
        name="quarantine",
        comment="Every row that was refused, as it came, with all reasons.",
        columns=columns_of({**own, _DAY: pl.Date()}, None, required=(_DAY,)),
        key=(),
        parts=[
            Part(where={_DAY: day}, digest=digest([_content(path) for path in found]), read=partial(read, day))
            for day, found in sorted(paths.items())
        ],
    )


def _registry(lake: Lake, catalog: Catalog, path: Path) -> WarehouseTable:
    """A small table of facts; of the versions of models with what became of each."""
    rows = read_registry(lake, path.stem, ())
    rows = pl.DataFrame() if rows is None else rows
    if path.stem == REGISTRY:
        rows = rows.join(read_decisions(lake, catalog), on=["model", "version"], how="left")
    return WarehouseTable(
        schema="meta",
        name=path.stem,
        comment=_COMMENTS.get(path.stem, ""),
        columns=columns_of(rows.schema, None, required=()),
        key=(),
        parts=[Part(where={}, digest=digest(rows.write_json()), read=lambda: rows)],
        parted_by=(),
    )


def _content(path: Path) -> str:
    return f"{path.parent.parent.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
