"""processed: the training set as of a day, features of past days with the label that followed, split by time."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.lineage import columns_read
from mlpipe_assets.catalog.versions import lint_sql, model_version, view_version
from mlpipe_assets.errors import shorten
from mlpipe_assets.gate import judge
from mlpipe_assets.leakage import different, only_keys, prove, sample_days, sample_keys
from mlpipe_assets.outcome import Outcome, tell
from mlpipe_assets.partitions import ONE_DAY, START_DATE, days_between, spell_days
from mlpipe_assets.resources.engine import DayFrames, Engine
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.resources.registry import register
from mlpipe_assets.rules import columns, digest
from mlpipe_assets.stages.daily import at_work, check, column_schema, daily, first_sentence
from mlpipe_assets.transforms.splits import SPLITS, spine_days, split_days
from mlpipe_assets.windows import Inputs, SourceDays

_log = logging.getLogger("mlpipe")
_BOTH = 2  # values of a label that tells something
_LABEL_KEYS = 1000  # a label that looks a day too far differs on few rows, so it takes many to see it
_CHECKS = {
    "splits_do_not_overlap": "No row is in two splits, and every split lies after the one before.",
    "labels_do_not_cross_splits": "The label window of a split's last day ends before the next split begins.",
    "labels_are_complete": "Every label window is over by the end of the partition's day.",
    "labels_look_at_their_window": "Sampled labels are the same from the days of their window alone.",
    "label_is_no_feature": "The label, and nothing equal to it, is among the features.",
    "training_features_ignore_the_future": "Sampled rows are the same with all events after their day removed.",
    "splits_are_filled": "The history is long enough for train, validation and test.",
}


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a training set as of a day is made of."""

    model: Model
    as_of: date
    spine: list[date]
    splits: dict[str, list[date]]

    @property
    def used(self) -> list[date]:
        """Feature days that belong to a split."""
        return [day for name in SPLITS for day in self.splits[name]]

    def label_days(self) -> list[date]:
        """Days the labels look at."""
        horizon = self.model.horizon.days
        return sorted({d + timedelta(days=i) for d in self.used for i in range(1, horizon + 1)})


def training_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset of a model's training set as of each day."""
    key = dg.AssetKey(["processed", model.name])
    checks = [check(key, "contract_holds", f"Every row of {model.contract.__name__} holds.", blocking=True)]
    checks += [check(key, name, text, blocking=name != "splits_are_filled") for name, text in _CHECKS.items()]

    @dg.asset(
        **daily(
            key,
            description=first_sentence(model.contract),
            owners=model.owners,
            kinds={"duckdb", "sql", "parquet"},
            fresh_within=model.fresh_within,
            code_version=model_version(catalog, model),
            schema=column_schema(model.contract),
            checks=checks,
            deps=[
                dg.AssetDep(dg.AssetKey(["features", model.view.name])),
                *(dg.AssetDep(dg.AssetKey(["interim", name])) for name in model.inputs),
            ],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: Lake, engine: Engine
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        outcomes: list[Outcome] = []
        proofs: dict[str, dg.AssetCheckResult] = {}
        with at_work(context, lake, key) as days:
            for day in days:
                outcome, found = build_training_set(lake, engine, catalog, model, day)
                outcomes.append(outcome)
                for one in found:
                    proofs[str(one.check_name)] = _worse(proofs.get(str(one.check_name)), one)
        yield from tell(context, lake, key, outcomes, extra_checks=list(proofs.values()), balanced=False)

    return build


def plan_training_set(model: Model, as_of: date, first_features: date | None) -> TrainingPlan:
    """Which feature days a training set takes, and in which split; none before the first feature partition."""
    spine = spine_days(START_DATE, as_of, every=model.every, horizon=model.horizon)
    spine = [day for day in spine if first_features is not None and day >= first_features]
    return TrainingPlan(
        model=model,
        as_of=as_of,
        spine=spine,
        splits=split_days(spine, model.split, every=model.every, embargo=model.embargo),
    )


def holes(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> str | None:
    """Why a training set cannot be built: no spine, feature days missing or of another version, labels not there."""
    model = plan.model
    if not plan.used:
        return _too_early(plan, [plan.as_of])
    problems: list[str] = []
    facts = {day: lake.facts("features", model.view.name, day) for day in plan.used}
    absent = [day for day, fact in facts.items() if fact is None]
    version = view_version(catalog, model.view)
    other = [day for day, fact in facts.items() if fact is not None and fact.get("code_version") != version]
    if absent:
        problems.append(f"features/{model.view.name} has no {spell_days(absent)}")
    if other:
        problems.append(f"features/{model.view.name} {spell_days(other)} were made by another version than {version}")
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        gaps = [day for day in plan.label_days() if day not in source.present]
        if gaps:
            problems.append(f"the labels need interim/{name} of {spell_days(gaps)}, which are missing or refused")
    return "; ".join(problems) or None


def _too_early(plan: TrainingPlan, days: Sequence[date]) -> str:
    """Why there is nothing to make a training set of yet."""
    model = plan.model
    if days and plan.as_of > days[-1]:
        return f"no features of that day yet; the newest are of {days[-1]}"
    history = model.every.days + model.horizon.days
    return f"no feature day has a complete label by {plan.as_of}: it takes {history} days of history"


def inputs_digest(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> str:
    """Digest of all a training set is made of: the code, its feature days and the days its labels look at."""
    model = plan.model
    read: list[object] = [model_version(catalog, model)]
    made = {day: lake.facts("features", model.view.name, day) or {} for day in plan.used}
    read += [[f"{day}", facts.get("fingerprint")] for day, facts in made.items()]
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        names = columns_read(catalog.read_sql(model.sql), name)
        days = [day for day in plan.label_days() if day in source.present]
        read.append([name, [[f"{day}", _content(source, day, names)] for day in days]])
    return digest(read)


def _content(source: SourceDays, day: date, names: frozenset[str] | None) -> object:
    """What of a partition the labels can see: a correction of any other column leaves the training set as it is."""
    columns = source.fact(day, "columns")
    if names is None or not isinstance(columns, dict):
        return source.fact(day, "fingerprint")
    return {name: columns[name] for name in sorted({*names, *source.source.key}) if name in columns}


def build_training_set(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, as_of: date
) -> tuple[Outcome, list[dg.AssetCheckResult]]:
    """Build one training set; it is written whole, or not at all when anything is wrong with it."""
    days = lake.days("features", model.view.name)
    plan = plan_training_set(model, as_of, days[0] if days else None)
    if not days or as_of > days[-1] or not plan.used:
        return Outcome(day=as_of, missing=_too_early(plan, days)), [_not_judged(name) for name in _CHECKS]
    problem = holes(lake, catalog, plan)
    if problem:
        return Outcome(day=as_of, refused=problem), [_not_judged(name) for name in _CHECKS]
    _log.info("processed/%s: as of %s, %s feature days", model.name, as_of, len(plan.used))
    sources = {name: SourceDays(lake=lake, source=catalog.source(name)) for name in model.inputs}
    label_days = plan.label_days()
    tables = {
        "features": [lake.path("features", model.view.name, day) for day in plan.used],
        **{name: source.paths(label_days) for name, source in sources.items()},
    }
    rows = sum(source.rows(label_days) for source in sources.values())
    rows += sum(int((lake.facts("features", model.view.name, day) or {}).get("rows", 0)) for day in plan.used)
    sql = catalog.read_sql(model.sql)
    params = {"horizon": model.horizon.days}
    key = model.view.entity.join_key
    with engine.select_by_day(sql, tables, params, rows=rows, key=key, days=len(plan.used)) as frames:
        return _judge_and_write(lake, engine, catalog, plan, frames)


def _judge_and_write(
    lake: Lake, engine: Engine, catalog: Catalog, plan: TrainingPlan, frames: DayFrames
) -> tuple[Outcome, list[dg.AssetCheckResult]]:
    model = plan.model
    key = model.view.entity.join_key
    wanted = [column.name for column in columns(model.contract)]
    splits: dict[str, pl.DataFrame] = {}
    for name in SPLITS:
        parts = [part for day in plan.splits[name] if (part := frames.day(day, [key])) is not None]
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
        return refused, [_not_judged(name) for name in _CHECKS]
    checks = _checks(
        engine,
        Inputs(lake=lake, catalog=catalog, view=model.view),
        plan,
        splits,
        lint_sql(catalog.read_sql(model.sql), model.sql, ("features", *model.inputs)),
    )
    broken = [c for c in checks if not c.passed and c.severity == dg.AssetCheckSeverity.ERROR]
    if broken:
        text = "; ".join(f"{c.check_name}: {c.description}" for c in broken)
        return Outcome(day=plan.as_of, counts=counts, refused=text[:500]), checks
    outcome = Outcome(day=plan.as_of, counts=counts, written=_write(lake, catalog, plan, splits))
    return outcome, checks


def _write(lake: Lake, catalog: Catalog, plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]) -> Staged:
    """The three files under one fingerprint, then the line in meta.dataset_splits that says they are there."""
    model = plan.model
    fingerprint = inputs_digest(lake, catalog, plan)
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
        }
        staged[name] = lake.stage(lake.path("processed", model.name, plan.as_of, f"{name}.parquet"), frame, facts)
    lake.commit(*staged.values())
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
            "positives": int(frame[model.label].cast(pl.Int64).sum()) if frame.height else 0,
            "fingerprint": fingerprint,
            "feature_version": view_version(catalog, model.view),
            "digest": staged[name].digest,
        }
        rows.append(row)
    register(lake, "dataset_splits", rows, key=("model", "as_of", "split"))
    return staged["train"]


def _checks(
    engine: Engine, inputs: Inputs, plan: TrainingPlan, splits: Mapping[str, pl.DataFrame], lint: list[str]
) -> list[dg.AssetCheckResult]:
    days = {name: _feature_days(frame) for name, frame in splits.items()}
    rows = {
        day: frame.filter(pl.col("as_of").dt.date() == day + ONE_DAY)
        for name, frame in splits.items()
        for day in sample_days(days[name], 1 if name != "train" else 2)
    }
    proof = prove(engine, inputs, rows, "training_features_ignore_the_future")
    return [
        _result("splits_do_not_overlap", _overlaps(days), "No split overlaps another."),
        _result("labels_do_not_cross_splits", _crossings(days, plan), "No label window reaches into the next split."),
        _result("labels_are_complete", _incomplete(days, plan), f"Every label was complete by {plan.as_of}."),
        _result(
            "labels_look_at_their_window",
            _elsewhere(engine, inputs, plan, rows),
            "Labels follow from their window alone.",
        ),
        _result(
            "label_is_no_feature", [*_leaking_columns(splits, plan.model), *lint], "No feature gives the label away."
        ),
        proof,
        _result("splits_are_filled", _empty(plan, splits), "All three splits have rows.", dg.AssetCheckSeverity.WARN),
    ]


def _feature_days(frame: pl.DataFrame) -> list[date]:
    """Days the rows of a split really describe."""
    return sorted(day - ONE_DAY for day in frame["as_of"].dt.date().unique()) if frame.height else []


def _ordered(days: Mapping[str, list[date]]) -> list[tuple[str, list[date]]]:
    return [(name, days[name]) for name in SPLITS if days[name]]


def _overlaps(days: Mapping[str, list[date]]) -> list[str]:
    filled = _ordered(days)
    return [f"{a} ends on {x[-1]}, {b} begins on {y[0]}" for (a, x), (b, y) in pairwise(filled) if x[-1] >= y[0]]


def _crossings(days: Mapping[str, list[date]], plan: TrainingPlan) -> list[str]:
    """Judged by the horizon itself, whatever embargo was declared."""
    filled = _ordered(days)
    horizon = plan.model.horizon
    return [
        f"labels of {a} look up to {x[-1] + horizon}, {b} begins on {y[0]}: the embargo of {plan.model.embargo.days} days is "
        f"shorter than the horizon of {horizon.days}"
        for (a, x), (b, y) in pairwise(filled)
        if x[-1] + horizon > y[0]
    ]


def _incomplete(days: Mapping[str, list[date]], plan: TrainingPlan) -> list[str]:
    late = [day for found in days.values() for day in found if day + plan.model.horizon > plan.as_of]
    return [f"labels of {spell_days(late)} look beyond {plan.as_of}"] if late else []


def _elsewhere(
    engine: Engine, inputs: Inputs, plan: TrainingPlan, rows_of_days: Mapping[date, pl.DataFrame]
) -> list[str]:
    """Sampled labels that come out otherwise when nothing but the days of their window is there to look at."""
    model, lake = plan.model, inputs.lake
    if any(model.label not in rows.columns for rows in rows_of_days.values()):
        return []
    key = model.view.entity.join_key
    problems: list[str] = []
    for day, rows in rows_of_days.items():
        keys = sample_keys(rows, key, _LABEL_KEYS)
        sources = [SourceDays(lake=lake, source=inputs.catalog.source(name)) for name in model.inputs]
        ahead = days_between(day + ONE_DAY, day + model.horizon)
        tables = {s.source.name: s.paths(d for d in ahead if d in s.present) for s in sources}
        tables["features"] = [lake.path("features", model.view.name, day)]
        params = {"horizon": model.horizon.days}
        alone = engine.select(inputs.catalog.read_sql(model.sql), tables, params, only_keys(key, keys)).sort(key)
        stored = rows.filter(pl.col(key).is_in(keys.implode())).sort(key)
        problems += [
            f"{day} {line}" for line in different(stored.select(key, model.label), alone.select(key, model.label), key)
        ]
    return problems


def _leaking_columns(splits: Mapping[str, pl.DataFrame], model: Model) -> list[str]:
    """Feature columns that are the label: by name in the view, or by holding the same values."""
    names = {column.name for column in columns(model.view.contract)}
    found = [f"{model.label} is a column of {model.view.name}"] if model.label in names else []
    train = splits["train"]
    if model.label not in train.columns:
        return [*found, f"the training set has no column {model.label}"]
    label = train[model.label].cast(pl.Float64)
    if label.n_unique() < _BOTH:
        return found
    for name in train.columns:
        if name in (model.label, model.view.entity.join_key, "as_of") or not (
            train[name].dtype.is_numeric() or train[name].dtype == pl.Boolean
        ):
            continue
        values = train[name].cast(pl.Float64)
        if (
            values.null_count() == 0
            and values.n_unique() == _BOTH
            and abs(pl.DataFrame({"a": values, "b": label}).select(pl.corr("a", "b")).item()) > 1 - 1e-12
        ):
            found.append(f"{name} holds the label")
    return found


def _empty(plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]) -> list[str]:
    model = plan.model
    gap = max(0, -(-model.embargo // model.every) - 1)
    needed = (3 + 2 * gap) * model.every + model.horizon
    return [
        f"{name} is empty: {len(plan.spine)} feature days are too few for an embargo of {model.embargo.days} days "
        f"(it takes {needed.days} days of history)"
        for name, frame in splits.items()
        if not frame.height
    ]


def _result(
    name: str, problems: Sequence[str], fine: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not problems,
        severity=severity,
        description=shorten(list(problems)) or fine,
        metadata={"problems": list(problems)[:50]},
    )


def _not_judged(name: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="The training set could not be built, so there was nothing to judge.",
    )


def _worse(old: dg.AssetCheckResult | None, new: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """Of two results of one check, the one that failed, or the newer."""
    return old if old is not None and not old.passed else new
