"""What to tell of problems, and what not: one message when something breaks, one when it heals, none in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from mlpipe_assets.errors import shorten
from mlpipe_assets.visible import visible

_REMIND_AFTER = timedelta(days=7)
_MOST_TOLD = 10
_LONGEST_SET_BACK = timedelta(days=1)  # a clock further off than that was not set back, but wrong before


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something a person should look at.

    Attributes:
        key: What makes two sightings the same problem, within a scope.
        what: What is wrong, without a full stop.
        where: Asset, run or table.
        how_many: Days, rows or tables concerned.
        example: One of them.
        since: Since when, UTC; None means since we first saw it.
        to_do: What to do about it.
        causes: Why it is so, where there may be several reasons: one that is new is reported while the problem is open.
    """

    key: str
    what: str
    where: str
    how_many: str
    example: str
    since: datetime | None = None
    to_do: str
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenAlert:
    """A problem that was told and has not healed."""

    problem: Problem
    opened: datetime
    told: datetime


@dataclass(frozen=True, kw_only=True)
class Message:
    """What people are told."""

    scope: str
    kind: Literal["broken", "healed", "reminder"]
    at: datetime
    keys: tuple[str, ...]
    title: str
    body: str


def decide(
    scope: str, open_alerts: Mapping[str, OpenAlert], problems: Sequence[Problem], now: datetime
) -> tuple[list[Message], dict[str, OpenAlert]]:
    """What to tell of one scope, and which problems are open then; several of a kind make one message."""
    current = {problem.key: problem for problem in problems}
    broken = [p for key, p in current.items() if key not in open_alerts]
    gone = {key: alert for key, alert in open_alerts.items() if key not in current}
    unclear = {key: alert for key, alert in gone.items() if _began_later(alert, now)}
    healed = [alert for key, alert in gone.items() if key not in unclear]
    stale = {key for key, a in open_alerts.items() if key in current and now - a.told >= _REMIND_AFTER}
    again = [p for key, p in current.items() if key in open_alerts and _has_a_new_cause(p, open_alerts[key])]
    messages: list[Message] = []
    if broken:
        messages.append(_broken(scope, broken, now))
    if again:
        messages.append(_broken(scope, [replace(p, what=f"{p.what}, for another reason") for p in again], now))
    if stale:
        messages.append(_reminder(scope, [(current[key], open_alerts[key]) for key in sorted(stale)], now))
    if healed:
        messages.append(_healed(scope, healed, now))
    after = {
        key: OpenAlert(
            problem=replace(problem, causes=_all_causes(problem, open_alerts.get(key))),
            opened=open_alerts[key].opened if key in open_alerts else now,
            told=now if key in stale or key not in open_alerts else min(open_alerts[key].told, now),
        )
        for key, problem in current.items()
    }
    return messages, {**unclear, **after}


def _began_later(alert: OpenAlert, now: datetime) -> bool:
    """Whether a problem began at a time that has not come yet: the clock was set back, and nothing has healed by that."""
    since = alert.problem.since
    return since is not None and timedelta(0) < since - now <= _LONGEST_SET_BACK


def _has_a_new_cause(problem: Problem, known: OpenAlert) -> bool:
    """Whether there is a cause beside those that were reported; nobody can tell where none is on record."""
    return bool(known.problem.causes) and not {*problem.causes} <= {*known.problem.causes}


def _all_causes(problem: Problem, known: OpenAlert | None) -> tuple[str, ...]:
    """The causes so far: one that comes and goes while the problem is open is reported once."""
    return tuple(dict.fromkeys([*(known.problem.causes if known else ()), *problem.causes]))


def _broken(scope: str, problems: Sequence[Problem], now: datetime) -> Message:
    first = problems[0]
    title = f"{first.where}: {first.what}"
    if len(problems) > 1:
        places = [p.where for p in problems]
        names = [p.where if places.count(p.where) == 1 else f"{p.where} ({p.what})" for p in problems]
        title = f"{len(problems)} new problems with {scope}: {shorten(names, 3)}"
    body = _listed([_spelled(p, p.since or now) for p in problems])
    return _message(scope, "broken", now, [p.key for p in problems], title, body)


def _reminder(scope: str, pairs: Sequence[tuple[Problem, OpenAlert]], now: datetime) -> Message:
    title = f"still open: {shorten([f'{p.where}: {p.what}' for p, _ in pairs], 3)}"
    body = _listed([_spelled(p, p.since or alert.opened) for p, alert in pairs])
    return _message(scope, "reminder", now, [p.key for p, _ in pairs], title, body)


def _healed(scope: str, alerts: Sequence[OpenAlert], now: datetime) -> Message:
    title = f"healed: {shorten([f'{a.problem.where}: {a.problem.what}' for a in alerts], 3)}"
    lines = [
        f"{visible(f'{a.problem.where}: {a.problem.what}')}\nhealed after {_spell(now - (a.problem.since or a.opened))}"
        for a in alerts
    ]
    return _message(scope, "healed", now, [a.problem.key for a in alerts], title, _listed(lines))


def _message(
    scope: str, kind: Literal["broken", "healed", "reminder"], at: datetime, keys: Sequence[str], title: str, body: str
) -> Message:
    return Message(scope=scope, kind=kind, at=at, keys=tuple(keys), title=visible(title)[:200], body=body[:4000])


def _listed(parts: Sequence[str]) -> str:
    left = len(parts) - _MOST_TOLD
    return "\n\n".join([*parts[:_MOST_TOLD], *([f"and {left:,} more, see meta/alerts.json"] if left > 0 else [])])


def _spelled(problem: Problem, since: datetime) -> str:
    return (
        f"{visible(problem.where)}: {visible(problem.what)}\n"
        f"how many: {visible(problem.how_many)}\n"
        f"example: {visible(problem.example)}\n"
        f"since: {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC\n"
        f"what to do: {visible(problem.to_do)}"
    )


def _spell(length: timedelta) -> str:
    minutes = max(0, round(length.total_seconds() / 60))
    if minutes < 120:  # noqa: PLR2004  # two hours
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} days"
