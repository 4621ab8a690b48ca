"""The golden rows of a model, answered by a version that may become champion."""

import logging

import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import predict
from mlpipe_assets.learning.golden import ANSWER, choose_golden_rows, golden_version
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import read_golden
from mlpipe_assets.training.model_files import Golden, ModelError
from mlpipe_assets.training.versions import ModelVersion, load
from mlpipe_assets.transforms.splits import feature_days

_log = logging.getLogger("mlpipe")


def answer_golden_rows(
    lake: Lake, model: Model, fresh: ModelVersion, test: pl.DataFrame
) -> tuple[Golden | None, str | None]:
    """The golden rows with the answers of a version, and why it cannot answer.

    The rows stay as long as the features do. Rows of another feature version, or without a column the model takes, make
    way for new ones.
    """
    fitted = load(lake, model.name, fresh.version)
    keys = model.view.entity.join_keys
    try:
        old = read_golden(lake, model.name)
    except ModelError as error:
        _log.warning("%s New golden rows are chosen.", error)
        old = None
    if (
        old is not None
        and old.feature_version == fresh.feature_version
        and set(old.rows.columns) == {*keys, "as_of", *fitted.features, ANSWER}
    ):
        rows, days = old.rows.drop(ANSWER), dict(old.days)
    else:
        rows = choose_golden_rows(test, keys, fitted.features)
        facts = {day: lake.facts("features", model.view.name, day) or {} for day in feature_days(rows)}
        days = {f"{day}": fact.get("fingerprint") for day, fact in facts.items()}
    try:
        answers = predict(fitted, rows.select(fitted.features))
    except LearningError as error:
        return None, f"it does not answer on the golden rows: {error}"
    if not answers.is_between(0, 1).all() or answers.is_nan().any():
        return None, "some of its answers on the golden rows are no probabilities"
    golden = Golden(
        rows=rows.with_columns(answers.alias(ANSWER)),
        version=golden_version(rows),
        champion=fresh.version,
        feature_version=fresh.feature_version,
        days=days,
    )
    return golden, None
