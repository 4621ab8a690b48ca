"""Files as DuckDB's SQL names them."""

import re
from collections.abc import Sequence
from pathlib import Path

from mlpipe_assets.engines.engine import DAY_OF_A_FILE


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
        named.append(f"cast(regexp_extract(filename, '{DAY_OF_A_FILE}', 1) as date) as date")
    if not named:
        return f"select * from read_parquet({files})"
    return f"select * exclude (filename), {', '.join(named)} from read_parquet({files}, filename = true)"


def files_literal(paths: Sequence[Path]) -> str:
    """Files as a list in SQL: each names itself and no other, whatever its characters."""
    return f"[{', '.join(quoted(as_it_is(path)) for path in paths)}]"


def as_it_is(path: Path) -> str:
    """A path that DuckDB, which reads every path as a pattern, takes as it is."""
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))


def quoted(text: object) -> str:
    """A text as a literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """A name as SQL takes it, whatever its characters."""
    return '"' + name.replace('"', '""') + '"'
