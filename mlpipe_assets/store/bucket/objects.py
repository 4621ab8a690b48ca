"""Objects in a bucket of object storage: S3 and what speaks like it, Google Cloud Storage, Azure.

A tag is what the server makes of an object; S3 makes it of the content alone. Each write that depends on what is there
carries a number drawn for it, kept beside the object: when the answer is lost, the number tells whether the object that
is there now is the one that was written.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError

from mlpipe_assets.store.bucket.address import BucketAddress
from mlpipe_assets.store.bucket.client import PATIENT, Client, Patience, open_client
from mlpipe_assets.store.bucket.errors import KNOWN, explain, explaining, is_outside
from mlpipe_assets.store.bucket.names import Names, above_of
from mlpipe_assets.store.leases import Lease, is_dead_process, take_lease
from mlpipe_assets.store.objects import (
    ABSENT,
    ANY,
    Condition,
    Found,
    Head,
    MissingError,
    StoreError,
    Streamed,
    UnreachableError,
    UnsupportedError,
    check_key,
    check_part,
    check_prefix,
    conflict,
    in_the_way,
    is_reserved,
    no_file,
)

_NONCE = "nonce"
_ATTEMPTS = 4  # of a write whose answer was lost, or that the server wants again
_PAUSE = 0.1  # seconds before the second attempt; twice as many before each further one
_BLOCK = 8 << 20  # bytes of a part of a stream; with those under way at once, what a stream takes of memory
_BLOCKS = 4
_BRISK = Patience(seconds=15.0, retries=1)  # of what must not come late


class _Put(NamedTuple):
    """The object that is there: its tag, and the number of the write that made it."""

    tag: str
    nonce: str | None


@dataclass(kw_only=True)
class BucketObjects:
    """Objects below a prefix of a bucket, for any number of machines.

    Attributes:
        address: Which bucket, where in it, and how to get in.
        patience: How long a request may take.
    """

    address: BucketAddress
    patience: Patience = PATIENT
    _client: Client = field(init=False, repr=False)
    _names: Names = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = open_client(self.address, self.patience)
        self._names = Names(is_object=self._is_object, has_below=self._has_below)

    def expect_bucket(self) -> None:
        """Make sure that the bucket is there and lets this user in: elsewhere one that is not looks like an empty one.

        Raises: StoreError.
        """
        with explaining(f"{self.address}"):
            next(iter(obstore.list(self._client, chunk_size=1)), None)

    def locate(self, key: str) -> str:
        """The address of an object, without its server.

        Raises: UnsupportedError also for a backslash, of which some servers make a slash.
        """
        if "\\" in key:
            reason = "a backslash cannot be in the name of an object"
            raise UnsupportedError(f"{key[:200]!r} cannot be used: {reason}.", reason=reason)
        return f"{self.address}/{check_key(key)}"

    def get(self, key: str, part: slice | None = None) -> Found:
        """An object, or a part of it."""
        where = self.locate(key)
        wanted = slice(None) if part is None else check_part(part)
        if wanted.stop is not None and wanted.stop == (wanted.start or 0):
            return Found(content=b"", tag=self.get(key, slice(0, 1)).tag)
        try:
            return self._get(key, _spell_part(wanted))
        except KNOWN as error:
            if is_outside(error):  # of an object that is shorter: what a slice makes of it
                found = self.get(key)
                return Found(content=found.content[wanted], tag=found.tag)
            problem = explain(error, where)
        if isinstance(problem, MissingError) and self._has_below(key):
            raise no_file(where)
        raise problem

    def get_if_changed(self, key: str, tag: str) -> Found | None:
        """An object, or None while it has a tag."""
        if self.address.scheme == "gs":  # its tags are no e-tags
            there = self.head(key)
            return None if there and there.tag == tag else self.get(key)
        where = self.locate(key)
        with explaining(where):
            try:
                return self._get(key, {"if_none_match": tag} if tag else {})
            except NotModifiedError:
                return None

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = ANY) -> str:
        """Write an object whole, and return its tag.

        Raises: ConflictError also for a write of ours whose answer was lost and that another has replaced since.
        """
        where = self.locate(key)
        if not isinstance(if_match, str):  # a version that is replaced has its name already
            self._expect_room(key)
        tag = self._put_any(key, content, where) if if_match is ANY else self._put_if(key, content, if_match, where)
        self._names.add(key)
        return tag

    def put_stream(self, key: str, blocks: Iterable[bytes]) -> Streamed:
        """Write an object block by block, without holding it. When the blocks raise, nothing was written."""
        where = self.locate(key)
        self._expect_room(key)
        digest, size = hashlib.sha256(), 0
        with explaining(where):
            writer = obstore.open_writer(self._client, key, buffer_size=_BLOCK, max_concurrency=_BLOCKS)
        try:
            for block in blocks:
                digest.update(block)
                size += len(block)
                with explaining(where):
                    writer.write(block)
        except BaseException as error:
            with suppress(*KNOWN):  # parts that are under way cannot be called back; the first error counts
                writer.__exit__(type(error), error, error.__traceback__)
            raise
        with explaining(where):
            writer.close()
            tag = self._tag(self._client.head(key))
        self._names.add(key)
        return Streamed(tag=tag, sha256=digest.hexdigest(), size=size)

    def head(self, key: str) -> Head | None:
        """What is known of an object without reading it; None when there is none."""
        with explaining(self.locate(key)):
            try:
                found = self._client.head(key)
            except FileNotFoundError:
                return None
            return self._head(found)

    def list(self, prefix: str = "") -> Sequence[Head]:
        """All objects below a prefix, by key.

        What other tools make to show a folder, an empty object that bears its name, is none.
        """
        check_prefix(prefix)
        with explaining(self.locate(prefix) if prefix else f"{self.address}"):
            found = [self._head(meta) for page in obstore.list(self._client, prefix or None) for meta in page]
        folders = {above for head in found for above in above_of(head.key)}
        heads = [head for head in found if not is_reserved(head.key.rpartition("/")[2])]
        return sorted((head for head in heads if head.size or head.key not in folders), key=lambda head: head.key)

    def delete(self, key: str) -> None:
        """Take an object away, if it is there."""
        with explaining(self.locate(key)), suppress(FileNotFoundError):
            self._client.delete(key)
        self._names.forget(key)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Take objects away, those that are there: up to a thousand by one request, where the server can do that.

        None is sent later than half a minute after the call, whatever the server does: a removal that comes late would take
        what others have written since.
        """
        wanted = [*keys]
        for key in wanted:
            self.locate(key)
        brisk = open_client(self.address, _BRISK)
        with explaining(f"{self.address}"):
            try:
                obstore.delete(brisk, wanted)
            except FileNotFoundError:  # of a server that takes one at a time, and says so of each
                for key in wanted:
                    with suppress(FileNotFoundError):
                        obstore.delete(brisk, key)
        for key in wanted:
            self._names.forget(key)

    def lease(self, key: str, ttl: float) -> Lease:
        """Be the only one who holds a key. A holder whose process has ended on this machine is not waited for."""
        return take_lease(self, key, ttl, is_dead=is_dead_process)

    def _get(self, key: str, options: dict[str, Any]) -> Found:
        result = self._client.get(key, options=options)  # type: ignore[arg-type]
        return Found(content=result.bytes().to_bytes(), tag=self._tag(result.meta))

    def _put_any(self, key: str, content: bytes | memoryview, where: str) -> str:
        with explaining(where):
            return self._tag(self._client.put(key, content, chunk_size=_BLOCK, max_concurrency=_BLOCKS))

    def _put_if(self, key: str, content: bytes | memoryview, if_match: str | Condition, where: str) -> str:
        """Write on a condition: again while nobody can tell, under the same number, and never over what another wrote."""
        nonce, pause = secrets.token_hex(16), _PAUSE
        mode: Any = "create" if if_match is ABSENT else self._version(f"{if_match}")
        problem: StoreError = _unsettled(where)
        for _ in range(_ATTEMPTS):
            try:
                return self._tag(self._client.put(key, content, mode=mode, attributes={_NONCE: nonce}))
            except (AlreadyExistsError, PreconditionError) as error:
                found, refused, lost = explain(error, where), True, False
            except KNOWN as error:
                found = explain(error, where)
                refused = isinstance(found, MissingError)
                lost = isinstance(found, UnreachableError)
            if not (refused or lost):
                raise found
            there = self._look(key, where)
            if there and there.nonce == nonce:
                return there.tag
            if refused and (there or if_match is not ABSENT):
                raise conflict(where)
            problem = _unsettled(where) if refused else found  # a server that is busy with another write says so too
            time.sleep(pause)
            pause *= 2
        raise problem

    def _look(self, key: str, where: str) -> _Put | None:
        with explaining(where):
            try:
                found = self._client.get(key, options={"head": True})
            except FileNotFoundError as error:
                problem = explain(error, where)
            else:
                return _Put(tag=self._tag(found.meta), nonce=found.attributes.get(_NONCE))
        if isinstance(problem, MissingError):
            return None
        raise problem

    def _expect_room(self, key: str) -> None:
        if not self._names.has_room(key):
            raise in_the_way(self.locate(key))

    def _is_object(self, key: str) -> bool:
        return self.head(key) is not None

    def _has_below(self, key: str) -> bool:
        with explaining(self.locate(key)):
            return any(obstore.list(self._client, key, chunk_size=1))

    def _head(self, meta: Any) -> Head:  # noqa: ANN401 (a typed dict that exists for type checkers only)
        return Head(key=meta["path"], tag=self._tag(meta), size=meta["size"], modified=meta["last_modified"])

    def _tag(self, meta: Any) -> str:  # noqa: ANN401 (as above)
        """What tells two versions of an object apart; Google counts them, but not in a list."""
        counted = meta.get("version") if self.address.scheme == "gs" else None
        return f"{counted or meta.get('e_tag') or ''}"

    def _version(self, tag: str) -> dict[str, str]:
        return {"version" if self.address.scheme == "gs" else "e_tag": tag}


def _spell_part(part: slice) -> dict[str, Any]:
    start = part.start or 0
    if start < 0:
        return {"range": {"suffix": -start}}
    if part.stop is not None:
        return {"range": (start, part.stop)}
    return {"range": {"offset": start}} if start else {}


def _unsettled(where: str) -> UnreachableError:
    return UnreachableError(
        f"{where}: the object storage keeps answering that another write is under way. Nothing was changed here; run again.",
        reason="another write is under way",
    )
