"""The warehouse face of the lake: DuckDB views over its files, no copy; `mlpipe sql "show all tables"` lists them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SqlError
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)  # MULTI: pivot
_MEASURED = re.compile(r"\s*explain\s+\(?\s*analyze\b", re.IGNORECASE)  # it runs what it explains


@contextmanager
def warehouse(lake: Lake, engine: Engine, catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows every table of the lake that has rows."""
    with engine.connect() as connection:
        for schema in ("raw", "stg", "feats", "training", "predictions", "monitoring", "meta"):
            connection.execute(f"create schema {schema}")
        for schema, name, glob in _tables(lake, catalog):
            if any(lake.root.glob(glob)):
                _view(connection, f"{schema}.{name}", lake.root / glob)
        counted = [f"{path.stem}" for path in lake.root.glob("meta/deliveries/*/*.json")]
        if counted and any(lake.root.glob("raw/_events/*/*/*.parquet")):
            # files of a delivery that a killed run did not finish are not in the ledger, and not in the view
            connection.execute("create temp table counted as select unnest($1) as delivery", [counted])
            files = _literal(lake.root / "raw/_events/*/*/*.parquet")
            connection.execute(
                f"create view raw.raw_events as select * from read_parquet({files}, hive_partitioning = false) "
                "where delivery in (select delivery from counted)"
            )
        yield connection


def query(lake: Lake, engine: Engine, catalog: Catalog, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement over the views; it reads, whatever it says.

    Raises: SqlError with the engine's own words and the tables there are; for none or several statements, and for one that
        writes.
    """
    with warehouse(lake, engine, catalog) as connection:
        try:
            statements = connection.extract_statements(sql)
            if not statements:
                raise SqlError('The query is empty. Try: mlpipe sql "show all tables"')
            if len(statements) > 1:
                raise SqlError(f"There are {len(statements)} statements; mlpipe sql answers one. Ask them one by one.")
            if statements[0].type not in _READING or _MEASURED.match(sql):
                kind = statements[0].type.name.lower()
                raise SqlError(
                    f"This is a statement to {kind}; mlpipe sql only reads. For all rows in a file: mlpipe sql --json … > rows.json"
                )
            result = connection.execute(statements[0])
            return [column[0] for column in result.description or []], result.fetchall()
        except duckdb.Error as error:
            names = connection.execute(
                "select schema_name || '.' || view_name from duckdb_views() where not internal"
            ).fetchall()
            tables = ", ".join(sorted(row[0] for row in names)) or "none yet: run `mlpipe run` first"
            raise SqlError(f"{str(error).strip()[:800]}\nTables: {tables}") from error


def _tables(lake: Lake, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    for source in catalog.sources:
        yield "stg", source.name, f"interim/{source.name}/date=*/part.parquet"
    for view in catalog.feature_views:
        yield "feats", view.name, f"features/{view.name}/date=*/part.parquet"
    for model in catalog.models:
        yield "training", model.name, f"processed/{model.name}/date=*/*.parquet"
        yield "predictions", model.name, f"predictions/{model.name}/date=*/part.parquet"
    yield "monitoring", "drift", "monitoring/drift/*/date=*/part.parquet"
    for path in sorted((lake.root / "meta").glob("*.parquet")):
        yield "meta", path.stem, f"meta/{path.name}"
    yield "meta", "quarantine", "validation/quarantine/*/date=*/*.parquet"


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Path) -> None:
    keyed = "date=" in str(files) and not name.startswith(("meta.", "monitoring."))
    hive = "true, hive_types = {'date': date}" if keyed else "false"
    extra = ", filename = true" if name.startswith("training.") else ""
    columns = "* exclude (filename), parse_filename(filename, true) as split" if extra else "*"
    connection.execute(
        f"create view {name} as select {columns} from read_parquet({_literal(files)}, hive_partitioning = {hive}{extra})"
    )


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
