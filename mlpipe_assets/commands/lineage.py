"""mlpipe blame and mlpipe lineage: where something came from, and what came of it."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import LakeError, SettingsError, shorten, spell_count
from mlpipe_assets.lineage.asking import Lineage, lineage_of
from mlpipe_assets.lineage.blame import Blame, Tainted
from mlpipe_assets.lineage.drawing import draw_blame
from mlpipe_assets.lineage.terms import FILE, Artifact, Execution, read_where
from mlpipe_assets.partitions import contiguous, spell_days

_MOST = 40  # rows that are printed; --json has them all
_MOST_STRETCHES = 2
_KINDS = ("run", "model", "tag")
_OWN = ("id", "type", "table", "partition", "digest", "is_held", "made_at", "direction")


def blame(options: argparse.Namespace) -> int:
    """Print what came of something, and what to do about it."""
    asked = _open()
    found = asked.blame(options.what)
    if options.svg:
        picture = draw_blame(found, asked.graph([*found.of, *found.found]), [*asked.tables])
        _write(Path(options.svg), picture)
    if options.json:
        print(json.dumps(_describe(found)))
        return 0
    console = make_console(options)
    _print_blame(console, found)
    if options.svg:
        console.print(f"Drawn in {plain(options.svg)}", soft_wrap=True)
    return 0


def lineage(options: argparse.Namespace) -> int:
    """Answer one question."""
    wanted = {"artifacts": 0, "context": 2, "compare": 2, "export": 0}.get(options.question, 1)
    if len(options.names) != wanted:
        raise SettingsError(
            f"mlpipe lineage {options.question} takes {spell_count(wanted, 'name')}, not {len(options.names)}. See: mlpipe lineage --help"
        )
    asked, console = _open(), make_console(options)
    return _ANSWERS[options.question](asked, console, options)


def _open() -> Lineage:
    return lineage_of(*open_lake())


def _artifacts(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    found = asked.artifacts(options.type, options.table, read_where(options.where))
    return _print_artifacts(console, found, options, "Nothing on record is like that.")


def _back(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    return _print_artifacts(console, asked.back(*options.names), options, "It came from nothing on record.")


def _came_of(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    return _print_artifacts(console, asked.came_of(*options.names), options, "Nothing came of it.")


def _neighbours(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    return _print_artifacts(console, asked.neighbours(*options.names), options, "It has no neighbours on record.")


def _context(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    kind, name = options.names
    if kind not in _KINDS:
        raise SettingsError(f"{kind!r} is no kind of context. There are: {', '.join(_KINDS)}.")
    executions, artifacts = asked.of_context(kind, name)
    edges = asked.graph(artifacts)
    if options.json:
        described = {
            "executions": [_of_execution(one) for one in executions],
            "artifacts": [_of_artifact(one) for one in artifacts],
            "edges": [{"from": first, "to": second, "partitions": count} for first, second, count in edges],
        }
        print(json.dumps(described))
        return 0
    steps = spell_count(len(executions), "execution")
    console.print(f"{kind} {plain(name)}: {steps}, {spell_count(len(artifacts), 'artifact')}", soft_wrap=True)
    tables: dict[str, list[str]] = {}
    for one in artifacts:
        tables.setdefault(one.key.table, []).append(one.key.partition)
    rows = [[table, f"{len(names):,}", _spell(names)] for table, names in tables.items()]
    print_table(console, ["table", "partitions", "which"], rows, numbers=["partitions"])
    for first, second, count in edges:
        console.print(f"{plain(first)} → {plain(second)} ({count:,})", soft_wrap=True)
    for step in executions:
        if "action" in step.properties:
            told = {name: step.properties.get(name, "") for name in ("version", "action", "reason")}
            console.print(plain(f"{told['version']} {told['action']}: {told['reason']}"), soft_wrap=True)
    return 0


def _compare(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    found = asked.compare(*options.names)
    if options.json:
        print(json.dumps(found, default=str))
        return 0
    same = "were made of the same" if found["same_inputs"] else "were made of different things"
    console.print(f"{plain(found['first'])} and {plain(found['second'])} {same}", soft_wrap=True)
    for what, label in (("same", "both"), ("only_first", "only the first"), ("only_second", "only the second")):
        names = found["inputs"][what]
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")  # noqa: PLR2004
            console.print(f"{label}: {plain(shown)}", soft_wrap=True)
    rows = [[name, f"{pair[0]}", f"{pair[1]}"] for name, pair in found["properties"].items()]
    if rows:
        print_table(console, ["differs", "first", "second"], rows)
    return 0


def _has_run(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    found = asked.has_run(*options.names)
    if options.json:
        print(json.dumps(found))
        return 0
    if found["has_run"]:
        last = found["executions"][-1]
        console.print(
            f"{plain(found['partition'])} was made of just this, with this code: on {last['at'][:16].replace('T', ' ')} by run "
            f"{plain(last['run'] or 'unknown')}",
            soft_wrap=True,
        )
        return 0
    console.print(f"{plain(found['partition'])} was never made of what it would be made of now", soft_wrap=True)
    for name in found["differs"][:_MOST]:
        console.print(f"  {plain(name)}", soft_wrap=True)
    return 0


def _export(asked: Lineage, console: Console, options: argparse.Namespace) -> int:
    places = [place for place in (options.openlineage, options.mlmd, options.jsonl) if place]
    if len(places) != 1:
        raise SettingsError("mlpipe lineage export needs one place: --openlineage FILE, --mlmd FILE, or --jsonl FILE.")
    if options.mlmd:
        told = dict(asked.mlmd(Path(options.mlmd)))
        text = f"{spell_count(told['artifacts'], 'artifact')}, {spell_count(told['executions'], 'execution')}"
    else:
        what = "event" if options.openlineage else "line"
        lines = [json.dumps(event) for event in asked.openlineage()] if options.openlineage else asked.log()
        _write(Path(places[0]), "".join(f"{line}\n" for line in lines))
        told, text = {f"{what}s": len(lines)}, spell_count(len(lines), what)
    if options.json:
        print(json.dumps({**told, "file": places[0]}))
    else:
        console.print(f"{text} in {plain(places[0])}", soft_wrap=True)
    return 0


def _print_artifacts(console: Console, found: pl.DataFrame, options: argparse.Namespace, nothing: str) -> int:
    if options.json:
        rows = [{name: value for name, value in row.items() if value is not None} for row in found.to_dicts()]
        print(json.dumps({"artifacts": rows}, default=str))
        return 0
    if not found.height:
        console.print(nothing)
        return 0
    directed = "direction" in found.columns
    cells = [
        [
            row["table"],
            row["partition"],
            row["digest"][:12],
            "yes" if row["is_held"] else "no",
            *([row["direction"]] if directed else []),
        ]
        for row in found.head(_MOST).to_dicts()
    ]
    print_table(console, ["table", "partition", "digest", "now", *(["direction"] if directed else [])], cells)
    if found.height > _MOST:
        counts = found.group_by("table", maintain_order=True).len().rows()
        console.print(
            f"and {found.height - _MOST:,} more; in all "
            + ", ".join(f"{plain(table)} {count:,}" for table, count in counts),
            soft_wrap=True,
        )
    return 0


def _print_blame(console: Console, found: Blame) -> None:
    for one in found.of:
        what = "file" if one.type == FILE else "artifact"
        state = "in force" if one.is_held else "replaced since"
        console.print(f"{what} {plain(one.key.name)}, digest {one.key.digest[:12]}, {state}", soft_wrap=True)
    for one in found.others:
        state = "in force now" if one.is_held else "held before"
        console.print(f"another content of that name, {state}: {plain(_with_digest(one))}", soft_wrap=True)
    if not found.found:
        console.print("Nothing came of it.")
        return
    rows = [_row(one) for one in found.tables]
    rows += [[one.table, f"{len(one.days):,}", _answered(one), _replaced(one.replaced)] for one in found.answered]
    if found.online:
        rows.append(["online/features", "1", "answers now", ""])
    print_table(console, ["came of it", "now", "which", "before"], rows, numbers=["now"])
    if found.models:
        rows = [[one.model, one.version, one.status.replace("_", " ")] for one in found.models]
        print_table(console, ["learnt from it", "version", "is"], rows)
    for line in found.to_do or ["Nothing that is in force came of it: all of it was built again since."]:
        console.print(f"[bold]to do:[/] {plain(line)}" if found.to_do else plain(line), soft_wrap=True)


def _with_digest(one: Artifact) -> str:
    name = one.key.partition if one.type == FILE else one.key.name
    return f"{name}#{one.key.digest[:12]}"


def _row(one: Tainted) -> list[str]:
    doubt = f", {one.doubtful:,} by what is known now" if one.doubtful else ""
    return [one.table, f"{len(one.days):,}", _spell(one.days) + doubt, _replaced(len(one.replaced))]


def _answered(one: Any) -> str:  # noqa: ANN401
    return f"{_spell(one.days)}: {one.rows:,} predictions" if one.days else ""


def _replaced(count: int) -> str:
    return f"{count:,} replaced" if count else ""


def _describe(found: Blame) -> dict[str, Any]:
    return {
        "of": [_of_artifact(one) for one in found.of],
        "others": [_of_artifact(one) for one in found.others],
        "rebuild": {one.table: [*one.days] for one in found.tables if one.days},
        "replaced": {one.table: [*one.replaced] for one in found.tables if one.replaced},
        "doubtful": {one.table: one.doubtful for one in found.tables if one.doubtful},
        "models": [{"model": one.model, "version": one.version, "status": one.status} for one in found.models],
        "predictions": {
            one.table: {"days": [*one.days], "rows": one.rows, "replaced": one.replaced} for one in found.answered
        },
        "online": found.online,
        "tags": dict(found.tags),
        "to_do": [*found.to_do],
    }


def _spell(partitions: Sequence[str]) -> str:
    """Partitions in a few words: their stretches, or the first and the last day where those are many."""
    try:
        days = sorted(date.fromisoformat(one) for one in partitions)
    except ValueError:  # files, or versions
        return shorten(list(partitions), 3)
    if len(list(contiguous(days))) <= _MOST_STRETCHES:
        return spell_days(days) if days else ""
    return f"{days[0]} to {days[-1]}, not all"


def _of_artifact(one: Artifact) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        **one.key._asdict(),
        "is_held": one.is_held,
        "properties": dict(one.properties),
    }


def _of_execution(one: Execution) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "run": one.run,
        "at": one.at,
        "properties": dict(one.properties),
    }


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LakeError(f"{path} cannot be written: {error.strerror}.") from error


_ANSWERS: Mapping[str, Callable[[Lineage, Console, argparse.Namespace], int]] = {
    "artifacts": _artifacts,
    "back": _back,
    "came-of": _came_of,
    "neighbours": _neighbours,
    "context": _context,
    "compare": _compare,
    "has-run": _has_run,
    "export": _export,
}
