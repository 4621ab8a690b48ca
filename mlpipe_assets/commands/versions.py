"""mlpipe tag and tags: versions of the lake, by name."""

import argparse
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import MlpipeError, SettingsError, spell_count
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag, list_tags, read_tag
from mlpipe_assets.tagging.making import choose_tables, make_tag, remove_tag


def tag(options: argparse.Namespace) -> int:
    """Make a tag, or take one away."""
    lake, catalog = open_lake(writing=True)
    if options.delete:
        return _delete(lake, options)
    started = time.monotonic()
    made = make_tag(
        lake,
        catalog,
        options.name,
        tables=options.tables,
        message=options.message,
        now=datetime.now(tz=UTC),
        root=read_settings().project.root,
    )
    seconds = time.monotonic() - started
    from mlpipe_assets.automation.checked_out import note_tag  # noqa: PLC0415 (brings Dagster, which tags and gc do without)

    note_tag(catalog, made.tag)
    works = [table.behind(lake, lambda _: True) for table in choose_tables(catalog, options.tables) if table.behind]
    behind = {work.table: [f"{day}" for day in work.days] for work in works if work.days}
    if options.json:
        print(json.dumps({**_describe(made.tag), "bytes": made.size, "behind": behind, "seconds": round(seconds, 3)}))
        return 0
    console = make_console(options)
    told = _describe(made.tag)
    console.print(
        f"{plain(options.name)} pins {spell_count(told['partitions'], 'partition')} of {spell_count(len(told['tables']), 'table')} "
        f"({made.size / 1e6:,.1f} MB, none of it copied, {seconds:.1f} s)",
        soft_wrap=True,
    )
    for role, text in _spell_models(told["models"]):
        console.print(f"{role}: {plain(text)}", soft_wrap=True)
    notes = [f"{work.table} is behind: {spell_days(work.days)}. The tag has it as it is" for work in works if work.days]
    git = told["git"]
    if git is None:
        notes.append("the project is in no git repository, so the tag names no commit")
    elif git["changed"]:
        notes.append(f"files differ from commit {git['commit'][:12]}, which the tag names")
    print_lines(console, "[yellow]note:[/]", notes, whole=options.verbose)
    return 0


def tags(options: argparse.Namespace) -> int:
    """Print what tags there are, or hand one to other tools."""
    if options.action:
        from mlpipe_assets.commands.tag_exports import export  # noqa: PLC0415 (it needs polars, which a list does without)

        return export(options)
    if options.format or options.tables or options.out or options.copy:
        raise SettingsError("--format, --tables, --out and --copy go with: mlpipe tags export NAME")
    lake, _ = open_lake()
    found, problems = _read_all(lake)
    if options.json:
        print(json.dumps({"tags": [_describe(one) for one in found], "problems": problems}))
        return int(bool(problems))
    console = make_console(options)
    if not found and not problems:
        console.print("There is no tag yet. To make one: mlpipe tag NAME")
    if found:
        rows = [
            [
                told["name"],
                told["made_at"][:16].replace("T", " "),
                f"{len(told['tables']):,}",
                f"{told['partitions']:,}",
                (told["git"] or {}).get("commit", "")[:10],
                told["message"],
            ]
            for told in map(_describe, found)
        ]
        names = ("tag", "made (UTC)", "tables", "partitions", "commit", "message")
        print_table(console, names, rows, numbers=("tables", "partitions"))
    print_lines(make_console(), "[bold red]problem:[/]", problems, whole=True)
    return int(bool(problems))


def _delete(lake: Lake, options: argparse.Namespace) -> int:
    if options.tables or options.message:
        raise SettingsError("--delete takes a tag away whole; leave --tables and --message out.")
    remove_tag(lake, options.name)
    if options.json:
        print(json.dumps({"deleted": options.name}))
    else:
        line = f"{plain(options.name)} is no tag any more. What only it named stays until: mlpipe gc"
        make_console(options).print(line, soft_wrap=True)
    return 0


def _read_all(lake: Lake) -> tuple[list[Tag], list[str]]:
    """Every tag that can be read, the oldest first, and what is wrong with the others."""
    found: list[Tag] = []
    problems: list[str] = []
    for name in list_tags(lake.objects):
        try:
            found.append(read_tag(lake.objects, name))
        except MlpipeError as error:
            problems.append(f"{error}")
    return sorted(found, key=lambda one: (one.made_at, one.name)), problems


def _describe(tag: Tag) -> dict[str, Any]:
    """What people and programs are told of a tag."""
    tables = {
        name: {"partitions": len(pinned.days), "first": f"{min(pinned.days)}", "last": f"{max(pinned.days)}"}
        for name, pinned in tag.tables.items()
        if pinned.days
    }
    return {
        "name": tag.name,
        "made_at": tag.made_at,
        "message": tag.message,
        "tables": tables,
        "partitions": sum(len(pinned.days) for pinned in tag.tables.values()),
        **{name: tag.about.get(name) for name in ("models", "code_versions", "catalog", "git", "mlpipe_assets")},
    }


def _spell_models(models: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Which versions of models a tag names."""
    return [
        (f"{role} of {model}", f"{led['version']} (file {led['file_digest'][:12]}…)")
        for model, roles in (models or {}).items()
        for role, led in roles.items()
    ]
