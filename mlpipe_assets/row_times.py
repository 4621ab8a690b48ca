"""Which day a row describes: its `as_of` is the end of what it knows."""

from datetime import datetime, time

import polars as pl


def day_of_row(*, moments: bool = False) -> pl.Expr:
    """The day that rows describe, by their `as_of`.

    A row as of the very end of a day, D+1 00:00, is of D. One as of a moment is of the day on which that lies: at D 00:00 it is of D.
    """
    return pl.col("as_of").dt.date() if moments else (pl.col("as_of") - pl.duration(microseconds=1)).dt.date()


def spell_moment(as_of: datetime) -> str:
    """An `as_of` as people read it: a day where it is the beginning of one."""
    return f"{as_of:%Y-%m-%d}" if as_of.time() == time() else f"{as_of:%Y-%m-%d %H:%M:%S}"
