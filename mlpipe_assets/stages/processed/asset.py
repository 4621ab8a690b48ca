"""processed: the training set as of a day, features of past days with the label that followed, split by time."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import model_version, view_version
from mlpipe_assets.engines.engine import DayRows, Engine
from mlpipe_assets.engines.registry import KIND
from mlpipe_assets.errors import naming, shorten
from mlpipe_assets.gate import judge
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.outcome import CheckResult, Outcome, worst_of
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns, first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.processed.carried import Carried, find_carried, nothing_carried
from mlpipe_assets.stages.processed.plan import find_obstacle, inputs_digest, made_of_days, spell_too_early
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store import keys
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.registry import register
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.training.checks import TRAINING_CHECKS, WARNINGS, judge_training_set, nothing_to_judge
from mlpipe_assets.training.plan import TrainingPlan, plan_training_set
from mlpipe_assets.transforms.splits import SPLITS

_log = logging.getLogger("mlpipe")


def training_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset of a model's training set as of each day."""
    key = dg.AssetKey(["processed", model.name])
    checks = [check(key, "contract_holds", f"Every row of {model.contract.__name__} holds.", blocking=True)]
    checks += [check(key, name, text, blocking=name not in WARNINGS) for name, text in TRAINING_CHECKS.items()]

    @dg.asset(
        **daily(
            key,
            description=first_sentence(model.contract),
            owners=model.owners,
            kinds={KIND, "sql", "parquet"},
            code_version=model_version(catalog, model),
            contract=model.contract,
            checks=checks,
            deps=[
                dg.AssetDep(dg.AssetKey(["features", model.view.name])),
                *(dg.AssetDep(dg.AssetKey(["interim", name])) for name in model.inputs),
            ],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes, proofs = build_training_sets(lake, engine, catalog, model, days)
        yield from tell(context, lake, key, outcomes, extra_checks=worst_of(proofs), balanced=False)

    return build


def build_training_sets(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, days: Sequence[date]
) -> tuple[list[Outcome], list[CheckResult]]:
    """Build the training sets of some days, visible together; each is written whole, or not at all when anything is wrong with it."""
    change = lake.change("processed", model.name)
    outcomes: list[Outcome] = []
    proofs: list[CheckResult] = []
    for day in days:
        outcome, found = _build(lake, change, engine, catalog, model, day)
        outcomes.append(outcome)
        proofs += found
    change.publish()
    return outcomes, proofs


def _build(
    lake: Lake, change: TableChange, engine: Engine, catalog: Catalog, model: Model, as_of: date
) -> tuple[Outcome, list[CheckResult]]:
    """One training set, visible when the change is published."""
    features = lake.state("features", model.view.name)
    days = features.days()
    plan = plan_training_set(model, as_of, days[0] if days else None)
    if not days or as_of > days[-1] or not plan.used:
        return Outcome(day=as_of, missing=spell_too_early(plan, days)), nothing_to_judge()
    problem = find_obstacle(lake, catalog, plan)
    if problem:
        return Outcome(day=as_of, refused=problem), nothing_to_judge()
    carried = find_carried(lake, catalog, plan)
    with _rows_of_days(lake, engine, catalog, plan, carried.made) as frames:
        if carried.holds(frames, model.view.row_key):
            return _judge_and_write(lake, change, engine, catalog, plan, carried, frames)
    _log.info("processed/%s: rows of one feature day depend on others, so all are made again", model.name)
    with _rows_of_days(lake, engine, catalog, plan, plan.used) as frames:
        return _judge_and_write(lake, change, engine, catalog, plan, nothing_carried(plan), frames)


@contextmanager
def _rows_of_days(
    lake: Lake, engine: Engine, catalog: Catalog, plan: TrainingPlan, days: Sequence[date]
) -> Iterator[DayRows]:
    """The rows of some feature days, made from their features and the days their labels look at."""
    model = plan.model
    _log.info("processed/%s: as of %s, %s of %s feature days", model.name, plan.as_of, len(days), len(plan.used))
    features = lake.state("features", model.view.name)
    sources = {name: SourceDays(lake=lake, source=catalog.source(name)) for name in model.inputs}
    label_days = plan.label_days(days)
    tables = {
        "features": features.files(days),
        **{name: source.paths(label_days) for name, source in sources.items()},
    }
    rows = sum(source.rows(label_days) for source in sources.values())
    rows += sum(int((features.facts(day) or {}).get("rows", 0)) for day in days)
    sql = catalog.read_sql(model.sql)
    params = {"horizon": model.horizon.days}
    keys_of, moments = model.view.entity.join_keys, model.view.moments
    with (
        naming(model.sql),
        engine.select_by_day(sql, tables, params, rows=rows, keys=keys_of, days=len(days), moments=moments) as frames,
    ):
        yield frames


def _judge_and_write(
    lake: Lake,
    change: TableChange,
    engine: Engine,
    catalog: Catalog,
    plan: TrainingPlan,
    carried: Carried,
    frames: DayRows,
) -> tuple[Outcome, list[CheckResult]]:
    model = plan.model
    first, last = min(plan.used), max(plan.used)
    if astray := frames.astray(first, last):
        told = f"{model.sql} gives rows of {shorten(astray)}, and its features are of {first} to {last}: give as_of as it is in features"
        return Outcome(day=plan.as_of, refused=told), nothing_to_judge()
    keys_of = model.view.row_key
    wanted = [column.name for column in columns(model.contract)]
    splits: dict[str, pl.DataFrame] = {}
    for name in SPLITS:
        parts = [part for day in plan.splits[name] if (part := carried.day(frames, day, keys_of)) is not None]
        whole = pl.concat(parts) if parts else pl.DataFrame(schema={c.name: c.dtype for c in columns(model.contract)})
        splits[name] = whole.select(wanted) if set(wanted) == set(whole.columns) else whole
    counts = {"rows": sum(f.height for f in splits.values()), **{f"rows_{n}": f.height for n, f in splits.items()}}
    breaches = [
        f"{name}: {line}"
        for name, frame in splits.items()
        for line in judge(frame, model.contract, environment="training").errors()
    ]
    if breaches:
        refused = Outcome(day=plan.as_of, counts=counts, breaches=breaches, refused="breaks its contract")
        return refused, nothing_to_judge()
    checks = judge_training_set(
        engine, Inputs(lake=lake, catalog=catalog, view=model.view), plan, splits, made=carried.made
    )
    broken = [c for c in checks if c.stops]
    if broken:
        text = "; ".join(f"{c.check_name}: {c.description}" for c in broken)
        return Outcome(day=plan.as_of, counts=counts, refused=text[:500]), checks
    outcome = Outcome(day=plan.as_of, counts=counts, written=_write(lake, change, catalog, plan, splits))
    return outcome, checks


def _write(
    lake: Lake, change: TableChange, catalog: Catalog, plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]
) -> Staged:
    """The three files under one fingerprint, and what meta.dataset_splits says of them."""
    model = plan.model
    fingerprint = inputs_digest(lake, catalog, plan)
    made = made_of_days(lake, catalog, plan)
    staged: dict[str, Staged] = {}
    for name, frame in splits.items():
        facts = {
            "table": f"processed/{model.name}",
            "date": f"{plan.as_of}",
            "split": name,
            "code_version": model_version(catalog, model),
            "inputs": fingerprint,
            "fingerprint": fingerprint,
            "rows": frame.height,
            "days": [f"{day}" for day in plan.splits[name]],
            "made": {f"{day}": made[day] for day in plan.splits[name]},
        }
        staged[name] = change.table.stage(plan.as_of, frame, facts, keys.split(name))
    rows: list[dict[str, object]] = []
    for name, frame in splits.items():
        days = plan.splits[name]
        row: dict[str, object] = {
            "model": model.name,
            "as_of": plan.as_of,
            "split": name,
            "first_day": days[0] if days else None,
            "last_day": days[-1] if days else None,
            "rows": frame.height,
            "positives": task_of(model).describe(frame[model.label]).get("positives"),
            "fingerprint": fingerprint,
            "feature_version": view_version(catalog, model.view),
            "digest": staged[name].digest,
        }
        rows.append(row)
    register(lake, "dataset_splits", rows, key=("model", "as_of", "split"))
    change.put(*staged.values())
    return staged["train"]
