"""The rows that features are asked for: frames of several libraries or a file, their times as instants, their keys as a view has them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from mlpipe_assets.catalog.asked import RetrievalError
from mlpipe_assets.catalog.nearest import nearest
from mlpipe_assets.errors import spell_count
from mlpipe_assets.quoting import quote_received
from mlpipe_assets.rules import Column
from mlpipe_assets.transforms.times import clock_times, read_times
from mlpipe_assets.visible import visible

_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
_DECIMAL = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$"
_FURTHEST = 2**53  # up to here a float holds every whole number
_OTHER_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV", ".csv.gz": "CSV"}


def read_spine(spine: object, event_time: str = "") -> pl.DataFrame:
    """The rows of a spine as a polars frame: its columns in order, nothing left out.

    Args:
        spine: A polars or pandas frame, anything else that hands out Arrow, or a path to a Parquet or CSV file. Numbers in
            CSV are numbers where no character is lost by it; a text such as 00123 stays one.
        event_time: The column with the time of each row, which stays text in CSV.

    Raises: RetrievalError for anything else, and for a file that cannot be read.
    """
    if isinstance(spine, str | Path):
        return _read_file(Path(spine), event_time)
    if isinstance(spine, pl.LazyFrame):
        return spine.collect()
    if isinstance(spine, pl.DataFrame):
        return spine
    if type(spine).__module__.partition(".")[0] == "pandas":
        return _from_pandas(spine)
    if hasattr(spine, "__arrow_c_stream__"):
        return pl.DataFrame(spine)
    raise RetrievalError(
        f"The spine is a {type(spine).__name__}. Give a polars or pandas frame, an Arrow table, or a path to a Parquet or CSV file."
    )


def spine_times(spine: pl.DataFrame, name: str, time_zone: str | None) -> pl.Series:
    """The time of each row as a UTC instant; null where the row has none.

    A time of a zone is converted. One without, and a date, which is its first moment, is read in `time_zone`.

    Raises: RetrievalError for times without a zone where none is declared, and for values that are no times.
    """
    if name not in spine.columns:
        raise RetrievalError(
            f"The spine has no column {name!r} with the time of each row; it has {_listed(spine.columns)}."
            f"{nearest(name, spine.columns)} Name another one: event_time=, or --event-time."
        )
    zone = _expect_zone(time_zone)
    given = spine[name]
    if given.dtype == pl.Null:
        return given.cast(pl.Datetime("us", "UTC"))
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone:
        return given.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    if isinstance(given.dtype, pl.Datetime | pl.Date):
        if given.null_count() < given.len():
            _expect_declared(zone, name, given.is_not_null(), given.dtype)
        return _all_read(given, clock_times(given, zone or "UTC"), name, f"a time that clocks of {zone} show")
    if given.dtype == pl.String:
        here, there = read_times(given, None, "UTC"), read_times(given, None, "Etc/GMT+5")
        naive = (here != there).fill_null(value=False)
        if naive.any():
            _expect_declared(zone, name, naive, given.dtype)
        times = read_times(given, None, zone or "UTC")
        return _all_read(given, times, name, "a time, such as 2026-01-31T12:00:00Z")
    raise RetrievalError(
        f"The spine's {name!r} is {given.dtype}, which is no time. Give times with a zone, or times or dates and a time_zone."
    )


def spine_keys(spine: pl.DataFrame, keys: Iterable[Column], whose: str) -> pl.DataFrame:
    """The join keys of each row in the types that a view has; only casts that lose nothing are made.

    Raises: RetrievalError for a key that is not there, or a value that the view's type cannot hold, with its row.
    """
    cast: list[pl.Series] = []
    for key in keys:
        if key.name not in spine.columns:
            raise RetrievalError(
                f"The spine has no column {key.name!r}, a join key of {whose}; it has {_listed(spine.columns)}."
                f"{nearest(key.name, spine.columns)} Rename the spine's column to it."
            )
        cast.append(_cast_key(spine[key.name], key, whose))
    return pl.DataFrame(cast)


def _cast_key(given: pl.Series, key: Column, whose: str) -> pl.Series:
    wanted = key.dtype
    if given.dtype in (wanted, pl.Null):
        return given.cast(wanted)
    if isinstance(given.dtype, pl.Categorical | pl.Enum):
        given = given.cast(pl.String)
    if given.dtype.is_float():
        given = given.fill_nan(None)  # pandas has no other null among numbers
    found = _lossless(given, wanted)
    if found is None:
        raise RetrievalError(
            f"The spine's {key.name!r} is {given.dtype}, and {wanted} in {whose}: the one cannot be read as the other. Cast it."
        )
    lost = given.is_not_null() & found.is_null()
    if lost.any():
        row = int(lost.arg_max() or 0)
        shown = quote_received(given.gather([row]).cast(pl.String), key)
        raise RetrievalError(
            f"The spine's {key.name!r} is {given.dtype}, and {wanted} in {whose}: {spell_count(int(lost.sum()), 'value')} cannot be "
            f"read as that (e.g. {f'{shown[0]!r} in ' if shown else ''}row {row + 1}). Cast the column, or correct it."
        )
    return found


def _lossless(given: pl.Series, wanted: pl.DataType) -> pl.Series | None:
    """The values in another type, null where that would change one; None where the types have nothing in common."""
    if given.dtype == wanted:
        return given
    if wanted.is_integer() and given.dtype.is_integer():
        return given.cast(wanted, strict=False)
    if wanted.is_integer() and given.dtype.is_float():  # as pandas keeps whole numbers when one is missing
        whole = (given == given.round()) & (given.abs() <= _FURTHEST)
        return given.set(~whole.fill_null(value=False), None).cast(wanted, strict=False)
    if wanted.is_integer() and given.dtype == pl.String:
        return given.set(~given.str.contains(_WHOLE).fill_null(value=False), None).cast(wanted, strict=False)
    if wanted == pl.String and given.dtype.is_integer():
        return given.cast(pl.String)
    if isinstance(wanted, pl.Categorical | pl.Enum) and given.dtype == pl.String:
        return given.cast(wanted, strict=False)
    if wanted == pl.Date and given.dtype == pl.String:
        return given.str.to_date("%Y-%m-%d", strict=False)
    return None


def _expect_zone(time_zone: str | None) -> str | None:
    try:
        if time_zone is not None:
            ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError, TypeError):
        raise RetrievalError(
            f"time_zone={time_zone!r} is no time zone: write a name such as Europe/Berlin, or UTC."
        ) from None
    return time_zone


def _expect_declared(zone: str | None, name: str, naive: pl.Series, dtype: pl.DataType) -> None:
    if zone is None:
        what = spell_count(int(naive.sum()), "date" if dtype == pl.Date else "time")
        raise RetrievalError(
            f"The spine's {name!r}: {what} without a zone (e.g. row {int(naive.arg_max() or 0) + 1}), so nobody can say "
            "which instant is meant. Declare their zone: time_zone='UTC', or --time-zone UTC; a date is its first moment there."
        )


def _all_read(given: pl.Series, times: pl.Series, name: str, what: str) -> pl.Series:
    lost = given.is_not_null() & times.is_null()
    if lost.any():
        raise RetrievalError(
            f"The spine's {name!r}: {spell_count(int(lost.sum()), 'value')} of {given.len():,} cannot be read as {what} "
            f"(e.g. row {int(lost.arg_max() or 0) + 1}). Correct them, or leave them empty: such a row finds nothing."
        )
    return times


def _listed(names: list[str]) -> str:
    return ", ".join(visible(name) for name in names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")  # noqa: PLR2004 (a line)


def _read_file(path: Path, event_time: str) -> pl.DataFrame:
    kind = next((kind for suffix, kind in _SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if kind is None:
        raise RetrievalError(f"The spine {path} is neither Parquet nor CSV by its name: {', '.join(_SUFFIXES)}.")
    try:
        if kind == "Parquet":
            return pl.read_parquet(path, glob=False, hive_partitioning=False)
        rows = pl.read_csv(path, infer_schema=False, glob=False)
    except FileNotFoundError:
        raise RetrievalError(f"There is no spine {path}.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RetrievalError(
            f"The spine {path} cannot be read as {kind}: {visible(str(error).splitlines()[0])[:200]}"
        ) from error
    twice = [name for name in rows.columns if "_duplicated_" in name]
    if twice:
        raise RetrievalError(f"The spine {path} has two columns {twice[0].partition('_duplicated_')[0]!r}. Rename one.")
    if rows.width == 1 and (mark := next((mark for mark in _OTHER_MARKS if mark in rows.columns[0]), None)):
        raise RetrievalError(
            f"The spine {path} is separated by {_OTHER_MARKS[mark]}. Save it with commas, or as Parquet."
        )
    return rows.select(column if column.name == event_time else _typed(column) for column in rows)


def _typed(text: pl.Series) -> pl.Series:
    """Numbers and flags where every text is spelled as one; else the texts."""
    values = text.drop_nulls()
    if values.is_empty():
        return text
    if values.str.contains(_WHOLE).all():
        return text.cast(pl.Int64)
    if values.str.contains(_DECIMAL).all():
        return text.cast(pl.Float64)
    if values.is_in(["true", "false"]).all():
        return text == "true"
    return text


def _from_pandas(frame: Any) -> pl.DataFrame:  # noqa: ANN401 (pandas is not one of our dependencies)
    """A pandas frame without its index, with pyarrow or without."""
    try:
        return pl.from_pandas(frame)
    except (ImportError, ModuleNotFoundError):
        return pl.DataFrame([_column_of_pandas(f"{name}", frame[name]) for name in frame.columns])


def _column_of_pandas(name: str, column: Any) -> pl.Series:  # noqa: ANN401 (as above)
    dtype = f"{column.dtype}"
    if dtype.startswith("datetime64"):
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        naive = pl.Series(name, utc.to_numpy().astype("datetime64[us]"))
        return naive.dt.replace_time_zone("UTC") if column.dt.tz is not None else naive
    if column.dtype.kind in "iufb" and not column.isna().any():
        return pl.Series(name, column.to_numpy())
    return pl.Series(name, column.astype(object).where(column.notna(), None).to_list())
