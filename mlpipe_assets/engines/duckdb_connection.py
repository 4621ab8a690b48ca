"""A connection to DuckDB of one's own: in UTC, within a memory limit, and shut in with its files."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mlpipe_assets.engines.duckdb_files import as_it_is, quoted

# No extension is fetched, and no variable of this program can be named as a table.
ALONE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@contextmanager
def connect(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with its spill folder, both gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mlpipe-duckdb-", ignore_cleanup_errors=True) as spill:
        config = {"memory_limit": memory_limit, "temp_directory": spill, **ALONE}
        connection = duckdb.connect(config=config)
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set preserve_insertion_order = false")
            connection.execute("set enable_progress_bar_print = false")  # into what a command answers
            yield connection
        finally:
            connection.close()


def statements_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    """The statements of a text.

    Raises: duckdb.Error when it does not parse; UnicodeError for half a character, of which DuckDB's binding makes a TypeError.
    """
    sql.encode()
    return connection.extract_statements(sql)


def shut_in(connection: duckdb.DuckDBPyConnection, files: Iterable[Path], writable: Path | None = None) -> None:
    """Let a connection open the given files and nothing else from now on; no statement can undo it.

    Args:
        connection: Its views are made already.
        files: Files it may read.
        writable: A folder it may write into.
    """
    names = [name for file in files for name in {str(file), as_it_is(file)}]
    connection.execute(f"set allowed_paths = [{', '.join(map(quoted, names))}]")
    if writable:
        connection.execute(f"set allowed_directories = [{quoted(writable)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
