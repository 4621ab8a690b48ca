"""The running totals of a declared view: what a day can keep so that the next one need not read its whole window."""

from functools import cache

import polars as pl

from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.view_sql.text import text_of


@cache
def held_schema(catalog: Catalog, view: FeatureView) -> dict[str, pl.DataType]:
    """The columns of a view's running totals, as a day keeps them for the next one; empty where it keeps none."""
    text = text_of(catalog, view)
    if not text.held:
        return {}
    given = columns_of(catalog.source(view.source).contract)[0]
    kinds = {"bigint": pl.Int64(), "date": pl.Date()}
    totals = {
        name: kinds.get(kind) or pl.Decimal(38, int(kind.rpartition(" ")[2][:-1])) for name, kind in text.held.items()
    }
    return {**{key: given[key] for key in view.entity.join_keys}, **totals}


@cache
def kept_as(catalog: Catalog, view: FeatureView) -> dict[str, str]:
    """By column of the totals the column of the rows that holds it: a feature that is the same number, or one of its own."""
    return text_of(catalog, view).kept_as()


@cache
def days_needed(catalog: Catalog, view: FeatureView) -> tuple[tuple[int, ...], int]:
    """With totals of the day before: lengths of windows whose leaving days are read, and of the longest that is read whole."""
    return text_of(catalog, view).reading()
