"""What of a SQL text Spark would refuse, or answer otherwise than DuckDB without a word."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from mlpipe_assets.engines.engine import DIALECT

_OPENING, _CLOSING = (TokenType.L_PAREN, TokenType.L_BRACKET), (TokenType.R_PAREN, TokenType.R_BRACKET)
_END_OF_ORDER = ("LIMIT", "OFFSET", "FETCH", "ROWS", "RANGE", "GROUPS", "UNION", "EXCEPT", "INTERSECT")
_PARTS_OF_TIME = ("DOW", "ISODOW", "DAYOFWEEK", "DAYOFWEEK_ISO", "EPOCH")
_FUNCTIONS = {
    "date_diff": "counts otherwise there: subtract days and cast",
    "epoch": "is not known there",
    "generate_series": "is no table there",
    "hash": "gives other numbers there",
    "list": "is of lists, which differ there",
    "median": "may not be exact there: write percentile_cont(0.5) within group",
    "quantile_cont": "is not known there",
    "range": "is no table there",
    "strftime": "has other formats there",
    "strptime": "has other formats there",
    "unnest": "is of lists, which differ there",
}
_OF_LISTS = ("list_", "array_")


def find_unportable(sql: str) -> list[str]:
    """Each thing in a select that Spark refuses or answers otherwise, in words; empty when both engines read it alike.

    Args:
        sql: One select, in the dialect of the engines, without the order of its result.
    """
    tree = sqlglot.parse_one(sql, dialect=DIALECT)
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    return list(dict.fromkeys([*_constructs(tree), *_functions(tokens), *_orders(tokens)]))


def spell_for_spark(sql: str) -> str:
    """The same text with its parameters `$name` as `:name`."""
    found: list[str] = []
    end = 0
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    for sign, name in pairwise(tokens):
        if sign.token_type is TokenType.PARAMETER and name.start == sign.end + 1:
            found += [sql[end : sign.start], ":"]
            end = sign.end + 1
    return "".join([*found, sql[end:]])


def parameters_of(sql: str) -> set[str]:
    """The names of the parameters that a select binds."""
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    pairs = pairwise(tokens)
    return {name.text for sign, name in pairs if sign.token_type is TokenType.PARAMETER}


def _constructs(tree: exp.Expr) -> Iterator[str]:
    if any(join.args.get("method") == "ASOF" for join in tree.find_all(exp.Join)):
        yield "asof join is taken for a name there, and joins equal times only"
    if tree.find(exp.Qualify):
        yield "qualify is not known there: filter row_number() in an outer select"
    if tree.find(exp.Pivot):
        yield "pivot is spelled otherwise there"
    if any(star.args.get("except_") or star.args.get("replace") for star in tree.find_all(exp.Star)):
        yield "columns left out of * are not known there: name the others"
    for part in tree.find_all(exp.Extract):
        if part.name.upper() in _PARTS_OF_TIME:
            yield f"extract({part.name.lower()}) counts otherwise there"


def _functions(tokens: Sequence[Token]) -> Iterator[str]:
    """Functions by the names in the text: a parser gives those of several engines one name."""
    for called, opening in pairwise(tokens):
        name = called.text.lower()
        if opening.token_type is TokenType.L_PAREN and called.token_type is not TokenType.STRING:
            if name in _FUNCTIONS:
                yield f"{name}() {_FUNCTIONS[name]}"
            elif name.startswith(_OF_LISTS):
                yield f"{name}() is of lists, which differ there"


def _orders(tokens: Sequence[Token]) -> Iterator[str]:
    """Orders that would put nulls first there and last here: ascending ones that do not say where."""
    for at, token in enumerate(tokens):
        if token.token_type is TokenType.ORDER_BY:
            for key in _keys(tokens[at + 1 :]):
                words = {one.text.upper() for one in key}
                if not words & {"DESC", "FIRST", "LAST"}:
                    said = " ".join(one.text for one in key)[:60]
                    yield f"`order by {said}` puts nulls first there: write `nulls last`"


def _keys(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The keys of an order, up to its end."""
    depth, key = 0, list[Token]()
    for token in tokens:
        depth += token.token_type in _OPENING
        depth -= token.token_type in _CLOSING
        if depth < 0 or (depth == 0 and token.text.upper() in _END_OF_ORDER):
            break
        if depth == 0 and token.token_type is TokenType.COMMA:
            yield key
            key = []
        else:
            key.append(token)
    if key:
        yield key
