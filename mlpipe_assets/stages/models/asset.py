"""models: what was learnt from the training set of a day, with its card, and whether it becomes champion.

scikit-learn takes seconds to import, so everything that learns is imported where it runs, and so are the modules of
this stage that judge and tell what was learnt.
"""
# ruff: noqa: PLC0415

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.catalog.versions import learner_version
from mlpipe_assets.contracts.model_files import ModelFiles
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.join_keys import number_entities
from mlpipe_assets.outcome import CheckResult, Outcome, worst_of
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.models.checks import MODEL_CHECKS, nothing_to_judge, tell_model_checks
from mlpipe_assets.stages.models.plan import find_obstacle, inputs_digest, libraries, too_little_history
from mlpipe_assets.stages.models.slices import read_slices
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import keep, promote
from mlpipe_assets.training.model_files import CARD, MODEL_FILE
from mlpipe_assets.training.versions import NOT_JUDGED, ModelVersion, find_version, store_version, trusted_types
from mlpipe_assets.transforms.splits import SPLITS

if TYPE_CHECKING:
    from mlpipe_assets.learning.evaluation import Evaluation
    from mlpipe_assets.learning.search import Fit

_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What became of one model partition.

    Attributes:
        version: The version fitted, as the registry has it now; None when it was refused.
        reason: Why it was promoted, or kept.
        metadata: What people see of it.
    """

    outcome: Outcome
    checks: Sequence[CheckResult]
    version: ModelVersion | None = None
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def model_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset of a model as of each day."""
    key = dg.AssetKey(["models", model.name])
    checks = [check(key, "contract_holds", "The training set is there, whole and made by this code.", blocking=True)]
    checks += [
        check(key, name, text, blocking=name == "model_loads_and_answers") for name, text in MODEL_CHECKS.items()
    ]

    @dg.asset(
        **daily(
            key,
            description=f"{TASKS[model.task].what} of {model.label}, fitted on the training set of the day. "
            f"{first_sentence(model.contract)}",
            owners=model.owners,
            kinds={"scikitlearn"},
            code_version=learner_version(model),
            contract=ModelFiles,
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["processed", model.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        built: list[Built] = []
        with at_work(context, lake, key) as days:
            for day in days:  # in order: each is held against the champion of the day before
                built.append(build_model(lake, engine, catalog, model, day))  # noqa: PERF401 (a comprehension hides the order)
        outcomes = [one.outcome for one in built]
        yield from tell(
            context,
            lake,
            key,
            outcomes,
            of_days={one.outcome.day: one.metadata for one in built},
            extra_checks=worst_of(result for one in built for result in one.checks),
            balanced=False,
        )

    return build


def build_model(lake: Lake, engine: Engine, catalog: Catalog, model: Model, as_of: date) -> Built:
    """Fit the model of a day, store it under its version, judge it once, and make it champion if it may be.

    The same training set gives the same version and touches nothing that is there. The caller holds
    `lake.writing("models", model.name)`.
    """
    from mlpipe_assets.learning.errors import LearningError
    from mlpipe_assets.learning.evaluation import evaluate
    from mlpipe_assets.learning.search import fit_best
    from mlpipe_assets.learning.tasks.registry import task_of

    learner = declared_learner(model)
    problem = find_obstacle(lake, catalog, model, as_of)
    if problem:
        return Built(outcome=Outcome(day=as_of, refused=problem), checks=nothing_to_judge())
    early = too_little_history(lake, model, as_of)
    if early:
        return Built(outcome=Outcome(day=as_of, missing=early), checks=nothing_to_judge())
    _log.info("models/%s: as of %s", model.name, as_of)
    splits = {name: lake.read("processed", model.name, as_of, file=keys.split(name)) for name in SPLITS}
    try:
        found = fit_best(learner, splits["train"], splits["validation"], model.label, task_of(model))
        slices = read_slices(
            lake, engine, catalog, model, {name: splits[name] for name in ("validation", "test") if splits[name].height}
        )
        evaluation = evaluate(found.model, found.learner, splits, model.label, slices)
    except LearningError as error:
        return Built(outcome=Outcome(day=as_of, refused=f"{error}"), checks=nothing_to_judge())
    return _store_and_judge(lake, catalog, model, as_of, splits, found, evaluation)


def declared_learner(model: Model) -> Learner:
    """How a model learns.

    Raises: SettingsError for a model that is a training set only.
    """
    if model.learner is None:
        raise SettingsError(f"{model.name} declares no learner, so there is no model of it.")
    return model.learner


def _store_and_judge(
    lake: Lake,
    catalog: Catalog,
    model: Model,
    as_of: date,
    splits: Mapping[str, pl.DataFrame],
    found: "Fit",
    evaluation: "Evaluation",
) -> Built:
    from mlpipe_assets.learning.baselines import find_better_baselines
    from mlpipe_assets.learning.store import dump_model, find_strange_types
    from mlpipe_assets.stages.models.card import render_card_files, show_version
    from mlpipe_assets.stages.models.judging import judge_version
    from mlpipe_assets.stages.models.versions import describe_version, is_intact, write_marker

    learner = declared_learner(model)
    content = dump_model(found.model)
    if strange := find_strange_types(content, name=MODEL_FILE, trusted=trusted_types(model)):
        return Built(outcome=Outcome(day=as_of, refused=_spell_strange(model, strange)), checks=nothing_to_judge())
    inputs = inputs_digest(lake, model, as_of)
    fresh = describe_version(
        lake,
        catalog,
        model,
        as_of,
        splits,
        evaluation,
        inputs=inputs,
        file_digest=hashlib.sha256(content).hexdigest(),
        libraries=libraries(),
    )
    known = find_version(lake, model.name, fresh.version)
    files = {**render_card_files(model, found, fresh, splits, evaluation), MODEL_FILE: content}
    if known is None:
        store_version(lake, fresh, files)
    elif not is_intact(lake, known):
        store_version(lake, replace(known, file_digest=fresh.file_digest), files)
    test = splits["test"]
    judgement = judge_version(lake, model, learner, fresh, test, evaluation)
    stored = find_version(lake, model.name, fresh.version) or fresh
    reason = stored.reason
    if stored.status == NOT_JUDGED[0]:
        decision = judgement.decide()
        reason = decision.reason
        if decision.promoted and judgement.golden is not None:
            promote(lake, fresh, judgement.golden, reason)
        else:
            keep(lake, fresh, reason)
    written = write_marker(lake, model, fresh, inputs)
    now = find_version(lake, model.name, fresh.version) or fresh
    who = number_entities(test, model.view.entity.join_keys)
    better = find_better_baselines(evaluation, test[model.label], who, seed=learner.seed)
    return Built(
        outcome=Outcome(day=as_of, counts={"rows": sum(frame.height for frame in splits.values())}, written=written),
        checks=tell_model_checks(judgement, known, now, better),
        version=now,
        reason=reason,
        metadata=show_version(now, files[CARD].decode(), evaluation),
    )


def _spell_strange(model: Model, strange: Sequence[str]) -> str:
    """What a fitted estimator holds that nobody has named, and where to name it."""
    names = ", ".join(f'"{name}"' for name in strange)
    whose = (
        "what no built-in learner holds; this is a fault of ours"
        if trusted_types(model) is None
        else "what its learner does not name"
    )
    return f"the fitted estimator holds {whose}: look at each and declare trusted=({names},) if you trust it"
