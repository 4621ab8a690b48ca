"""features: what was known of each entity at the end of each day, by one SQL file, a range in one pass."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.lineage import column_lineage
from mlpipe_assets.catalog.versions import lint_sql, view_version
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import shorten
from mlpipe_assets.gate import judge
from mlpipe_assets.leakage import prove, sample_days
from mlpipe_assets.outcome import Outcome, tell
from mlpipe_assets.resources.engine import DayFrames, Engine
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.resources.refusals import clear, refuse
from mlpipe_assets.resources.registry import register
from mlpipe_assets.rules import columns, contract_digest
from mlpipe_assets.stages.daily import at_work, check, daily, first_sentence
from mlpipe_assets.windows import Inputs

_log = logging.getLogger("mlpipe")
_PROOF = "features_ignore_the_future"
_FEW_DAYS = 30


def feature_asset(catalog: Catalog, view: FeatureView) -> dg.AssetsDefinition:
    """The asset of one feature view, cut at the end of each day."""
    key = dg.AssetKey(["features", view.name])
    checks = (
        check(key, "contract_holds", f"Every row of {view.contract.__name__} holds.", blocking=True),
        check(key, _PROOF, "Sampled rows are the same with all later events removed.", blocking=True),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(view.contract),
            owners=view.owners,
            kinds={"duckdb", "sql", "parquet"},
            code_version=view_version(catalog, view),
            contract=view.contract,
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["interim", name])) for name in view.inputs],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: Lake, engine: Engine
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes, proof = build_features(lake, engine, catalog, view, days)
        lineage = {"dagster/column_lineage": column_lineage(catalog.read_sql(view.sql), "interim", tuple(view.inputs))}
        facts = {"feature_version": view_version(catalog, view), **lineage}
        yield from tell(context, lake, key, outcomes, metadata=facts, extra_checks=[proof], balanced=False)

    return build


def build_features(
    lake: Lake, engine: Engine, catalog: Catalog, view: FeatureView, days: Sequence[date]
) -> tuple[list[Outcome], dg.AssetCheckResult]:
    """Build feature days in one pass; a day whose window has a hole, or whose rows break the contract, is refused.

    A day after the newest rows is not refused: there is nothing to build yet.
    """
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    newest = inputs.last_day()
    ahead = [day for day in days if newest is None or day > newest]
    holes = {day: inputs.holes(day) for day in days if day not in ahead}
    sound = [day for day in holes if holes[day] is None]
    outcomes = [Outcome(day=day, refused=hole) for day, hole in holes.items() if hole]
    outcomes += [Outcome(day=day, missing=f"no rows came yet; the newest are of {newest}") for day in ahead]
    if not sound:
        return outcomes, _no_proof()
    start, end = sound[0], sound[-1]
    _log.info("features/%s: %s to %s", view.name, start, end)
    sql = catalog.read_sql(view.sql)
    with engine.select_by_day(
        sql,
        inputs.tables(start, end),
        {"start": start, "end": end},
        rows=inputs.rows(start, end),
        key=view.entity.join_key,
        days=len(sound),
    ) as frames:
        sampled = sample_days(sound, 3 if len(sound) > _FEW_DAYS else 2)
        rows_of_days: dict[date, pl.DataFrame] = {}
        judged = in_order(lambda day: _judge(lake, inputs, frames, day), sound)
        for day, (outcome, frame) in zip(sound, judged, strict=True):
            _log.info("features/%s: %s judged", view.name, day)
            outcomes.append(outcome)
            if day in sampled and not outcome.refused:
                rows_of_days[day] = frame
    proof = prove(engine, inputs, rows_of_days, _PROOF) if start < end else _built_alone(start)
    proof = _with_lint(proof, lint_sql(sql, view.sql, ("days", *view.inputs)))
    staged = [o.written for o in outcomes if o.written]
    if not proof.passed:
        lake.discard(*staged)
        outcomes = [o if o.missing else _unwritten(o) for o in outcomes]
    for outcome in outcomes:  # on record first: whoever reads these features later has to know
        if outcome.refused and outcome.day in sound:
            problem = f"{outcome.refused} ({shorten(list(outcome.breaches))})" if outcome.breaches else outcome.refused
            refuse(lake, "features", view.name, outcome.day, problem=problem, inputs=inputs.digest(outcome.day))
    if proof.passed and staged:
        register(lake, "feature_registry", [_registry_row(catalog, view)])
        lake.commit(*staged)
        for outcome in outcomes:
            if outcome.written:
                clear(lake, "features", view.name, outcome.day)
    return sorted(outcomes, key=lambda o: o.day), proof


def _judge(lake: Lake, inputs: Inputs, frames: DayFrames, day: date) -> tuple[Outcome, pl.DataFrame]:
    """One day judged by its contract and staged, not yet visible."""
    view = inputs.view
    wanted = [column.name for column in columns(view.contract)]
    frame = frames.day(day, [view.entity.join_key])
    if frame is None:
        frame = pl.DataFrame(schema={column.name: column.dtype for column in columns(view.contract)})
    if set(wanted) == set(frame.columns):
        frame = frame.select(wanted)
    verdict = judge(frame, view.contract)
    counts = {"rows": frame.height}
    if not verdict.holds:
        return Outcome(day=day, counts=counts, breaches=verdict.errors(), refused="breaks its contract"), frame
    facts = {
        "table": f"features/{view.name}",
        "date": f"{day}",
        "code_version": view_version(inputs.catalog, view),
        "inputs": (digest := inputs.digest(day)),
        "fingerprint": digest,
        **counts,
    }
    staged: Staged = lake.stage(lake.path("features", view.name, day), frame, facts)
    return Outcome(day=day, counts=counts, written=staged, facts=facts), frame


def _unwritten(outcome: Outcome) -> Outcome:
    return Outcome(
        day=outcome.day, counts=outcome.counts, breaches=outcome.breaches, refused=outcome.refused or "it would leak"
    )


def _with_lint(proof: dg.AssetCheckResult, problems: list[str]) -> dg.AssetCheckResult:
    if not problems:
        return proof
    return dg.AssetCheckResult(
        check_name=proof.check_name,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(problems)[:1000],
        metadata={"sql": problems},
    )


def _built_alone(day: date) -> dg.AssetCheckResult:
    """One day is handed no file of a later one, and its SQL may read nothing else: to run it again would prove no more."""
    return dg.AssetCheckResult(
        check_name=_PROOF,
        passed=True,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{day} was built alone: no file of a later day was read.",
        metadata={"rows_compared": 0, "days": [f"{day}"]},
    )


def _no_proof() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=_PROOF,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="No day could be built, so there was nothing to prove.",
    )


def _registry_row(catalog: Catalog, view: FeatureView) -> dict[str, object]:
    return {
        "view": view.name,
        "version": view_version(catalog, view),
        "contract": contract_digest(view.contract),
        "lookback_days": view.lookback.days,
        "columns": ", ".join(column.name for column in columns(view.contract)),
    }
