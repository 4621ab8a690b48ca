"""Standard output and error as a command needs them: whatever is printed there, and whoever reads it, the work is done."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mlpipe_assets.errors import MlpipeError


class OutputError(MlpipeError):
    """What was printed could not be written where it was to go."""


class _Outlet(io.FileIO):
    """Where output goes. When nobody reads it any more, the rest goes nowhere and the command works on to its end."""

    failure: str | None = None

    def write(self, data: object) -> int:
        """Write bytes, or drop them where no more can be written."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # the buffer above hands over bytes
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.failure = error.strerror
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes  # type: ignore[arg-type]


@contextmanager
def robust_streams() -> Iterator[None]:
    """Print a character that the code page lacks as its escape, and survive a reader that leaves, or a full disk.

    Raises: OutputError at the end when output was lost on a disk.
    """
    outlets = [outlet for name in ("stdout", "stderr") if (outlet := _replace(name))]
    yield
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    failures = [outlet.failure for outlet in outlets if outlet.failure]
    if failures:
        raise OutputError(f"The output could not be written: {failures[0]}. What the command did besides is done.")


def _replace(name: str) -> _Outlet | None:
    """Put an outlet under one of the streams, unless that is not the process's own (a test's, a notebook's)."""
    stream: TextIO | None = getattr(sys, name)
    if not isinstance(stream, io.TextIOWrapper):
        return None
    if stream is not getattr(sys, f"__{name}__"):
        stream.reconfigure(errors="backslashreplace")
        return None
    stream.flush()
    outlet = _Outlet(stream.fileno(), "w", closefd=False)
    robust = io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, robust)
    return outlet
