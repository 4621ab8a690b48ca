"""Small files that are read whole, JSON or Parquet, and what to say of one that cannot be read."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from mlpipe_assets.errors import LakeError, MlpipeError

_T = TypeVar("_T")
# What reading and parsing raise on a file that is cut short, is not what it should be, or is of another shape.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, MlpipeError)


def read_json(path: Path, parse: Callable[[Any], _T], *, cure: str) -> _T | None:
    """What `parse` makes of a small JSON file; None when there is no such file.

    Raises: LakeError, ending in the cure, when it is not JSON or `parse` does not find in it what it needs.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        raise LakeError(f"{path} cannot be read: {spell_reason(error)}. {cure}") from error


def read_table(path: Path, needed: Sequence[str], *, cure: str) -> pl.DataFrame | None:
    """A small Parquet table; None when there is no such file.

    Raises: LakeError, ending in the cure, when it is not Parquet or lacks a needed column.
    """
    try:
        frame = pl.read_parquet(path.read_bytes(), hive_partitioning=False)
    except FileNotFoundError:
        return None
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise LakeError(f"{path} cannot be read: {spell_reason(error)}. {cure}") from error
    if lacking := [name for name in needed if name not in frame.columns]:
        raise LakeError(f"{path} cannot be read: it has no column {', '.join(lacking)}. {cure}")
    return frame


def spell_reason(error: BaseException) -> str:
    """Why a file cannot be read, in one short line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, (TypeError, AttributeError, IndexError)):
        return "it does not hold what is written there"
    return (f"{error}".strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
