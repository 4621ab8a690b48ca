"""The proof of views that look at the whole population: nobody can be cut alone, so whole days are.

Of each day the SQL runs once more with all later rows gone, for everybody, copies of the newest ones with other values
planted on the days after, the newest day in the opposite order, and the range a day longer at both ends.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import is_snapshot
from mlpipe_assets.engines.engine import Engine, Slice
from mlpipe_assets.errors import naming
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.sample import CUT, PLANT, Reach, cut
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs

_PLANTS = (1, 2, 7)


def recompute_days(
    engine: Engine, inputs: Inputs, rows_of_days: Mapping[date, pl.DataFrame]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """A pass for each day: the entities to compare, and what the SQL says when nothing later is there."""
    keys, sql = inputs.view.entity.join_keys, inputs.catalog.view_sql(inputs.view)
    for day, rows in rows_of_days.items():
        sample = rows.select(keys).with_columns(pl.lit(day, dtype=pl.Date).alias(CUT))
        with cut_after(inputs, day, plant=True) as tables, naming(inputs.view.sql_name):
            yield sample, engine.select(sql, tables, inputs.params(day - ONE_DAY, day + ONE_DAY))


@contextmanager
def cut_after(inputs: Inputs, day: date, *, plant: bool) -> Iterator[dict[str, Slice]]:
    """The tables of a day without anything later, the newest partition of each in the opposite order.

    Args:
        inputs: Of the view.
        day: The last one that is seen.
        plant: Whether rows are planted after it, and the range is a day longer at both ends.
    """
    with tempfile.TemporaryDirectory(prefix="mlpipe-proof-") as folder:
        tables: dict[str, Slice] = dict(inputs.tables(day, day))
        if plant:
            tables["days"] = inputs.tables(day - ONE_DAY, day + ONE_DAY)["days"]
        for s in inputs.sources:
            paths = tables[s.source.name]
            if not isinstance(paths, pl.DataFrame) and paths:
                turned = _turned(s, paths[-1], Path(folder) / s.source.name, day if plant else None)
                tables[s.source.name] = [*turned, *paths[:-1]]
        yield tables


def _turned(s: SourceDays, newest: Path, folder: Path, planted_after: date | None) -> list[Path]:
    """The newest partition in the opposite order, and copies of its rows with other values on days after a day."""
    rows = pl.read_parquet(newest, hive_partitioning=False, glob=False).drop("date", strict=False)
    written = [_write(rows.reverse(), folder, newest.parent.name)]
    if planted_after is None or is_snapshot(s.source) or rows.is_empty():
        return written
    on = newest.parent.name.removeprefix("date=")
    dated = rows.with_columns(
        pl.lit(date.fromisoformat(on), dtype=pl.Date).alias("date"), pl.int_range(pl.len()).alias("_row")
    )
    sample = dated.select("_row").with_columns(
        pl.lit(planted_after, dtype=pl.Date).alias(CUT), pl.lit(value=True).alias(PLANT)
    )
    times = (s.source.event_time,) if s.source.event_time else ()
    reach = Reach(after=None, until=0, plants=_PLANTS, times=times, identities=s.source.key)
    later = cut(dated, ("_row",), sample, reach).filter(pl.col("date") > planted_after)
    return written + [
        _write(later.filter(pl.col("date") == found).drop("date", "_row"), folder, f"date={found}")
        for found in (planted_after + timedelta(days=n) for n in _PLANTS)
    ]


def _write(rows: pl.DataFrame, folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    rows.write_parquet(folder / name / "part.parquet", compression="lz4")
    return folder / name / "part.parquet"
