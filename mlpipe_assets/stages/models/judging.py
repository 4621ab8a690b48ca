"""A version that was just fitted, held against its thresholds, the champion, its own file and the golden rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.join_keys import number_entities
from mlpipe_assets.learning import promotion
from mlpipe_assets.learning.comparison import compare
from mlpipe_assets.learning.evaluation import RECENCY, Evaluation
from mlpipe_assets.learning.fitting import predict
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.task import Difference, Task
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.stages.models.golden import answer_golden_rows
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.model_files import Golden
from mlpipe_assets.training.versions import ModelVersion, load, trusted_types

_SAME = 1e-12  # how far apart two answers of one model may be


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What speaks for and against a version, before anything is decided.

    Attributes:
        version: The version judged.
        missed: Declared thresholds it misses on test.
        leading: The champion, this very version perhaps; None when there is none.
        outdated: Why the champion cannot be asked and has to go.
        difference: How both rank on rows new to both; None when they were not compared.
        lost: Why it loses to the champion.
        golden: The golden rows with its answers; None when it cannot answer.
        unanswered: Why it cannot answer as it did when it was fitted, or not on the golden rows.
        task: What its answers are.
    """

    version: ModelVersion
    missed: Sequence[str]
    leading: ModelVersion | None
    outdated: str | None
    difference: Difference | None
    lost: str | None
    golden: Golden | None
    unanswered: str | None
    task: Task = BINARY

    def decide(self) -> promotion.Decision:
        """Whether the version becomes champion, and why."""
        leading = self.leading
        return promotion.decide(
            missed=self.missed,
            golden_problem=self.unanswered,
            newer_champion=leading.version if leading and leading.as_of > self.version.as_of else None,
            champion=leading.version if leading else None,
            champion_outdated=self.outdated,
            lost=self.lost,
            difference=self.difference,
            task=self.task,
        )


def judge_version(
    lake: Lake, model: Model, learner: Learner, fresh: ModelVersion, test: pl.DataFrame, evaluation: Evaluation
) -> Judgement:
    """Judge a version whose files are stored; nothing is written.

    Args:
        lake: Where the version, the champion and the golden rows are.
        model: As declared.
        learner: As declared.
        fresh: The version.
        test: Rows of test.
        evaluation: The numbers, with the answers it gave when it was fitted.
    """
    task, on_test = evaluation.task, {name: found["test"] for name, found in evaluation.baselines.items()}
    constants = {name: found for name, found in on_test.items() if name != RECENCY}
    missed = task.missed(model.promotion, evaluation.model["test"], constants)
    leading = champion(lake, model.name)
    difference, outdated = _against(lake, model, learner, test, evaluation, leading, fresh)
    lost = promotion.lost_to(model.promotion, difference, task) if difference is not None else None
    broken = _reload_problem(lake, model, fresh, test, evaluation.answers["test"], task)
    golden, problem = (None, broken) if broken else answer_golden_rows(lake, model, fresh, test)
    return Judgement(
        version=fresh,
        missed=missed,
        leading=leading,
        outdated=outdated,
        difference=difference,
        lost=lost,
        golden=golden,
        unanswered=problem,
        task=task,
    )


def _against(
    lake: Lake,
    model: Model,
    learner: Learner,
    test: pl.DataFrame,
    evaluation: Evaluation,
    leading: ModelVersion | None,
    fresh: ModelVersion,
) -> tuple[Difference | None, str | None]:
    """How the model does next to the champion on rows new to both, or why the champion cannot be asked."""
    if leading is None or leading.version == fresh.version:
        return None, None
    if leading.feature_version != fresh.feature_version:
        return None, f"it learnt from features of version {leading.feature_version}"
    try:
        theirs = load(lake, model.name, leading.version, trusted_types(model))
    except MlpipeError as error:
        return None, f"it cannot be loaded: {error}"
    if theirs.task != model.task:
        return None, f"it is a {theirs.task} model"
    rows = test.with_columns(_ours=evaluation.answers["test"]).filter(
        leading.last_seen_day < day_of_row(moments=model.view.moments)
    )
    absent = [name for name in theirs.features if name not in test.columns]
    if absent:
        return None, f"it takes {', '.join(absent)}, which the training set no longer has"
    answers = predict(theirs, rows.select(theirs.features))
    key = number_entities(rows, model.view.entity.join_keys)
    return compare(rows[model.label], rows["_ours"], answers, key, seed=learner.seed, task=evaluation.task), None


def _reload_problem(
    lake: Lake, model: Model, fresh: ModelVersion, test: pl.DataFrame, answers: pl.Series, task: Task
) -> str | None:
    """Why the stored model does not give the answers it gave when it was fitted."""
    try:
        again = load(lake, model.name, fresh.version, trusted_types(model))
        moved = task.moved(answers, predict(again, test.select(again.features)))
    except MlpipeError as error:
        return f"{error}"
    far = moved.filter(moved > _SAME).to_list()
    return f"{len(far):,} of {test.height:,} answers on test moved, by up to {max(far):g}" if far else None
