"""One item of work as it is done in another process: agreed terms first, then the work, and whatever becomes of it as a value.

Nothing that depends on the environment is imported here: an executor is given it before it unpacks the work.
"""

import hashlib
import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.project_folder import is_installed

_PACKAGES = ("polars", "duckdb")
_PACKAGE = Path(__file__).parents[1]
_FORWARDED = ("MLPIPE_FILE_MODE", "MLPIPE_CATALOG")
_START = "MLPIPE_START_DATE"

Dumps = Callable[[Any], bytes]
Loads = Callable[[bytes], Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How a cluster sends values: its own serializer."""

    dumps: Dumps
    loads: Loads


@cache
def versions() -> dict[str, str]:
    """What has to be the same wherever a part of a table is made: it decides its bytes."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return {**found, "mlpipe_assets": _digest_of_the_package()}


def _digest_of_the_package() -> str:
    """The code of this package as it is on this machine, in one word: a checkout has one version for many states."""
    found = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py"), key=lambda p: p.relative_to(_PACKAGE).as_posix()):
        found.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def terms() -> dict[str, Any]:
    """What an executor must have in common with this process: versions, settings, and where a project's code is.

    Plain values: another version of this package has to understand them, to say that it is another one.
    """
    from mlpipe_assets.partitions import START_DATE  # noqa: PLC0415 (reads the environment; see the top)

    environment = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    folders = [folder for folder in sys.path if folder and Path(folder).is_dir() and not is_installed(Path(folder))]
    return {
        "versions": versions(),
        "environment": {**environment, _START: f"{START_DATE}"},
        "path": [str(Path(folder).absolute()) for folder in folders],
    }


def perform(agreed: Mapping[str, Any], packed: bytes, wire: Wire) -> bytes:
    """Do packed work on the terms of whoever asks for it; called on an executor.

    Returns: packed, what kind of answer it is (`done`, `raised` or `refused`) and the result, the error or the reason.
    """
    if reason := _differs(agreed):
        return wire.dumps(("refused", reason))
    try:
        work, item = wire.loads(packed)
    except (ImportError, AttributeError) as error:
        return wire.dumps(("refused", f"{_here()} cannot import what the work needs ({error}): install it there"))
    try:
        return wire.dumps(("done", work(item)))
    except Exception as error:  # noqa: BLE001 (raised again by `unpack`; a cluster would only do the same work again)
        return _pack_error(error, wire)


def unpack(answer: bytes, wire: Wire) -> Any:  # noqa: ANN401 (whatever the work gives)
    """The result that an executor sent.

    Raises: what the work raised; ExecutorError when the executor did not do it.
    """
    kind, found = wire.loads(answer)
    if kind == "refused":
        raise ExecutorError(f"{found}.")
    if kind == "raised":
        raise found
    return found


def _pack_error(error: Exception, wire: Wire) -> bytes:
    from mlpipe_assets.quoting import without_values  # noqa: PLC0415 (see above)

    try:
        packed = wire.dumps(("raised", error))
        wire.loads(packed)
    except Exception:  # noqa: BLE001 (an error may hold anything, and its text is what helps)
        words = f"{_here()} failed: {type(error).__name__}: {without_values(f'{error}')}"
        return wire.dumps(("raised", ExecutorError(words[:1500])))
    return packed


def host_of(address: str) -> str:
    """Host and port of an address without its kind; what stands before or behind them may be a secret."""
    return re.split(r"[/;?]", address, maxsplit=1)[0].rpartition("@")[2]


def _differs(agreed: Mapping[str, Any]) -> str | None:
    """Why this process cannot do the work as the other would; None when it can, and is set up for it."""
    own = versions()
    for name, wanted in agreed["versions"].items():
        if own.get(name) != wanted:
            return (
                f"{_here()} has {name} {own.get(name, 'none')}, and the process that runs the pipeline has {wanted}: "
                "install the same on both, and start the executors again"
            )
    os.environ.update(agreed["environment"])
    sys.path += [folder for folder in agreed["path"] if folder not in sys.path and Path(folder).is_dir()]
    from mlpipe_assets.partitions import START_DATE  # noqa: PLC0415 (reads what was just set)

    if f"{START_DATE}" != agreed["environment"][_START]:
        return (
            f"{_here()} counts days from {START_DATE}, and the process that runs the pipeline from "
            f"{agreed['environment'][_START]}: start the executors again, for this project alone"
        )
    return None


def _here() -> str:
    return f"The executor on {socket.gethostname()} (process {os.getpid()})"
