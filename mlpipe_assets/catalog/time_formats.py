"""strptime formats of a source, read strictly: which texts a format fits, digit for digit."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import polars as pl

_SPELLED_OUT = {
    "%T": "%H:%M:%S",
    "%X": "%H:%M:%S",
    "%R": "%H:%M",
    "%r": "%I:%M:%S %p",
    "%F": "%Y-%m-%d",
    "%D": "%m/%d/%y",
    "%x": "%m/%d/%y",
    "%v": "%e-%b-%Y",
    "%c": "%a %b %e %H:%M:%S %Y",
    "%+": "%Y-%m-%dT%H:%M:%S%.f%:z",
}
_PYTHONS_FRACTION = re.compile(r"\.%f")  # polars would take the 5 of `.5` for nanoseconds
_ANY_DIRECTIVE = re.compile(r"%(?:[-_0]?[.:#]*[0-9]?.?)", re.DOTALL)
_SAMPLE = datetime(2026, 11, 23, 17, 45, 59, 123456, tzinfo=UTC)  # no two of its numbers can be taken for each other
_DIRECTIVE = re.compile(r"%[-_0]?(?:[.]?[0-9]?f|[:#]*z|[A-Za-z+%])")
_DIGITS = {"Y": "[0-9]{4}", "G": "[0-9]{4}", "y": "[0-9]{2}", "S": "[0-5]?[0-9]", "s": "[0-9]{1,11}"} | dict.fromkeys(
    "mdHIM", "[0-9]{1,2}"
)
_OF_A_TIME = re.compile(r"%[-_0]?[HIklMSpPs]")


@dataclass(frozen=True, kw_only=True)
class LeapForm:
    """How a text reads whose seconds are 60: which texts, and the format that leaves the seconds out."""

    pattern: str
    form: str


def spell_out(form: str) -> str:
    """A format with its abbreviations written out: `%T` as `%H:%M:%S`; `.%f` is a fraction of any length, as in Python."""
    return _PYTHONS_FRACTION.sub("%.f", _DIRECTIVE.sub(lambda found: _SPELLED_OUT.get(found[0], found[0]), form))


def has_time(form: str) -> bool:
    """Whether a format says more than a date."""
    return bool(_OF_A_TIME.search(form.replace("%%", "")))


def is_zoned(form: str) -> bool:
    """Whether a format says the offset from UTC, so that no zone has to be taken."""
    return bool(re.search(r"%(?:[:#]*z|[-_0]?s)", form.replace("%%", "")))


@cache
def wrong_format(form: str) -> str:
    """Why a format gives no date, or not the one it was written for; empty where it reads back what it writes."""
    spelled = spell_out(form)
    directives = _ANY_DIRECTIVE.findall(spelled)
    unknown = [part for part in directives if part != "%%" and _written(part) is None]
    if unknown:
        return f"{unknown[0]!r} is no directive of strptime"
    if "%Z" in directives:
        return "%Z reads the name of a zone and takes no notice of it; read the offset by %z, or let prepare rewrite it"
    if "%f" in directives:
        return "%f alone does not say how long the fraction is: write %.f after a point, or %3f, %6f or %9f"
    text = _written(spelled) or ""
    column = pl.Series([text])
    try:
        read = (
            column.str.to_datetime(spelled, strict=False)
            if has_time(spelled)
            else column.str.to_date(spelled, strict=False)
        )
    except pl.exceptions.ComputeError as error:
        return f"{form!r} cannot be read: {str(error).strip().splitlines()[0].partition(': ')[2]}"
    day = read.cast(pl.Date)[0]
    if day == _SAMPLE.date():
        return ""
    return f"{form!r} says no whole date, with year, month and day: {_SAMPLE:%Y-%m-%d} is written {text!r} and read as {day or 'nothing'}"


def _written(form: str) -> str | None:
    """The sample as a format writes it; None where it has a directive that nobody knows."""
    try:
        return str(pl.Series([_SAMPLE], dtype=pl.Datetime("us", "UTC")).dt.to_string(form)[0])
    except (pl.exceptions.ComputeError, pl.exceptions.PanicException):
        return None


@cache
def pattern_of(form: str) -> str:
    """A regular expression of the texts a format fits: years have four digits, nothing has a sign, seconds end at 59.

    Parsers are lenient: they read `24` as the year 24, blanks before numbers, and `+2024`.
    """
    return f"^{_translated(form, _DIGITS)}$"


@cache
def with_sixtieth_second(form: str) -> LeapForm | None:
    """How a format reads where its seconds are 60; None where it has no seconds."""
    bare = re.sub(r"%[-_0]?S", "60", form)
    if bare == form:
        return None
    return LeapForm(pattern=f"^{_translated(form, _DIGITS | {'S': '60'})}$", form=bare)


def _translated(form: str, digits: dict[str, str]) -> str:
    parts: list[str] = []
    end = 0
    for found in _DIRECTIVE.finditer(form):
        parts += [_literally(form[end : found.start()]), digits.get(found[0][-1], "%" if found[0] == "%%" else ".*?")]
        end = found.end()
    return "".join([*parts, _literally(form[end:])])


def _literally(text: str) -> str:
    return re.sub(r"(?:\\\s)+", r"\\s+", re.escape(text))
