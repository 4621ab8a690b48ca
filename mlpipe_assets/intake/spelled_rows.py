"""A row of a table, or a record of an API, as an object of JSON: each value by one spelling, so that the same row is the same bytes."""

import math
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import orjson

_KEPT = (str, bool, date, datetime, time, type(None))
_OF_64_BITS = 2**63


def spell_row(names: Sequence[str], values: Sequence[Any]) -> bytes:
    """One object on one line.

    Decimals and numbers of more than 64 bits are texts with all their digits, infinities and NaN are texts, bytes are hex
    behind a backslash and an x, and nested values stay nested.
    """
    row = {name: _plain(value) for name, value in zip(names, values, strict=True)}
    return orjson.dumps(row, default=str)


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever a driver gives)
    if isinstance(value, _KEPT):
        return value
    if isinstance(value, int):
        return value if -_OF_64_BITS <= value < _OF_64_BITS else f"{value}"
    if isinstance(value, float):
        return value if math.isfinite(value) else f"{value}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, dict):
        return {f"{name}": _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return f"{value}"
