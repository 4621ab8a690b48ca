"""What goes wrong with object storage, in words: of which object, why, and what to do.

Texts of the library hold the server's address and all that it answered, which may include parts of a signature. So of
those only the number and the code of the answer are shown.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from mlpipe_assets.store.objects import (
    DeniedError,
    FullError,
    StoreError,
    UnreachableError,
    UnsupportedError,
    missing,
)

KNOWN = (BaseError, FileNotFoundError, OSError, ValueError, NotImplementedError)  # all that obstore raises
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KIND = re.compile(r"kind: (\w+)")
_KINDS = {"Connect": "no connection", "Timeout": "no answer in time", "Decode": "the answer broke off"}
_REFUSED, _FULL, _OUTSIDE = (401, 403), 507, 416
_FULL_CODES = ("QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_LATER = (408, 409, 429)


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Let no error of the library out: its text and its cause show more than they should.

    Raises: StoreError of the object.
    """
    try:
        yield
    except StoreError:
        raise
    except KNOWN as error:
        raise explain(error, where) from None


def explain(error: Exception, where: str) -> StoreError:
    """The error of an object, for one of the library."""
    text = f"{error}"
    status, code = status_of(error), _find(_CODE, text)
    said = " ".join(filter(None, (f"{status or ''}", code))) or _KINDS.get(_find(_KIND, text), "no answer")
    if code in _NO_BUCKET:
        return StoreError(
            f"The bucket of {where} does not exist. Is MLPIPE_DATA_DIR right? Make the bucket, then run again.",
            reason="there is no such bucket",
        )
    if isinstance(error, FileNotFoundError) and code != "NoSuchUpload":
        return missing(where)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or status in _REFUSED:
        return DeniedError(
            f"{where}: the object storage refuses this user ({said}). Check the credentials, and that they may list, read, "
            "write and delete there.",
            reason=f"refused, {said}",
        )
    if status == _FULL or code in _FULL_CODES or "No space left" in text:
        return FullError(
            f"No space left to write {where}. Nothing was replaced; free some space and run again.",
            reason="no space left",
        )
    if isinstance(error, (UnicodeError, InvalidPathError, NotSupportedError, NotImplementedError)):
        reason = "the object storage cannot serve it"
        return UnsupportedError(f"{where!r} cannot be used: {reason}.", reason=reason)
    if status and status not in _LATER and 300 <= status < 500 and code != "NoSuchUpload":  # noqa: PLR2004 (the numbers of HTTP)
        return StoreError(
            f"{where}: the object storage does not take the request ({said}). Check its region and its address.",
            reason=f"refused, {said}",
        )
    return UnreachableError(
        f"{where}: the object storage does not answer ({said}). What was being written may be there or not; run again.",
        reason=said,
    )


def is_outside(error: Exception) -> bool:
    """Whether a part was asked for that begins after the end of the object."""
    return status_of(error) == _OUTSIDE


def status_of(error: Exception) -> int | None:
    """The number of the answer, where there was one."""
    found = _STATUS.search(f"{error}")
    return int(found[1]) if found else None


def _find(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
