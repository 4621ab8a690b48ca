"""Everything that needs a person now: the one list that alerts report and `mlpipe status` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from mlpipe_assets.alerting.alert_book import AlertBook, read_book
from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.automation.drift_windows import look_at_drift
from mlpipe_assets.automation.file_problems import problems_of_files
from mlpipe_assets.automation.freshness import freshness_of, upstream_of
from mlpipe_assets.automation.freshness_checks import problems_of as freshness_problems
from mlpipe_assets.automation.run_alerts import standing_of
from mlpipe_assets.automation.run_problems import advice_of
from mlpipe_assets.automation.run_problems import problems_of as run_problems
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.flow import stage_names
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake


def problems_now(lake: Lake, catalog: Catalog, now: datetime) -> dict[str, list[Problem]]:
    """What needs a person, by the scope that alerts use; each with since when it is known, if it was reported."""
    book = read_book(lake)
    standing = standing_of(book)
    found = {
        "files": problems_of_files(look_at_intakes(lake, catalog)),
        "checks": run_problems(catalog, "checks", standing),
        "runs": run_problems(catalog, "runs", standing),
        "freshness": late_tables(lake, catalog, freshness_of(lake, catalog, now)),
        "drift": [look.problem for look in look_at_drift(lake, catalog, asks=False) if look.problem],
        "skew": skewed_features(lake, catalog),
    }
    found["checks"] += refused_without_a_run(lake, catalog, {problem.where for problem in found["checks"]})
    return {
        scope: [_since(book, scope, problem) for problem in problems] for scope, problems in found.items() if problems
    }


def late_tables(lake: Lake, catalog: Catalog, found: Sequence[TableFreshness]) -> list[Problem]:
    """Late tables, each with those it made late; not those that stop before a refused day, which is reported with its cause.

    The refused day may be their own, or one of a table they are made of.
    """
    upstream = upstream_of(catalog)

    def stops_at_a_refusal(table: TableFreshness) -> bool:
        newest, expected = table.newest or date.min, table.expected
        refused = [day for name in _ancestors(table.table, upstream) for day in lake.state(*_split(name)).refused]
        return expected is not None and any(newest < day <= expected for day in refused)

    explained = {table.table for table in found if table.state != "fresh" and stops_at_a_refusal(table)}
    return [problem for problem in freshness_problems(found) if problem.where not in explained]


def _ancestors(table: str, upstream: Mapping[str, Sequence[str]]) -> set[str]:
    """A table and all it is made of."""
    return {table}.union(*(_ancestors(name, upstream) for name in upstream.get(table, ())))


def _split(table: str) -> tuple[str, str]:
    stage, _, name = table.partition("/")
    return stage, name


def refused_without_a_run(lake: Lake, catalog: Catalog, known: set[str]) -> list[Problem]:
    """Refused days of tables of which the alerts know no failed check: no run of this Dagster was read, or none is left."""
    problems: list[Problem] = []
    for stage in stage_names():
        for name in lake.names(stage):
            table = f"{stage}/{name}"
            refused = lake.state(stage, name).refused
            # a day that needs lost events is reported with the file that they came from
            days = sorted(day for day, why in refused.items() if "lost" not in why)
            if not days or table in known:
                continue
            reason = refused[days[-1]]
            problems.append(
                Problem(
                    key=f"{table}: contract_holds",
                    what="refused",
                    where=table,
                    how_many=f"{spell_count(len(days), 'day')}: {spell_days(days)}"[:200],
                    example=f"[{days[-1]}] {reason['problem']}"[:500],
                    to_do=advice_of(catalog, table),
                )
            )
    return problems


def skewed_features(lake: Lake, catalog: Catalog) -> list[Problem]:
    """Predictions whose newest day was made on features unlike those the champion learnt from."""
    problems: list[Problem] = []
    for monitor in (m for m in catalog.monitors if m.stage == "predictions"):
        days = lake.days(DRIFT, monitor.folder)
        if not days:
            continue
        rows = lake.read(DRIFT, monitor.folder, days[-1], ["comparison", "column", "method", "value", "verdict"])
        skewed = rows.filter(comparison="skew", verdict="drift").to_dicts()
        columns = list(dict.fromkeys(str(row["column"]) for row in skewed))
        if columns:
            problems.append(
                Problem(
                    key=monitor.table,
                    what="made on features unlike those the model learnt from",
                    where=monitor.table,
                    how_many=f"{spell_count(len(columns), 'feature')}: {shorten(columns, 8)}",
                    example=f"[{days[-1]}] {columns[0]}: {skewed[0]['method']} {skewed[0]['value']:.3g}",
                    to_do="open monitoring/report.html: if the source is right, train a new model; if not, correct the source",
                )
            )
    return problems


def _since(book: AlertBook, scope: str, problem: Problem) -> Problem:
    known = book.open.get(scope, {}).get(problem.key)
    return replace(problem, since=datetime.fromisoformat(known["opened"])) if known and not problem.since else problem
