"""The turn to write rows of a source, among all servers of a data folder: who has it knows every request that was taken before."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.serving.push.marks import WINDOW, Marks
from mlpipe_assets.serving.push.spool_tail import SpoolTail, TruncatedError
from mlpipe_assets.serving.snapshots.snapshot import OnlineError
from mlpipe_assets.store.private_files import create_file, make_folder

_LOCK = ".push-turn"  # the intake passes over names that begin with a point
_PAUSE = 0.001
_PATIENCE = 1.5  # seconds; a request has two


@dataclass(kw_only=True)
class PushTurn:
    """Whose turn it is. One thread of a process at a time.

    Attributes:
        root: The data folder.
        folder: The source's folder in the drop zone.
        marks: What is known of requests; what other servers took is added when the turn begins.
        patience: How long to wait for another server, in seconds.
    """

    root: Path
    folder: Path
    marks: Marks
    patience: float = _PATIENCE
    _tail: SpoolTail = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the first row of the last day."""
        self._tail = SpoolTail(folder=self.folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other server writes; all that others wrote is known.

        Raises: OnlineError when another server does not let go, or the folder cannot be used.
        """
        try:
            make_folder(self.root, self.folder)
            path = self.folder / _LOCK
            if not path.exists():
                create_file(path)
            handle = path.open("r+b")
        except OSError as error:
            raise OnlineError(
                f"The rows could not be written: {error.strerror}. None of this request was taken."
            ) from error
        with handle:
            self._wait(handle)
            self._catch_up()
            yield

    def _wait(self, handle: BinaryIO) -> None:
        until = time.monotonic() + self.patience
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > until:
                raise OnlineError(
                    f"Another server has been writing for {self.patience:g} s. None of this request was taken; send it again."
                )
            time.sleep(_PAUSE)

    def _catch_up(self) -> None:
        """Know the requests of what was written since the last turn."""
        since = datetime.now(tz=UTC) - timedelta(seconds=WINDOW)
        try:
            self._read(since)
        except TruncatedError:
            self._tail.forget()
            self._read(since)

    def _read(self, since: datetime) -> None:
        for chunk in self._tail.read(since):
            for line in chunk.lines:
                self.marks.note(line, chunk.tailed.modified_ns / 1e9)
