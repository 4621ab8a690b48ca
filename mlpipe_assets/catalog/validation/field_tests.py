"""What may be asked of one field of a declaration: each test says what is wrong with a value, or nothing."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.feeds import Feed
from mlpipe_assets.catalog.nearest import or_nearest
from mlpipe_assets.catalog.time_formats import wrong_format
from mlpipe_assets.readers.log_lines import columns_of_lines

Test = Callable[[object], str]
_NONE = timedelta(0)
_ONE = 1 + 1e-9


def text(value: object) -> str:
    """A text that is not empty."""
    return "" if isinstance(value, str) and value else "is not a text"


def texts(value: object) -> str:
    """A tuple of texts."""
    if isinstance(value, str):
        return f'is a text, not a tuple of texts: write ("{value}",) with the comma'
    good = isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return "" if good else 'is not a tuple of texts: write ("a", "b")'


def some_texts(value: object) -> str:
    """A tuple of texts, at least one."""
    return texts(value) or ("" if value else "is empty; name at least one")


def formats(value: object) -> str:
    """Formats of times, each once."""
    wrong = some_texts(value)
    if wrong or not isinstance(value, tuple):
        return wrong
    twice = next((form for form in value if value.count(form) > 1), None)
    return next(filter(None, map(wrong_format, value)), f"names {twice!r} twice" if twice is not None else "")


def or_none(test: Test) -> Test:
    """None, or what a test takes."""
    return lambda value: "" if value is None else test(value)


def kind(kind: type) -> Test:
    """A value of a class."""
    return lambda value: "" if isinstance(value, kind) else f"is no {kind.__name__}"


def tuple_of(kind: type, example: str) -> Test:
    """A tuple of values of a class."""

    def test(value: object) -> str:
        if isinstance(value, kind):
            return f"is not a tuple: write ({example},) with the comma"
        good = isinstance(value, tuple) and all(isinstance(part, kind) for part in value)
        return "" if good else f"is not a tuple of {kind.__name__}: write ({example},)"

    return test


def feed(value: object) -> str:
    """Where rows come from."""
    return (
        ""
        if isinstance(value, Feed)
        else "is no feed: write Files(...), DatabaseTable(...), HttpApi(...), KafkaTopic(...) or NatsStream(...)"
    )


def variable(value: object) -> str:
    """The name of an environment variable; a value that is none may be an address, and is not shown."""
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value)
    return "" if good else "must be the name of an environment variable that holds it, such as SHOP_DATABASE_URL"


def bucket_address(value: object) -> str:
    """A bucket and where in it, and nobody's name or secret."""
    good = isinstance(value, str) and re.fullmatch(r"(s3|gs|az)://[a-z0-9][a-z0-9._-]+(/[^@?#\s]*)?", value)
    return (
        ""
        if good
        else "must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX, without user and password"
    )


def web_address(value: object) -> str:
    """An address that may be written down: https, or http of this machine, and nobody's name or secret in it."""
    parts = urlsplit(value if isinstance(value, str) else "")
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
    good = safe and parts.hostname and "@" not in parts.netloc and not parts.fragment
    return "" if good else "must begin with https:// (or be of localhost) and hold no user and no secret"


def overlap(value: object) -> str:
    """A length of time or a whole number, from 0 on."""
    return length(_NONE)(value) if isinstance(value, timedelta) else number(0, whole=True)(value)


def contract(value: object) -> str:
    """A class of pandera."""
    good = isinstance(value, type) and issubclass(value, pa.DataFrameModel)
    return "" if good else "is not a contract: a class that inherits pandera.polars.DataFrameModel"


def length(least: timedelta, *, days: bool = False) -> Test:
    """A length of time of at least `least`."""

    def test(value: object) -> str:
        if not isinstance(value, timedelta):
            return "is not a length of time: write timedelta(days=7)"
        if value < least:
            return f"is shorter than {least.days} days" if least else "is negative"
        return "is not a number of whole days" if days and value % timedelta(days=1) else ""

    return test


def above_zero(value: object) -> str:
    """A length of time that is some."""
    return length(_NONE)(value) or ("" if value else "is no time at all: a row would be too old at once. Unset it")


def number(least: float, most: float = float("inf"), *, whole: bool = False) -> Test:
    """A number between two others, both included."""

    def test(value: object) -> str:
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"is not a {'whole ' if whole else ''}number"
        bounds = f"of {least:g} or more" if most == float("inf") else f"from {least:g} to {most:g}"
        return "" if least <= value <= most else f"is not a number {bounds}"

    return test


def one_of(*words: str) -> Test:
    """One of some words."""
    known = [word for word in words if word]
    return lambda value: "" if value in words else f"is none of {', '.join(known)}{or_nearest(f'{value}', known)}"


def zone(value: object) -> str:
    """A time zone by its name."""
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ValueError, OSError, KeyError):
        return "is no time zone: write a name such as Europe/Berlin"
    return ""


def pattern(value: object) -> str:
    """A regular expression, with one group at most."""
    try:
        groups = re.compile(value if isinstance(value, str) else "(").groups
    except re.error:
        return "is not a regular expression"
    return "" if groups else "has no group: put what is the date between ( and )"


def line_pattern(value: object) -> str:
    """A pattern of lines, each of whose groups has a name."""
    try:
        names = columns_of_lines(value if isinstance(value, str) else "(")
    except pl.exceptions.PolarsError:
        return "is not a regular expression as Rust reads them (no look-around, no back-references)"
    unnamed = [name for name in names if not name.isidentifier()]
    return (
        "" if names and not unnamed else "must name its groups, which are the columns: (?P<user>\\S+); others are (?:…)"
    )


def split(value: object) -> str:
    """Three shares of a whole."""
    shares = [v for v in value if isinstance(v, int | float) and v > 0] if isinstance(value, tuple) else []
    good = isinstance(value, tuple) and len(value) == len(shares) == 3  # noqa: PLR2004 (train, validation, test)
    return "" if good and sum(shares) <= _ONE else "is not three shares above 0, together 1: write (0.6, 0.2, 0.2)"


def owners(value: object) -> str:
    """Mail addresses, or team names."""
    wrong = texts(value)
    given = value if isinstance(value, tuple) and not wrong else ()
    odd = [o for o in given if not re.fullmatch(r"team:[A-Za-z0-9_]+|[^@\s]+@[^@\s]+\.[^@\s]+", o)]
    return wrong or ("must be mail addresses or team:name, of letters, digits and _" if odd else "")


def function(value: object) -> str:
    """Something to call."""
    return "" if callable(value) else "is not a function"


def flag(value: object) -> str:
    """True or False."""
    return "" if isinstance(value, bool) else "is neither True nor False"


def path(value: object) -> str:
    """Names with points between."""
    return "" if isinstance(value, str) and all(value.split(".")) else 'is not a path of names: write "result.items"'


def delimiter(value: object) -> str:
    """One character."""
    return "" if isinstance(value, str) and len(value) == 1 else "is not one character"
