"""What a pushed row says of its request, so that the same request sent again brings no second row, whoever died in between.

The mark is the first member of the row's own object, so row and mark are on the disk together or not at all. Interim passes it
over, as it does every name that no contract has.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from mlpipe_assets.serving.answers import BadRequestError

NAME = "_push"
WINDOW = 86_400.0  # seconds that a request is remembered
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MARKED = re.compile(rb'\{"_push":"([A-Za-z0-9._-]{1,64}) (\d{1,6})/(\d{1,6})",')
_MOST = 1_000_000  # requests remembered: some 300 bytes each


def check_key(given: bytes | None) -> str:
    """The value of an Idempotency-Key header; empty without one. Raises: BadRequestError."""
    if given is None:
        return ""
    text = given.decode("latin-1")
    if not _KEY.fullmatch(text):
        raise BadRequestError(
            "The header Idempotency-Key is not 1 to 64 letters, digits, dots, dashes and underscores, such as a UUID."
        )
    return text


def mark(key: str, payloads: Sequence[str]) -> list[bytes]:
    """Rows as they are written: with the request they are of, where it has a key."""
    count = len(payloads)
    if not key:
        return [payload.encode() for payload in payloads]
    return [f'{{"{NAME}":"{key} {n}/{count}",{payload[1:]}'.encode() for n, payload in enumerate(payloads, 1)]


@dataclass(kw_only=True)
class _Request:
    """A request as far as its rows are known: digests by the number of the row."""

    at: float
    count: int
    rows: dict[int, bytes] = field(default_factory=dict)


@dataclass(kw_only=True)
class Marks:
    """The requests of the last day to one source, for the threads of one process."""

    _requests: OrderedDict[str, _Request] = field(default_factory=OrderedDict)
    _turn: Lock = field(default_factory=Lock)

    def note(self, line: bytes, at: float) -> None:
        """Remember what a row that was written says of its request, and when, in seconds since 1970."""
        found = _MARKED.match(line)
        if found is None or time.time() - at > WINDOW:
            return
        key, number, count = found[1].decode(), int(found[2]), int(found[3])
        digest = _digest(b"{" + line[found.end() :])
        with self._turn:
            request = self._requests.get(key)
            if request is None or request.count != count:
                request = self._requests[key] = _Request(at=at, count=count)
            request.rows[number] = digest
            while len(self._requests) > _MOST or next(iter(self._requests.values())).at < time.time() - WINDOW:
                self._requests.popitem(last=False)

    def find_missing(self, key: str, payloads: Sequence[str]) -> list[int]:
        """Which rows of a request, counted from 0, are not written yet: all of a new one, none of one sent again.

        Raises: BadRequestError when other rows came under its key.
        """
        with self._turn:
            request = self._requests.get(key) if key else None
            written = dict(request.rows) if request else {}
        if request is None:
            return list(range(len(payloads)))
        digests = {number: _digest(payload.encode()) for number, payload in enumerate(payloads, 1)}
        if request.count != len(payloads) or any(digests[number] != found for number, found in written.items()):
            raise BadRequestError("Other rows came under this Idempotency-Key. Send these under a new one.")
        return [number - 1 for number in digests if number not in written]


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()
