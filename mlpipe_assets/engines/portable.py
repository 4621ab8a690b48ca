"""One SQL text for two engines: how Spark has to be given it so that it answers as DuckDB does.

What no spelling makes alike is named by `portable_subset`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import sqlglot
from sqlglot.tokenizer_core import Token, TokenType

from mlpipe_assets.engines.engine import DIALECT

_OPENING, _CLOSING = (TokenType.L_PAREN, TokenType.L_BRACKET), (TokenType.R_PAREN, TokenType.R_BRACKET)
_END_OF_ORDER = ("LIMIT", "OFFSET", "FETCH", "ROWS", "RANGE", "GROUPS", "UNION", "EXCEPT", "INTERSECT")
_PLACES_OF_NULLS = {"DESC", "FIRST", "LAST"}  # descending, both put them last
_TYPES = {TokenType.VARCHAR: "string", TokenType.TEXT: "string", TokenType.TIMESTAMPTZ: "timestamp"}

Insertion = tuple[int, int, str]
"""Where in a text something is replaced, from and to which character, and by what."""


def spell_for_spark(sql: str) -> str:
    """The same text as Spark reads it: parameters as `:name`, nulls last, `/` of floats, its own names of types.

    DuckDB divides whatever it is given as floats; Spark rounds decimals to six places. So each dividend is divided by a float
    one first, which changes none of its digits.
    """
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    parts: list[str] = []
    end = 0
    for first, last, text in sorted([*_parameters(tokens), *_nulls_last(tokens), *_divisions(tokens), *_types(tokens)]):
        parts += [sql[end:first], text]
        end = last
    return "".join([*parts, sql[end:]])


def parameters_of(sql: str) -> set[str]:
    """The names of the parameters that a select binds."""
    pairs = pairwise(sqlglot.tokenize(sql, dialect=DIALECT))
    return {name.text for sign, name in pairs if sign.token_type is TokenType.PARAMETER}


def _parameters(tokens: Sequence[Token]) -> Iterator[Insertion]:
    for sign, name in pairwise(tokens):
        if sign.token_type is TokenType.PARAMETER and name.start == sign.end + 1:
            yield sign.start, sign.end + 1, ":"


def _divisions(tokens: Sequence[Token]) -> Iterator[Insertion]:
    for token in tokens:
        if token.token_type is TokenType.SLASH:
            yield token.start, token.end + 1, "/ 1e0 /"


def _types(tokens: Sequence[Token]) -> Iterator[Insertion]:
    for token, after in _cast_to(tokens):
        if token.token_type in _TYPES:
            yield token.start, token.end + 1, _TYPES[token.token_type]
        elif token.token_type is TokenType.DECIMAL and after.token_type is not TokenType.L_PAREN:
            yield token.end + 1, token.end + 1, "(18, 3)"  # what DuckDB takes it for


def _cast_to(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    """Names of types, each with the token behind it: `as` is followed by one in a cast alone, elsewhere by a name."""
    in_cast = [False]
    for before, token, kind, after in zip(tokens, tokens[1:], tokens[2:], [*tokens[3:], tokens[-1]], strict=False):
        if token.token_type is TokenType.L_PAREN:
            in_cast.append(before.text.lower() == "cast")
        elif token.token_type is TokenType.R_PAREN and len(in_cast) > 1:
            in_cast.pop()
        elif token.token_type is TokenType.DCOLON or (token.token_type is TokenType.ALIAS and in_cast[-1]):
            yield kind, after


def _nulls_last(tokens: Sequence[Token]) -> Iterator[Insertion]:
    """Ends of ascending keys that do not say where nulls are: last for DuckDB, first for Spark."""
    for at, token in enumerate(tokens):
        if token.token_type is TokenType.ORDER_BY:
            for key in _keys(tokens[at + 1 :]):
                if not {one.text.upper() for one in key} & _PLACES_OF_NULLS:
                    yield key[-1].end + 1, key[-1].end + 1, " nulls last"


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
