"""A manifest made from the files of a table: footers carry the same facts, so that a lost one is no loss of data."""

import json
import logging
import os
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.store import keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.digest_log import read_log
from mlpipe_assets.store.digests import content_digest, damage
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import Manifest, Part, content_key

FACTS = "mlpipe"  # the key of the facts in a footer
_log = logging.getLogger("mlpipe")


def recover(contents: Contents) -> Manifest | None:
    """What the files of a table come to; None for a table that has none.

    A file that a record of digests says is damaged, or that cannot be read, is left out: its day is built again. Contents that
    are no face's count as replaced just now.
    """
    folder = contents.root / contents.table
    days = sorted(day for path in folder.glob(keys.ANY_DAY) if (day := keys.read_day(path.name)))
    refused = _earlier_refusals(contents)
    if not days and not refused:
        return None
    found: dict[date, dict[str, Part]] = {}
    for day in days:
        for path in sorted((folder / keys.name_day(day)).iterdir()):
            part = None if path.name.startswith(".") else _part(contents.root, path)
            if part:
                found.setdefault(day, {})[path.name] = part
                with suppress(OSError):
                    contents.bring_back(day, path.name, part)
    before = read_log(contents.root, Path(contents.table))
    if before is None or (before.files and not before.has_days):
        _log.warning(
            "%s had no manifest; it is made again from the files of %s days", contents.table, f"{len(found):,}"
        )
    named = {content_key(day, file, part.sha256) for day, files in found.items() for file, part in files.items()}
    return Manifest(days=found, refused=refused, old=dict.fromkeys(sorted(contents.names() - named), time.time()))


def _part(root: Path, path: Path) -> Part | None:
    try:
        if not path.is_file() or damage(root, path):
            return None
        stat = path.stat()
        return Part(content_digest(path), stat.st_size, stat.st_mtime_ns, read_facts(path))
    except (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _log.warning("%s cannot be read: %s; it is built again", path, f"{error}".splitlines()[0])
        return None


def read_facts(path: Path) -> dict[str, Any]:
    """How a file of a day was made, as its footer says; nothing for files that are no Parquet by their name.

    Raises: OSError, pl.exceptions.PolarsError.
    """
    if path.suffix != ".parquet":
        return {}
    with path.open("rb") as handle:
        text = pl.read_parquet_metadata(handle).get(FACTS)
    facts: dict[str, Any] = json.loads(text) if text else {}
    return facts


def _earlier_refusals(contents: Contents) -> dict[date, dict[str, Any]]:
    """Refused days as they were kept before there were manifests: a small document each."""
    folder = f"{keys.REFUSALS}/{contents.table}"
    objects = LocalObjects(contents.root)
    found: dict[date, dict[str, Any]] = {}
    if not os.path.isdir(contents.root / folder):  # noqa: PTH112 (asked of every table)
        return found
    for head in objects.list(folder):
        day = keys.read_day(Path(head.key).name.removesuffix(".json"))
        with suppress(ValueError):
            record = json.loads(objects.get(head.key).content)
            if day and isinstance(record, dict) and {"problem", "inputs"} <= set(record):
                found[day] = record
    return found
