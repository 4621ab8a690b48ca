"""The catalog as a folder of pages that any browser opens from disk: one to search in, and one of each table."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mlpipe_assets.data_catalog.entry import ColumnEntry, Entry
from mlpipe_assets.data_catalog.sampled import personal_columns, sample_of
from mlpipe_assets.errors import LakeError, SettingsError, spell_count
from mlpipe_assets.monitoring.report_parts import cards_css, table_of
from mlpipe_assets.pictures.charts import sparkline
from mlpipe_assets.pictures.theme import page_css
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag, list_tags, read_tag
from mlpipe_assets.visible import escape

_HERE = Path(__file__).parent
_INDEX = "index.html"
_LIST = ("Table", "What it is", "Tags", "Rows", "Newest")
_COLUMNS = ("Column", "Type", "Checks", "What it is", "Comes from")
_QUALITY = ("Day", "Rows", "In quarantine", "Duplicates", "Refused")
_VERSIONS = ("Tag", "Made", "Days", "Why")
_SHOWN_TAGS = 4


def write_site(lake: Lake, entries: Sequence[Entry], out: Path, written: datetime) -> Path:
    """Write the site, and say which page to open. Pages of an earlier site in the folder are replaced.

    Args:
        lake: Where tags, and rows of tables that are declared to show some, are read.
        entries: The tables.
        out: The folder, made where it is not there.
        written: When, UTC.

    Raises: SettingsError for a folder that holds anything but a site, LakeError when it cannot be written.
    """
    if out.exists() and not (out.is_dir() and all(map(_is_ours, out.iterdir()))):
        raise SettingsError(f"{out} holds other files. Name a new folder, or an empty one, with --out.")
    tags = [read_tag(lake.objects, name) for name in list_tags(lake.objects)]
    names = {entry.name for entry in entries}
    personal = personal_columns(entries)
    pages = {_file(one.name): _table_page(one, names, tags, written, _sample(lake, one, personal)) for one in entries}
    pages[_INDEX] = _index_page(entries, written)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in out.glob("*.html"):
            if path.name not in pages:
                path.unlink()
        for name, page in pages.items():
            (out / name).write_text(page, encoding="utf-8")
    except OSError as error:
        raise LakeError(f"{out} cannot take the site: {error.strerror}. Name another folder with --out.") from error
    return out / _INDEX


def _is_ours(path: Path) -> bool:
    return path.suffix == ".html" and path.is_file()


def _file(name: str) -> str:
    return f"{name.replace('/', '.')}.html"


def _index_page(entries: Sequence[Entry], written: datetime) -> str:
    rows = [
        [
            f'<a href="{escape(_file(entry.name))}">{escape(entry.name)}</a>',
            escape(entry.description.partition(". ")[0]),
            " ".join(f'<span class="tag">{escape(tag)}</span>' for tag in entry.tags[:_SHOWN_TAGS]),
            f"{entry.rows:,}" if entry.newest else "",
            f'<span class="day">{entry.newest or ""}</span>',
        ]
        for entry in entries
    ]
    words = [
        " ".join(
            [
                entry.name,
                entry.sql,
                entry.description,
                entry.grain,
                *entry.tags,
                *entry.owners,
                *(c.name for c in entry.columns),
            ]
        )
        for entry in entries
    ]
    table = table_of("Tables, in the order data flows", _LIST, rows, numbers=(3,), kind="list")
    for text in words:  # the first row without words is that of the next entry
        table = table.replace('<tr><th scope="row">', f'<tr data-words="{escape(text.lower())}"><th scope="row">', 1)
    body = f"""<header><h1>Data catalog</h1>
<p class="muted">{spell_count(len(entries), "table")}, as of {written:%Y-%m-%d %H:%M} UTC.</p>
<form role="search"><label for="words">Search names, columns, tags, owners and descriptions</label>
<input id="words" type="search" autocomplete="off" spellcheck="false" autofocus>
<p id="found" class="muted" role="status"></p></form></header>
<main id="tables">{table}</main>"""
    return _page("Data catalog", body, _read("site.js"))


def _table_page(entry: Entry, names: set[str], tags: Sequence[Tag], written: datetime, sample: str) -> str:
    facts = {
        "Name in SQL": escape(entry.sql),
        "A row is": escape(entry.grain),
        "Key": escape(", ".join(entry.key)),
        "Owners": escape(", ".join(entry.owners)),
        "Tags": " ".join(f'<span class="tag">{escape(tag)}</span>' for tag in entry.tags),
        "Files": f"<code>{escape(entry.path)}</code>" if entry.path else "",
        "Holds": f"{spell_count(entry.rows, 'row')}, {entry.first} to {entry.newest}"
        if entry.newest
        else "nothing yet",
        "Fresh within": f"{entry.fresh_within_hours:g} hours" if entry.fresh_within_hours else "",
        "Contract": escape(f"{entry.contract} {entry.contract_digest}".strip()),
        "Version": escape(entry.version),
        "Personal data": escape(", ".join(entry.personal)),
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts.items() if text)
    body = f"""<header><nav aria-label="Way back"><a href="{_INDEX}">Data catalog</a></nav>
<h1>{escape(entry.name)}</h1><p>{escape(entry.description)}</p></header>
<main><dl>{shown}</dl>
{_lineage(entry, names)}{_columns(entry, names)}{_quality(entry)}{_versions(entry, tags)}{sample}
<p class="muted">Written {written:%Y-%m-%d %H:%M} UTC.</p></main>"""
    return _page(entry.name, body, "")


def _lineage(entry: Entry, names: set[str]) -> str:
    def side(title: str, tables: Sequence[str]) -> str:
        items = "".join(f"<li>{_link(name, names)}</li>" for name in tables) or '<li class="muted">none</li>'
        return f"<div><h3>{title}</h3><ul>{items}</ul></div>"

    middle = f'<div class="self"><h3>This table</h3><p>{escape(entry.name)}</p></div>'
    parts = f"{side('Made of', entry.upstream)}{middle}{side('Used by', entry.downstream)}"
    return f'<section><h2>Lineage</h2><div class="way">{parts}</div></section>'


def _link(name: str, names: set[str], anchor: str = "", text: str = "") -> str:
    shown = escape(text or name)
    return f'<a href="{escape(_file(name))}{escape(anchor)}">{shown}</a>' if name in names else shown


def _columns(entry: Entry, names: set[str]) -> str:
    if not entry.columns:
        return ""
    rows = [
        [
            f'<span id="{escape(_anchor(column.name))}">{escape(column.name)}</span>',
            escape(column.type),
            escape(_checks(column)),
            escape(f"{column.description} {f'({column.unit})' if column.unit else ''}".strip()),
            ", ".join(_origin(one, names) for one in column.made_of),
        ]
        for column in entry.columns
    ]
    table = table_of("Columns, as the contract promises them", _COLUMNS, rows, kind="columns")
    return f"<section><h2>Columns</h2>{table}</section>"


def _checks(column: ColumnEntry) -> str:
    own = ["personal"] if column.personal else []
    return ", ".join([*own, *([] if column.nullable else ["never null"]), *column.checks])


def _origin(origin: str, names: set[str]) -> str:
    table, _, column = origin.rpartition(".")
    return _link(table, names, f"#{_anchor(column)}", origin)


def _anchor(column: str) -> str:
    return f"column-{column}"


def _quality(entry: Entry) -> str:
    found = entry.quality
    if not found.since:
        return ""
    days = sorted(found.days)
    drawn = sparkline([float(day[1]) for day in days], title=f"rows a day of {entry.name}", size=(280, 48))
    told = (
        f"{spell_count(found.partitions, 'partition')} since {found.since}: {spell_count(found.rows, 'row')}, {found.quarantined:,} in "
        f"quarantine, {found.duplicates:,} duplicates, {spell_count(found.refused, 'day')} refused."
    )
    rows = [
        [day, f"{rows:,}", f"{bad:,}", f"{twice:,}", "refused" if no else ""]
        for day, rows, bad, twice, no in days[::-1]
    ]
    table = table_of("The newest days", _QUALITY, rows, numbers=(1, 2, 3), kind="quality")
    return f"<section><h2>Checks over time</h2><p>{told}</p>{drawn}<details><summary>Day by day</summary>{table}</details></section>"


def _versions(entry: Entry, tags: Sequence[Tag]) -> str:
    rows = [
        [
            escape(tag.name),
            escape(tag.made_at[:16].replace("T", " ")),
            f"{len(tag.tables[entry.name].days):,}",
            escape(tag.message),
        ]
        for tag in sorted(tags, key=lambda tag: tag.made_at, reverse=True)
        if entry.name in tag.tables
    ]
    if not rows:
        return ""
    return f"<section><h2>Versions</h2>{table_of('Tags that pin it', _VERSIONS, rows, numbers=(2,), kind='versions')}</section>"


def _sample(lake: Lake, entry: Entry, personal: set[str]) -> str:
    rows = sample_of(lake, entry, personal)
    if rows is None:
        return ""
    cells = [["" if value is None else escape(f"{value}") for value in row] for row in rows.iter_rows()]
    hidden = [column.name for column in entry.columns if column.name not in rows.columns]
    left = f" Left out are {', '.join(map(escape, hidden))}: personal, or made of what is." if hidden else ""
    table = table_of(f"Of {entry.newest}", rows.columns, cells, kind="rows")
    return f"<section><h2>Some rows</h2><p>The table is declared to show them.{left}</p>{table}</section>"


def _page(title: str, body: str, script: str) -> str:
    kinds: Mapping[str, Sequence[str]] = {
        "list": _LIST,
        "columns": _COLUMNS,
        "quality": _QUALITY,
        "versions": _VERSIONS,
    }
    style = page_css() + _read("site.css") + cards_css(kinds)
    allowed = (
        f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else ""
    )
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; {allowed}".strip("; ")
    run = f"<script>{script}</script>" if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<div id="content" tabindex="-1">{body}</div>
{run}
</body>
</html>
"""


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
