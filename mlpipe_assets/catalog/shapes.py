"""Whether the fields of a declaration hold what they should: types and bounds, before anything is looked up."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

import pandera.polars as pa

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.declarations import Entity, FeatureView, Model, Monitor, Source, Tolerance
from mlpipe_assets.catalog.feeds import Feed, Files
from mlpipe_assets.catalog.learners import Learner, Promotion, Search
from mlpipe_assets.catalog.nearest import or_nearest
from mlpipe_assets.catalog.plain_values import wrong_estimator, wrong_values, wrong_weights
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.catalog.time_formats import wrong_format
from mlpipe_assets.readers.options import Limits

_Test = Callable[[object], str]  # what is wrong with a value, or nothing
_ONE = 1 + 1e-9


def tests_of(kind: type) -> Mapping[str, _Test]:
    """What is asked of each field of a kind of declaration."""
    return _TESTS[kind]


def problems(item: object) -> dict[str, list[str]]:
    """Per field of a declaration that holds something else than it should: what it holds and what to write."""
    found = {name: [line] for name, line in _fields(item).items()}
    for name in ("entity", "feed", "tolerance", "duplicate_tolerance", "limits", "learner", "promotion"):
        if name in found or name not in _TESTS.get(type(item), {}):
            continue
        if inner := problems(getattr(item, name)):
            found[name] = [f"{name}.{line}" for lines in inner.values() for line in lines]
    return found


def _fields(item: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, test in _TESTS.get(type(item), {}).items():
        if hasattr(item, name) and (wrong := test(getattr(item, name))):
            found[name] = f"{name}={_shown(getattr(item, name))} {wrong}"
    return found


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, type) else value.__name__
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 (a line of a terminal)


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "is not a text"


def _texts(value: object) -> str:
    if isinstance(value, str):
        return f'is a text, not a tuple of texts: write ("{value}",) with the comma'
    good = isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return "" if good else 'is not a tuple of texts: write ("a", "b")'


def _some_texts(value: object) -> str:
    return _texts(value) or ("" if value else "is empty; name at least one")


def _formats(value: object) -> str:
    wrong = _some_texts(value)
    if wrong or not isinstance(value, tuple):
        return wrong
    twice = next((form for form in value if value.count(form) > 1), None)
    return next(filter(None, map(wrong_format, value)), f"names {twice!r} twice" if twice is not None else "")


def _or_none(test: _Test) -> _Test:
    return lambda value: "" if value is None else test(value)


def _kind(kind: type) -> _Test:
    return lambda value: "" if isinstance(value, kind) else f"is no {kind.__name__}"


def _tuple_of(kind: type, example: str) -> _Test:
    def test(value: object) -> str:
        if isinstance(value, kind):
            return f"is not a tuple: write ({example},) with the comma"
        good = isinstance(value, tuple) and all(isinstance(part, kind) for part in value)
        return "" if good else f"is not a tuple of {kind.__name__}: write ({example},)"

    return test


def _feed(value: object) -> str:
    return "" if isinstance(value, Feed) else "is no feed: write Files(...)"


def _contract(value: object) -> str:
    good = isinstance(value, type) and issubclass(value, pa.DataFrameModel)
    return "" if good else "is not a contract: a class that inherits pandera.polars.DataFrameModel"


def _length(least: timedelta, *, days: bool = False) -> _Test:
    def test(value: object) -> str:
        if not isinstance(value, timedelta):
            return "is not a length of time: write timedelta(days=7)"
        if value < least:
            return f"is shorter than {least.days} days" if least else "is negative"
        return "is not a number of whole days" if days and value % timedelta(days=1) else ""

    return test


def _above_zero(value: object) -> str:
    return _length(_NONE)(value) or ("" if value else "is no time at all: a row would be too old at once. Unset it")


def _number(least: float, most: float = float("inf"), *, whole: bool = False) -> _Test:
    def test(value: object) -> str:
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"is not a {'whole ' if whole else ''}number"
        bounds = f"of {least:g} or more" if most == float("inf") else f"from {least:g} to {most:g}"
        return "" if least <= value <= most else f"is not a number {bounds}"

    return test


def _one_of(*words: str) -> _Test:
    known = [word for word in words if word]
    return lambda value: "" if value in words else f"is none of {', '.join(known)}{or_nearest(f'{value}', known)}"


def _zone(value: object) -> str:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ValueError, OSError, KeyError):
        return "is no time zone: write a name such as Europe/Berlin"
    return ""


def _pattern(value: object) -> str:
    try:
        groups = re.compile(value if isinstance(value, str) else "(").groups
    except re.error:
        return "is not a regular expression"
    return "" if groups else "has no group: put what is the date between ( and )"


def _split(value: object) -> str:
    shares = [v for v in value if isinstance(v, int | float) and v > 0] if isinstance(value, tuple) else []
    good = isinstance(value, tuple) and len(value) == len(shares) == 3  # noqa: PLR2004 (train, validation, test)
    return "" if good and sum(shares) <= _ONE else "is not three shares above 0, together 1: write (0.6, 0.2, 0.2)"


def _owners(value: object) -> str:
    wrong = _texts(value)
    given = value if isinstance(value, tuple) and not wrong else ()
    odd = [o for o in given if not re.fullmatch(r"team:[A-Za-z0-9_]+|[^@\s]+@[^@\s]+\.[^@\s]+", o)]
    return wrong or ("must be mail addresses or team:name, of letters, digits and _" if odd else "")


def _function(value: object) -> str:
    return "" if callable(value) else "is not a function"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "is neither True nor False"


def _path(value: object) -> str:
    return "" if isinstance(value, str) and all(value.split(".")) else 'is not a path of names: write "result.items"'


def _delimiter(value: object) -> str:
    return "" if isinstance(value, str) and len(value) == 1 else "is not one character"


_DAY = timedelta(days=1)
_NONE = timedelta(0)
_TESTS: dict[type, dict[str, _Test]] = {
    Tolerance: {"share": _number(0, 1), "rows": _number(0, whole=True)},
    Limits: {
        "unpacked_bytes": _number(1, whole=True),
        "ratio": _number(1),
        "refused": _number(0, whole=True),
        "cell_bytes": _number(1, whole=True),
        "columns": _number(1, whole=True),
    },
    Files: {
        "known_at": _or_none(_pattern),
        "delimiter": _or_none(_delimiter),
        "records": _or_none(_path),
        "limits": _kind(Limits),
    },
    Entity: {"name": _text, "join_keys": _some_texts},
    Source: {
        "name": _text,
        "contract": _contract,
        "key": _some_texts,
        "event_time": _or_none(_text),
        "feed": _feed,
        "ahead_within": _length(_NONE),
        "dedupe_within": _length(_NONE),
        "tolerance": _kind(Tolerance),
        "duplicate_tolerance": _kind(Tolerance),
        "empty_days": _flag,
        "time_formats": _or_none(_formats),
        "time_zone": _zone,
        "nulls": _texts,
        "prepare": _or_none(_function),
        "fresh_within": _or_none(_length(_NONE)),
        "owners": _owners,
    },
    FeatureView: {
        "name": _text,
        "entity": _kind(Entity),
        "source": _kind(str),
        "aggregates": _tuple_of(Aggregate, 'Aggregate("count", name="orders", days=(7, 30))'),
        "attributes": _tuple_of(From, 'From("customers", "age")'),
        "inputs": _texts,
        "sql": _kind(str),
        "contract": _contract,
        "lookback": _length(_NONE, days=True),
        "scope": _one_of("entity", "population"),
        "joins": _texts,
        "late": _one_of("", "as_known", "correct"),
        "settle": _length(_NONE),
        "ttl": _or_none(_above_zero),
        "rows_of": _kind(str),
        "moments": _flag,
        "fresh_within": _length(_NONE),
        "owners": _owners,
    },
    Learner: {
        "numeric": _texts,
        "categorical": _texts,
        "algorithm": _one_of("gradient_boosting", "logistic_regression", "linear_regression"),
        "scaling": _one_of("standard", "none"),
        "missing": _one_of("median", "native"),
        "keep": _or_none(_number(1, whole=True)),
        "rounds": _number(1, whole=True),
        "rounds_unwatched": _number(1, whole=True),
        "learning_rate": _number(1e-9),
        "leaves": _number(2, whole=True),
        "patience": _number(1, whole=True),
        "seed": _number(0, whole=True),
        "decide_above": _number(0, 1),
        "recency": _or_none(_text),
        "estimator": _or_none(wrong_estimator),
        "parameters": wrong_values,
        "trusted": _texts,
        "search": _or_none(_kind(Search)),
    },
    Promotion: {
        "min_roc_auc": _or_none(_number(0, 1)),
        "max_log_loss_ratio": _or_none(_number(0)),
        "max_loss_ratio": _or_none(_number(0)),
        "tolerance": _number(0, 1),
        "answers_within": _number(0),
    },
    Model: {
        "name": _text,
        "task": _one_of(*TASKS),
        "view": _or_none(_kind(FeatureView)),
        "features": _texts,
        "spine": _kind(str),
        "spine_at": _one_of("day_end", "any_time"),
        "inputs": _texts,
        "sql": _text,
        "contract": _contract,
        "label": _text,
        "horizon": _length(_DAY, days=True),
        "embargo": _length(_NONE, days=True),
        "every": _length(_DAY, days=True),
        "split": _split,
        "suspect_above": _number(0.5, 1),
        "learner": _or_none(_kind(Learner)),
        "predictions": _or_none(_contract),
        "promotion": _kind(Promotion),
        "slices": _or_none(_text),
        "fresh_within": _length(_NONE),
        "owners": _owners,
    },
    Monitor: {
        "table": _text,
        "window": _length(_DAY, days=True),
        "baseline": _length(_DAY, days=True),
        "weights": wrong_weights,
        "retrain_above": _number(0),
        "retrains": _texts,
        "persist": _number(1, whole=True),
        "entity": _or_none(_text),
        "cooldown": _length(_NONE),
        "fresh_within": _length(_NONE),
        "owners": _owners,
    },
}
