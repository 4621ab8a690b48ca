"""Spark SQL for what crosses partitions: the same text, on the cluster that does the work on partitions; all else is DuckDB's.

Spark reads the slices and leaves rows by day where this process sees them; what a table holds is judged and written by this
project, as ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from mlpipe_assets.engines.aside import Aside
from mlpipe_assets.engines.duckdb_engine import LAST_ORDER, DuckDBEngine, alone
from mlpipe_assets.engines.duckdb_files import quoted_name
from mlpipe_assets.engines.engine import DAY_OF_A_FILE, Bound, Columns, OnlyKeys, Slice
from mlpipe_assets.engines.portable import parameters_of, spell_for_spark
from mlpipe_assets.engines.portable_subset import find_unportable
from mlpipe_assets.engines.read_back import DayFrames
from mlpipe_assets.engines.refused import RefusedSqlError
from mlpipe_assets.quoting import without_values

_TABLES = "tables"  # rows that are in no file, where Spark sees them
_MOST_OBJECTIONS = 5
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",  # without it bad casts are nulls, and quoted names are texts
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # a product of too many digits fails, as in DuckDB
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
}
_SPELLED = {
    "Int8": "tinyint",
    "Int16": "smallint",
    "Int32": "int",
    "Int64": "bigint",
    "Float32": "float",
    "Float64": "double",
}


@runtime_checkable
class HasSession(Protocol):
    """The executor of a Spark cluster."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def session(self) -> Any:  # noqa: ANN401 (of pyspark, which need not be installed)
        """Its session."""
        ...


@dataclass(frozen=True, kw_only=True)
class SparkEngine(DuckDBEngine):
    """Selects by day by Spark, which needs no join key to cut them by.

    Attributes:
        cluster: Where.
        aside: A folder that every executor sees, for rows until they are asked for.
    """

    cluster: HasSession
    aside: Path

    def __reduce__(self) -> tuple[Callable[[str], DuckDBEngine], tuple[str]]:
        """Sent to an executor it is DuckDB alone."""
        return alone, (self.memory_limit,)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"Spark SQL, by {self.cluster.name}"

    def select_by_day(
        self,
        sql: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        *,
        rows: int,  # noqa: ARG002 (Spark cuts by itself)
        keys: Sequence[str],  # noqa: ARG002
        days: int,  # noqa: ARG002
        moments: bool = False,
        only: OnlyKeys | None = None,
    ) -> DayFrames:
        """The rows of a select by day; see `Engine`.

        Raises: RefusedSqlError for a text that Spark would read otherwise, or with Spark's own words.
        """
        unordered = LAST_ORDER.sub("", sql.rstrip().rstrip(";"))  # days are sorted when they are read back
        columns = {name: _columns_of(table) for name, table in tables.items()}
        if unportable := find_unportable(unordered, columns):
            said = "; ".join(one.words for one in unportable[:_MOST_OBJECTIONS])
            raise RefusedSqlError(f"The query is not for Spark, by MLPIPE_ENGINE=spark: {said}.")
        bound = self.bind(unordered, columns, params)
        from pyspark.errors import PySparkException  # noqa: PLC0415 (see `HasSession`)

        session = self.cluster.session()
        frames = Aside(folder=self.aside).frames()
        day = "as_of" if moments else "as_of - interval 1 microsecond"
        text = f"select {_as_bound(bound)}, cast({day} as date) as _day from ({spell_for_spark(unordered)}\n)"
        try:
            for setting, value in _SETTINGS.items():
                session.conf.set(setting, value)
            for name, table in tables.items():
                _register(session, name, table, frames.folder(0).parent / _TABLES, only)
            args = {name: params[name] for name in parameters_of(unordered) if name in params}
            result = session.sql(text, args=args or None)
            result.write.partitionBy("_day").parquet(str(frames.folder(0)))
        except PySparkException as error:
            frames.close()
            words = (f"{error}".strip().splitlines() or [type(error).__name__])[0][:500]
            raise RefusedSqlError(without_values(words)) from None
        except BaseException:
            frames.close()
            raise
        return frames


def _columns_of(table: Slice) -> Columns:
    """Names and types of a table as a select finds them."""
    if isinstance(table, pl.DataFrame):
        return table.schema
    return {**pl.read_parquet_schema(table[0]), "date": pl.Date()}


def _as_bound(bound: Bound | None) -> str:
    """The columns of a select, each as the type that DuckDB gives it: Spark counts in smaller ones, and adds up in larger."""
    if bound is None:
        return "*"
    return ", ".join(
        f"cast({name} as {kind}) as {name}" if (kind := _SPELLED.get(str(dtype), _decimal(dtype))) else name
        for name, dtype in ((quoted_name(name), dtype) for name, dtype in bound)
    )


def _decimal(dtype: pl.DataType | None) -> str | None:
    return f"decimal({dtype.precision}, {dtype.scale})" if isinstance(dtype, pl.Decimal) else None


def _register(session: Any, name: str, table: Slice, folder: Path, only: OnlyKeys | None) -> None:  # noqa: ANN401 (as above)
    """A view of that name; files bring the day of their `date=` folder as the column `date`."""
    from pyspark.sql import functions  # noqa: PLC0415 (as above)

    def read(frame: pl.DataFrame, file: str) -> Any:  # noqa: ANN401 (as above)
        folder.mkdir(exist_ok=True)
        frame.write_parquet(folder / file)
        return session.read.parquet(str(folder / file))

    if isinstance(table, pl.DataFrame):
        rows = read(table, f"{name}.parquet")
    else:
        path = functions.col("_metadata.file_path")
        day = functions.to_date(functions.regexp_extract(path, DAY_OF_A_FILE, 1))
        rows = session.read.parquet(*map(str, table)).withColumn("date", day)
    if only and {*only.rows.columns} <= {*rows.columns}:
        rows = rows.join(read(only.rows, "only.keys"), on=only.rows.columns, how="left_semi")
    rows.createOrReplaceTempView(name)
