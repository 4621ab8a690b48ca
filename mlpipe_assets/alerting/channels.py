"""Where alerts go: apprise URLs, each tried on its own, bounded in time, and never printed."""

import logging
import re
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import apprise

_log = logging.getLogger("mlpipe")
_SECONDS = 12.0  # for all messages of one evaluation; a dead channel costs no more, and gets them again the next time


@dataclass(frozen=True, kw_only=True)
class Note:
    """A message as a channel takes it."""

    title: str
    body: str
    kind: Literal["failure", "success", "warning"]


def channel_names(urls: Sequence[str]) -> list[str]:
    """What each channel is called in logs and files: its number and its scheme, nothing secret."""
    schemes = [re.match(r"[a-z0-9]{1,20}(?=://)", url.lower()) for url in urls]
    return [f"channel {n} ({scheme[0] if scheme else 'no URL'})" for n, scheme in enumerate(schemes, start=1)]


def unusable(urls: Sequence[str]) -> list[str]:
    """The channels whose URL nothing understands, by number and scheme: nobody will ever hear of what they are told."""
    if not urls:
        return []
    _keep_quiet()
    return [name for name, url in zip(channel_names(urls), urls, strict=True) if _channel(url) is None]


def deliver(urls: Sequence[str], notes: Sequence[Sequence[Note]], seconds: float = _SECONDS) -> list[int]:
    """How many notes each channel took, in order; the first it refuses is its last for now.

    Args:
        urls: Apprise URLs.
        notes: For each URL, what it is to be told.
        seconds: How long all of them together may take.
    """
    if not any(notes):
        return [0 for _ in urls]
    _keep_quiet()
    sendings = [_Sending(channel=_channel(url), notes=own) for url, own in zip(urls, notes, strict=True)]
    for number, sending in enumerate(sendings, start=1):
        if sending.notes:
            sending.thread = threading.Thread(target=sending.send, name=f"alert-{number}", daemon=True)
            sending.thread.start()
    deadline = time.monotonic() + seconds
    for name, sending in zip(channel_names(urls), sendings, strict=True):
        if sending.thread:
            sending.thread.join(max(0.0, deadline - time.monotonic()))
            late = sending.thread.is_alive()
            problem = f"no answer within {seconds:g} s" if late else sending.problem
            if problem:
                left = len(sending.notes) - sending.taken
                _log.warning("alerts: %s: %s; %s left for the next try", name, problem, left)
    return [sending.taken for sending in sendings]


def _channel(url: str) -> "apprise.Apprise | None":
    """A channel that takes messages; None for what apprise does not understand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some plugin imports what Python is about to drop
        import apprise  # noqa: PLC0415  # half a second that only a process with something to say should pay

        found = apprise.Apprise()
        return found if found.add(url) else None


@dataclass(kw_only=True)
class _Sending:
    channel: "apprise.Apprise | None"
    notes: Sequence[Note]
    taken: int = 0
    problem: str | None = None
    thread: threading.Thread | None = None

    def send(self) -> None:
        if self.channel is None:
            self.problem = "is no URL that apprise understands; see MLPIPE_ALERT_URLS"
            return
        for note in self.notes:
            try:
                took = self.channel.notify(note.body, title=note.title, notify_type=note.kind, body_format="text")
            except Exception as error:  # noqa: BLE001  # a plugin may raise anything, and its text may hold the URL
                self.problem = f"failed with {type(error).__name__}"
                return
            if not took:
                self.problem = "did not take the message"
                return
            self.taken += 1


def _keep_quiet() -> None:
    """Silence those who send: at debug level they log addresses, tokens included, from threads of their own."""
    for name in ("apprise", "urllib3", "requests", "slixmpp", "paho"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
