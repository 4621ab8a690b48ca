"""Files as DuckDB's SQL names them, and a connection that can open no others."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from mlpipe_assets.store import keys


def shut_in(connection: duckdb.DuckDBPyConnection, files: Iterable[Path], writable: Path | None = None) -> None:
    """Let a connection open the given files and nothing else from now on; no statement can undo it.

    Args:
        connection: Its views are made already.
        files: Files it may read.
        writable: A folder it may write into.
    """
    names = [name for file in files for name in {str(file), _unglobbed(file)}]
    connection.execute(f"set allowed_paths = [{', '.join(map(quoted, names))}]")
    if writable:
        connection.execute(f"set allowed_directories = [{quoted(writable)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def select_files(paths: Sequence[Path], *, dated: bool, more: str = "") -> str:
    """A select of all rows of some Parquet files.

    Args:
        paths: The files.
        dated: Add the day of their `date=` folder as the column `date`.
        more: Further columns, which may be made of `filename`.
    """
    hive = dated and not any("=" in part for part in paths[0].parts[:-2])  # DuckDB would make columns of those too
    files = f"{files_literal(paths)}, hive_partitioning = {hive}{', hive_types = {date: date}' if hive else ''}"
    named = [more] if more else []
    if dated and not hive:
        named.append(f"cast(regexp_extract(filename, '{keys.DAY_OF_A_FILE}', 1) as date) as date")
    if not named:
        return f"select * from read_parquet({files})"
    return f"select * exclude (filename), {', '.join(named)} from read_parquet({files}, filename = true)"


def files_literal(paths: Sequence[Path]) -> str:
    """Files as a list in SQL: each names itself and no other, whatever its characters."""
    return f"[{', '.join(quoted(_unglobbed(path)) for path in paths)}]"


def _unglobbed(path: Path) -> str:
    """A path that DuckDB, which reads every path as a pattern, takes as it is."""
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))


def quoted(text: object) -> str:
    """A text as a literal."""
    return "'" + str(text).replace("'", "''") + "'"
