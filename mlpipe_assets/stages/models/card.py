"""What people read of a model version: the card and the metrics beside it, and its metadata in the UI."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.estimators import spell_estimator
from mlpipe_assets.catalog.learners import Learner, is_boosted, named
from mlpipe_assets.learning.card import limits, metrics_table, pictures, render_card
from mlpipe_assets.learning.evaluation import Evaluation
from mlpipe_assets.learning.search import Fit
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.training.model_files import CARD, CARD_JSON, METRICS
from mlpipe_assets.training.versions import ModelVersion
from mlpipe_assets.transforms.splits import feature_days


def render_card_files(
    model: Model,
    found: Fit,
    fresh: ModelVersion,
    splits: Mapping[str, pl.DataFrame],
    evaluation: Evaluation,
) -> dict[str, bytes]:
    """The card as Markdown and as JSON, and the metrics, by file name."""
    facts = _card_facts(
        model,
        found,
        fresh,
        splits,
        [*limits(evaluation, boosted=is_boosted(found.learner)), *_known_entities(model, splits)],
    )
    svgs = pictures(evaluation, {name: splits[name][model.label] for name in evaluation.answers})
    numbers = evaluation.to_dict()
    return {
        CARD: render_card(facts, evaluation, svgs).encode(),
        CARD_JSON: _as_json({**facts, "metrics": numbers}),
        METRICS: _as_json(numbers),
    }


def _known_entities(model: Model, splits: Mapping[str, pl.DataFrame]) -> list[str]:
    """That the splits lie apart in time and not by entity, with the numbers."""
    keys = model.view.entity.join_keys
    tested, learned = (splits[name].select(keys).unique() for name in ("test", "train"))
    both = tested.join(learned, on=list(keys), how="semi", nulls_equal=True).height
    if not both:
        return []
    known = f"{both:,} of {tested.height:,} in test are in train too, so the metrics are of known ones on later days."
    return [
        f"The splits lie apart in time, not by entity: {known}",
        "Late rows and corrections reach back: features of a past day hold what was learnt about it since.",
    ]


def show_version(now: ModelVersion, card: str, evaluation: Evaluation) -> dict[str, Any]:
    """What the UI shows of a version: what became of it, its metrics and its card."""
    test, on_record = evaluation.model["test"], evaluation.task.on_record
    numbers = {
        f"test_{name}": value for name, value in test.to_dict().items() if value is not None and name in on_record
    }
    return {
        "version": now.version,
        "status": now.status,
        "promoted_or_why_not": now.reason,
        "metrics": dg.MetadataValue.md(metrics_table(evaluation)),
        "card": dg.MetadataValue.md(card),
        **numbers,
    }


def _card_facts(
    model: Model,
    found: Fit,
    fresh: ModelVersion,
    splits: Mapping[str, pl.DataFrame],
    limits: list[str],
) -> dict[str, Any]:
    fitted, task = found.model, task_of(model)
    searched = {"search": found.search.to_dict()} if found.search else {}
    days = {name: feature_days(frame, moments=model.view.moments) for name, frame in splits.items()}
    return {
        "model": model.name,
        "version": fresh.version,
        "as_of": f"{fresh.as_of}",
        "what": f"{task.shape.what} of `{model.label}`. {first_sentence(model.contract)}",
        "owners": list(model.owners),
        "label": model.label,
        "horizon_days": model.horizon // timedelta(days=1),
        "learner": _spell_learner(found.learner),
        **searched,
        "prepared": list(fitted.prepared),
        "left_out": list(fitted.left_out),
        "rounds": fitted.rounds,
        "splits": {
            name: {
                "first_day": f"{days[name][0]}",
                "last_day": f"{days[name][-1]}",
                "days": len(days[name]),
                "rows": frame.height,
                **task.describe(frame[model.label]),
            }
            for name, frame in splits.items()
            if frame.height
        },
        "limits": limits,
        "versions": {
            "training set": fresh.training_digest,
            "features": fresh.feature_version,
            "learner": fresh.learner_version,
            "training set code": fresh.code_version,
            "contract": fresh.contract_digest,
            "model.skops, SHA-256": fresh.file_digest,
            "libraries": fresh.libraries,
        },
    }


def _spell_learner(learner: Learner) -> dict[str, Any]:
    """A learner as plain values; fields of estimators only where one is declared."""
    found = {one.name: getattr(learner, one.name) for one in fields(learner) if one.repr}
    if learner.estimator is None:
        return found
    brought = {"estimator": spell_estimator(learner), "parameters": named(learner.parameters)}
    return {**found, **brought, "trusted": list(learner.trusted)}


def _as_json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, default=str).encode() + b"\n"
