"""mlpipe explain-prediction: from one prediction back to the lines of the files."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.tree import Tree

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.explain import Explanation, explain
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.row_times import spell_moment
from mlpipe_assets.visible import spell_value

_MOST_ROWS = 8


def explain_prediction(options: argparse.Namespace) -> int:
    """Show what one prediction rests on."""
    lake, catalog = open_lake()
    model = catalog.model(options.model)
    found = explain(lake, catalog, model, options.key, options.day, options.at)
    if options.json:
        print(json.dumps(asdict(found), default=str))
        return 0
    console = make_console()
    console.print(_tree(model, options.key, f"{options.day}", found), soft_wrap=True)
    return 0


def _tree(declared: Model, keys: Sequence[str], day: str, found: Explanation) -> Tree:
    prediction, version, model, task = found.prediction, found.model, declared.name, task_of(declared)
    key = ", ".join(keys)
    tree = Tree(f"predictions/{model}: {plain(key)} → {plain(task.spell_prediction(prediction))}")
    _add_moments(tree, found)
    trained = tree.add(f"models/{model} {version.get('version', prediction['model_version'])}")
    if version:
        trained.add(
            f"trained as of {version['as_of']} on {spell_count(version['rows'], 'row')}, {version['first_day']} to {version['last_day']}"
        )
        named = (f"test_{metric}" for metric in task.told)
        scores = {name: version.get(name) for name in named if version.get(name) is not None}
        trained.add(", ".join(f"{name} {value:.4f}" for name, value in scores.items()) or "no test metrics")
    training = trained.add(f"processed/{model} [{version.get('as_of')}]")
    for split in found.training:
        span = f"{split['first_day']} to {split['last_day']}" if split["first_day"] else "no day"
        training.add(
            f"{split['split']}: {spell_count(split['rows'], 'row')}, {span}, digest {str(split['digest'])[:12]}"
        )
    changed = " (built again since: these are not the values it was predicted from)" if found.features_changed else ""
    gone = f" (the partition of {day} is not there any more)" if found.features_gone else ""
    features = tree.add(f"features, version {prediction['feature_version']}{gone or changed}")
    if found.features:
        features.add(_values(found.features, leave_out=("as_of",)))
    elif not found.features_gone:
        features.add(f"no row of {plain(key)} any more")
    if found.served:
        online = tree.add(f"answered online {spell_count(len(found.served), 'time')} from these features")
        for row in found.served[:_MOST_ROWS]:
            said = plain(task.spell_prediction(row) if row["status"] == "PRESENT" else row["status"])
            online.add(f"{row['answered_at']:%Y-%m-%dT%H:%M:%SZ} request {plain(row['request_id'])}: {said}")
    for table, rows in found.rows.items():
        gone = f" ({found.rows_gone[table]})" if table in found.rows_gone else ""
        branch = features.add(f"{table}: {spell_count(len(rows), 'row')} in the window{gone}")
        for row in rows[:_MOST_ROWS]:
            values = _values(row, leave_out=("date", "file", "record", "known_at"))
            branch.add(f"{plain(row['file'])}, record {row['record']:,}: {values}")
        if len(rows) > _MOST_ROWS:
            branch.add(f"… and {len(rows) - _MOST_ROWS:,} more; --json shows them all")
    return tree


def _add_moments(tree: Tree, found: Explanation) -> None:
    """Which of several moments of a day is explained."""
    if len(found.moments) > 1:
        times = shorten([f"{moment.time()}" for moment in found.moments])
        named = f"as of {spell_moment(found.prediction['as_of'])}"
        tree.add(f"{named}; that day has {len(found.moments)}: {times} (--at names another)")


def _values(row: Mapping[str, Any], leave_out: tuple[str, ...] = ()) -> str:
    return plain(
        ", ".join(
            f"{name}={'null' if value is None else spell_value(value)}"
            for name, value in row.items()
            if name not in leave_out
        )
    )
