"""A contract read as rules: polars expressions, columns, digest. pandera declares, one lazy query judges.

pandera's own validation counts null keys as duplicates of each other and walks the table once per check; compiled to
expressions the same contract names the bad rows of millions in one pass. A property test holds the two to one verdict,
but for one rule of our own: no number is NaN or infinite. Such a value poisons every sum and no model takes it.
"""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl

Contract = type[pa.DataFrameModel]
NOT_FINITE = "is NaN or infinite"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column as the contract promises it; `allowed` are the values that its `isin` lists, as text."""

    name: str
    dtype: pl.DataType
    nullable: bool
    unique: bool
    description: str | None
    metadata: dict[str, Any]
    constraints: tuple[str, ...]
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One promise about rows. `violated` is true where a row breaks it, never null."""

    column: str
    text: str
    violated: pl.Expr | Callable[[pl.DataFrame], pl.Series]


@cache
def columns(contract: Contract) -> tuple[Column, ...]:
    """The columns of a contract, in order."""
    return tuple(
        Column(
            name=name,
            dtype=column.dtype.type,
            nullable=column.nullable,
            unique=column.unique,
            description=column.description,
            metadata=column.metadata or {},
            constraints=tuple(_spell(check) for check in column.checks),
            allowed=_allowed(column.checks),
        )
        for name, column in contract.to_schema().columns.items()
    )


@cache
def rules(contract: Contract) -> tuple[Rule, ...]:
    """Every promise about single rows; uniqueness is judged apart by `repeated`."""
    schema = contract.to_schema()
    found: list[Rule] = []
    for name, column in schema.columns.items():
        value, is_float = pl.col(name), column.dtype.type.is_float()
        not_finite = value.is_finite().fill_null(value=True).not_()
        if not column.nullable:
            found.append(Rule(column=name, text="is null", violated=value.is_null()))
        if is_float:
            found.append(Rule(column=name, text=NOT_FINITE, violated=not_finite))
        for check in column.checks:
            holds = _expression(check, value)
            if holds is None:
                found.append(Rule(column=name, text=_spell(check), violated=_by_pandera(check, name)))
            else:
                broken = ~holds & ~not_finite if is_float else ~holds
                found.append(Rule(column=name, text=_spell(check), violated=broken.fill_null(value=False)))
    found += [Rule(column="row", text=_spell(check), violated=_by_pandera(check, None)) for check in schema.checks]
    return tuple(found)


def unique_keys(contract: Contract) -> list[tuple[str, ...]]:
    """The sets of columns whose values may not repeat."""
    schema = contract.to_schema()
    together = schema.unique
    if isinstance(together, str):
        together = [together]
    keys: list[tuple[str, ...]] = [(name,) for name, column in schema.columns.items() if column.unique]
    return [*keys, tuple(together)] if together else keys


def repeated(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.Series:
    """Rows whose key, free of nulls, stands more than once. Shape: one boolean per row.

    Sorts 64-bit hashes instead of grouping, then compares only rows whose hash repeats: several times faster.
    """
    hashes = frame.select(pl.struct(key) if len(key) > 1 else pl.col(key[0])).to_series().hash().to_numpy()
    ordered = np.sort(hashes)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    none = pl.repeat(value=False, n=frame.height, eager=True)
    if not suspects.size:
        return none
    suspicious = (
        pl.Series(hashes).is_in(pl.Series(suspects).implode())
        & frame.select(pl.all_horizontal(pl.col(*key).is_not_null())).to_series()
    )
    rows = suspicious.arg_true()
    twice = frame[rows].select(pl.struct(key).is_duplicated()).to_series()
    return none.scatter(rows.filter(twice), values=True) if twice.any() else none


@cache
def contract_digest(contract: Contract) -> str:
    """Digest of everything the contract decides; wording, comments and white space do not count."""
    schema = contract.to_schema()
    parts = {
        "columns": [
            [c.name, str(c.dtype), c.nullable, c.unique, c.constraints, sorted(c.metadata.items(), key=str)]
            for c in columns(contract)
        ],
        "custom": [_check_digest(check) for c in schema.columns.values() for check in c.checks]
        + [_check_digest(check) for check in schema.checks],
        "unique": schema.unique,
        "finite": [c.name for c in columns(contract) if c.dtype.is_float()],
    }
    return digest(parts)


def _check_digest(check: Any) -> str:
    """Digest of what a check runs; pandera wraps a model's own method in an adapter, the same for all."""
    function = check._check_fn  # noqa: SLF001 (pandera has no public way)
    for cell in getattr(function, "__closure__", None) or ():
        function = getattr(cell.cell_contents, "check_fn", function)
    return function_digest(function)


def function_digest(function: Callable[..., Any] | None) -> str:
    """Digest of what a function does: its syntax tree without docstring, comments or layout."""
    while function is not None and hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if function is None:
        return ""
    function = getattr(function, "func", function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return getattr(function, "__qualname__", repr(function))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def first_sentence(contract: Contract) -> str:
    """The contract's docstring as a description, its lines joined."""
    return " ".join((contract.__doc__ or contract.__name__).split())


def digest(value: object) -> str:
    """SHA-256 of a JSON-able value, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _spell(check: Any) -> str:
    """A check in the words of the field: `>= 0`, `in [web, app]`."""
    s: dict[str, Any] = check.statistics or {}
    match check.name:
        case "greater_than_or_equal_to":
            return f">= {s['min_value']}"
        case "greater_than":
            return f"> {s['min_value']}"
        case "less_than_or_equal_to":
            return f"<= {s['max_value']}"
        case "less_than":
            return f"< {s['max_value']}"
        case "in_range":
            return f"{'>=' if s['include_min'] else '>'} {s['min_value']} and {'<=' if s['include_max'] else '<'} {s['max_value']}"
        case "isin":
            return f"in {sorted(s['allowed_values'], key=str)}".replace("'", "")
        case "notin":
            return f"not in {sorted(s['forbidden_values'], key=str)}".replace("'", "")
        case "str_matches":
            return f"matches {s['pattern']}"
        case "equal_to" | "not_equal_to":
            return f"{'=' if check.name == 'equal_to' else '<>'} {s['value']}"
        case name:
            return f"{name}{_ordered(s)}" if s else str(name)


def _allowed(checks: Sequence[Any]) -> tuple[str, ...] | None:
    listed = [check.statistics["allowed_values"] for check in checks if check.name == "isin"]
    return tuple(sorted(str(value) for value in listed[0])) if listed else None


def _ordered(statistics: dict[str, Any]) -> dict[str, Any]:
    """Statistics with sets as sorted lists: their own order changes from one process to the next."""
    return {name: sorted(v, key=str) if isinstance(v, set | frozenset) else v for name, v in statistics.items()}


def _expression(check: Any, value: pl.Expr) -> pl.Expr | None:
    """What must hold, as an expression; None for checks only pandera can run."""
    s: dict[str, Any] = check.statistics or {}
    match check.name:
        case "greater_than_or_equal_to":
            return value.ge(s["min_value"])
        case "greater_than":
            return value.gt(s["min_value"])
        case "less_than_or_equal_to":
            return value.le(s["max_value"])
        case "less_than":
            return value.lt(s["max_value"])
        case "in_range":
            low = value.ge(s["min_value"]) if s["include_min"] else value.gt(s["min_value"])
            high = value.le(s["max_value"]) if s["include_max"] else value.lt(s["max_value"])
            return low & high
        case "isin":
            return value.is_in(list(s["allowed_values"]))
        case "notin":
            return ~value.is_in(list(s["forbidden_values"]))
        case "str_matches":
            pattern = str(s["pattern"])
            return value.str.contains(pattern if pattern.startswith("^") else f"^(?:{pattern})")
        case _:
            return None


def _by_pandera(check: Any, column: str | None) -> Callable[[pl.DataFrame], pl.Series]:
    """Rows that break a check pandera must run itself."""

    def violated(frame: pl.DataFrame) -> pl.Series:
        result = check(frame.lazy(), column) if column else check(frame.lazy())
        holds: pl.Series = result.check_output.collect().to_series()
        if holds.len() == 1 and frame.height != 1:  # an aggregate speaks for all rows
            holds = pl.repeat(bool(holds[0]), frame.height, eager=True)
        return holds.fill_null(value=True).not_()

    return violated
