"""What runs found, table by table and check by check, as what people are told of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import spell_count
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import spell_days

CONTRACT = "contract_holds"  # fails for every refused day, whichever other check says why


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What one run says of one subject: a table, a check of a table, or the run as a whole.

    Attributes:
        scope: `runs` or `checks`.
        subject: `interim/orders`, `interim/orders: contract_holds`, or a job's name.
        days: Days it speaks of; none where one success makes up for any failure before.
        causes: The kinds of breaches, without their numbers and examples.
    """

    scope: str
    subject: str
    days: tuple[date, ...]
    passed: bool
    text: str
    run_id: str
    at: datetime
    causes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Standing:
    """A subject that failed, with the days that no later run has made good."""

    days: set[date] = field(default_factory=set)
    text: str
    run_id: str
    since: datetime
    causes: tuple[str, ...] = ()


def cause_of(line: str) -> str:
    """What makes two breaches the same cause: the words, without numbers, days and examples."""
    return re.sub(r"[-\d.,:%]*\d[-\d.,:%]*", "#", re.sub(r"\(e\.g\..*?\)", "", line))[:160].strip()


def fold(standing: dict[tuple[str, str], Standing], results: Iterable[RunResult]) -> dict[tuple[str, str], Standing]:
    """Take in results, oldest first: a failure stands until every day of it has passed; returns what was made good."""
    mended: dict[tuple[str, str], Standing] = {}
    for result in results:
        key = result.scope, result.subject
        known = standing.get(key)
        if not result.passed:
            since = known.since if known else result.at
            days = set(result.days) | (known.days if known else set())
            standing[key] = Standing(
                days=days, text=result.text, run_id=result.run_id, since=since, causes=result.causes
            )
        elif known:
            left = known.days - set(result.days)
            if left and result.days:
                standing[key] = replace(known, days=left)
            else:
                mended[key] = standing.pop(key)
    return mended


def problems_of(catalog: Catalog, scope: str, standing: Mapping[tuple[str, str], Standing]) -> list[Problem]:
    """What stands of a scope, in words: checks that failed with the contract, in one run for the same days, are one."""
    together: dict[tuple[str, ...], list[str]] = {}
    for (own, subject), found in standing.items():
        if own == scope:
            table = subject.partition(": ")[0]
            contract = standing.get((scope, f"{table}: {CONTRACT}"))
            echoed = contract and (contract.run_id, contract.days) == (found.run_id, found.days)
            together.setdefault((table,) if echoed else (table, subject), []).append(subject)
    problems: list[Problem] = []
    for subjects in together.values():
        first, *others = sorted(subjects, key=lambda s: (not s.endswith(f": {CONTRACT}"), s))
        texts = dict.fromkeys(standing[scope, subject].text for subject in (*others, first))
        found = replace(standing[scope, first], text="; ".join(texts))
        problems.append(problem_of(catalog, scope, first, found, [s.partition(": ")[2] for s in others]))
    return problems


def problem_of(catalog: Catalog, scope: str, subject: str, standing: Standing, others: Sequence[str] = ()) -> Problem:
    """A standing failure in words; `others` are checks that failed with it."""
    table, _, check = subject.partition(": ")
    failed = f"checks {', '.join([check, *others])} failed" if others else f"check {check} failed"
    count = spell_count(len(standing.days), "day")
    days = f"{count}: {spell_days(standing.days)}"[:200] if standing.days else "1 run"
    return Problem(
        key=subject,
        what=failed if scope == "checks" else "run failed",
        where=table,
        how_many=days,
        example=standing.text[:500] or "no text",
        since=standing.since,
        causes=(*standing.causes, *(f"check {name}" for name in others)),
        to_do=f"read validation/reports/{standing.run_id}.json; {advice_of(catalog, table)}"
        if scope == "checks"
        else f"read run {standing.run_id[:8]} in the UI, mend the cause, then `mlpipe run`",
    )


def advice_of(catalog: Catalog, key: str) -> str:
    """What to do about a table that failed; one may be declared no more."""
    return next((table.to_do for table in tables_of(catalog) if table.key == key), "fix the cause, then run again")
