"""What a model is made of, why none can be fitted, and whether the newest training set waits for one."""

from datetime import date
from importlib.metadata import version as library_version

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import learner_version, model_version
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS

_LIBRARIES = ("numpy", "scikit-learn", "skops")


@or_unreadable(lambda model: f"models/{model.name}")
def model_work(lake: Lake, catalog: Catalog, model: Model, wanted: Wanted) -> Work:
    """The newest training set, when nothing was fitted on it as it is and as the learner is declared now."""
    table = f"models/{model.name}"
    days = [day for day in lake.days("processed", model.name, keys.TRAIN) if wanted(day)]
    if not days:
        return Work(table=table)
    newest = days[-1]
    inputs = inputs_digest(lake, model, newest)
    problem = find_obstacle(lake, catalog, model, newest) or too_little_history(lake, model, newest)
    if problem:
        return Work(table=table, blocked=((newest, problem),))
    made = lake.facts("models", model.name, newest)
    return Work(table=table, days=() if made and made["inputs"] == inputs else (newest,))


def inputs_digest(lake: Lake, model: Model, as_of: date) -> str:
    """Digest of all a model is made of: its training set, how it is fitted, and the libraries that fit it."""
    facts = lake.facts("processed", model.name, as_of, keys.TRAIN) or {}
    return digest([facts.get("fingerprint"), learner_version(model), libraries()])


def libraries() -> str:
    """The libraries a model's bytes depend on, with their versions."""
    return ", ".join(f"{name} {library_version(name)}" for name in _LIBRARIES)


def find_obstacle(lake: Lake, catalog: Catalog, model: Model, as_of: date) -> str | None:
    """Why no model can be fitted as of a day: the training set is missing, of another version, or of several."""
    sets = lake.state("processed", model.name)
    facts = {name: sets.facts(as_of, keys.split(name)) for name in SPLITS}
    absent = [name for name, fact in facts.items() if fact is None]
    if absent:
        return f"processed/{model.name} has no {', '.join(absent)} of {as_of}; materialize it first (training_job does)"
    there = {name: fact for name, fact in facts.items() if fact is not None}
    wanted = model_version(catalog, model)
    if any(fact.get("code_version") != wanted for fact in there.values()):
        return f"processed/{model.name} [{as_of}] was made by another version than {wanted}; materialize it again"
    if len({fact.get("fingerprint") for fact in there.values()}) > 1:
        return f"processed/{model.name} [{as_of}] holds splits of different training sets; materialize it again"
    return None


def too_little_history(lake: Lake, model: Model, as_of: date) -> str | None:
    """Why there is nothing to fit or judge a model on yet: a training set without rows to learn from, or to test on."""
    sets = lake.state("processed", model.name)
    facts = {name: sets.facts(as_of, keys.split(name)) or {} for name in ("train", "test")}
    empty = [name for name, fact in facts.items() if fact.get("rows") == 0]
    if not empty:
        return None
    return (
        f"{', '.join(empty)} of processed/{model.name} [{as_of}] {'is' if len(empty) == 1 else 'are'} empty: too little "
        "history to fit and judge a model; wait for more days, or declare a shorter embargo"
    )
