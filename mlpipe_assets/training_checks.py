"""The proof that a training set is honest: splits apart in time, labels whole, and nothing that gives the label away."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.versions import lint_sql
from mlpipe_assets.errors import shorten
from mlpipe_assets.leakage import different, only_keys, prove, sample_days, sample_keys
from mlpipe_assets.partitions import ONE_DAY, days_between, spell_days
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.rules import columns
from mlpipe_assets.training_plan import TrainingPlan
from mlpipe_assets.transforms.splits import SPLITS, feature_days
from mlpipe_assets.windows import Inputs, SourceDays

TRAINING_CHECKS = {
    "splits_do_not_overlap": "No row is in two splits, and every split lies after the one before.",
    "labels_do_not_cross_splits": "The label window of a split's last day ends before the next split begins.",
    "labels_are_complete": "Every label window is over by the end of the partition's day.",
    "labels_look_at_their_window": "Sampled labels are the same from the days of their window alone.",
    "label_is_no_feature": "Neither the label nor anything equal to it is among the features.",
    "training_features_ignore_the_future": "Sampled rows are the same with all events after their day removed.",
    "splits_are_filled": "The history is long enough for train, validation and test.",
}
_BOTH = 2  # values of a label that tells something
_LABEL_KEYS = 1000  # a label that looks a day too far differs on few rows, so it takes many to see it


def judge_training_set(
    engine: Engine, inputs: Inputs, plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]
) -> list[dg.AssetCheckResult]:
    """A result of each of `TRAINING_CHECKS`, of a training set that holds its contract and is about to be written."""
    model = plan.model
    days = {name: feature_days(frame) for name, frame in splits.items()}
    rows = {
        day: frame.filter(pl.col("as_of").dt.date() == day + ONE_DAY)
        for name, frame in splits.items()
        for day in sample_days(days[name], 1 if name != "train" else 2)
    }
    lint = lint_sql(inputs.catalog.read_sql(model.sql), model.sql, ("features", *model.inputs))
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
        _result("label_is_no_feature", [*_leaking_columns(splits, model), *lint], "No feature gives the label away."),
        proof,
        _result("splits_are_filled", _empty(plan, splits), "All three splits have rows.", dg.AssetCheckSeverity.WARN),
    ]


def nothing_to_judge() -> list[dg.AssetCheckResult]:
    """The same checks of a training set that could not be built: none passed, none blocks."""
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="The training set could not be built, so there was nothing to judge.",
        )
        for name in TRAINING_CHECKS
    ]


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
