"""Small documents on a store: a record is one JSON document, a log is lines of JSON that are only added to."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mlpipe_assets.errors import LakeError, MlpipeError
from mlpipe_assets.store.objects import (
    ABSENT,
    Condition,
    ConflictError,
    Found,
    MissingError,
    Objects,
    StoreError,
)

T = TypeVar("T")
# What reading and parsing raise on a document that is cut short, is not what it should be, or is of another shape.
_UPGRADE = "Upgrade mlpipe_assets here: it is sound, and must not be deleted."
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, MlpipeError)


@dataclass(frozen=True, kw_only=True)
class Record(Generic[T]):
    """One JSON document under a key.

    Attributes:
        parse: What the document stands for; it may raise any of `UNREADABLE`.
        cure: What to do when it cannot be read: the end of the error.
    """

    objects: Objects
    key: str
    parse: Callable[[Any], T]
    cure: str = ""

    def read(self) -> T | None:
        """What the document stands for; None when there is none.

        Raises: LakeError, ending in the cure, when it is not JSON or lacks what `parse` needs.
        """
        found = _find(self.objects, self.key, self.cure)
        return None if found is None else self._parsed(found)

    def write(self, document: object) -> None:
        """Replace the document, whole."""
        self.objects.put(self.key, spell_document(document))

    def change(self, make: Callable[[T | None], object]) -> None:
        """Replace the document by what `make` makes of the present one, again where another process was faster."""
        _replace(
            self.objects,
            self.key,
            self.cure,
            lambda found: spell_document(make(None if found is None else self._parsed(found))),
        )

    def delete(self) -> None:
        """Take the document away, if there is one."""
        self.objects.delete(self.key)

    def _parsed(self, found: Found) -> T:
        try:
            return self.parse(json.loads(found.content))
        except UNREADABLE as error:
            raise _unreadable(self.objects, self.key, error, self.cure) from error


@dataclass(frozen=True, kw_only=True)
class Log(Generic[T]):
    """Lines of JSON under a key.

    Attributes:
        parse: What a line stands for; it may raise any of `UNREADABLE`.
        cure: What to do when a line cannot be read: the end of the error.
    """

    objects: Objects
    key: str
    parse: Callable[[Any], T]
    cure: str = ""

    def read(self) -> list[T]:
        """What each line stands for, the oldest first.

        Raises: LakeError that names the first line that is damaged, ending in the cure.
        """
        found = _find(self.objects, self.key, "Let this user read it.")
        lines = found.content.splitlines() if found else []
        return [self._parsed(number, line) for number, line in enumerate(lines, start=1) if line.strip()]

    def append(self, documents: Iterable[object]) -> None:
        """Add a line for each document. A last line that was left open stays a line of its own."""
        new = "".join(json.dumps(document) + "\n" for document in documents).encode()

        def extend(found: Found | None) -> bytes:
            old = found.content if found else b""
            return (old + b"\n" if old and not old.endswith(b"\n") else old) + new

        _replace(self.objects, self.key, self.cure, extend)

    def _parsed(self, number: int, line: bytes) -> T:
        try:
            return self.parse(json.loads(line.decode()))
        except UNREADABLE as error:
            reason = (
                f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else spell_reason(error)
            )
            raise LakeError(
                f"{self.objects.locate(self.key)} cannot be read: line {number}: {reason}. {self.cure}"
            ) from error


class NewerFormatError(ValueError):
    """A document that a newer version wrote, and that this one must leave as it is."""


def expect_format(found: object, known: int) -> None:
    """Make sure that this version knows the format of a document.

    Raises: NewerFormatError for a newer one, ValueError for what is none.
    """
    if isinstance(found, int) and found > known:
        raise NewerFormatError(f"its format {found} is of a newer version of mlpipe_assets")
    if found != known:
        raise ValueError("its format is none that we know")


def spell_unreadable(where: str, error: BaseException, cure: str) -> str:
    """That a document cannot be read, why, and what to do; of a newer version never that it may go."""
    return f"{where} cannot be read: {spell_reason(error)}. {_UPGRADE if isinstance(error, NewerFormatError) else cure}".rstrip()


def list_documents(objects: Objects, folder: str, ending: str = ".json") -> list[str]:
    """The names, without their ending, of what is kept in a folder itself, in order."""
    return list(list_tags(objects, folder, ending))


def list_tags(objects: Objects, folder: str, ending: str = ".json") -> dict[str, str]:
    """The same, each with the tag of its document."""
    found = (head for head in objects.list(folder) if head.key.endswith(ending))
    return {
        head.key.removesuffix(ending).removeprefix(f"{folder}/"): head.tag
        for head in found
        if head.key.rpartition("/")[0] == folder
    }


def spell_document(document: object) -> bytes:
    """A document as it is kept: by lines, so that a person can read it and `diff` compares it."""
    return json.dumps(document, indent=1, sort_keys=True, default=str).encode() + b"\n"


def spell_reason(error: BaseException) -> str:
    """Why a document cannot be read, in one short line without a full stop."""
    if isinstance(error, StoreError):
        return error.reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, (TypeError, AttributeError, IndexError)):
        return "it does not hold what is written there"
    return (f"{error}".strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _find(objects: Objects, key: str, cure: str) -> Found | None:
    try:
        return objects.get(key)
    except MissingError:
        return None
    except StoreError as error:
        raise _unreadable(objects, key, error, cure) from error


def _replace(objects: Objects, key: str, cure: str, make: Callable[[Found | None], bytes]) -> None:
    while True:
        found = _find(objects, key, cure)
        condition: str | Condition = found.tag if found else ABSENT
        try:
            objects.put(key, make(found), condition)
        except ConflictError:
            continue
        return


def _unreadable(objects: Objects, key: str, error: BaseException, cure: str) -> LakeError:
    return LakeError(spell_unreadable(objects.locate(key), error, cure))
