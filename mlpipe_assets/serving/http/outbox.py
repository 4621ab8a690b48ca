"""Deliveries that a server writes where the lake is in a bucket: on its own disk first, and from there into the drop zone.

A delivery is on the disk until the bucket has it. A server that dies leaves what it had not sent, and the next one of this
machine sends it. What is there already under a name is compared and never replaced.
"""

from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.errors import LakeError
from mlpipe_assets.serving.http.counters import Metric
from mlpipe_assets.store import keys
from mlpipe_assets.store.objects import ABSENT, ConflictError, Objects, StoreError


@dataclass(kw_only=True)
class Outbox:
    """Finished files of one source that are to be sent; one thread at a time calls `send`.

    Attributes:
        root: The folder that a spool writes into, as into a data folder.
        sent: Files that were sent.
        problem: Why the last one could not be, in a few words; None when it could.
    """

    objects: Objects
    root: Path
    source: str
    sent: int = 0
    problem: str | None = None

    def send(self) -> None:
        """Send what is finished. What cannot be sent stays, and is tried again by the next call."""
        for path in self._waiting():
            try:
                self._send(path)
            except FileNotFoundError:  # another server of this machine has sent it
                continue
            except (OSError, LakeError) as error:
                self.problem = error.reason if isinstance(error, StoreError) else f"{error}"
                return
        self.problem = None

    def metrics(self) -> list[Metric]:
        """What waits, and what was sent."""
        return [
            Metric(
                name="mlpipe_log_files_sent_total",
                kind="counter",
                help="Files of the serving log that the bucket took.",
                samples=[({}, self.sent)],
            ),
            Metric(
                name="mlpipe_log_files_waiting",
                kind="gauge",
                help="Files of the serving log that are on this machine only.",
                samples=[({}, float(len(self._waiting())))],
            ),
        ]

    def _waiting(self) -> list[Path]:
        return sorted((self.root / keys.drop_zone(self.source)).glob("[!.]*"))

    def _send(self, path: Path) -> None:
        key, content = f"{keys.drop_zone(self.source)}/{path.name}", path.read_bytes()
        try:
            self.objects.put(key, content, ABSENT)
        except ConflictError:  # a server died between sending it and removing it here
            if self.objects.get(key).content != content:
                raise
        path.unlink()
        self.sent += 1
