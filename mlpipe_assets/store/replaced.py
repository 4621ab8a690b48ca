"""Files of a table that others took the place of lately: kept for readers of an older state, so what a day was before can still be read."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import content_digest
from mlpipe_assets.store.manifest import read_content_key
from mlpipe_assets.store.recovery import read_facts
from mlpipe_assets.store.table_state import TableState


class Replaced(NamedTuple):
    """A file that another took the place of.

    Attributes:
        since: When that was, in seconds since 1970.
        path: Where it is read.
        facts: How it was made.
    """

    since: float
    path: Path
    facts: Mapping[str, Any]


def find_replaced_files(state: TableState, file: str = keys.PART) -> dict[date, list[Replaced]]:
    """By day the files that were replaced lately, the one replaced first at the beginning; without those that are gone or damaged."""
    found: dict[date, list[Replaced]] = {}
    for name, since in state.manifest.old.items():
        place = read_content_key(name)
        if place is None or place[1] != file:
            continue
        day, _, sha256 = place
        path = state.contents.folder / name
        try:
            if content_digest(path) == sha256:
                found.setdefault(day, []).append(Replaced(since, path, read_facts(path)))
        except (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            continue
    return {day: sorted(files, key=lambda one: one.since) for day, files in sorted(found.items())}
