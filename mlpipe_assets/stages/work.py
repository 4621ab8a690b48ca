"""What is out of date of a table: which partitions their inputs, or the code, have left behind."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.store.acceptances import NOTHING_CAME

Wanted = Callable[[date], bool]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Days of one table to build, and days that cannot be, with the reason.

    Attributes:
        unreadable: What kept us from telling: a file that cannot be read, and what to do about it.
    """

    table: str
    days: tuple[date, ...] = ()
    blocked: tuple[tuple[date, str], ...] = ()
    unreadable: str = ""


def or_unreadable(table: Callable[[Any], str]) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Let one file that cannot be read stop the look at its own table, and no other.

    Args:
        table: The name of the table, of the declaration that the look is given before `wanted`.
    """

    def decorate(look: Callable[..., Work]) -> Callable[..., Work]:
        @wraps(look)
        def safely(*args: Any) -> Work:  # noqa: ANN401 (whatever the look takes)
            try:
                return look(*args)
            except MlpipeError as error:
                return Work(table=table(args[-2]), unreadable=str(error))

        return safely

    return decorate


def spell_blocked(work: Work) -> list[tuple[str, str]]:
    """Why days of a table cannot be built, and a line that says so, days of one reason together."""
    days: dict[str, list[date]] = {}
    words: dict[str, str] = {}
    same = Counter(reason for _, reason in work.blocked)
    for day, reason in work.blocked:
        kind = reason if same[reason] > 1 else reason.replace(f"{day}", "")
        kind = reason.partition("has holes")[0] if "has holes" in reason else kind
        days.setdefault(kind, []).append(day)
        words[kind] = reason.partition(" over ")[2] or reason if "has holes" in reason else reason
    wrong = [(work.unreadable, f"{work.table}: {work.unreadable}")] if work.unreadable else []
    # Of one kind the words of its last day, whose window holds every hole of the days before, or most.
    lines = [(kind, f"{work.table} {spell_days(found)}: {words[kind]}", found) for kind, found in days.items()]
    return wrong + [
        (words[kind], f"{line}. {_take(work, found)}" if words[kind] == NOTHING_CAME else line)
        for kind, line, found in lines
    ]


def _take(work: Work, days: Sequence[date]) -> str:
    """What to do about days of a source that nothing came for."""
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]}..{days[-1]}"
    return (
        f"Deliver what is missing, or take it as it is: mlpipe accept {work.table.rpartition('/')[2]} {span} --reason …; where "
        "such days are usual, declare empty_days=True"
    )
