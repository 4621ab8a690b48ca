"""Text to instants and dates: ISO 8601 in all its forms, or the formats a source declares; a wrong value is null."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from mlpipe_assets.catalog.time_formats import has_time, is_zoned, pattern_of, spell_out, with_sixtieth_second

_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_UTC_TIME = pl.Datetime("us", "UTC")
_FULL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}S[0-9]{2}:[0-9]{2}:[0-5][0-9]Z?$"
_PLAIN_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DATE_FORMS: tuple[tuple[str, str], ...] = (  # calendar, ordinal and week dates, extended and basic
    (_PLAIN_DATE, "%Y-%m-%d"),
    (r"^[0-9]{8}$", "%Y%m%d"),
    (r"^[0-9]{4}-[0-9]{3}$", "%Y-%j"),
    (r"^[0-9]{7}$", "%Y%j"),
    (r"^[0-9]{4}-W[0-9]{2}-[1-7]$", "%G-W%V-%u"),
    (r"^[0-9]{4}W[0-9]{2}[1-7]$", "%GW%V%u"),
)
_PARTS = (
    r"^(?P<date>[0-9W-]{7,10})"
    r"(?:[Tt ](?P<hour>[0-9]{2})(?::?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2}))?)?(?:[.,](?P<fraction>[0-9]{1,9}))?"
    r"(?: ?(?P<zone>[Zz]|UTC|(?P<sign>[+-])(?P<zone_hour>[01][0-9]|2[0-3])(?::?(?P<zone_minute>[0-5][0-9]))?))?)?$"
)
_HALF_BASIC = r":[0-9]{4}|[Tt ][0-9]{4}:"  # 10:0000, 1000:00: no form of a time
_SECOND, _MINUTE, _HOUR, _DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


def read_times(text: pl.Series, formats: Sequence[str] | None, time_zone: str) -> pl.Series:
    """Each text as a UTC instant, whole microseconds; null where it is no time.

    A text without an offset is in `time_zone`: of two readings of an hour that repeats the earlier, null in an hour that is
    skipped. A date alone is the first moment of that day. The years of the result are not bounded.
    """
    readers: list[Callable[[pl.Series], pl.Series]] = [
        lambda t: _full_times(t, "T", time_zone),
        lambda t: _full_times(t, " ", time_zone),
        lambda t: _first_moments(_dates(t, _PLAIN_DATE, "%Y-%m-%d"), time_zone),
        lambda t: _times_of_parts(t, time_zone),
    ]
    if formats is not None:
        readers = [lambda t, f=form: _declared_times(t, spell_out(f), time_zone) for form in formats]  # type: ignore[misc]
    return _first_that_reads(text, readers, _UTC_TIME)


def read_dates(text: pl.Series, formats: Sequence[str] | None) -> pl.Series:
    """Each text as a date of the years 1 to 9999; null where it is none."""
    forms = _DATE_FORMS
    if formats is not None:
        forms = tuple((pattern_of(form), form) for form in map(spell_out, formats))
    readers = [lambda t, p=pattern, f=form: _dates(t, p, f) for pattern, form in forms]
    return _first_that_reads(text, readers, pl.Date())


def clock_times(clock: pl.Series, time_zone: str) -> pl.Series:
    """Times or dates without a zone as UTC instants, read as texts without an offset are: null in an hour that clocks skip."""
    if clock.dtype == pl.Date:
        return _first_moments(clock, time_zone)
    return _to_utc(clock.cast(pl.Datetime("us")), time_zone)


def in_bounds(times: pl.Series) -> pl.Series:
    """The same instants, null outside the years 1 to 9999 that calendars and other tools know."""
    return times.set(~times.is_between(_FIRST, _LAST).fill_null(value=True), None)


def days_of(times: pl.Series) -> pl.Series:
    """UTC calendar day of each instant; one that a zone moved out of the years 1 to 9999 is of the nearest day."""
    return times.clip(_FIRST, _LAST).cast(pl.Date)


def _first_that_reads(
    text: pl.Series, readers: Sequence[Callable[[pl.Series], pl.Series]], dtype: pl.DataType
) -> pl.Series:
    """Each value by the first reader that reads it; later readers only run while values are left."""
    result = readers[0](text) if readers else pl.Series([None], dtype=dtype).new_from_index(0, text.len())
    for read in readers[1:]:
        left = text.is_not_null() & result.is_null()
        if not left.any():
            break
        rows = left.arg_true()
        result = result.scatter(rows, read(text.gather(rows)))
    return result.alias(text.name)


def _dates(text: pl.Series, pattern: str, form: str) -> pl.Series:
    found = _only(text, pattern).str.to_date(form, strict=False, cache=text.len() > 1)
    return found.set(~found.is_between(_FIRST.date(), _LAST.date()).fill_null(value=True), None)


def _only(text: pl.Series, pattern: str) -> pl.Series:
    """The texts that match; parsers read more than is written: a year of two digits, blanks, signs."""
    fits = text.str.contains(pattern)
    return text if fits.all() else text.set(~fits.fill_null(value=True), None)


def _full_times(text: pl.Series, between: str, time_zone: str) -> pl.Series:
    """The form nearly every file has, read fast: `2026-01-05T10:00:00`, perhaps with a Z."""
    fit = _only(text, _FULL.replace("S", between, 1))
    zoned = fit.str.ends_with("Z")
    parts = fit.str.strip_suffix("Z") if zoned.any() else fit
    local = parts.str.to_datetime(f"%Y-%m-%d{between}%H:%M:%S", time_unit="us", strict=False, cache=False)
    local = local.set((local.dt.year() < 1).fill_null(value=False), None)
    return _to_utc(local, time_zone, zoned)


def _times_of_parts(text: pl.Series, time_zone: str) -> pl.Series:
    """Every other form of ISO 8601: dates of six forms, times cut short, with a fraction or an offset, 24:00, a leap second."""
    groups = text.str.extract_groups(_PARTS).struct.unnest()
    parts = groups.select(
        pl.col("fraction", "zone", "sign"),
        pl.col("hour", "minute", "second", "zone_hour", "zone_minute").cast(pl.Int64),
        date=read_dates(groups["date"], None),
    )
    fraction = pl.col("fraction").cast(pl.Int64).fill_null(0)
    unit = (
        pl.when(pl.col("second").is_not_null())
        .then(_SECOND)
        .when(pl.col("minute").is_not_null())
        .then(_MINUTE)
        .otherwise(_HOUR)
    )
    whole = (
        pl.col("hour").fill_null(0) * _HOUR
        + pl.col("minute").fill_null(0) * _MINUTE
        + pl.min_horizontal(pl.col("second").fill_null(0), 59) * _SECOND
    )
    offset = pl.col("zone_hour").fill_null(0) * _HOUR + pl.col("zone_minute").fill_null(0) * _MINUTE
    read = parts.select(
        "date",
        micros=whole
        + fraction * unit // pl.lit(10).pow(pl.col("fraction").str.len_bytes().fill_null(0).cast(pl.Int64)),
        offset=pl.when(pl.col("sign") == "-").then(-offset).otherwise(offset),
        zoned=pl.col("zone").is_not_null(),
        leap=(pl.col("second") == 60).fill_null(value=False),  # noqa: PLR2004 (the leap second)
        wrong=(pl.col("minute") > 59).fill_null(value=False)  # noqa: PLR2004
        | (pl.col("second") > 60).fill_null(value=False),  # noqa: PLR2004
    )
    wrong = read["wrong"] | (read["micros"] > _DAY) | text.str.contains(_HALF_BASIC).fill_null(value=False)
    days = read["date"].set(wrong, None)
    midnight = (parts["hour"].is_null() | (read["micros"] == _DAY)) & ~read["zoned"]
    local = days.cast(pl.Datetime("us")) + read["micros"].cast(pl.Duration("us"))
    times = _to_utc(local, time_zone, read["zoned"]) - read["offset"].cast(pl.Duration("us"))
    if midnight.any():
        times = times.scatter(midnight.arg_true(), _first_moments(local.filter(midnight).cast(pl.Date), time_zone))
    return _leap_seconds(times, read["leap"])


def _declared_times(text: pl.Series, form: str, time_zone: str) -> pl.Series:
    """Times of one strptime format."""
    fit = _only(text, pattern_of(form))
    if not has_time(form):
        return _first_moments(fit.str.to_date(form, strict=False), time_zone)
    times = _parse(fit, form, time_zone)
    leap = with_sixtieth_second(form)
    if leap is None:
        return times
    on_leap = _only(text, leap.pattern)
    if on_leap.null_count() == on_leap.len():
        return times
    seconds = _parse(on_leap, leap.form, time_zone) + timedelta(seconds=59)
    return times.zip_with(on_leap.is_null(), _leap_seconds(seconds, on_leap.is_not_null()))


def _parse(text: pl.Series, form: str, time_zone: str) -> pl.Series:
    if is_zoned(form):
        return text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    return _to_utc(text.str.to_datetime(form, time_unit="us", strict=False), time_zone)


def _to_utc(local: pl.Series, time_zone: str, zoned: pl.Series | None = None) -> pl.Series:
    """Clock readings as instants; those marked `zoned` are of UTC."""
    utc = local.dt.replace_time_zone("UTC")
    if time_zone == "UTC" or (zoned is not None and zoned.all() and not zoned.is_empty()):
        return utc
    own = local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    return own if zoned is None else utc.zip_with(zoned.fill_null(value=False), own)


def _first_moments(days: pl.Series, time_zone: str) -> pl.Series:
    """The first moment of each day: its midnight, or the first moment after it where clocks skip midnight."""
    local = days.cast(pl.Datetime("us"))
    times = _to_utc(local, time_zone)
    skipped = (local.is_not_null() & times.is_null()).arg_true()
    if not skipped.len():
        return times
    starts = {day: _after_the_gap(day, time_zone) for day in days.gather(skipped).unique()}
    return times.scatter(skipped, pl.Series([starts[day] for day in days.gather(skipped)], dtype=_UTC_TIME))


def _after_the_gap(day: date, time_zone: str) -> datetime | None:
    """The first second of a day that its clocks show; None where they skip all of it."""
    seconds = (
        pl.Series([day], dtype=pl.Datetime("us")).new_from_index(0, 86_400)
        + pl.int_range(86_400, eager=True).cast(pl.Duration("us")) * _SECOND
    )
    shown: list[datetime] = _to_utc(seconds, time_zone).drop_nulls().head(1).to_list()
    return shown[0] if shown else None


def _leap_seconds(times: pl.Series, marked: pl.Series) -> pl.Series:
    """Instants of the second before, moved to the second after it; null where no leap second can be."""
    if not marked.any():
        return times
    last = (times.dt.hour() == 23) & (times.dt.minute() == 59) & (times.dt.second() == 59)  # noqa: PLR2004
    moved = (times + timedelta(seconds=1)).set(~last.fill_null(value=True), None)
    return moved.zip_with(marked, times)
