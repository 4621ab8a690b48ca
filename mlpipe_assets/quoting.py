"""Which values of the data a message may quote: numbers and dates, and text only where its contract says so.

Messages go to reports, alerts and Dagster's database, where more people read than may see the data. A row that was shifted
by a column puts an address into `region`, so a column of text is not quoted for what it should hold.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from mlpipe_assets.rules import Column, Contract, columns
from mlpipe_assets.visible import visible

_LONGEST = 40
_LARGEST = 1_000_000_000  # from ten digits on a number may be that of a telephone or a card
_QUOTED = re.compile(r"(?<!column )(?P<mark>['\"`]).{0,2000}?(?P=mark)", re.DOTALL)
_LISTED = re.compile(r"values: \[.*", re.DOTALL)


def may_quote(column: Column) -> bool:
    """Whether values of a column may stand in a message: never personal ones, text only with `examples=True`."""
    if column.metadata.get("personal"):
        return False
    return bool(column.metadata.get("examples")) or _is_plain(column.dtype)


def quote(value: object, column: Column) -> str | None:
    """A value of a column as a message may show it; None where it may not."""
    if value is None or not may_quote(column):
        return None
    if not column.metadata.get("examples") and _is_long(value):
        return None
    return visible(str(value))[:_LONGEST]


def quote_received(values: pl.Series, column: Column) -> list[str]:
    """Those of the texts received for a column that a message may show: they read as the column's type, or are declared."""
    if not may_quote(column):
        return []
    if not column.metadata.get("examples"):
        if column.dtype.is_numeric():
            numbers = values.cast(pl.Float64, strict=False)
            values = values.filter((numbers.abs() < _LARGEST).fill_null(value=False))
        elif column.dtype.is_temporal():
            values = values.filter(values.str.contains(r"^\d{4}-\d{2}-\d{2}([T ][\d:.,]{2,18})?(Z|[+-]\d{2}:?\d{2})?$"))
        else:
            return []
    return [visible(value)[:_LONGEST] for value in values]


def labels_to_show(column: Column) -> tuple[str, ...] | None:
    """Which categories of a column pictures and notes may name: those its `isin` lists; None for all, of `examples` and of flags."""
    if column.metadata.get("personal"):
        return ()
    if column.metadata.get("examples") or column.dtype not in (pl.String, pl.Categorical):
        return None
    return column.allowed or ()


def name_key(contract: Contract, name: str, value: object) -> str:
    """A key as a message may name it: the value, or the start of its SHA-256 (`sha256(<key>)` in SQL finds the row)."""
    found: dict[str, Column] = {column.name: column for column in columns(contract)}
    shown = quote(value, found[name]) if name in found else None
    return shown or hash_name(value)


def name_entity(contract: Contract, names: Sequence[str], spelled: str) -> str:
    """An entity as a message may name it, given as `join_keys.spell_entity` spells it: `customer_id C00001, channel web`."""
    values = {names[0]: spelled} if len(names) == 1 else json.loads(spelled)
    return ", ".join(f"{name} {name_key(contract, name, values[name])}" for name in names)


def hash_name(value: object) -> str:
    """What a value is called where it may not be named; the same value is called the same everywhere."""
    return f"sha256 {hashlib.sha256(str(value).encode()).hexdigest()[:12]}"


def without_values(message: str) -> str:
    """What a library said of a value, without the value: quoted parts and lists of values are left out."""
    return _LISTED.sub("values: …", _QUOTED.sub("'…'", message))


def sought_column(error: pl.exceptions.ColumnNotFoundError) -> str:
    """Which column a function looked for, without the names it could have had: a header may be a row of data."""
    return (re.split(r"[;\[\n]", str(error), maxsplit=1)[0])[:300]


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean


def _is_long(value: Any) -> bool:  # noqa: ANN401 (a cell)
    return isinstance(value, int | float) and abs(value) >= _LARGEST and abs(value) != float("inf")
