"""Whether a text is one JSON object that every engine can read."""

import json
import re
from typing import Any, Never

JSON_BLANKS = " \t\r\n"
_TOO_DEEP = "nested too deeply"
_LOOSE = {blank: re.compile(f"{blank}:") for blank in JSON_BLANKS}  # far faster than `in`, and than one set of all
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


def is_tight(text: str, blanks: str = JSON_BLANKS) -> bool:
    """Whether none of the blanks stands before a colon, so that every key of the text ends in `":`."""
    return not any(blank in text and _LOOSE[blank].search(text) for blank in blanks)


def refusal_of_value(value: object, text: str, *, tight: bool | None = None) -> str | None:
    """Why a well-formed JSON value is no record: not an object, ambiguous, nested too deeply, or half a character.

    Args:
        value: The value.
        text: What it was read from.
        tight: Whether the text is known to be tight; None looks.
    """
    if not isinstance(value, dict):
        return "not a JSON object"
    # Texts may hold `":` too, so there are at least as many as keys: as many as there are different keys, and none stands twice.
    marks = text.count('":')
    once = (marks == len(value) or marks == _count_keys(value)) and (is_tight(text) if tight is None else tight)
    if not once and (name := _repeated_key(text)) is not None:
        return f"the key {name[:40]!r} stands twice"
    nested = len(text) > 2 * MAX_DEPTH and ("{" in text[1:] or "[" in text)
    if nested and text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        return _TOO_DEEP
    if "\\u" in text and _SURROGATE.search(text) and not _is_encodable(value):
        return "a lone surrogate: half of a character, which other engines cannot read"
    return None


def _count_keys(value: dict[str, object]) -> int:
    """Keys of an object and of all objects in it."""
    count = 0
    left: list[Any] = [value]
    for item in left:
        inner = item
        if isinstance(item, dict):
            count += len(item)
            inner = item.values()
        left += [one for one in inner if isinstance(one, (dict, list))]
    return count


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
