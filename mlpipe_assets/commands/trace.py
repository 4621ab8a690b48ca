"""mlpipe explain-prediction: from one prediction back to the lines of the files."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from rich.tree import Tree

from mlpipe_assets.arguments import read_day
from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.errors import SettingsError, shorten, spell_count
from mlpipe_assets.explain.explaining import Explanation, explain, explain_served
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.row_times import spell_moment
from mlpipe_assets.visible import spell_value

_MOST_ROWS, _DIGITS = 8, 12
_FEWEST = 3  # words that name a prediction
_THERE = "PRESENT"


def explain_prediction(options: argparse.Namespace) -> int:
    """Show what one prediction rests on."""
    lake, catalog = open_lake()
    if options.request is not None:
        if options.what or options.at:
            raise SettingsError("--request names a prediction by itself. Leave out MODEL, KEY, DATE and --at.")
        asked, found = explain_served(lake, catalog, options.request, options.row)
        model, keys = asked.model, [*asked.entity.values()]
    else:
        name, given, day = _read(options.what)
        keys = [*given]
        model = catalog.model(name)
        found = explain(lake, catalog, model, keys, day, options.at)
    if options.json:
        print(json.dumps(asdict(found), default=str))
        return 0
    console = make_console()
    console.print(_tree(model, keys, found), soft_wrap=True)
    return 0


def _read(what: Sequence[str]) -> tuple[str, Sequence[str], date]:
    """The model, the join keys and the day that were typed."""
    if len(what) < _FEWEST:
        raise SettingsError(
            f"Name a prediction by MODEL, KEY and DATE, as repeat_purchase C00001 2026-04-30, not by {spell_count(len(what), 'word')}; "
            "one that was served by --request ID."
        )
    model, *keys, day = what
    try:
        return model, keys, read_day(day)
    except argparse.ArgumentTypeError as error:
        raise SettingsError(f"{error}. It comes last, after MODEL and KEY.") from None


def _tree(declared: Model, keys: Sequence[str], found: Explanation) -> Tree:
    key = ", ".join(keys)
    tree = Tree(f"{found.table.partition('@')[0]}: {plain(key)} → {_said(declared, found.prediction)}")
    _add_request(tree, found)
    _add_moments(tree, found)
    if found.missing:
        tree.add(plain(found.missing))
    _add_model(tree, declared, found)
    _add_features(tree, plain(key), found)
    _add_served(tree, declared, found)
    return tree


def _add_request(tree: Tree, found: Explanation) -> None:
    """Which answer of which request is explained."""
    if found.request_rows:
        row = found.prediction
        more = (
            f", row {row['row_number']} of {found.request_rows} (--row names another)" if found.request_rows > 1 else ""
        )
        tree.add(
            f"answered {row['answered_at']:%Y-%m-%dT%H:%M:%SZ} to request {plain(row['request_id'])}{more} "
            f"from snapshot {plain(row['snapshot'])}"
        )


def _add_model(tree: Tree, declared: Model, found: Explanation) -> None:
    """The version that answered, and what it learnt from."""
    version, task = found.model, task_of(declared)
    trained = tree.add(f"models/{declared.name} {plain(found.prediction['model_version'])}")
    if version:
        learnt = f"trained as of {version['as_of']} on {spell_count(version['rows'], 'row')}"
        trained.add(f"{learnt}, {version['first_day']} to {version['last_day']}")
        named = (f"test_{metric}" for metric in task.told)
        scores = {name: version.get(name) for name in named if version.get(name) is not None}
        trained.add(", ".join(f"{name} {value:.4f}" for name, value in scores.items()) or "no test metrics")
    if found.training_set:
        files = spell_count(found.training_set["files"], "file")
        training = trained.add(f"{_spell_held(found.training_set)}, from {files}")
        for split in found.training:
            span = f"{split['first_day']} to {split['last_day']}" if split["first_day"] else "no day"
            training.add(
                f"{split['split']}: {spell_count(split['rows'], 'row')}, {span}, digest {str(split['digest'])[:_DIGITS]}"
            )


def _add_features(tree: Tree, key: str, found: Explanation) -> None:
    """The features, the partition and the files they come from, and the rows behind."""
    day = found.feature_partition.get("name", "").partition("@")[2]
    gone = f" (the partition{f' of {day}' if day else ''} is not there any more)" if found.features_gone else ""
    changed = " (built again since: these are not the values it was predicted from)" if found.features_changed else ""
    fresh = " (with rows pushed that day: these are those of the day before)" if found.is_fresh else ""
    features = tree.add(f"features, version {plain(found.prediction['feature_version'])}{gone or changed}{fresh}")
    if found.feature_partition:
        names = [one["name"] + ("" if one["is_held"] else " (replaced since)") for one in found.files]
        partition = features.add(f"{_spell_held(found.feature_partition)}, from {spell_count(len(names), 'file')}")
        if names:
            partition.add(plain(shorten(names, _MOST_ROWS)))
    if found.features:
        features.add(_values(found.features, leave_out=("as_of",)))
    elif not found.features_gone:
        features.add(f"no row of {key}{' any more' if found.feature_partition else ''}")
    for name, rows in found.rows.items():
        gone = f" ({found.rows_gone[name]})" if name in found.rows_gone else ""
        branch = features.add(f"{name}: {spell_count(len(rows), 'row')} in the window{gone}")
        for row in rows[:_MOST_ROWS]:
            values = _values(row, leave_out=("date", "file", "record", "known_at"))
            branch.add(f"{plain(row['file'])}, record {row['record']:,}: {values}")
        if len(rows) > _MOST_ROWS:
            branch.add(f"… and {len(rows) - _MOST_ROWS:,} more; --json shows them all")


def _add_served(tree: Tree, declared: Model, found: Explanation) -> None:
    """What was answered online from the same feature row."""
    if not found.served:
        return
    online = tree.add(f"answered online {spell_count(len(found.served), 'time')} from these features")
    for row in found.served[:_MOST_ROWS]:
        online.add(
            f"{row['answered_at']:%Y-%m-%dT%H:%M:%SZ} request {plain(row['request_id'])}: {_said(declared, row)}"
        )


def _said(declared: Model, row: Mapping[str, Any]) -> str:
    """What was predicted; of an answer without features, why there is none."""
    there = row.get("status", _THERE) == _THERE
    return plain(task_of(declared).spell_prediction(row) if there else row["status"])


def _spell_held(described: Mapping[str, Any]) -> str:
    """A partition with its digest, and whether it was replaced."""
    replaced = "" if described["is_held"] else " (replaced since)"
    return f"{plain(described['name'])}, digest {described['digest'][:_DIGITS]}{replaced}"


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
