"""The proof that features do not know the future: recompute a sample with all later events removed, and compare."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
import polars as pl

from mlpipe_assets.errors import shorten
from mlpipe_assets.resources.engine import Engine, Only
from mlpipe_assets.windows import Inputs

_KEYS = 200
_EQUAL_WITHIN = 1e-9  # relative; sums of floats may differ in their last bits with the order of rows


def sample_days(days: Sequence[date], count: int = 3) -> list[date]:
    """Up to `count` of the days, the first and the last among them, the others by the hash of their date."""
    if len(days) <= count:
        return list(days)
    inner = sorted(days[1:-1], key=lambda day: hashlib.sha256(f"{day}".encode()).digest())
    return sorted({days[0], days[-1], *inner[: count - 2]})


def sample_keys(rows: pl.DataFrame, key: str, count: int = _KEYS) -> pl.Series:
    """Up to `count` of the join keys of a frame, the same ones each time."""
    return rows.select(key).unique().sort(pl.col(key).cast(pl.String).hash(seed=7), key).head(count)[key]


def only_keys(key: str, keys: pl.Series) -> Only:
    """The condition that leaves these join keys of every table."""
    return Only(column=key, condition=f'"{key}" in ({", ".join(_literal(k) for k in keys)})')


def prove(
    engine: Engine, inputs: Inputs, rows_of_days: Mapping[date, pl.DataFrame], check_name: str
) -> dg.AssetCheckResult:
    """The check that features of sampled (key, day) do not change when everything after the day is removed.

    Args:
        engine: Runs the view's SQL.
        inputs: Where it reads from.
        rows_of_days: Feature rows as they are about to be written, of the days to sample.
        check_name: Name of the check.
    """
    view = inputs.view
    key = view.entity.join_key
    sql = inputs.catalog.read_sql(view.sql)
    differences: list[str] = []
    compared = 0
    for day, rows in rows_of_days.items():
        keys = sample_keys(rows, key)
        if not keys.len():
            continue
        stored = rows.filter(pl.col(key).is_in(keys.implode())).sort(key)
        only = only_keys(key, keys)
        alone = engine.select(sql, inputs.tables(day, day), {"start": day, "end": day}, only)
        shared = [column for column in alone.columns if column in stored.columns and column != "as_of"]
        compared += stored.height
        differences += [
            f"{day} {line}" for line in different(stored.select(shared), alone.select(shared).sort(key), key)
        ]
    return dg.AssetCheckResult(
        check_name=check_name,
        passed=not differences,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(differences):,} values change when later events are removed: {shorten(differences)}"
        if differences
        else f"{compared:,} rows of {len(rows_of_days)} days are the same with all later events removed.",
        metadata={
            "rows_compared": compared,
            "days": [f"{day}" for day in rows_of_days],
            "differences": differences[:50],
        },
    )


def different(stored: pl.DataFrame, alone: pl.DataFrame, key: str) -> list[str]:
    """Where two versions of the same rows differ, one line a column; the key is named by hash, not by value."""
    if stored.height != alone.height or not stored[key].equals(alone[key]):
        both = set(stored[key]) & set(alone[key])
        return [f"{key}: {stored.height} rows against {alone.height} recomputed, {len(both)} in both"]
    lines: list[str] = []
    for name in stored.columns:
        left, right = stored[name], alone[name].cast(stored[name].dtype, strict=False)
        same = left.eq_missing(right)
        if left.dtype.is_float():
            same = same | ((left - right).abs() <= _EQUAL_WITHIN * right.abs()).fill_null(value=False)
        if not same.all():
            rows = (~same).arg_true()
            plain = (
                left.dtype.is_numeric() or left.dtype.is_temporal() or left.dtype == pl.Boolean
            )  # no text: see quoting
            shown = f" (e.g. {left[rows[0]]} against {right[rows[0]]})" if plain and name != key else ""
            lines.append(f"{name}: {rows.len()} of {stored.height} differ{shown}")
    return lines


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
