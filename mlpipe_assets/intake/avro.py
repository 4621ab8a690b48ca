"""Avro messages as JSON objects: by the schema that a feed declares, or by the one of a registry that each message names."""

import json
import os
import struct
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from mlpipe_assets.errors import spell_count
from mlpipe_assets.intake.http_pages import PATIENCE, TIMEOUT
from mlpipe_assets.intake.messages import NoRecordError
from mlpipe_assets.intake.spelled_rows import spell_row
from mlpipe_assets.intake.spooled import NotGivenError

_WIRE = struct.Struct(">bI")  # a zero, and the number of the schema; its bytes come after it
_NOT_BY_IT = (ArithmeticError, EOFError, LookupError, RecursionError, struct.error, TypeError, ValueError)
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_ABSENT = 404


def parse_schema(text: str, named: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 (whatever the library makes of it)
    """A schema of Avro.

    Args:
        text: Its JSON.
        named: Types that it may name; those that it defines are added.

    Raises: ValueError when it is none; ImportError where the library is not installed.
    """
    avro = import_module("fastavro")
    try:
        return avro.parse_schema(json.loads(text), named_schemas={} if named is None else named)
    except (KeyError, TypeError, avro.schema.SchemaParseException, avro.schema.UnknownType) as error:
        raise ValueError(f"{error}") from error


def read_value(schema: Any, value: bytes) -> str:  # noqa: ANN401 (as above)
    """The record that bytes are by a schema, as JSON; dates and times by their logical types, decimals with all digits.

    Raises: NoRecordError.
    """
    stream = BytesIO(value)
    try:
        row = import_module("fastavro").schemaless_reader(stream, schema, None)
        if not isinstance(row, dict):
            raise NoRecordError("its schema is none of a record")
        record = spell_row([*row], [*row.values()]).decode()
    except _NOT_BY_IT as error:
        raise NoRecordError(f"does not fit its schema ({type(error).__name__})") from None
    if left := len(value) - stream.tell():
        raise NoRecordError(f"does not fit its schema: {spell_count(left, 'byte')} are left over")
    return record


@dataclass(kw_only=True)
class SchemaRegistry:
    """Messages in Confluent's wire format, and the registry that has their schemas.

    Attributes:
        variable: Name of the environment variable with its address.
    """

    variable: str
    _known: dict[int, Any] = field(default_factory=dict)  # what a number stands for never changes

    def decode(self, value: bytes) -> str:
        """The record of a message.

        Raises: NoRecordError; NotGivenError while the registry does not answer.
        """
        if len(value) < _WIRE.size or value[0]:
            raise NoRecordError(
                "does not begin with a zero and the number of a schema, as Confluent's wire format does"
            )
        _, number = _WIRE.unpack_from(value)
        if number not in self._known:
            self._known[number] = self._fetch(number)
        schema = self._known[number]
        if isinstance(schema, NoRecordError):
            raise NoRecordError(
                *schema.args
            )  # a new one: an error that is raised again keeps every place it was raised at
        return read_value(schema, value[_WIRE.size :])

    def _fetch(self, number: int) -> Any:  # noqa: ANN401 (a schema of the library, or why there is none)
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=PATIENCE))
            session.mount("http://", HTTPAdapter(max_retries=PATIENCE))
            found = self._ask(session, f"schemas/ids/{number}")
            if found is None:
                return NoRecordError(f"the registry has no schema {number}")
            if (kind := found.get("schemaType", "AVRO")) != "AVRO":
                return NoRecordError(f"its schema {number} is {str(kind)[:20]}, not Avro")
            try:
                return self._parse(session, found, {})
            except ValueError:
                return NoRecordError(f"its schema {number} is none of Avro")

    def _parse(self, session: requests.Session, found: dict[str, Any], named: dict[str, Any]) -> Any:  # noqa: ANN401 (as above)
        """A schema, once those that it refers to are known."""
        for other in found.get("references") or ():
            where = f"subjects/{quote(other['subject'], safe='')}/versions/{other['version']}"
            if (referred := self._ask(session, where)) is None:
                raise ValueError("refers to a schema that is not there")
            self._parse(session, referred, named)
        return parse_schema(found["schema"], named)

    def _ask(self, session: requests.Session, path: str) -> dict[str, Any] | None:
        """What the registry says; None where it has nothing by that name. Raises: NotGivenError."""
        try:
            answer = session.get(f"{self._address()}/{path}", timeout=TIMEOUT, allow_redirects=False)
            if answer.status_code == _ABSENT:
                return None
            found = answer.json() if answer.ok else None
        except requests.RequestException as error:
            raise NotGivenError(f"the registry of {self.variable} does not answer ({type(error).__name__})") from None
        if not isinstance(found, dict) or not isinstance(found.get("schema"), str):
            raise NotGivenError(f"the registry of {self.variable} answers {answer.status_code}, without a schema")
        return found

    def _address(self) -> str:
        address = os.environ.get(self.variable, "").strip().rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotGivenError(f"the variable {self.variable} is not set: it holds the registry, as https://HOST:8081")
        if parts.password and parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            raise NotGivenError(
                f"{self.variable} has a password in it, which is sent over https or to this machine only"
            )
        return address
