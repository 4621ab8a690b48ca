"""Results that an engine left as Parquet, as polars holds them: times in UTC, and each day when it is asked for."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Self

import polars as pl

from mlpipe_assets.engines.refused import RefusedSqlError

_NOT_HELD = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


_NO_DAY = "__HIVE_DEFAULT_PARTITION__"  # as the engine names the folder of rows whose day is null


class DayFrames:
    """Result rows by day, on disk until they are asked for: Parquet files in `_day=` folders, in a folder for each part."""

    def __init__(self, root: Path | None = None) -> None:
        """Begin in an empty folder, or in one of its own."""
        self._root = root or Path(tempfile.mkdtemp(prefix="mlpipe-frames-"))

    def folder(self, part: int) -> Path:
        """Where the rows of one part go."""
        return self._root / f"{part}"

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """All rows of a day, in order of `order`; None when there are none.

        Raises: RefusedSqlError when they hold what no frame does, or have no such column.
        """
        parts = sorted(self._root.glob(f"*/_day={day}/*.parquet"))
        if not parts:
            return None
        frame = read_rows(parts)
        if absent := sorted({*order} - {*frame.columns}):
            raise RefusedSqlError(f"The query gives no column {', '.join(absent)} to sort its rows by.")
        # One thread for one day: days are read side by side, and a sort of text by several threads takes twice the processor.
        return frame.sort(*order, multithreaded=False)

    def astray(self, first: date, last: date) -> list[str]:
        """Days of rows that lie outside two days, in order; `null` for rows of no day."""
        found = {path.name.removeprefix("_day=") for path in self._root.glob("*/_day=*")}
        days = sorted(day for day in found if day != _NO_DAY and not f"{first}" <= day <= f"{last}")
        return [*days, *(["null"] if _NO_DAY in found else [])]

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Self:
        """Use as a context to have the files removed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self.close()


def read_rows(files: Path | list[Path]) -> pl.DataFrame:
    """Rows of result files; the engine's naive times are UTC.

    Raises: RefusedSqlError when a column is of a type that no frame has.
    """
    try:
        return _utc(pl.read_parquet(files, hive_partitioning=False, memory_map=False, glob=False))
    except _NOT_HELD as error:
        words = (f"{error}".strip().splitlines() or [type(error).__name__])[0][:200]
        raise RefusedSqlError(
            f"A column of what the query gives is of a type that no table holds; cast it to a plain one ({words})."
        ) from None


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Timestamps as UTC microseconds."""
    return frame.with_columns(
        pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        if dtype.time_zone is None
        else pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime)
    )
