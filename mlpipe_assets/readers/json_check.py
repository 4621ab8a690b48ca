"""Whether a text is one JSON object that every engine can read."""

import json
import re
from typing import Never

JSON_BLANKS = " \t\r\n"
_TOO_DEEP = "nested too deeply"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


MAX_DEPTH = 100
"""Deeper nesting is refused: engines give up at 128 (polars) or where their stack happens to end (Python)."""


class NotFiniteError(ValueError):
    """NaN or an infinity, which JSON does not have."""


def _refuse_constant(name: str) -> Never:
    raise NotFiniteError(name)


DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)
"""Numbers stay text: nothing is rounded, and no number is too long to be judged."""


def refusal(text: str) -> str | None:
    """Why a text without blanks around it is not one JSON object; None if it is."""
    try:
        value, end = DECODER.raw_decode(text)
    except (json.JSONDecodeError, NotFiniteError, RecursionError) as error:
        return explain(error)
    return "text after the end of the object" if end < len(text) else refusal_of_value(value, text)


def explain(error: Exception) -> str:
    """The reason for a failed parse, without any of the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
    if isinstance(error, NotFiniteError):
        return f"not JSON: {error}"
    return _TOO_DEEP


def refusal_of_value(value: object, text: str) -> str | None:
    """Why a well-formed JSON value is no record: not an object, ambiguous, nested too deeply, or half a character."""
    if not isinstance(value, dict):
        return "not a JSON object"
    if (
        text.count('":') != len(value) and (name := _repeated_key(text)) is not None
    ):  # of a flat object it is the number of keys
        return f"the key {name[:40]!r} stands twice"
    nested = len(text) > 2 * MAX_DEPTH and ("{" in text[1:] or "[" in text)
    if nested and text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        return _TOO_DEEP
    if "\\u" in text and _SURROGATE.search(text) and not _is_encodable(value):
        return "a lone surrogate: half of a character, which other engines cannot read"
    return None


class _RepeatedKeyError(ValueError):
    """A key that an object has more than once: readers disagree on which value counts."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKeyError(next(name for name in names if names.count(name) > 1))
    return found


_KEYS = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_once)


def _repeated_key(text: str) -> str | None:
    """A key that stands twice in an object of a sound JSON text, at any depth; None when there is none."""
    try:
        _KEYS.raw_decode(text)
    except _RepeatedKeyError as error:
        return str(error)
    except RecursionError:  # too deep to look at, and refused for it
        return None
    return None


def _is_deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        inner: list[object] = []
        for item in layer:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        layer = [item for item in inner if isinstance(item, dict | list)]
    return bool(layer)


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
