"""The golden rows of a model, answered by a version that may become champion."""

import logging

import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import predict
from mlpipe_assets.learning.golden import choose_golden_rows, golden_version
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import read_golden
from mlpipe_assets.training.model_files import Golden, ModelError
from mlpipe_assets.training.versions import ModelVersion, load, trusted_types
from mlpipe_assets.transforms.splits import feature_days

_log = logging.getLogger("mlpipe")


def answer_golden_rows(
    lake: Lake, model: Model, fresh: ModelVersion, test: pl.DataFrame
) -> tuple[Golden | None, str | None]:
    """The golden rows with the answers of a version, and why it cannot answer.

    The rows stay as long as the features do. Rows of another feature version, or without a column the model takes, make
    way for new ones.
    """
    fitted, task = load(lake, model.name, fresh.version, trusted_types(model)), task_of(model)
    keys = model.view.entity.join_keys
    wanted = [*keys, "as_of", *fitted.features]
    try:
        old = read_golden(lake, model.name)
    except ModelError as error:
        _log.warning("%s New golden rows are chosen.", error)
        old = None
    if (
        old is not None
        and old.feature_version == fresh.feature_version
        and {*wanted} <= {*old.rows.columns}
        and all(name in wanted or task.is_answer(name) for name in old.rows.columns)
    ):
        rows, days = old.rows.select(wanted), dict(old.days)
    else:
        rows = choose_golden_rows(test, keys, fitted.features)
        facts = {
            day: lake.facts("features", model.view.name, day) or {}
            for day in feature_days(rows, moments=model.view.moments)
        }
        days = {f"{day}": fact.get("fingerprint") for day, fact in facts.items()}
    try:
        answers = predict(fitted, rows.select(fitted.features))
    except LearningError as error:
        return None, f"it does not answer on the golden rows: {error}"
    if problem := task.unsound(answers):
        return None, problem
    golden = Golden(
        rows=pl.concat([rows, task.to_columns(answers)], how="horizontal"),
        version=golden_version(rows, task),
        champion=fresh.version,
        feature_version=fresh.feature_version,
        days=days,
    )
    return golden, None
