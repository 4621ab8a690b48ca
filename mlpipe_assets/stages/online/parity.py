"""validation/online_parity: what was answered online of each day, asked again offline before anybody builds on it."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.contracts.online_parity import OnlineParity
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.gate import judge
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.rules import columns, digest, first_sentence
from mlpipe_assets.serving.answered_parity import Verdict, judge_answers
from mlpipe_assets.serving.asked_again import CORRECTED, FRESH, INCOMPARABLE, SAME
from mlpipe_assets.serving.parity_gate import ONLINE_PARITY, PARITY_TABLE
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.online.parity_plan import inputs_of, parity_version, refusal_inputs
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store.acceptances import Acceptance, acceptances
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake

_CHECK = "answers_equal_offline"


def parity_asset(catalog: Catalog, log: Source) -> dg.AssetsDefinition:
    """The asset that asks again what was answered online each day."""
    key = dg.AssetKey(["validation", ONLINE_PARITY])
    checks = (
        check(key, "contract_holds", f"Every row of {OnlineParity.__name__} holds.", blocking=True),
        check(
            key,
            _CHECK,
            "What was answered online of a sample of the entities is what a join of the same moment finds, and the same version says.",
            blocking=True,
        ),
    )
    upstream = [dg.AssetKey(["interim", log.name])]
    upstream += [dg.AssetKey(["features", view.name]) for view in catalog.feature_views]

    @dg.asset(
        **daily(
            key,
            description=first_sentence(OnlineParity),
            owners=log.owners,
            kinds={"polars", "parquet"},
            code_version=parity_version(log),
            contract=OnlineParity,
            checks=checks,
            deps=[dg.AssetDep(one) for one in upstream],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_parity(lake, catalog, log, days)
        yield from tell(context, lake, key, outcomes, extra_checks=[_answers_check(outcomes)], balanced=False)

    return build


def build_parity(lake: Lake, catalog: Catalog, log: Source, days: Sequence[date]) -> list[Outcome]:
    """Judge what was answered each day; a day with a difference is refused, with the views that must not answer.

    They must not until it is judged again without a difference, or a person accepts what differs.
    """
    accepted = acceptances(lake, PARITY_TABLE)
    change = lake.change("validation", ONLINE_PARITY)
    outcomes = [_judge_day(lake, change, catalog, log, day, accepted.get(day)) for day in days]
    change.publish()
    return outcomes


def _judge_day(
    lake: Lake, change: TableChange, catalog: Catalog, log: Source, day: date, accepted: Acceptance | None
) -> Outcome:
    inputs = inputs_of(lake, log, day)
    there = lake.has("interim", log.name, day)
    verdicts = judge_answers(lake, catalog, lake.read("interim", log.name, day)) if there else []
    counts = {"rows": len(verdicts)}
    counts |= {name: sum(getattr(one, name) for one in verdicts) for name in ("logged", "asked", "differing")}
    differing = [one for one in verdicts if one.differing]
    seen = digest(sorted(row for one in differing for row in one.rows))
    holds = accepted is not None and accepted.holds_for(seen)
    if differing and not holds:
        problem = f"answers online are not what the lake says: {shorten(list(map(_spell, differing)))}"
        views = sorted({one.view for one in differing})
        change.refuse(
            day,
            problem=problem,
            inputs=refusal_inputs(lake, log, day, views),
            views=views,
            accepts=seen,
        )
        return Outcome(day=day, counts=counts, breaches=[problem], refused="answers online differ")
    rows = pl.DataFrame(
        [_row(one) for one in verdicts], schema={column.name: column.dtype for column in columns(OnlineParity)}
    )
    judgement = judge(rows, OnlineParity)
    if not judgement.holds:
        return Outcome(day=day, counts=counts, breaches=judgement.errors(), refused="breaks its contract")
    reason = accepted.reason if differing and accepted else None
    facts = {
        "table": PARITY_TABLE,
        "date": f"{day}",
        "code_version": parity_version(log),
        "inputs": inputs,
        "fingerprint": inputs,
        **({"accepted_because": reason} if reason is not None else {}),
        **counts,
    }
    written = change.table.stage(day, rows, facts)
    change.put(written)
    change.clear(day)
    return Outcome(day=day, counts=counts, written=written, facts=facts, accepted_because=reason)


def _row(one: Verdict) -> dict[str, object]:
    counts = {name: one.counts[name] for name in (SAME, CORRECTED, FRESH, INCOMPARABLE)}
    return {
        "kind": one.kind,
        "view": one.view,
        "model": one.model,
        "logged": one.logged,
        "asked": one.asked,
        **counts,
        "differing": one.differing,
        "features": ", ".join(sorted(one.names)),
    }


def _spell(one: Verdict) -> str:
    """What differs, by name and number; no value and no entity."""
    what = f"predictions of {one.model} on {one.view}" if one.model else f"features of {one.view}"
    names = shorten([f"{name} of {count:,}" for name, count in sorted(one.names.items())])
    return f"{what} in {one.differing:,} of {spell_count(one.asked, 'answer')} asked again ({names})"


def _answers_check(outcomes: Sequence[Outcome]) -> CheckResult:
    broken = [f"[{o.day}] {line}" for o in outcomes for line in o.breaches if o.refused]
    asked = sum(o.counts.get("asked", 0) for o in outcomes)
    return CheckResult(
        check_name=_CHECK,
        passed=not broken,
        description=shorten(broken) or f"{spell_count(asked, 'answer')} asked again: none differs.",
        metadata={"asked": asked, "differing": sum(o.counts.get("differing", 0) for o in outcomes)},
    )
