"""The model card: what a model is, how good, where not, and how to make it again or take it back."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlpipe_assets.catalog.estimators import spell_parameters
from mlpipe_assets.learning.evaluation import Evaluation
from mlpipe_assets.learning.tasks.task import Measured, Task
from mlpipe_assets.pictures.charts import as_markdown_image

FEW_ROWS = 100  # below it a slice's metrics move by several hundredths from chance alone
_MOST_TRIED = 50  # combinations of a search that the card shows


def limits(evaluation: Evaluation, *, boosted: bool = True) -> list[str]:
    """What to keep in mind, in plain words, as the numbers say; `boosted` of a model that validation tells when to stop."""
    task, test = evaluation.task, evaluation.model["test"]
    found = task.doubts(test, {name: baseline["test"] for name, baseline in evaluation.baselines.items()})
    found += _weak_slices(evaluation)
    if "validation" not in evaluation.model:
        unwatched = ": boosting ran a declared number of rounds, unwatched" if boosted else ""
        found.append(f"The history was too short for a validation split{unwatched}.")
        return found
    found += task.shifts(evaluation.model["validation"], test)
    return found or ["Nothing stands out in the numbers of validation and test."]


def pictures(evaluation: Evaluation, labels: Mapping[str, Any]) -> dict[str, str]:
    """Pictures of answers against labels of validation and test, as SVG by name."""
    return evaluation.task.pictures(labels, evaluation.answers, evaluation.model["test"])


def metrics_table(evaluation: Evaluation) -> str:
    """The model beside its baselines on validation and on test, as a Markdown table narrow enough for the UI's page."""
    sides = {"model": evaluation.model, **evaluation.baselines}
    lines = [f"| split, metric | {' | '.join(map(_cell, sides))} |", f"|---|{'---:|' * len(sides)}"]
    lines += [
        f"| {split}, {called} | {' | '.join(_number(side[split].to_dict()[name]) for side in sides.values())} |"
        for split in evaluation.answers
        for name, called in evaluation.task.called.items()
    ]
    return "\n".join(lines)


def render_card(facts: Mapping[str, Any], evaluation: Evaluation, svgs: Mapping[str, str]) -> str:
    """The card as Markdown, pictures included.

    Args:
        facts: The card as plain values, as `stages/models/card.py` makes them.
        evaluation: The numbers.
        svgs: Pictures by name.
    """
    learner: Mapping[str, Any] = facts["learner"]
    of_label = _of_label(facts["splits"])
    lines = [
        f"# {facts['model']} {facts['version']}",
        "",
        facts["what"],
        "",
        f"- Owner: {', '.join(facts['owners'])}",
        f"- Label: {facts['label']}, over the {facts['horizon_days']} days after each feature day",
        *evaluation.task.card_lines(learner),
        "",
        "## Data",
        "",
        f"| split | feature days | rows |{''.join(f' {name} |' for name in of_label)}",
        f"|---|---|---:|{'---:|' * len(of_label)}",
        *(
            f"| {name} | {split['first_day']} to {split['last_day']} ({split['days']}) | {split['rows']:,} |"
            + "".join(f" {_number(split[one])} |" for one in of_label)
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
        _spell_estimator(learner, facts["rounds"]),
        *_search_lines(facts.get("search")),
        "",
        "## How good",
        "",
        metrics_table(evaluation),
        "",
        *(line for name, svg in svgs.items() for line in (as_markdown_image(svg, name), "")),
        *evaluation.task.tables(evaluation.model["test"]),
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


def _of_label(splits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the card says of the labels of splits, beside their days and rows."""
    known = ("first_day", "last_day", "days", "rows")
    return [name for split in list(splits.values())[:1] for name in split if name not in known]


def _spell_estimator(learner: Mapping[str, Any], rounds: int) -> str:
    if "estimator" not in learner:
        return f"- {learner['algorithm']}, {rounds} rounds, seed {learner['seed']}"
    parameters = spell_parameters(learner.get("parameters", {}))
    return f"- {learner['estimator']}({parameters}), seed {learner['seed']}"


def _search_lines(search: Mapping[str, Any] | None) -> list[str]:
    """Every combination that was tried, and what was taken."""
    if search is None:
        return []
    tried, chosen = search["tried"], search["chosen"]
    if tried[chosen]["value"] is None and len(tried) == 1:
        first = spell_parameters(tried[0]["parameters"])
        return [
            f"- Not searched, for there is no validation split to judge by: the first combination was taken, {first}"
        ]
    lines = [
        f"- Chosen of {len(tried)} combinations by {search['metric']} on validation; of equal ones the first",
        "",
        f"| hyper-parameters | {search['metric']}, validation |",
        "|---|---:|",
    ]
    ranked = [i for i in range(len(tried)) if i < _MOST_TRIED or i == chosen]
    for i in ranked:
        mark = " (chosen)" if i == chosen else ""
        lines.append(f"| {_cell(spell_parameters(tried[i]['parameters']))}{mark} | {_number(tried[i]['value'])} |")
    if len(ranked) < len(tried):
        lines.append(f"| … and {len(tried) - len(ranked)} more, in card.json | |")
    return lines


def _slice_tables(evaluation: Evaluation) -> list[str]:
    lines: list[str] = []
    for name, values in evaluation.slices.get("test", {}).items():
        lines += [f"### By {name}, on test", "", _table(name, list(values.items()), evaluation.task), ""]
    return lines


def _weak_slices(evaluation: Evaluation) -> list[str]:
    found: list[str] = []
    task, whole = evaluation.task, evaluation.model["test"]
    for name, values in evaluation.slices.get("test", {}).items():
        few = [f"{value} ({m.rows:,})" for value, m in values.items() if m.rows < FEW_ROWS]
        off = [
            f"{value} ({how})" for value, m in values.items() if m.rows >= FEW_ROWS and (how := task.is_off(m, whole))
        ]
        if few:
            found.append(f"Too few rows to judge by {name}: {', '.join(few)}.")
        if off:
            found.append(f"{task.off} by {name}: {', '.join(off)}.")
    return found


def _table(first: str, rows: Sequence[tuple[str, Measured]], task: Task) -> str:
    head = f"| {first} | {' | '.join(task.called.values())} |"
    body = [
        f"| {_cell(name)} | {' | '.join(_number(metrics.to_dict()[one]) for one in task.called)} |"
        for name, metrics in rows
    ]
    return "\n".join([head, f"|---|{'---:|' * len(task.called)}", *body])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
