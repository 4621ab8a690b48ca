"""mlpipe tags export: a tag as other tools for versions of data have it."""

import argparse
import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.settings import read_settings
from mlpipe_assets.tagging.exports.pinned_files import Exported
from mlpipe_assets.tagging.exports.registry import export_tag

_NEXT = {
    "iceberg": "read one by its newest metadata/v*.metadata.json, its snapshots by the reference {tag}",
    "dvc": "dvc checkout in {out}; to keep the tag: git add, git tag {tag}",
}


def export(options: argparse.Namespace) -> int:
    """Write tables of a tag."""
    if not options.name or not options.format:
        raise SettingsError("mlpipe tags export takes a tag and a format: mlpipe tags export v1.0 --format iceberg")
    if (address := read_settings().lake_address) and options.format == "iceberg" and not options.copy:
        raise SettingsError(
            f"The lake is in {address}, and what an Iceberg table names must stay where it is. With --copy the files go along."
        )
    lake, catalog = open_lake()
    out = Path(options.out or f"tags_{options.format}")
    now = datetime.now(tz=UTC)
    done = export_tag(
        lake, catalog, options.name, options.format, out, tables=options.tables, copy=options.copy, now=now
    )
    if options.json:
        print(json.dumps({"tag": options.name, "format": options.format, "tables": [_describe(one) for one in done]}))
        return 0
    console = make_console(options)
    print_table(console, ("table", "files", "rows", ""), [_row(one) for one in done], numbers=("files", "rows"))
    console.print(_spell_sizes(options.name, options.format, out, done), soft_wrap=True)
    told = _NEXT[options.format].format(tag=plain(options.name), out=plain(shlex.quote(f"{out}")))
    console.print(f"Next: {told}", soft_wrap=True)
    return 0


def _row(one: Exported) -> list[str]:
    rows = "" if one.rows is None else f"{one.rows:,}"
    return [one.table, f"{one.files:,}", rows, "" if one.is_new else "was there"]


def _spell_sizes(tag: str, kind: str, out: Path, done: Sequence[Exported]) -> str:
    linked, copied = (sum(getattr(one.written, name) for one in done) / 1e6 for name in ("linked", "copied"))
    return f"{plain(tag)} is in {plain(out)} as {kind}: {linked:,.1f} MB linked, {copied:,.1f} MB copied"


def _describe(one: Exported) -> dict[str, object]:
    return {
        "table": one.table,
        "folder": f"{one.folder}",
        "files": one.files,
        "rows": one.rows,
        "linked": one.written.linked,
        "copied": one.written.copied,
        "is_new": one.is_new,
    }
