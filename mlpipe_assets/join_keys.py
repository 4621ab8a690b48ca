"""The columns that identify an entity, taken together: one column for most entities, several for a pair of things."""

from collections.abc import Sequence

import polars as pl


def hash_entity(keys: Sequence[str], *, seed: int) -> pl.Expr:
    """A stable hash of an entity. Values of several columns are never joined to one text, in which two entities could be one."""
    return pl.col(keys[0]).hash(seed=seed) if len(keys) == 1 else pl.struct(*keys).hash(seed=seed)


def number_entities(rows: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """What says which rows are of one entity: the key itself, or a number in the order of the keys."""
    if len(keys) == 1:
        return rows[keys[0]]
    numbered = rows.select(keys).unique().sort(keys, nulls_last=True).with_row_index("_entity")
    return rows.select(keys).join(numbered, on=list(keys), how="left", nulls_equal=True, maintain_order="left")[
        "_entity"
    ]


def spell_entity(keys: Sequence[str]) -> pl.Expr:
    """An entity as one text: its key, or a JSON object of its keys, in which no two entities are the same text."""
    return pl.col(keys[0]).cast(pl.String) if len(keys) == 1 else pl.struct(*keys).struct.json_encode()


def of_entities(rows: pl.DataFrame, wanted: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Rows of some entities, in their order; `wanted` has a row for each, whose keys may be of other types."""
    cast = wanted.select(pl.col(key).cast(rows.schema[key], strict=False) for key in keys).unique()
    return rows.join(cast, on=list(keys), how="semi", maintain_order="left")
