"""What of a SQL text Spark would refuse, or answer otherwise than DuckDB without a word.

The subset is what was seen to be alike: any function that is not in it is named. Where the types of columns decide, those of
the tables are followed through the text.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.tokenizer_core import Token, TokenType

from mlpipe_assets.engines.duckdb_binding import spell_type
from mlpipe_assets.engines.engine import DIALECT, Columns

_AGGREGATES = frozenset((
    "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "stddev", "stddev_samp", "stddev_pop", "variance",
    "var_samp", "var_pop", "percentile_cont", "percentile_disc", "max_by", "min_by",
))  # fmt: skip
_WINDOWS = frozenset((
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
    "last_value", "nth_value",
))  # fmt: skip
_OF_NUMBERS = frozenset((
    "abs", "round", "floor", "ceil", "sqrt", "exp", "power", "pow", "mod", "sign", "greatest", "least", "coalesce",
    "nullif", "ifnull", "if",
))  # fmt: skip
_OF_TEXTS = frozenset((
    "length", "trim", "ltrim", "rtrim", "substr", "substring", "replace", "contains", "instr", "concat_ws", "md5",
))  # fmt: skip
_OF_TIMES = frozenset((
    "year", "month", "day", "hour", "minute", "quarter", "dayofyear", "weekofyear", "make_date", "date_trunc",
    "extract", "last_day",
))  # fmt: skip
PORTABLE = _AGGREGATES | _WINDOWS | _OF_NUMBERS | _OF_TEXTS | _OF_TIMES
"""Functions that both engines answer alike; `test_spark_sql.py` asks both of each."""

# Words of the language, which may have a bracket behind them.
_WORDS = frozenset((
    "all", "and", "any", "as", "asc", "between", "by", "case", "cast", "cross", "decimal", "desc", "distinct", "else",
    "end", "except", "exclude", "exists", "filter", "from", "group", "having", "in", "inner", "intersect", "interval",
    "is", "join", "lateral", "left", "like", "limit", "not", "numeric", "offset", "on", "or", "order", "over",
    "partition", "range", "right", "rows", "select", "some", "then", "union", "using", "values", "when", "where",
    "window", "with", "within",
))  # fmt: skip
_WHY = {
    "concat": "leaves nulls out here and is null there: write ||",
    "corr": "of one row is not a number here and null there",
    "count_if": "is null here and zero there where nothing is known: write count(*) filter (where ...)",
    "date_diff": "counts otherwise there: subtract days and cast",
    "dayofweek": "counts otherwise there",
    "epoch": "is not known there",
    "ln": "is null there for zero and less",
    "log": "is of base 10 here, and of base e there",
    "lower": "is another one there for some letters",
    "median": "may not be exact there: write percentile_cont(0.5) within group",
    "try_cast": "rounds here where it is null there",
    "upper": "is another one there for some letters",
}
_PARTS_OF_TIME = frozenset(("year", "month", "day", "hour", "minute", "quarter", "week", "doy"))
_UNITS = frozenset(("year", "quarter", "month", "week", "day", "hour", "minute"))
_OPERATORS = {
    TokenType.CARET: "^ is another operator there: write power()",
    TokenType.DSTAR: "** is not known there: write power()",
    TokenType.DIV: "// is not known there: write cast(floor(a / b) as bigint)",
    TokenType.L_BRACKET: "lists are others there",
    TokenType.L_BRACE: "structs are others there",
    TokenType.COLLATE: "collate is of other names there",
    TokenType.ILIKE: "ilike is another one there for some letters",
}
_WHOLE = frozenset((exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT))
_FLOATS = frozenset((exp.DType.FLOAT, exp.DType.DOUBLE))
_ROUNDED = _FLOATS | {exp.DType.DECIMAL}
_TIMES = frozenset((exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ, exp.DType.INTERVAL))
_CASTS = _WHOLE | _ROUNDED | _TIMES | {exp.DType.BOOLEAN, exp.DType.DATE, exp.DType.TEXT, exp.DType.VARCHAR}
_MOST_WORDS = 200


class Objection(NamedTuple):
    """What an engine does not read as DuckDB does.

    Attributes:
        line: Of the text, from 1.
        words: What it is, and what to write.
    """

    line: int
    words: str


def find_unportable(sql: str, tables: Mapping[str, Columns]) -> list[Objection]:
    """Each thing in a select that Spark refuses or answers otherwise, in order of lines; empty when both engines read it alike.

    Args:
        sql: One select, in the dialect of the engines.
        tables: Columns by the names the select uses.
    """
    tree = sqlglot.parse_one(sql, dialect=DIALECT)
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    found = [*_constructs(tree), *_called(tokens, tree), *_signs(tokens)]
    return sorted(dict.fromkeys(found or _of_types(tree, tables)))


def _constructs(tree: exp.Expr) -> Iterator[Objection]:
    for node in tree.walk():
        if words := _wrong_construct(node):
            yield _of(node, words)


def _wrong_construct(node: exp.Expr) -> str | None:
    match node:
        case exp.Join() if node.args.get("method") == "ASOF":
            return "asof join is taken for a name there, and joins equal times only"
        case exp.Distinct() if node.args.get("on"):
            return "distinct on is not known there: filter row_number() in an outer select"
        case exp.Qualify():
            return "qualify is not known there: filter row_number() in an outer select"
        case exp.Pivot():
            return "pivot is spelled otherwise there"
        case exp.Star() if node.args.get("except_") or node.args.get("replace"):
            return "columns left out of * are not known there: name the others"
        case exp.Extract() if node.name.lower() not in _PARTS_OF_TIME:
            return f"extract({node.name.lower()}) counts otherwise there"
        case exp.Extract() if isinstance(node.expression.unnest(), exp.Sub):
            return "extract() of the time between two counts otherwise there"
        case exp.Cast() if node.to.this not in _CASTS:
            return f"{node.to.this.value.lower()} is no type there: use one of {_types()}"
        case exp.ArgMax() | exp.ArgMin() if not _leaves_nulls_out(node):
            return "max_by() and min_by() take rows without a value there: write max_by(a, case when a is not null then b end)"
    return None


def _types() -> str:
    return ", ".join(sorted(one.value.lower() for one in _CASTS - _TIMES | {exp.DType.TIMESTAMP} - {exp.DType.TEXT}))


def _leaves_nulls_out(taken: exp.ArgMax | exp.ArgMin) -> bool:
    """Whether rows are put in order only where they have a value."""
    values = {column.name for column in taken.this.find_all(exp.Column)}
    known = [test.this.this for test in taken.expression.find_all(exp.Not) if isinstance(test.this, exp.Is)]
    return bool(values & {one.name for one in known if isinstance(one, exp.Column)})


def _called(tokens: Sequence[Token], tree: exp.Expr) -> Iterator[Objection]:
    """Functions by the names in the text: a parser gives those of several engines one name."""
    named = {alias.name.lower() for alias in tree.find_all(exp.TableAlias) if alias.args.get("columns")}
    for called, opening in pairwise(tokens):
        name = called.text.lower()
        if opening.token_type is not TokenType.L_PAREN or not name.isidentifier() or name in _WORDS | named | PORTABLE:
            continue
        if called.token_type is not TokenType.STRING:
            yield Objection(
                called.line, f"{name}() {_WHY.get(name, 'is not in the subset that both engines answer alike')}"
            )


def _signs(tokens: Sequence[Token]) -> Iterator[Objection]:
    for token in tokens:
        if token.token_type in _OPERATORS:
            yield Objection(token.line, _OPERATORS[token.token_type])
        elif token.token_type is TokenType.STRING and "\\" in token.text:
            yield Objection(token.line, "a backslash in a text begins something else there")
        elif token.token_type is TokenType.BYTE_STRING:
            yield Objection(token.line, "texts with an e before them are not known there")
    for by, key in pairwise(tokens):
        if by.token_type in (TokenType.ORDER_BY, TokenType.GROUP_BY) and key.token_type is TokenType.ALL:
            yield Objection(key.line, "`by all` is read otherwise there: name the columns")


def _of_types(tree: exp.Expr, tables: Mapping[str, Columns]) -> Iterator[Objection]:
    """What depends on types; those of a parameter are not known, and it is a day or a number in all that we bind."""
    schema: dict[str, object] = {
        name: {column: spell_type(dtype) for column, dtype in columns.items()} for name, columns in tables.items()
    }
    for division in [*tree.find_all(exp.Div)]:  # of floats, whatever is divided
        division.set("this", exp.cast(division.this.copy(), exp.DType.DOUBLE))
    try:
        placed = qualify(tree, schema=schema, dialect=DIALECT, validate_qualify_columns=False, quote_identifiers=False)
        typed = annotate_types(placed, schema=schema, dialect=DIALECT)
    except sqlglot.errors.SqlglotError as error:
        words = (f"{error}".strip().splitlines() or ["no words"])[0][:_MOST_WORDS]
        yield Objection(1, f"the types of its columns cannot be followed ({words})")
        return
    for node in typed.walk():
        if wrong := _wrong_of(node):
            yield _of(node, wrong)


def _wrong_of(node: exp.Expr) -> str | None:
    match node:
        case exp.Cast():
            return _wrong_cast(node.this, node.to)
        case exp.Avg() if _kind(node.this) is exp.DType.DECIMAL:
            return "avg() of decimals is rounded there: write sum(x) / count(x)"
        case exp.Round() if node.args.get("decimals") and _kind(node.this) in _FLOATS:
            return "round() of floats to some places rounds otherwise there"
        case exp.DPipe() | exp.ConcatWs() if any(_kind(part) in _FLOATS | _TIMES for part in node.iter_expressions()):
            return "floats and times are other texts there"
        case exp.Sub() if _kind(node.this) is _kind(node.expression) is exp.DType.DATE:
            outer = node.parent
            while isinstance(outer, exp.Paren):
                outer = outer.parent
            if not (isinstance(outer, exp.Cast) and outer.to.this in _WHOLE):
                return "days between two dates are no number there: write cast(a - b as bigint)"
        case exp.Substring() if not (isinstance(start := node.args.get("start"), exp.Literal) and start.name != "0"):
            return "substr() from 0 begins elsewhere there: give the place as a number from 1"
        case exp.TimestampTrunc() | exp.DateTrunc() if node.text("unit").lower() not in _UNITS:
            return f"date_trunc() takes one of {', '.join(sorted(_UNITS))} as a text on both"
    return None


def _wrong_cast(value: exp.Expr, to: exp.DataType) -> str | None:
    kind = _kind(value)
    if to.this in _WHOLE and kind in _ROUNDED and not isinstance(value.unnest(), exp.Round) and not _is_whole(value):
        return f"a cast to {to.this.value.lower()} rounds here and cuts there: write cast(round(x) as {to.this.value.lower()})"
    if to.this in (exp.DType.TEXT, exp.DType.VARCHAR) and kind in _FLOATS | _TIMES:
        return "floats and times are other texts there"
    if to.this is exp.DType.DECIMAL and kind in _FLOATS:
        return "a cast of floats to decimals rounds otherwise there"
    return None


def _is_whole(value: exp.Expr) -> bool:
    """Whether a decimal has no places: by its type, or because it is multiplied by enough tens."""
    value = value.unnest()
    if _places(value) == 0:
        return True
    if isinstance(value, exp.Mul):
        for amount, tens in ((value.this, value.expression), (value.expression, value.this)):
            places = _places(amount)
            if places is not None and isinstance(tens, exp.Literal) and tens.name == f"1{'0' * (len(tens.name) - 1)}":
                return len(tens.name) > places
    return False


def _places(value: exp.Expr) -> int | None:
    """The decimal places of a value as its type says them; only of a column and of a cast they are sure."""
    value = value.unnest()
    dtype = value.to if isinstance(value, exp.Cast) else value.type
    if not isinstance(value, exp.Cast | exp.Column) or dtype is None or dtype.this is not exp.DType.DECIMAL:
        return None
    return int(dtype.expressions[1].name) if len(dtype.expressions) > 1 else None


def _kind(value: exp.Expr) -> exp.DType | None:
    kind = value.type.this if value.type else None
    return kind if isinstance(kind, exp.DType) else None


def _of(node: exp.Expr, words: str) -> Objection:
    """An objection with the line that a part of a text is on, as far as the parser keeps it."""
    near: exp.Expr | None = node
    while near is not None:
        lines = [one.meta["line"] for one in near.walk() if "line" in one.meta]
        if lines:
            return Objection(int(lines[0]), words)
        near = near.parent
    return Objection(1, words)
