"""The model card: what a model is, how good, where not, and how to make it again or take it back."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlpipe_assets.learning.evaluation import Evaluation
from mlpipe_assets.learning.metrics import Metrics, calibration, precision_recall
from mlpipe_assets.pictures.charts import as_markdown_image, curve
from mlpipe_assets.pictures.lines import Series

FEW_ROWS = 100  # below it a slice's ROC AUC moves by several hundredths from chance alone
_OFF = 0.05  # a calibration error people would notice in a decision
_SHOWN = ("rows", "prevalence", "roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")
_CALLED = {
    "rows": "rows",
    "prevalence": "prevalence",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "calibration error",
}


def limits(evaluation: Evaluation) -> list[str]:
    """What to keep in mind, in plain words, as the numbers say."""
    found: list[str] = []
    test = evaluation.model["test"]
    if test.calibration_error is not None and test.calibration_error > _OFF:
        found.append(
            f"Probabilities are off by {test.calibration_error:.3f} on average on test: rank by them, and do not read them as "
            "frequencies."
        )
    for name, baseline in evaluation.baselines.items():
        ours, theirs = test.roc_auc, baseline["test"].roc_auc
        if ours is not None and theirs is not None and ours < theirs:
            found.append(f"On test the {name} baseline ranks better (ROC AUC {theirs:.3f} against {ours:.3f}).")
    found += _weak_slices(evaluation)
    if "validation" not in evaluation.model:
        found.append(
            "The history was too short for a validation split: boosting ran a declared number of rounds, unwatched."
        )
        return found
    train, now = evaluation.model["validation"].prevalence, test.prevalence
    if train is not None and now is not None and abs(train - now) > _OFF:
        found.append(f"The share of positives moved from {train:.3f} in validation to {now:.3f} in test.")
    return found or ["Nothing stands out in the numbers of validation and test."]


def pictures(evaluation: Evaluation, labels: Mapping[str, Any]) -> dict[str, str]:
    """Calibration and precision-recall curves of validation and test, as SVG by name."""
    bins = {name: calibration(labels[name], evaluation.answers[name]) for name in evaluation.answers}
    error = evaluation.model["test"].calibration_error
    prevalence = evaluation.model["test"].prevalence
    return {
        "calibration": curve(
            [
                Series(name=name, points=list(zip(found["predicted"], found["observed"], strict=True)))
                for name, found in bins.items()
            ],
            title="Calibration",
            description="Observed share of positives by predicted probability, in ten bins."
            + (f" Mean distance on test: {error:.3f}." if error is not None else ""),
            x_label="predicted probability",
            y_label="observed share",
            diagonal="perfect",
        ),
        "precision and recall": curve(
            [
                Series(name=name, points=precision_recall(labels[name], evaluation.answers[name]))
                for name in evaluation.answers
            ],
            title="Precision and recall",
            description="Precision by recall as the bound of the decision falls.",
            x_label="recall",
            y_label="precision",
            level=prevalence,
            level_label="prevalence of test",
        ),
    }


def metrics_table(evaluation: Evaluation) -> str:
    """The model beside its baselines on validation and on test, as a Markdown table narrow enough for the UI's page."""
    sides = {"model": evaluation.model, **evaluation.baselines}
    lines = [f"| split, metric | {' | '.join(map(_cell, sides))} |", f"|---|{'---:|' * len(sides)}"]
    lines += [
        f"| {split}, {_CALLED[name]} | {' | '.join(_number(side[split].to_dict()[name]) for side in sides.values())} |"
        for split in evaluation.answers
        for name in _SHOWN
    ]
    return "\n".join(lines)


def render_card(facts: Mapping[str, Any], evaluation: Evaluation, svgs: Mapping[str, str]) -> str:
    """The card as Markdown, pictures included.

    Args:
        facts: The card as plain values, as `stages/model_card.py` makes them.
        evaluation: The numbers.
        svgs: Pictures by name.
    """
    learner: Mapping[str, Any] = facts["learner"]
    lines = [
        f"# {facts['model']} {facts['version']}",
        "",
        facts["what"],
        "",
        f"- Owner: {', '.join(facts['owners'])}",
        f"- Label: {facts['label']}, over the {facts['horizon_days']} days after each feature day",
        f"- Decision: yes from a probability of {learner['decide_above']:g}",
        "",
        "## Data",
        "",
        "| split | feature days | rows | positives |",
        "|---|---|---:|---:|",
        *(
            f"| {name} | {split['first_day']} to {split['last_day']} ({split['days']}) | {split['rows']:,} | "
            f"{split['positives']:,} |"
            for name, split in facts["splits"].items()
        ),
        "",
        "## Features and preparation",
        "",
        f"- Numbers: {', '.join(learner['numeric'])}",
        f"- Categories, one-hot, null as its own: {', '.join(learner['categorical']) or 'none'}",
        f"- Nulls in numbers: {learner['missing']}; scaling: {learner['scaling']}; everything fitted on train alone",
        f"- Columns kept after preparation: {len(facts['prepared'])}"
        + (f" of the best by mutual information ({', '.join(facts['prepared'])})" if learner["keep"] else ""),
        *([f"- Left out, without a value in train: {', '.join(facts['left_out'])}"] if facts["left_out"] else []),
        f"- {learner['algorithm']}, {facts['rounds']} rounds, seed {learner['seed']}",
        "",
        "## How good",
        "",
        metrics_table(evaluation),
        "",
        *(line for name, svg in svgs.items() for line in (as_markdown_image(svg, name), "")),
        *_slice_tables(evaluation),
        "## Limits",
        "",
        *(f"- {line}" for line in facts["limits"]),
        "",
        "## Where it comes from",
        "",
        *(f"- {name}: `{value}`" for name, value in facts["versions"].items()),
        "",
        "## Make it again, take it back",
        "",
        f"- Again: materialize `models/{facts['model']}` for partition {facts['as_of']}.",
        "- The same training set and libraries give the same bytes.",
        f'- Back to the champion before it: `mlpipe rollback {facts["model"]} --reason "…"`',
        "",
    ]
    return "\n".join(lines)


def _slice_tables(evaluation: Evaluation) -> list[str]:
    lines: list[str] = []
    for name, values in evaluation.slices.get("test", {}).items():
        lines += [f"### By {name}, on test", "", _table(name, list(values.items())), ""]
    return lines


def _weak_slices(evaluation: Evaluation) -> list[str]:
    found: list[str] = []
    for name, values in evaluation.slices.get("test", {}).items():
        few = [f"{value} ({m.rows:,})" for value, m in values.items() if m.rows < FEW_ROWS]
        off = [
            f"{value} ({m.calibration_error:.3f})"
            for value, m in values.items()
            if m.rows >= FEW_ROWS and m.calibration_error is not None and m.calibration_error > 2 * _OFF
        ]
        if few:
            found.append(f"Too few rows to judge by {name}: {', '.join(few)}.")
        if off:
            found.append(f"Probabilities are off by {name}: {', '.join(off)}.")
    return found


def _table(first: str, rows: Sequence[tuple[str, Metrics]]) -> str:
    head = f"| {first} | {' | '.join(_CALLED[name] for name in _SHOWN)} |"
    body = [
        f"| {_cell(name)} | {' | '.join(_number(metrics.to_dict()[one]) for one in _SHOWN)} |" for name, metrics in rows
    ]
    return "\n".join([head, f"|---|{'---:|' * len(_SHOWN)}", *body])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
