"""What became of one feature for one row that asks for it: written once, for training, batch and online answers."""

from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl


class Status(StrEnum):
    """Why a feature has the value it has."""

    PRESENT = "PRESENT"
    NULL_VALUE = "NULL_VALUE"
    NOT_FOUND = "NOT_FOUND"
    OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"


STATUS_TYPE = pl.Enum([status.value for status in Status])


def status_of(*, as_of: datetime | None, at: datetime | None, is_null: bool, ttl: timedelta | None) -> Status:
    """The status of one feature; only PRESENT has a value.

    Args:
        as_of: Of the latest feature row at or before `at`; None when there is none.
        at: The instant that is asked for; None when it is not known, for which there is no row.
        is_null: Whether the feature is null in that row.
        ttl: How old a row may be, this age included; None for any age.
    """
    if as_of is None or at is None:
        return Status.NOT_FOUND
    if ttl is not None and at - as_of > ttl:
        return Status.OUTSIDE_MAX_AGE
    return Status.NULL_VALUE if is_null else Status.PRESENT


def is_too_old(as_of: pl.Expr, at: pl.Expr, ttl: timedelta | None) -> pl.Expr:
    """Whether a row is older than a view allows; false where there is none."""
    if ttl is None:
        return pl.lit(value=False)
    return (at - as_of > ttl).fill_null(value=False)


def status_expr(*, as_of: pl.Expr, at: pl.Expr, is_null: pl.Expr, ttl: timedelta | None) -> pl.Expr:
    """The same as `status_of`, a column at once."""
    return (
        pl.when(as_of.is_null() | at.is_null())
        .then(pl.lit(Status.NOT_FOUND.value, dtype=STATUS_TYPE))
        .when(is_too_old(as_of, at, ttl))
        .then(pl.lit(Status.OUTSIDE_MAX_AGE.value, dtype=STATUS_TYPE))
        .when(is_null)
        .then(pl.lit(Status.NULL_VALUE.value, dtype=STATUS_TYPE))
        .otherwise(pl.lit(Status.PRESENT.value, dtype=STATUS_TYPE))
    )
