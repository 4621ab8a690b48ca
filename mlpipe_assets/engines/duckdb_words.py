"""What DuckDB says of a text that it refuses, as values; no exception of DuckDB is seen elsewhere."""

import re
from collections.abc import Iterable
from dataclasses import replace

import duckdb

from mlpipe_assets.engines.refused import Reason, Refusal, RefusedSqlError
from mlpipe_assets.quoting import without_values

# UnicodeError: half a character. RuntimeError: what Python cannot hold, such as a year 294000.
ERRORS = (duckdb.Error, UnicodeError, RuntimeError)
_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
_STOPPED = "Query interrupted"  # what DuckDB makes of the signal
_LONGEST, _LONGEST_MESSAGE = 800, 600
_MEANT = re.compile(r"\nDid you mean [^\n]*")
_FAULTS = {
    Reason.NO_COLUMN: re.compile(r'(?:column named|Referenced column) "([^"]+)"'),
    Reason.NO_TABLE: re.compile(r"Table with name (\S+) does not"),
    Reason.LEAVES: re.compile(r'Cannot access \w+ "([^"]+)"|disabled by configuration|configuration has been locked'),
}


def refused(error: Exception, sql: str) -> RefusedSqlError:
    """An error of DuckDB without values of the data, which an error would carry into reports and Dagster's database."""
    found = refusal(error, sql)
    if isinstance(error, _OF_VALUES):
        said = without_values(found.said)[:_LONGEST_MESSAGE]
        without = replace(found, words=without_values(found.words), said=said, name="")
        return RefusedSqlError(f"The SQL engine refused the query: {said}", without)
    where = "the query" if found.line is None else f"line {found.line}"
    words = found.said.partition("LINE ")[0].strip()[:_LONGEST_MESSAGE]
    return RefusedSqlError(f"The SQL engine refused {where}: {words}", found)


def refused_statement(error: Exception, sql: str, tables: Iterable[str]) -> RefusedSqlError:
    """An error of DuckDB for the person who asked; its own catalog has tables, too, and of those it suggests only the given."""
    found = refusal(error, sql)
    said = found.said
    if found.reason is Reason.NO_TABLE:
        known = {*tables}
        said = _MEANT.sub(lambda meant: _only(meant[0], known), said)
    return RefusedSqlError(said, replace(found, said=said))


def unless_stopped(error: Exception) -> None:
    """Pass an error on as what it is, where it is none of the text.

    Raises: KeyboardInterrupt when somebody pressed Ctrl-C while the query ran.
    """
    if isinstance(error, RuntimeError) and _STOPPED in f"{error}":
        raise KeyboardInterrupt from None


def refusal(error: Exception, sql: str) -> Refusal:
    """What is wrong with a text, and on which line.

    Raises: KeyboardInterrupt, as `unless_stopped`.
    """
    unless_stopped(error)
    said = f"{error}".strip()
    reason, name = Reason.OTHER, ""
    for kind, pattern in _FAULTS.items():
        if found := pattern.search(said):
            reason, name = kind, (found.group(1) if pattern.groups else "") or ""
            break
    placed = re.search(r"LINE (\d+):", said)
    line = int(placed[1]) if placed else None
    if reason is Reason.LEAVES and name and name in sql:
        line = sql[: sql.find(name)].count("\n") + 1
    kind_of_error, _, words = (said.splitlines() or [type(error).__name__])[0].partition(" Error: ")
    return Refusal(
        reason=reason, words=(words or kind_of_error).rstrip("!."), said=said[:_LONGEST], line=line, name=name
    )


def _only(suggestion: str, known: set[str]) -> str:
    names = [name for quoted in re.findall(r'"([^"]+)"', suggestion) for name in quoted.split(" or ")]
    ours = [f'"{name}"' for name in names if name.rpartition(".")[2] in known]
    return f"\nDid you mean {' or '.join(ours)}?" if ours else ""
