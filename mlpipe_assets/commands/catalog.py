"""mlpipe catalog: tables found and shown, a site of all of them, and the catalog as other tools read it."""

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.commands.diff import fold
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports.registry import write_export
from mlpipe_assets.data_catalog.searching import Hit, find_entry, search
from mlpipe_assets.data_catalog.site import write_site
from mlpipe_assets.errors import SettingsError, spell_count
from mlpipe_assets.visible import visible

_MOST_HITS = 20


def catalog(options: argparse.Namespace) -> int:
    """Do what was asked of the catalog."""
    _expect_fitting(options)
    return {"search": _search, "show": _show, "site": _site, "export": _export}[options.action](options)


def _expect_fitting(options: argparse.Namespace) -> None:
    """Refuse what does not go together. Raises: SettingsError."""
    action = options.action
    if action == "show" and len(options.words) != 1:
        raise SettingsError("mlpipe catalog show takes one table, such as: mlpipe catalog show interim/orders")
    if action in ("site", "export") and options.words:
        raise SettingsError(f"mlpipe catalog {action} takes no word; leave {visible(options.words[0])!r} out.")
    if (action == "export") != bool(options.format):
        raise SettingsError("--format goes with export, and export needs one: mlpipe catalog export --format odcs")
    if options.out and action in ("search", "show"):
        raise SettingsError(f"--out goes with site and export; mlpipe catalog {action} prints.")


def _search(options: argparse.Namespace) -> int:
    lake, declared = open_lake()
    hits = search(describe(lake, declared), options.words)
    if options.json:
        print(json.dumps([{"table": hit.entry.name, "score": round(hit.score, 2), "where": hit.where} for hit in hits]))
        return 0
    console = make_console(options)
    if not hits:
        console.print(
            f"No table has {plain(' and '.join(options.words))} in its name, columns, tags, owners or description."
        )
        return 0
    print_table(
        console, ("table", "found in", "rows", "newest"), [_row(hit) for hit in hits[:_MOST_HITS]], numbers=("rows",)
    )
    if len(hits) > _MOST_HITS:
        console.print(f"… and {len(hits) - _MOST_HITS:,} more; --json prints them all, or add a word")
    console.print(f"Next: mlpipe catalog show {plain(hits[0].entry.name)}", soft_wrap=True)
    return 0


def _row(hit: Hit) -> list[str]:
    return [hit.entry.name, ", ".join(hit.where), f"{hit.entry.rows:,}", hit.entry.newest or ""]


def _show(options: argparse.Namespace) -> int:
    lake, declared = open_lake()
    entry = find_entry(describe(lake, declared), options.words[0])
    if options.json:
        print(json.dumps(entry.document()))
        return 0
    console = make_console(options)
    for line in _lines(entry):
        console.print(fold(visible(line)), markup=False, soft_wrap=True)
    if entry.columns:
        rows = [
            [c.name, c.type, _checks(c.nullable, c.checks, personal=c.personal), c.description] for c in entry.columns
        ]
        print_table(console, ("column", "type", "checks", "description"), rows)
    return 0


def _lines(entry: Entry) -> Iterator[str]:
    yield f"{entry.name}{f' ({entry.sql})' if entry.sql else ''}"
    yield f"  {entry.description}"
    quality = entry.quality
    told = [
        ("a row is", entry.grain),
        ("key", ", ".join(entry.key)),
        ("owners", ", ".join(entry.owners)),
        ("tags", ", ".join(entry.tags)),
        ("files", entry.path),
        (
            "holds",
            f"{spell_count(entry.rows, 'row')}, {entry.first} to {entry.newest}" if entry.newest else "nothing yet",
        ),
        ("fresh within", f"{entry.fresh_within_hours:g} hours" if entry.fresh_within_hours else ""),
        (f"since {quality.since}", _spell_quality(entry) if quality.since else ""),
        ("contract", f"{entry.contract} {entry.contract_digest}".strip()),
        ("version", entry.version),
        ("personal data", ", ".join(entry.personal)),
        ("made of", ", ".join(entry.upstream)),
        ("used by", ", ".join(entry.downstream)),
    ]
    yield from (f"  {name}: {text}" for name, text in told if text)


def _spell_quality(entry: Entry) -> str:
    found = entry.quality
    return (
        f"{spell_count(found.partitions, 'partition')}, {spell_count(found.rows, 'row')}, {found.quarantined:,} in quarantine, "
        f"{found.duplicates:,} duplicates, {spell_count(found.refused, 'day')} refused"
    )


def _checks(nullable: bool, checks: Sequence[str], *, personal: bool) -> str:  # noqa: FBT001
    return ", ".join([*(["personal"] if personal else []), *([] if nullable else ["never null"]), *checks])


def _site(options: argparse.Namespace) -> int:
    lake, declared = open_lake()
    out = Path(options.out or "catalog_site")
    entries = describe(lake, declared)
    written = write_site(lake, entries, out, datetime.now(tz=UTC))
    return _tell(
        options,
        f"{spell_count(len(entries), 'table')} in {written}: open it in a browser",
        {"site": f"{written}", "tables": len(entries)},
    )


def _export(options: argparse.Namespace) -> int:
    lake, declared = open_lake()
    out = Path(options.out or f"catalog_{options.format}")
    files = write_export(lake, describe(lake, declared), options.format, out)
    return _tell(options, f"{spell_count(len(files), 'file')} in {out}", {"files": [f"{file}" for file in files]})


def _tell(options: argparse.Namespace, line: str, document: dict[str, Any]) -> int:
    if options.json:
        print(json.dumps(document))
    else:
        make_console(options).print(plain(line), soft_wrap=True)
    return 0
