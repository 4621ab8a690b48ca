"""Tell people what broke and what healed, through whatever MLPIPE_ALERT_URLS names."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from mlpipe_assets.alerting.alert_book import AlertBook, open_book
from mlpipe_assets.alerting.channels import Note, channel_names, deliver
from mlpipe_assets.alerting.messages import Message, OpenAlert, Problem, decide
from mlpipe_assets.alerting.origin import signed
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.settings import Settings
from mlpipe_assets.store.lake import Lake

_log = logging.getLogger("mlpipe")
_CLAIM = timedelta(minutes=2)  # how long a process may be busy delivering before another tries
_BACK_OFF = timedelta(minutes=1)  # doubled with each try but the first
_LONGEST = timedelta(hours=1)
_KINDS: dict[str, Literal["failure", "success", "warning"]] = {
    "broken": "failure",
    "healed": "success",
    "reminder": "warning",
}


def tell_alerts(
    lake: Lake, settings: Settings, scope: str, problems: Sequence[Problem], now: datetime
) -> list[Message]:
    """Tell what changed in a scope since the last look, given all that is wrong in it now; try again what failed.

    Never raises for what a channel or the data folder does: an alert must not fail the run that it is about.
    """
    try:
        with open_book(lake) as book:
            messages = note_problems(book, settings, scope, problems, now)
    except (MlpipeError, OSError) as error:
        _log.warning("alerts: %s: nothing told this time: %s", scope, error)
        return []
    deliver_waiting(lake, settings, now)
    return messages


def note_problems(
    book: AlertBook, settings: Settings, scope: str, problems: Sequence[Problem], now: datetime
) -> list[Message]:
    """Decide, write down what is open and what is to be told, and keep it for the channels; sends nothing itself."""
    old = book.open.get(scope, {})
    before = {key: _read_open(record) for key, record in old.items()}
    found, after = decide(scope, before, problems, now)
    messages = [signed(message, settings, book.lake.root) for message in found]
    records = {key: _plain(asdict(alert)) for key, alert in sorted(after.items())}
    if messages:
        book.record([_plain(asdict(message)) for message in messages])
        channels = channel_names(settings.alert_urls)
        book.waiting += [{"message": _plain(asdict(m)), "channels": list(channels)} for m in messages if channels]
        for message in messages:
            _log.warning("alert: %s", message.title)
    if messages or records != old:
        book.open[scope] = records
        book.save()
    return messages


def deliver_waiting(lake: Lake, settings: Settings, now: datetime) -> int:
    """Send what waits for a channel; returns how many messages still wait for one afterwards.

    What a channel did not take is tried again at the next look, and then ever more rarely: a dead channel costs seconds.
    """
    channels = channel_names(settings.alert_urls)
    try:
        with open_book(lake) as book:
            claimed = [w for w in book.waiting if _is_due(w, now)]
            for waiting in claimed:
                waiting["not_before"] = (now + _CLAIM).isoformat()
            if claimed:
                book.save()
        if not claimed:
            return len(book.waiting)
        own = [[w for w in claimed if name in w["channels"]] for name in channels]
        taken = deliver(settings.alert_urls, [[_note(w["message"]) for w in some] for some in own])
        for name, some, count in zip(channels, own, taken, strict=True):
            for waiting in some[:count]:
                waiting["channels"].remove(name)
        done = {_identity(w): [name for name in w["channels"] if name in channels] for w in claimed}
        with open_book(lake) as book:
            for waiting in book.waiting:
                if _identity(waiting) in done:
                    waiting["channels"] = done[_identity(waiting)]
                    waiting["tries"] = tries = waiting.get("tries", 0) + 1
                    pause = min(_BACK_OFF * 2 ** min(tries - 2, 10), _LONGEST) if tries > 1 else timedelta(0)
                    waiting["not_before"] = (now + pause).isoformat()
            book.waiting = [w for w in book.waiting if w["channels"]]
            book.save()
            return len(book.waiting)
    except (MlpipeError, OSError) as error:
        _log.warning("alerts: the book of what was told cannot be kept: %s", error)
        return 0


def _note(message: Mapping[str, Any]) -> Note:
    return Note(title=message["title"], body=message["body"], kind=_KINDS[message["kind"]])


def _identity(waiting: Mapping[str, Any]) -> tuple[str, ...]:
    message = waiting["message"]
    return message["scope"], message["kind"], message["at"], *message["keys"]


def _is_due(waiting: Mapping[str, Any], now: datetime) -> bool:
    """Whether a message may be tried; a moment further away than the longest pause was set by another clock."""
    if "not_before" not in waiting:
        return True
    return not timedelta(0) < datetime.fromisoformat(waiting["not_before"]) - now <= _LONGEST


def _read_open(record: Mapping[str, Any]) -> OpenAlert:
    problem = dict(record["problem"])
    since = problem.pop("since")
    problem["causes"] = tuple(problem.get("causes", ()))
    return OpenAlert(
        problem=Problem(**problem, since=datetime.fromisoformat(since) if since else None),
        opened=datetime.fromisoformat(record["opened"]),
        told=datetime.fromisoformat(record["told"]),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """A value as JSON keeps it."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
