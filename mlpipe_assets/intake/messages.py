"""A message of a topic or a stream as one record: its value as a JSON object, and what it says beside that as members of it."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import orjson

from mlpipe_assets.intake.spooled import Spooling
from mlpipe_assets.readers.blocks import as_received
from mlpipe_assets.readers.json_check import refusal

Decode: TypeAlias = Callable[[bytes], str]
"""A value as a JSON object on one line. Raises: NoRecordError when it is none."""


class NoRecordError(Exception):
    """Why the value of a message is no record."""


def from_json(value: bytes) -> str:
    """The JSON object that a value is.

    Raises: NoRecordError.
    """
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        raise NoRecordError("not UTF-8") from None
    if reason := refusal(text):
        raise NoRecordError(reason)
    return text.replace("\n", " ").replace("\r", " ")  # between values: within a text JSON has neither


def spool_message(value: bytes, beside: Mapping[str, object], number: int, out: Spooling, decode: Decode) -> None:
    """Write a message down as a record, or as what is none with the reason.

    Args:
        value: What was sent.
        beside: Members to add; a name that the value has, too, wins there.
        number: Of the record.
        out: Where to.
        decode: Reads the value.
    """
    try:
        record = decode(value)
    except NoRecordError as error:
        out.refuse(number, as_received(value), f"{error}")
        return
    if added := orjson.dumps(beside).decode()[1:-1]:
        inner = record[1:].lstrip()
        record = f"{{{added}{'' if inner.startswith('}') else ','}{inner}"
    out.add(number, record.encode())
