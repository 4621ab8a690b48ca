"""features: what was known of each entity at the end of each day, by one SQL file, a range in one pass."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.joined_views import features_joined, views_joined
from mlpipe_assets.catalog.lineage import column_lineage
from mlpipe_assets.catalog.validation.sql_lint import lint_view
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.engines.engine import DayRows, Engine, OnlyKeys
from mlpipe_assets.engines.registry import KIND
from mlpipe_assets.errors import naming, shorten, spell_count
from mlpipe_assets.gate import judge
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.point_in_time.proof import prove, sample_of_day
from mlpipe_assets.point_in_time.untouched import Untouched, find_untouched
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns, contract_digest, first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.features.pages import page_of_view
from mlpipe_assets.stages.features.totals import Totals
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import register
from mlpipe_assets.store.staging import Staged

_log = logging.getLogger("mlpipe")
_PROOF = "features_ignore_the_future"


def feature_asset(catalog: Catalog, view: FeatureView) -> dg.AssetsDefinition:
    """The asset of one feature view, cut at the end of each day."""
    key = dg.AssetKey(["features", view.name])
    checks = (
        check(key, "contract_holds", f"Every row of {view.contract.__name__} holds.", blocking=True),
        check(
            key,
            _PROOF,
            "Some rows of each day stay the same with later events removed or planted.",
            blocking=True,
        ),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(view.contract),
            owners=view.owners,
            kinds={KIND, "sql", "parquet"},
            code_version=view_version(catalog, view),
            contract=view.contract,
            checks=checks,
            metadata=page_of_view(catalog, view),
            deps=[
                *(dg.AssetDep(dg.AssetKey(["interim", name])) for name in view.inputs),
                *(dg.AssetDep(dg.AssetKey(["features", other.name])) for other in views_joined(catalog, view)),
            ],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes, proof = build_features(lake, engine, catalog, view, days)
        lineage = {"dagster/column_lineage": _table_lineage(catalog, view)}
        facts = {"feature_version": view_version(catalog, view), "engine": engine.name, **lineage}
        yield from tell(context, lake, key, outcomes, metadata=facts, extra_checks=[proof], balanced=False)

    return build


def build_features(
    lake: Lake, engine: Engine, catalog: Catalog, view: FeatureView, days: Sequence[date]
) -> tuple[list[Outcome], CheckResult]:
    """Build feature days in one pass; a day whose window has a hole, or whose rows break the contract, is refused.

    A day after the newest rows is not refused: there is nothing to build yet.
    """
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    stray = _remove_strays(inputs, days)
    days = [day for day in days if day not in {o.day for o in stray}]
    newest = inputs.last_day()
    ahead = [day for day in days if newest is None or day > newest]
    obstacles = {day: inputs.find_obstacle(day) for day in days if day not in ahead}
    sound = [day for day in obstacles if obstacles[day] is None]
    outcomes = [*stray, *(Outcome(day=day, refused=obstacle) for day, obstacle in obstacles.items() if obstacle)]
    outcomes += [Outcome(day=day, missing=f"no rows came yet; the newest are of {newest}") for day in ahead]
    if not sound:
        return outcomes, _no_proof()
    totals = Totals(inputs=inputs, start=sound[0])
    if unlawful := lint_view(catalog, view):
        return _refuse_all(totals, outcomes, sound, unlawful)
    rows_of_days: dict[date, pl.DataFrame] = {}
    for span, untouched in _spans(totals, sound):
        with _rows(engine, totals, span, untouched) as frames:
            if astray := frames.astray(span[0], span[-1]):
                asked = f"{span[0]} to {span[-1]}"
                told = f"{view.sql_name} gives rows of {shorten(astray)}, and was asked for {asked}: {_say_as_of(view)}"
                lake.discard(*(o.written for o in outcomes if o.written), *totals.staged.values())
                return _refuse_all(totals, [o for o in outcomes if o.day not in sound], sound, [told])
            judged = in_order(partial(_judge, totals, frames, untouched), span)
            for day, (outcome, frame) in zip(span, judged, strict=True):
                _log.info("features/%s: %s judged", view.name, day)
                outcomes.append(outcome)
                if not outcome.refused:
                    rows_of_days[day] = sample_of_day(frame, view.entity.join_keys, day, len(sound))
    proof = prove(engine, inputs, rows_of_days)
    staged = [o.written for o in outcomes if o.written]
    if proof.cause:
        lake.discard(*staged, *totals.staged.values())
        outcomes = [o if o.missing else _unwritten(o, proof.cause) for o in outcomes]
    if staged and not proof.cause:
        register(lake, "feature_registry", [_registry_row(catalog, view)])
    _publish(totals, [o for o in outcomes if o.day in sound])
    return sorted(outcomes, key=lambda o: o.day), proof.result(_PROOF)


def _spans(totals: Totals, days: Sequence[date]) -> list[tuple[Sequence[date], Untouched | None]]:
    """Days that the SQL makes together: those of which it makes a few entities only, then the others."""
    untouched = find_untouched(totals.inputs, days, totals.keep_after)
    if untouched is None:
        return [(days, None)]
    rest = [day for day in days if day not in {*untouched.days}]
    return [(untouched.days, untouched), *([(rest, None)] if rest else [])]


@contextmanager
def _rows(engine: Engine, totals: Totals, days: Sequence[date], untouched: Untouched | None) -> Iterator[DayRows]:
    """The rows that the SQL gives of some days: of all entities, or of those that were touched."""
    inputs, view, start, end = totals.inputs, totals.inputs.view, days[0], days[-1]
    held = totals.before(start)
    said = f", {spell_count(untouched.touched.height, 'entity', 'entities')}" if untouched else ""
    _log.info("features/%s: %s to %s%s", view.name, start, end, said)
    with (
        naming(view.sql_name),
        engine.select_by_day(
            inputs.catalog.view_sql(view),
            inputs.tables(start, end, held),
            inputs.params(start, end, held=held is not None, keep_after=totals.keep_after),
            rows=0 if untouched else inputs.rows(start, end, held=held is not None),
            keys=view.entity.join_keys if view.scope == "entity" else (),
            days=len(days),
            moments=view.moments,
            only=OnlyKeys(rows=untouched.touched) if untouched else None,
        ) as frames,
    ):
        yield frames


def _say_as_of(view: FeatureView) -> str:
    """What as_of has to be."""
    return (
        "as_of must be the time of the row"
        if view.moments
        else "as_of must be the end of its day, cast(day + 1 as timestamp)"
    )


def _refuse_all(
    totals: Totals, outcomes: Sequence[Outcome], days: Sequence[date], reasons: list[str]
) -> tuple[list[Outcome], CheckResult]:
    """No day can be built, whatever its rows."""
    refused = [Outcome(day=day, refused=shorten(reasons, 3)) for day in days]
    _publish(totals, refused)
    return sorted([*outcomes, *refused], key=lambda o: o.day), _unproven(reasons)


def _publish(totals: Totals, outcomes: Sequence[Outcome]) -> None:
    """Make days visible together with the refusals of others: whoever reads these features later has to know."""
    inputs = totals.inputs
    change = inputs.lake.change("features", inputs.view.name)
    for outcome in outcomes:
        if outcome.refused:
            problem = f"{outcome.refused} ({shorten(list(outcome.breaches))})" if outcome.breaches else outcome.refused
            change.refuse(outcome.day, problem=problem, inputs=inputs.digest(outcome.day))
        elif outcome.written:
            change.put(outcome.written, *totals.of(outcome.day))
            change.clear(outcome.day)
    totals.forget_old(change)
    change.publish()


def _remove_strays(inputs: Inputs, days: Sequence[date]) -> list[Outcome]:
    """Take away partitions whose rows have all been placed on other days since: a day that never was describes nobody."""
    gone = sorted(inputs.strays() & {*days})
    change = inputs.lake.change("features", inputs.view.name)
    for day in gone:
        change.remove(day)
    change.publish()
    return [Outcome(day=day, missing="its rows are of other days now; its partition was removed") for day in gone]


def _judge(totals: Totals, frames: DayRows, untouched: Untouched | None, day: date) -> tuple[Outcome, pl.DataFrame]:
    """One day judged by its contract and staged, not yet visible."""
    inputs, view, kept = totals.inputs, totals.inputs.view, None
    wanted = [column.name for column in columns(view.contract)]
    frame = frames.day(day, view.row_key)
    if frame is None:
        frame = pl.DataFrame(schema={column.name: column.dtype for column in columns(view.contract)})
    elif misplaced := inputs.joins.find_misplaced(frame, day):
        return Outcome(day=day, counts={"rows": frame.height}, refused=misplaced), frame
    else:
        frame, kept = totals.take(day, frame)
        frame = inputs.joins.attach(frame, day)
    if set(wanted) == set(frame.columns):
        frame = frame.select(wanted)
        frame, kept = (frame, kept) if untouched is None else _completed(totals, untouched, day, frame, kept)
    judgement = judge(frame, view.contract)
    counts = {"rows": frame.height}
    if not judgement.holds:
        return Outcome(day=day, counts=counts, breaches=judgement.errors(), refused="breaks its contract"), frame
    facts = {
        "table": f"features/{view.name}",
        "date": f"{day}",
        "code_version": view_version(inputs.catalog, view),
        "inputs": (digest := inputs.digest(day)),
        "fingerprint": digest,
        **counts,
    }
    staged: Staged = inputs.lake.table("features", view.name).stage(day, frame, facts)
    totals.stage(day, kept, facts)
    return Outcome(day=day, counts=counts, written=staged, facts=facts), frame


def _completed(
    totals: Totals, untouched: Untouched, day: date, rows: pl.DataFrame, kept: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows and the totals of a day of which only some entities were made anew."""
    if day <= totals.keep_after or not totals.schema:
        return untouched.complete(day, rows), None
    anew = pl.DataFrame(schema=totals.schema) if kept is None else kept
    return untouched.complete(day, rows), untouched.complete(day, anew, keys.TOTALS)


def _unwritten(outcome: Outcome, cause: str) -> Outcome:
    return Outcome(day=outcome.day, counts=outcome.counts, breaches=outcome.breaches, refused=outcome.refused or cause)


def _unproven(unlawful: list[str]) -> CheckResult:
    return CheckResult(
        check_name=_PROOF,
        passed=False,
        description=shorten(unlawful),
        metadata={"sql": unlawful},
    )


def _no_proof() -> CheckResult:
    return CheckResult(
        check_name=_PROOF,
        passed=True,  # days that could not be built say so themselves, by the contract check
        description="No day was built, so there was nothing to prove.",
    )


def _table_lineage(catalog: Catalog, view: FeatureView) -> dg.TableColumnLineage:
    """The columns of interim, or of other views, that each feature comes from, as the UI shows them."""
    found = {
        name: [dg.TableColumnDep(dg.AssetKey(["interim", table]), column) for table, column in origins]
        for name, origins in column_lineage(catalog.view_sql(view), view.inputs).items()
    }
    for one in features_joined(catalog, view):
        found[one.name] = [dg.TableColumnDep(dg.AssetKey(["features", one.view.name]), one.column.name)]
    return dg.TableColumnLineage(found)


def _registry_row(catalog: Catalog, view: FeatureView) -> dict[str, object]:
    return {
        "view": view.name,
        "version": view_version(catalog, view),
        "contract": contract_digest(view.contract),
        "lookback_days": view.lookback.days,
        "columns": ", ".join(column.name for column in columns(view.contract)),
    }
