"""The only door to a table: a contract judges rows, the refused go to quarantine, the rest may be written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from mlpipe_assets.errors import shorten
from mlpipe_assets.quoting import may_quote, quote
from mlpipe_assets.rules import NOT_FINITE, Contract, Rule, columns, repeated, rules, unique_keys

_MOST_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Breach:
    """One rule that rows broke: how many, and up to five of the values, where they may be quoted."""

    column: str
    text: str
    count: int
    examples: tuple[str, ...] = ()

    def spell(self, received: int) -> str:
        """The breach in one line."""
        shown = f" (e.g. {', '.join(self.examples)})" if self.examples else ""
        return f"{self.column}: {self.text} fails on {self.count:,} of {received:,} rows{shown}"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a contract says of a frame.

    Attributes:
        structural: Columns missing, unexpected or of the wrong type; no row was judged then.
        breaches: Rules that rows broke.
        refused: One boolean per row; None where every row holds.
        reasons: One text per refused row, every reason joined by "; ".
    """

    rows: int
    structural: tuple[str, ...] = ()
    breaches: tuple[Breach, ...] = ()
    refused: pl.Series | None = None
    reasons: pl.Series = field(default_factory=lambda: pl.Series("reasons", [], dtype=pl.String))

    @property
    def holds(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.structural and self.refused is None

    @property
    def refused_count(self) -> int:
        """Rows refused."""
        return 0 if self.refused is None else int(self.refused.sum())

    def errors(self) -> list[str]:
        """One line per thing wrong."""
        return [*self.structural, *(breach.spell(self.rows) for breach in self.breaches)]


def structural_problems(
    schema: dict[str, pl.DataType] | pl.Schema, contract: Contract, environment: str | None = None
) -> tuple[str, ...]:
    """Columns a frame lacks, has too many of, or holds in another type than its contract says."""
    elsewhere = _elsewhere(contract, environment)
    promised = {column.name: column.dtype for column in columns(contract) if column.name not in elsewhere}
    missing = [f"{name}: column missing" for name in promised if name not in schema]
    extra = [
        f"{name}: belongs to {' and '.join(elsewhere[name])}, it must not be here in {environment}"
        if name in elsewhere
        else f"{name}: column not in the contract {contract.__name__}"
        for name in schema
        if name not in promised
    ]
    wrong = [
        f"{name}: is {schema[name]}, the contract {contract.__name__} says {dtype}"
        for name, dtype in promised.items()
        if name in schema and schema[name] != dtype
    ]
    return (*missing, *wrong, *extra)


def _elsewhere(contract: Contract, environment: str | None) -> dict[str, list[str]]:
    """Columns of a contract that exist in other environments only, with those environments."""
    declared = {column.name: list(column.metadata.get("environments", ())) for column in columns(contract)}
    return {name: places for name, places in declared.items() if environment and places and environment not in places}


def judge(
    frame: pl.DataFrame,
    contract: Contract,
    *,
    uniqueness: bool = True,
    uncast: pl.DataFrame | None = None,
    environment: str | None = None,
) -> Judgement:
    """The judgement of a contract over a frame, every bad row named.

    Args:
        frame: Rows in the contract's columns.
        contract: The promise.
        uniqueness: Whether keys are judged too; sources resolve duplicates afterwards.
        uncast: Some of the frame's columns as texts: what a value that could not be cast (null in `frame`) is not.
        environment: `training` or `serving`: columns declared for others must be absent; None wants every column.
    """
    structural = structural_problems(frame.schema, contract, environment)
    if structural:
        return Judgement(rows=frame.height, structural=structural)
    flags: dict[str, pl.Series] = {}
    named: dict[str, tuple[str, str]] = {}
    failed = uncast if uncast is not None else pl.DataFrame()
    elsewhere = _elsewhere(contract, environment)
    due = [rule for rule in rules(contract) if rule.column not in elsewhere]
    vectorised = {f"{i}": r for i, r in enumerate(due) if isinstance(r.violated, pl.Expr)}
    marks = frame.select(**{i: _expr(r) for i, r in vectorised.items()})
    for i, rule in enumerate(due):
        flag = marks[f"{i}"] if f"{i}" in vectorised else _called(rule, frame)
        if rule.column in failed.columns and flag.any():
            flag = flag & failed[rule.column].is_null()
        if flag.any():
            flags[f"{i}"], named[f"{i}"] = flag, (rule.column, rule.text)
    for column in failed.columns:
        for reason in failed[column].drop_nulls().unique(maintain_order=True):
            flags[f"cast {column} {reason}"] = failed[column].eq_missing(reason)
            named[f"cast {column} {reason}"] = (column, reason)
    for key in (k for k in unique_keys(contract) if uniqueness and not elsewhere.keys() & set(k)):
        flag = repeated(frame, key)
        if flag.any():
            flags[f"unique {key}"], named[f"unique {key}"] = flag, (", ".join(key), "unique")
    if not flags:
        return Judgement(rows=frame.height)
    return _judgement(frame, contract, flags, named)


def _expr(rule: Rule) -> pl.Expr:
    if not isinstance(rule.violated, pl.Expr):  # narrowed by the caller; states it for the type checker
        raise TypeError(rule.text)
    return rule.violated


def _called(rule: Rule, frame: pl.DataFrame) -> pl.Series:
    if isinstance(rule.violated, pl.Expr):
        raise TypeError(rule.text)
    return rule.violated(frame)


def _judgement(
    frame: pl.DataFrame, contract: Contract, flags: dict[str, pl.Series], named: dict[str, tuple[str, str]]
) -> Judgement:
    table = pl.DataFrame(flags)
    refused = table.select(pl.any_horizontal(pl.all())).to_series().alias("refused")
    breaches = tuple(
        Breach(
            column=named[name][0],
            text=named[name][1],
            count=int(flag.sum()),
            examples=_examples(frame, named[name], flag, contract),
        )
        for name, flag in flags.items()
    )
    spelled = [
        pl.when(pl.col(name)).then(pl.lit(f"{named[name][0]}: {named[name][1]}")).otherwise(None)
        for name in table.columns
    ]
    reasons = table.filter(refused).select(pl.concat_str(spelled, separator="; ", ignore_nulls=True)).to_series()
    return Judgement(rows=frame.height, breaches=breaches, refused=refused, reasons=reasons.alias("reasons"))


def _examples(frame: pl.DataFrame, name: tuple[str, str], flag: pl.Series, contract: Contract) -> tuple[str, ...]:
    column, text = name
    declared = next((c for c in columns(contract) if c.name == column), None)
    if declared is None or column not in frame.columns or text == "is null":
        return ()
    if text == NOT_FINITE and may_quote(declared):
        return _with_keys(frame, column, flag, contract)
    seen = frame[column].filter(flag).drop_nulls().head(200).unique(maintain_order=True)
    return tuple([shown for value in seen if (shown := quote(value, declared)) is not None][:_MOST_EXAMPLES])


def _with_keys(frame: pl.DataFrame, column: str, flag: pl.Series, contract: Contract) -> tuple[str, ...]:
    """`inf for card_id 17`: a division by zero is looked up by the key it happened to, where that may be shown."""
    names = next((key for key in unique_keys(contract) if column not in key), ())
    shown = [c for c in columns(contract) if c.name in names and may_quote(c)]
    rows = frame.filter(flag).select(column, *(c.name for c in shown)).head(_MOST_EXAMPLES)
    return tuple(
        f"{row[column]}" + (f" for {', '.join(f'{c.name} {quote(row[c.name], c)}' for c in shown)}" if shown else "")
        for row in rows.unique(maintain_order=True).iter_rows(named=True)
    )


def summarise(errors: Sequence[str]) -> str:
    """Errors as one bounded line."""
    return shorten(list(errors), 5)
