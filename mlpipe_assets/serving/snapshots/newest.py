"""The newest row of every entity, kept from one snapshot to the next, so that publishing reads the days that changed since.

What is kept only saves work: its name has the digest of what it holds and it says of which days it is, so whatever else is
found there is passed over, and all days are read.
"""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.objects import Objects

Files = Callable[[Sequence[date]], Sequence[Path]]
_MADE_OF = "mlpipe.made_of"
_log = logging.getLogger("mlpipe")


def newest_rows(
    kept: tuple[pl.DataFrame, Mapping[date, str]] | None,
    days: Mapping[date, str],
    files: Files,
    join_keys: Sequence[str],
) -> pl.DataFrame:
    """Of each entity the row of the last day that it is in.

    Args:
        kept: What this gave for other days of the same view, with the digest of each; None where nothing is kept.
        days: The digest of each day there is now, at least one, in order.
        files: Where to read the files of some days.
        join_keys: What identifies an entity.
    """
    names = list(join_keys)
    if kept is None:
        return _last_of_each(files([*days]), names)
    before, of = kept
    changed = [day for day in {*of, *days} if of.get(day) != days.get(day)]
    if not changed:
        return before
    first = min(changed)
    again = [day for day in days if day >= first]
    fresh = _last_of_each(files(again), names) if again else before.clear()
    # A row of a day is as of its end, so this is whether its day lies before all that changed.
    stays = pl.col("as_of") <= pl.lit(datetime.combine(first, time(), tzinfo=UTC)).cast(before.schema["as_of"])
    others = before.join(fresh, on=names, how="anti")
    gone = others.filter(~stays).select(names)
    parts = [fresh, others.filter(stays).select(fresh.columns)]
    if gone.height and (earlier := [day for day in days if day < first]):
        parts.append(_last_of_each(files(earlier), names, among=gone).select(fresh.columns))
    return pl.concat(parts)


def _last_of_each(files: Sequence[Path], names: list[str], among: pl.DataFrame | None = None) -> pl.DataFrame:
    """Of each key the row of the last file it is in."""
    if among is None:
        newest = pl.read_parquet(files[-1], hive_partitioning=False, glob=False)
        if len(files) == 1:
            return newest
        older = pl.scan_parquet(list(files[:-1]), hive_partitioning=False, glob=False)
        named = older.select(*names, "as_of").join(newest.lazy().select(names), on=names, how="anti")
    else:
        older = pl.scan_parquet(list(files), hive_partitioning=False, glob=False)
        named = older.select(*names, "as_of").join(among.lazy(), on=names, how="semi")
    last = named.group_by(names).agg(pl.col("as_of").max())
    rows = older.join(last, on=[*names, "as_of"], how="semi").collect()
    return rows if among is not None else pl.concat([newest, rows.select(newest.columns)])


def read_kept(objects: Objects, view: str, version: str) -> tuple[pl.DataFrame, Mapping[date, str]] | None:
    """What is kept of a view in a version, with the digests of the days it is of; None where that is nothing, or no use."""
    for key in _kept(objects, view):
        try:
            content = objects.get(key).content
            if _name(view, content) != key:
                continue
            made_of = json.loads(pl.read_parquet_metadata(io.BytesIO(content))[_MADE_OF])
            if made_of["version"] == version:
                days = {date.fromisoformat(day): digest for day, digest in made_of["days"].items()}
                return pl.read_parquet(io.BytesIO(content)), days
        except (LakeError, LookupError, ValueError, OSError, pl.exceptions.PolarsError):
            continue
    return None


def keep(objects: Objects, view: str, version: str, days: Mapping[date, str], rows: pl.DataFrame) -> None:
    """Keep the newest rows of a view, in place of those from before. A disk that has no room for them is no reason to fail."""
    made_of = {"version": version, "days": {f"{day}": digest for day, digest in days.items()}}
    written = io.BytesIO()
    rows.write_parquet(written, metadata={_MADE_OF: json.dumps(made_of)})
    key = _name(view, written.getvalue())
    try:
        before = [other for other in _kept(objects, view) if other != key]
        objects.put(key, written.getvalue())
        for other in before:
            objects.delete(other)
    except LakeError as error:
        _log.warning("online/features: the newest rows of %s are not kept for the next snapshot: %s", view, error)


def forget_others(objects: Objects, views: Sequence[str]) -> None:
    """Remove what is kept of views that are not published any more."""
    for head in objects.list(keys.NEWEST):
        if head.key.rsplit("/", 2)[-2] not in views:
            objects.delete(head.key)


def _kept(objects: Objects, view: str) -> list[str]:
    return [head.key for head in objects.list(f"{keys.NEWEST}/{view}")]


def _name(view: str, content: bytes) -> str:
    return f"{keys.NEWEST}/{view}/{hashlib.sha256(content).hexdigest()}.parquet"
