"""The proof that a training set is honest: splits apart in time, labels whole, and nothing that gives the label away."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from itertools import pairwise

import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.validation.sql_lint import lint_model
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import shorten
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.outcome import CheckResult
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.point_in_time.proof import prove, sample_of_day
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.training.giveaway import tell_label
from mlpipe_assets.training.labels import find_outside_looks, find_unused_horizon
from mlpipe_assets.training.plan import TrainingPlan, embargo_of
from mlpipe_assets.transforms.splits import SPLITS, feature_days

TRAINING_CHECKS = {
    "splits_do_not_overlap": "No row is in two splits, and every split lies after the one before.",
    "labels_do_not_cross_splits": "The label window of a split's last day ends before the next split begins.",
    "labels_are_complete": "Every label window is over by the end of the partition's day.",
    "labels_look_at_their_window": "Some labels of each day stay the same with the events of their window alone.",
    "label_needs_its_horizon": "Events up to the last day of the horizon change labels.",
    "label_is_no_feature": "Neither the label nor anything that tells it without a mistake is among the features.",
    "no_feature_tells_the_label_alone": "No feature alone tells the label better than is declared to be likely.",
    "training_features_ignore_the_future": "Some rows of each day stay the same with later events removed or planted.",
    "splits_are_filled": "The history is long enough for train, validation and test.",
}
WARNINGS = ("label_needs_its_horizon", "no_feature_tells_the_label_alone", "splits_are_filled")
_BOTH = 2  # values of a label that tells something
_NEARLY_ALL = 0.5  # share of rows with a value from which a column may be the label
_PERFECT = 0.9999  # area under the ROC curve

Powers = Mapping[str, Mapping[str, float]]  # by set of rows and feature


def judge_training_set(
    engine: Engine,
    inputs: Inputs,
    plan: TrainingPlan,
    splits: Mapping[str, pl.DataFrame],
    *,
    made: Collection[date],
) -> list[CheckResult]:
    """A result of each of `TRAINING_CHECKS`, of a training set that holds its contract and is about to be written.

    Args:
        engine: Runs the SQL again.
        inputs: Where the features come from.
        plan: What the set is made of.
        splits: Its rows.
        made: Feature days whose rows were made now. What is proved of rows by making some again is proved of these: the
            others are as they were when it was proved of them.
    """
    model = plan.model
    days = {name: feature_days(frame, moments=model.view.moments) for name, frame in splits.items()}
    keys, count = model.view.entity.join_keys, sum(day in made for found in days.values() for day in found)
    rows = {
        day: sample_of_day(frame.filter(day == day_of_row(moments=model.view.moments)), keys, day, count)
        for name, frame in splits.items()
        for day in days[name]
        if day in made
    }
    powers = _powers(splits, model)
    leaking = [*_leaking_columns(splits, model, powers), *lint_model(inputs.catalog, model)]
    proof = prove(engine, inputs, rows).result("training_features_ignore_the_future")
    return [
        _result("splits_do_not_overlap", _overlaps(days), "No split overlaps another."),
        _result("labels_do_not_cross_splits", _crossings(days, plan), "No label window reaches into the next split."),
        _result("labels_are_complete", _incomplete(days, plan), f"Every label was complete by {plan.as_of}."),
        _result(
            "labels_look_at_their_window",
            find_outside_looks(engine, inputs, model, rows),
            "Labels follow from their window alone.",
        ),
        _result(
            "label_needs_its_horizon",
            find_unused_horizon(engine, inputs, model, rows),
            "Events up to the last day of the horizon change labels.",
            warns=True,
        ),
        _result("label_is_no_feature", leaking, "No feature gives the label away."),
        _result(
            "no_feature_tells_the_label_alone",
            _suspects(powers, model),
            f"No feature alone tells the label better than {model.suspect_above:g}.",
            warns=True,
        ),
        proof,
        _filled(plan, splits),
    ]


def nothing_to_judge() -> list[CheckResult]:
    """The same checks of a training set that could not be built: none passed, none blocks."""
    return [
        CheckResult(
            check_name=name,
            passed=False,
            warns=True,
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
    horizon, further = plan.model.horizon, embargo_of(plan.model) - plan.model.embargo
    return [
        f"labels of {a} look up to {x[-1] + horizon}, {b} begins on {y[0]}: the embargo of {plan.model.embargo.days} days is "
        f"shorter than the horizon of {horizon.days}"
        for (a, x), (b, y) in pairwise(filled)
        if x[-1] + horizon + further > y[0]
    ]


def _incomplete(days: Mapping[str, list[date]], plan: TrainingPlan) -> list[str]:
    late = [day for found in days.values() for day in found if day + plan.model.horizon > plan.as_of]
    return [f"labels of {spell_days(late)} look beyond {plan.as_of}"] if late else []


def _leaking_columns(splits: Mapping[str, pl.DataFrame], model: Model, powers: Powers) -> list[str]:
    """Feature columns that are the label: by their values, or by telling it without a mistake."""
    train = splits["train"]
    if model.label not in train.columns:
        return [f"the training set has no column {model.label}"]
    held = [name for name in _features(train, model) if _holds_label(train[name], train[model.label])]
    found = [f"{name} holds the label" for name in held]
    told = {name: (power, where) for where, powers_of in powers.items() for name, power in powers_of.items()}
    return found + [
        f"{name} alone tells the label of every row ({task_of(model).power} {power:.4f}, {where}): it is the label in other "
        "words, or counts what happens after as_of"
        for name, (power, where) in told.items()
        if power >= _PERFECT and name not in held
    ]


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _suspects(powers: Powers, model: Model) -> list[str]:
    """Features that alone tell the label better than is declared to be likely."""
    return [
        f"{name} alone tells the label with {_with_article(task_of(model).power)} of {power:.4f} ({where}), above {model.suspect_above:g}. "
        "Make sure that it was known at as_of; if it was, declare a higher suspect_above"
        for where, powers_of in powers.items()
        for name, power in powers_of.items()
        if model.suspect_above < power < _PERFECT
    ]


def _powers(splits: Mapping[str, pl.DataFrame], model: Model) -> Powers:
    """How well each feature alone tells the label, in each split and over all of them."""
    if any(model.label not in frame.columns for frame in splits.values()):
        return {}
    sets = {**splits, "all splits": pl.concat(list(splits.values()))}
    keys = model.view.entity.join_keys
    names = _features(splits["train"], model)
    return {
        name: tell_label(rows, label=model.label, keys=keys, features=names, task=task_of(model))
        for name, rows in sets.items()
    }


def _features(rows: pl.DataFrame, model: Model) -> list[str]:
    return [name for name in rows.columns if name not in (model.label, *model.view.entity.join_keys, "as_of")]


def _holds_label(values: pl.Series, label: pl.Series) -> bool:
    """Whether a column of two values goes with the label wherever it has a value, which is nearly everywhere."""
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean) or not (
        label.dtype.is_numeric() or label.dtype == pl.Boolean
    ):
        return False
    pairs = pl.DataFrame({"a": values.cast(pl.Float64), "b": label.cast(pl.Float64)}).drop_nulls()
    if pairs.height < _NEARLY_ALL * values.len() or pairs["a"].n_unique() != _BOTH or pairs["b"].n_unique() != _BOTH:
        return False
    return bool(abs(pairs.select(pl.corr("a", "b")).item()) > 1 - 1e-12)


def _one_class(splits: Mapping[str, pl.DataFrame], model: Model) -> list[str]:
    """A train split in which every label is the same: there is nothing to learn from it."""
    train = splits["train"]
    if model.label not in train.columns or not train.height or train[model.label].n_unique() > 1:
        return []
    return [f"every label of train is {train[model.label][0]}, so there is nothing to learn"]


def _unlearnable(plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]) -> list[str]:
    """A train split without a row although there are days for it: the SQL has dropped them, or the features are empty."""
    days = plan.splits["train"]
    if splits["train"].height or not days:
        return []
    return [
        f"train has no row, though it takes {len(days)} feature days ({spell_days(days)}). {plan.model.sql} drops them all"
    ]


def _empty(plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]) -> list[str]:
    model = plan.model
    gap = max(0, -(-embargo_of(model) // model.every) - 1)
    needed = (3 + 2 * gap) * model.every + model.horizon
    return [
        f"{name} is empty: {len(plan.spine)} feature days are too few for an embargo of {model.embargo.days} days "
        f"(it takes {needed.days} days of history)"
        for name, frame in splits.items()
        if not frame.height
    ]


def _filled(plan: TrainingPlan, splits: Mapping[str, pl.DataFrame]) -> CheckResult:
    if broken := _unlearnable(plan, splits):
        return _result("splits_are_filled", broken, "")
    thin = [*_empty(plan, splits), *_one_class(splits, plan.model)]
    return _result("splits_are_filled", thin, "All three splits have rows.", warns=True)


def _result(name: str, problems: Sequence[str], fine: str, *, warns: bool = False) -> CheckResult:
    return CheckResult(
        check_name=name,
        passed=not problems,
        warns=warns,
        description=shorten(list(problems)) or fine,
        metadata={"problems": list(problems)[:50]},
    )
