"""What of a model does not fit its task: the label, the columns of its predictions, the learner, the bounds of promotion."""

import math
from collections.abc import Collection, Iterator
from dataclasses import fields

from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.learners import Learner, Promotion, Search, named, of_built_in, searchable
from mlpipe_assets.catalog.tasks import CLASS_PREFIX, TASKS, TaskShape
from mlpipe_assets.catalog.validation import shapes
from mlpipe_assets.catalog.validation.plain_values import is_pairs
from mlpipe_assets.rules import columns

MOST_COMBINATIONS = 200  # of a search; each is a fit


def task_problems(model: Model, bad: Collection[str]) -> Iterator[str]:
    """Everything of a model that does not fit its task; `bad` names the fields that cannot be followed."""
    if "task" in bad:
        return
    labelled = not {"contract", "label"} & {*bad}
    if labelled:
        yield from _label_problems(model)
    if model.learner is None or "learner" in bad:
        return
    if labelled:
        yield from _known_in_training_only(model)
    if labelled and "predictions" not in bad:
        yield from _prediction_problems(model)
    yield from _learner_problems(model, model.learner)
    if "promotion" not in bad:
        yield from _promotion_problems(model)


def _label_problems(model: Model) -> Iterator[str]:
    """Why the label is none of its task."""
    shape = TASKS[model.task]
    dtypes = columns_of(model.contract)[0]
    dtype = dtypes.get(model.label)
    if dtype is not None and not shape.fits(dtype):
        others = [name for name, other in TASKS.items() if other.fits(dtype)]
        meant = f". Is task={others[0]!r} meant?" if others else ""
        yield f"label {model.label!r} is {dtype} in {model.contract.__name__}, and must be {shape.label}{meant}"
    promised = {column.name: column for column in columns(model.contract)} if dtypes else {}
    if shape.per_class and model.label in promised and promised[model.label].metadata.get("personal"):
        yield f"label {model.label!r} is personal: its classes would stand in cards, reports and predictions"


def _known_in_training_only(model: Model) -> Iterator[str]:
    """Columns of the training set that no feature row has, and that its contract promises of rows to predict, too."""
    described = columns_of(model.view.contract)[0]
    promised = columns(model.contract) if described and columns_of(model.contract)[0] else ()
    for column in promised:
        if column.name in described or {*column.metadata.get("environments", ())} == {"training"}:
            continue
        what = "label" if column.name == model.label else "column"
        yield (
            f"{what} {column.name!r} of {model.contract.__name__} is not there on the day of a prediction, and the contract "
            'says it is, so that every prediction would be refused: write metadata={"environments": ["training"]}'
        )


def prediction_columns(model: Model) -> tuple[str, ...]:
    """The columns that a contract of predictions must have for the task, besides keys and versions."""
    return tuple(TASKS[model.task].answers) if model.task in TASKS else ()


def _prediction_problems(model: Model) -> Iterator[str]:
    """Columns of predictions that are of another type than the task answers, or that it does not answer."""
    shape, contract = TASKS[model.task], model.predictions
    dtypes = columns_of(contract)[0] if contract is not None else {}
    if contract is None or not dtypes:
        return
    for name, (words, fits) in shape.answers.items():
        if name in dtypes and not fits(dtypes[name]):
            yield f"predictions: {name!r} is {dtypes[name]} in {contract.__name__}, and must be {words}"
    known = {*model.view.entity.join_keys, "as_of", "model_version", "feature_version", *shape.answers}
    of_class = [name for name in dtypes if name not in known and shape.per_class and name.startswith(CLASS_PREFIX)]
    other = [name for name in dtypes if name not in {*known, *of_class}]
    yield from (
        f"predictions: {name!r} of {contract.__name__} is nothing that a {model.task} model answers" for name in other
    )
    yield from _class_problems(model, of_class)
    label = columns_of(model.contract)[0].get(model.label)
    if shape.per_class and label is not None and dtypes.get("prediction") not in (None, label):
        yield f"predictions: 'prediction' is {dtypes['prediction']} in {contract.__name__}, and the label is {label}"


def _class_problems(model: Model, names: list[str]) -> Iterator[str]:
    """Probabilities of classes that the label cannot be; a class that is misspelt would be 0 for ever."""
    allowed = next((c.allowed for c in columns(model.contract) if c.name == model.label), None) if names else ()
    if allowed is None:
        yield (
            f"predictions: {names[0]!r} asks for the probability of one class: list the classes of {model.label!r} in "
            f"{model.contract.__name__} by isin=[…], so that it can be checked"
        )
        return
    for name in names:
        if name.removeprefix(CLASS_PREFIX) not in allowed:
            yield f"predictions: {name!r} is none of the classes of {model.label!r} ({', '.join(allowed)})"


def _learner_problems(model: Model, learner: Learner) -> Iterator[str]:
    """What of a learner its task cannot do, and hyper-parameters that are none."""
    shape = TASKS[model.task]
    if learner.estimator is None:
        if learner.algorithm not in shape.algorithms:
            yield f"learner.algorithm={learner.algorithm!r} does not do {model.task}: write {' or '.join(shape.algorithms)}"
        for name in ("parameters", "trusted"):
            if getattr(learner, name):
                yield f"learner.{name} concerns an estimator, and none is declared (estimator=…)"
    else:
        for name in of_built_in(learner):
            yield f"learner.{name} concerns a built-in algorithm, and an estimator is declared: give it as a parameter"
    if learner.decide_above != Learner.decide_above and "decision" not in shape.answers:
        yield f"learner.decide_above says nothing of a {model.task} model, which makes no decision"
    taken = [name for name in (*learner.numeric, *learner.categorical) if _is_answer(shape, name)]
    yield from (f"learner takes {name!r}, which is what its answer is called; rename the feature" for name in taken)
    if learner.search is not None and isinstance(learner.search, Search):
        yield from _search_problems(shape, learner, learner.search)


def _promotion_problems(model: Model) -> Iterator[str]:
    """Bounds that say nothing of a model of this task."""
    shape = TASKS[model.task]
    bounds = {name for other in TASKS.values() for name in other.bounds}
    for one in fields(Promotion):
        if one.name in bounds and one.name not in shape.bounds and getattr(model.promotion, one.name) is not None:
            yield f"promotion.{one.name} says nothing of a {model.task} model; write {' and '.join(shape.bounds)}"


def _search_problems(shape: TaskShape, learner: Learner, search: Search) -> Iterator[str]:
    grid = search.grid
    if not _is_grid(grid):
        yield 'search.grid is not values by name: write grid={"learning_rate": (0.05, 0.1)}'
        return
    wanted = named(grid)
    if search.metric is not None and search.metric not in shape.metrics:
        yield f"search.metric={search.metric!r} is none of {', '.join(shape.metrics)}"
    count = math.prod(len(values) for values in wanted.values())
    if not wanted or not count:
        yield "search.grid names no value to try"
    if count > MOST_COMBINATIONS:
        yield f"search.grid has {count:,} combinations, more than {MOST_COMBINATIONS}; each is a fit: name fewer values"
    own = searchable(learner)
    tests = shapes.tests_of(Learner)
    for name, values in wanted.items():
        if name not in own and learner.estimator is None:
            yield f"search.grid: {name!r} is nothing to search; there are {', '.join(own)}"
            continue
        for value in values:
            if name in own and (wrong := tests[name](value)):
                yield f"search.grid: {name}={value!r} {wrong}"
            elif name == "algorithm" and value not in shape.algorithms:
                yield f"search.grid: algorithm={value!r} does not do this task: write {' or '.join(shape.algorithms)}"


def _is_grid(grid: object) -> bool:
    return is_pairs(grid) and all(isinstance(values, tuple) for _, values in grid)


def _is_answer(shape: TaskShape, name: str) -> bool:
    return name in shape.answers or (shape.per_class and name.startswith(CLASS_PREFIX))
