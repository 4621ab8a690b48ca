"""What golden answers rest on, and whether the champion has to be asked again."""

import importlib.metadata
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import learner_version, view_version
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion, read_golden
from mlpipe_assets.training.model_files import Golden

_LIBRARIES = ("scikit-learn", "numpy", "polars")


@or_unreadable(lambda model: f"validation/{model.golden}")
def golden_work(lake: Lake, catalog: Catalog, model: Model, wanted: Wanted) -> Work:
    """The newest feature day, when the champion was not asked its golden rows since anything they rest on changed."""
    name = model.golden
    table = f"validation/{name}"
    used, golden = champion(lake, model.name), read_golden(lake, model.name)
    if used is None or golden is None:
        return Work(table=table)
    days = [day for day in lake.days("features", model.view.name) if wanted(day) and day >= used.as_of]
    if not days:
        return Work(table=table)
    inputs = golden_inputs(lake, catalog, model, golden)
    state = lake.state("validation", name)
    for day, refusal in sorted(state.refused.items(), reverse=True):
        if refusal["inputs"] == inputs:
            return Work(table=table, blocked=((day, str(refusal["problem"])),))
    asked = state.days()
    same = bool(asked) and (state.facts(asked[-1]) or {}).get("inputs") == inputs
    return Work(table=table, days=() if same else (days[-1],))


def golden_inputs(lake: Lake, catalog: Catalog, model: Model, golden: Golden) -> str:
    """Digest of all an answer rests on: the rows, the champion, the code, the libraries, the features as they lie there."""
    libraries = [[name, importlib.metadata.version(name)] for name in _LIBRARIES]
    made = [[day, (facts_of_features(lake, model, day) or {}).get("fingerprint")] for day in sorted(golden.days)]
    code = [view_version(catalog, model.view), learner_version(model)]
    return digest([golden.version, golden.champion, code, libraries, made])


def facts_of_features(lake: Lake, model: Model, day: str) -> dict[str, str] | None:
    """What the features that golden rows of a day were taken from are made of now; None where there are none."""
    return lake.facts("features", model.view.name, date.fromisoformat(day))
