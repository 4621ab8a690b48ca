"""Columns of the timetable as the airlines report them, to columns with dates in them."""

import polars as pl


def prepare_flights(text: pl.DataFrame) -> pl.DataFrame:
    """Flights with their instants spelled out in New York time.

    The files know a day and clock readings such as 517 (05:17) or 2400 (midnight at its end). The actual departure has
    no day of its own: it is the next one when a late flight left at an earlier clock reading than scheduled, and the
    previous one when an early flight left at a later. A reading that is no time is passed on as it is, so that the row
    is refused; only a flight without any reading counts as cancelled.
    """
    day = pl.concat_str(
        pl.col("year"), pl.col("month").str.zfill(2), pl.col("day").str.zfill(2), separator="-", ignore_nulls=False
    )
    delay = pl.col("dep_delay").cast(pl.Int64, strict=False)
    left, planned = (pl.col(name).cast(pl.Int64, strict=False) for name in ("dep_time", "sched_dep_time"))
    days_later = (
        pl.when((delay > 0) & (left < planned)).then(1).when((delay < 0) & (left > planned)).then(-1).otherwise(0)
    )

    def moment(name: str, days: pl.Expr) -> pl.Expr:
        reading = pl.col(name).str.zfill(4)
        midnight = reading == "2400"
        on = day.str.to_date("%Y-%m-%d", strict=False) + pl.duration(days=days + midnight.cast(pl.Int64))
        clock = pl.when(midnight).then(pl.lit("00:00")).otherwise(reading.str.slice(0, 2) + ":" + reading.str.slice(2))
        return on.dt.to_string("%Y-%m-%d") + " " + clock

    scheduled = moment("sched_dep_time", pl.lit(0))
    cancelled = pl.col("dep_time").is_null()
    return text.with_columns(
        flight_date=day,
        scheduled_at=scheduled,
        departed_at=pl.when(cancelled).then(scheduled).otherwise(moment("dep_time", days_later)),
        is_cancelled=pl.when(cancelled).then(pl.lit("true")).otherwise(pl.lit("false")),
    )
