"""The tasks there are. To add one: a module, a line here, and a line in `catalog/tasks.py`."""

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.multiclass import MULTICLASS
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets.learning.tasks.task import Task

_TASKS: dict[str, Task] = {task.name: task for task in (BINARY, MULTICLASS, REGRESSION)}


def task_named(name: str) -> Task:
    """The task of that name."""
    return _TASKS[name]


def task_of(model: Model) -> Task:
    """The task of a model."""
    return _TASKS[model.task]


def losses() -> frozenset[str]:
    """Of the metrics that decide whether predictions came true as tested, those of which less is better."""
    return frozenset(task.realised_by for task in _TASKS.values() if task.realised_by not in task.more_is_better)


def realised_methods() -> frozenset[str]:
    """Every metric that decides whether predictions came true as tested."""
    return frozenset(task.realised_by for task in _TASKS.values())
