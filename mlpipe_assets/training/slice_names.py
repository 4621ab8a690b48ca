"""Which values of slices reports, checks and cards may name."""

from collections.abc import Collection, Mapping

import polars as pl
from sqlglot import exp

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import parsed
from mlpipe_assets.quoting import hash_name, labels_to_show
from mlpipe_assets.rules import Column, columns

Named = Mapping[str, tuple[str, ...] | None]  # by slice column: the values to name, None for all of them


def nameable(catalog: Catalog, model: Model) -> Named:
    """Of each column that slices may have, the values that may be named: what contracts let be named of a column so called.

    Every slice may be called by a text that its SQL spells out, such as `'unknown'`: that is code and no data; those are
    under `""`. The contract of the features goes before those of the sources.
    """
    if model.slices is None:
        return {}
    contracts = [model.view.contract, *(catalog.source(name).contract for name in model.inputs)]
    found: dict[str, Column] = {}
    for contract in contracts:
        for column in columns(contract):
            if column.name not in found or column.metadata.get("personal"):
                found[column.name] = column
    literals = parsed(catalog.read_sql(model.slices), model.slices).find_all(exp.Literal)
    spelt = sorted({one.this for one in literals if one.is_string})
    return {"": tuple(spelt), **{name: labels_to_show(column) for name, column in found.items()}}


def name_slices(slices: pl.DataFrame, named: Named) -> pl.DataFrame:
    """Slice columns as text, each value as messages may name it: itself, or the start of its SHA-256 (`sha256(…)` in SQL).

    The same value is called the same on every day and in every set. Numbers and flags are named, unless they
    are personal.
    """
    spelt = named.get("") or ()
    found = []
    for name, dtype in slices.schema.items():
        shown = named.get(name, () if dtype == pl.String else None)
        texts = slices[name].cast(pl.String)
        found.append(texts if shown is None else _hide(texts, {*shown, *spelt}))
    return pl.DataFrame(found)


def _hide(texts: pl.Series, shown: Collection[str]) -> pl.Series:
    hidden = {text: hash_name(text) for text in texts.drop_nulls().unique() if text not in shown}
    return texts.replace(hidden) if hidden else texts
