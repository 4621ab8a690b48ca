"""Rows of text columns as JSON objects, byte for byte what json.dumps writes."""

import json

import polars as pl

_ESCAPES = {chr(code): json.dumps(chr(code))[1:-1] for code in (*range(0x20), 0x22, 0x5C)}
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def payloads(text: pl.DataFrame, *, plain: bool = False) -> pl.Series:
    """One JSON object per row, keys in column order; a null becomes JSON null.

    `plain` is the caller's word that no value holds a quote, a backslash or a control character, so that nothing needs escaping: the
    search for them would cost as much as the rest. The bytes are those of json.dumps(row, ensure_ascii=False, separators=(",", ":")).
    """
    if text.width == 0 or text.height == 0:
        return pl.Series("payload", ["{}"] * text.height, dtype=pl.String)
    pieces: list[pl.Expr] = []
    opening = "{"
    for position, name in enumerate(text.columns):
        opening += json.dumps(name, ensure_ascii=False) + ":"
        value = pl.col(f"c{position}")
        column = text.to_series(position)
        if not plain and column.str.contains(_NEEDS_ESCAPE).any():
            value = value.str.replace_many(_ESCAPES)
        if column.null_count():
            pieces += [pl.lit(opening), pl.concat_str(pl.lit('"'), value, pl.lit('"')).fill_null("null")]
            opening = ","
        else:
            pieces += [pl.lit(opening + '"'), value]
            opening = '",'
    pieces.append(pl.lit(opening.removesuffix(",") + "}"))
    # Positional names: a header called "*" or "^a$" would be read by pl.col as a pattern.
    positional = pl.DataFrame([column.alias(f"c{position}") for position, column in enumerate(text.get_columns())])
    return positional.select(pl.concat_str(pieces).alias("payload")).to_series()
