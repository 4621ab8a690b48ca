"""The blocks of a file as its source's declaration reads them, once it is sure that the file is one of this source."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.readers.blocks import Block, UnreadableFileError
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.readers.options import ReadOptions
from mlpipe_assets.rules import columns
from mlpipe_assets.transforms.absent import may_be_absent
from mlpipe_assets.transforms.events import decode, own_columns, prepared

_SHOWN = 5
_JUDGED_ROWS = 100
_HOLDS_A_LIST = r"\[\s*\{"
# Names of what holds records. Any other name may be a value, such as a customer's, and is not quoted.
_HOLDERS = frozenset(
    [
        "body",
        "content",
        "contents",
        "data",
        "documents",
        "elements",
        "entries",
        "hits",
        "items",
        "list",
        "messages",
        "objects",
        "payload",
        "records",
        "response",
        "result",
        "results",
        "rows",
        "value",
        "values",
    ]
)
_DEPTH = 3
_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)


def read_options(source: Source, files: Files) -> ReadOptions:
    """How the files of a source are read."""
    if source.prepare is not None:
        return ReadOptions(delimiter=files.delimiter, records=files.records, lines=files.lines, limits=files.limits)
    own = set(own_columns(source))
    exact = {
        c.name for c in columns(source.contract) if c.name in own and (c.dtype == pl.String or c.dtype.is_integer())
    }
    return ReadOptions(
        delimiter=files.delimiter,
        records=files.records,
        lines=files.lines,
        limits=files.limits,
        columns=frozenset(own),
        exact=frozenset(exact),
    )


def received_blocks(path: Path, source: Source, files: Files) -> Iterator[Block]:
    """Blocks of a file of a source; at least one, even without rows.

    Raises: UnreadableFileError for a file that cannot be read, that has nothing in common with the contract (a log-in page, a notice,
    another table), or that has no rows and not all columns either; PrepareError when the source's own function fails on it.
    """
    known = frozenset(own_columns(source))
    fits, rows = False, 0
    names: frozenset[str] | None = None
    for block in read_blocks(path, read_options(source, files)):
        if block.text is None:
            fits = _judge_objects(block.records["payload"], source, known, path, fits=fits)
        elif block.text.width and names is None:
            if _PAGE.match(block.text.columns[0]):
                raise _foreign(path, source, "a page (HTML or XML), and none of its lines is a row of")
            names = frozenset(prepared(block.text.head(_JUDGED_ROWS), source).columns)
            if not names & known:
                raise _foreign(path, source, f"none of its {block.text.width:,} columns is one of")
            fits = True
        rows += block.records.height + block.malformed.height
        yield block
    if rows and not fits:
        raise _foreign(path, source, "none of the names in its objects is a column of")
    lacking = sorted(
        c.name for c in columns(source.contract) if c.name in known - (names or known) and not may_be_absent(c)
    )
    if not rows and lacking:
        raise _foreign(
            path,
            source,
            f"no rows, and no {', '.join(lacking[:_SHOWN])} in its header, so it is no delivery of",
        )


def _judge_objects(payload: pl.Series, source: Source, known: frozenset[str], path: Path, *, fits: bool) -> bool:
    """Whether an object with a name of the contract has come yet.

    Raises: UnreadableFileError for an object that knows none of the names and holds a list of objects: it stands for many records.
    """
    if source.prepare is not None:
        for text in payload.head(0 if fits else _JUDGED_ROWS):
            held = list(json.loads(text, parse_float=str, parse_int=str).values())
            if held and all(isinstance(item, list | dict) and len(item) > 1 for item in held):
                raise _by_columns(path, source, "each name")
        return fits or bool(payload.len() and known & set(prepared(decode(payload.head(_JUDGED_ROWS)), source).columns))
    single = (*source.key, *([source.event_time] if source.event_time else []))
    many = rf'"(?:{"|".join(map(re.escape, single))})"\s*:\s*[\[{{]'
    suspects = payload.filter(payload.str.contains(f"{_HOLDS_A_LIST}|{many}")) if fits else payload
    for text in suspects:
        value = json.loads(text, parse_float=str, parse_int=str)
        for name in single:
            held = value.get(name)
            if isinstance(held, list | dict) and len(held) > 1:
                raise _by_columns(path, source, name)
        if known.isdisjoint(value):
            place = _list_of_objects(value)
            if place is not None:
                shown = f" at {place!r}" if place else ""
                declare = (
                    f"declare feed=Files(records={place!r}) on source {source.name}"
                    if place
                    else "declare where by feed=Files(records=...)"
                )
                raise UnreadableFileError(
                    f"{path.name}: an object that has no column of {source.name} holds a list of objects{shown}. If these are the "
                    f"records, {declare}; no row of the file was used."
                )
        elif not fits:
            # From here on only objects that hold lists can be anything else than rows.
            return _judge_objects(payload, source, known, path, fits=True)
    return fits


def _list_of_objects(value: dict[str, object], depth: int = _DEPTH) -> str | None:
    """The dotted path of a list of objects; empty where its names may be values; None when there is none."""
    for name, item in value.items():
        inner: str | None = None
        if isinstance(item, list) and any(isinstance(entry, dict) for entry in item):
            inner = ""
        elif isinstance(item, dict) and depth > 1 and (below := _list_of_objects(item, depth - 1)) is not None:
            inner = f".{below}"
        if inner is not None:
            return f"{name}{inner}" if name.lower() in _HOLDERS and inner != "." else ""
    return None


def _by_columns(path: Path, source: Source, name: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path.name}: {name} holds several values in one object, so the object is a whole table by columns. "
        f"Deliver one object for each row of {source.name}; no row of the file was used."
    )


def _foreign(path: Path, source: Source, what: str) -> UnreadableFileError:
    own = own_columns(source)
    more = ", ..." if len(own) > _SHOWN else ""
    return UnreadableFileError(
        f"{path.name}: {what} {source.name} ({', '.join(own[:_SHOWN])}{more}; upper and lower case count). "
        "A notice, a page, another table? Deliver the right file; no row was used."
    )
