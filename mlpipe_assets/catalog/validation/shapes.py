"""Whether the fields of a declaration hold what they should: types and bounds, before anything is looked up."""

from collections.abc import Mapping
from datetime import timedelta

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.declarations import Entity, FeatureView, Model, Monitor, Source, Tolerance
from mlpipe_assets.catalog.feeds import DatabaseTable, Files, HttpApi, KafkaTopic, NatsStream
from mlpipe_assets.catalog.learners import Learner, Promotion, Search
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.catalog.validation import field_tests as ask
from mlpipe_assets.catalog.validation.plain_values import wrong_estimator, wrong_values, wrong_weights
from mlpipe_assets.readers.options import Limits


def tests_of(kind: type) -> Mapping[str, ask.Test]:
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
    if "://" in text:  # an address may hold a password
        return "…"
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 (a line of a terminal)


_DAY = timedelta(days=1)
_NONE = timedelta(0)
_TESTS: dict[type, dict[str, ask.Test]] = {
    Tolerance: {"share": ask.number(0, 1), "rows": ask.number(0, whole=True)},
    Limits: {
        "unpacked_bytes": ask.number(1, whole=True),
        "ratio": ask.number(1),
        "refused": ask.number(0, whole=True),
        "cell_bytes": ask.number(1, whole=True),
        "columns": ask.number(1, whole=True),
    },
    Files: {
        "location": ask.or_none(ask.bucket_address),
        "known_at": ask.or_none(ask.pattern),
        "delimiter": ask.or_none(ask.delimiter),
        "records": ask.or_none(ask.path),
        "lines": ask.or_none(ask.line_pattern),
        "limits": ask.kind(Limits),
    },
    DatabaseTable: {
        "url": ask.variable,
        "table": ask.text,
        "newer_by": ask.or_none(ask.text),
        "overlap": ask.or_none(ask.overlap),
    },
    HttpApi: {
        "url": ask.web_address,
        **dict.fromkeys(("records", "next_page"), ask.or_none(ask.path)),
        **dict.fromkeys(("newer_by", "since", "page_parameter"), ask.or_none(ask.text)),
        "overlap": ask.or_none(ask.overlap),
        "token": ask.or_none(ask.variable),
        "token_header": ask.text,
    },
    KafkaTopic: {
        "servers": ask.variable,
        "topic": ask.text,
        "key": ask.or_none(ask.text),
        "timestamp": ask.or_none(ask.text),
    },
    NatsStream: {
        "servers": ask.variable,
        "stream": ask.text,
        **dict.fromkeys(("subject", "subject_as", "timestamp"), ask.or_none(ask.text)),
        "schema_registry": ask.or_none(ask.variable),
        "avro_schema": ask.or_none(ask.text),
    },
    Entity: {"name": ask.text, "join_keys": ask.some_texts},
    Source: {
        "name": ask.text,
        "contract": ask.contract,
        "key": ask.some_texts,
        "event_time": ask.or_none(ask.text),
        "feed": ask.feed,
        "ahead_within": ask.length(_NONE),
        "dedupe_within": ask.length(_NONE),
        "tolerance": ask.kind(Tolerance),
        "duplicate_tolerance": ask.kind(Tolerance),
        "empty_days": ask.flag,
        "time_formats": ask.or_none(ask.formats),
        "time_zone": ask.zone,
        "nulls": ask.texts,
        "prepare": ask.or_none(ask.function),
        "fresh_within": ask.or_none(ask.length(_NONE)),
        "owners": ask.owners,
        "tags": ask.texts,
        "show_rows": ask.number(0, whole=True),
    },
    FeatureView: {
        "name": ask.text,
        "entity": ask.kind(Entity),
        "source": ask.kind(str),
        "aggregates": ask.tuple_of(Aggregate, 'Aggregate("count", name="orders", days=(7, 30))'),
        "attributes": ask.tuple_of(From, 'From("customers", "age")'),
        "inputs": ask.texts,
        "sql": ask.kind(str),
        "contract": ask.contract,
        "lookback": ask.length(_NONE, days=True),
        "scope": ask.one_of("entity", "population"),
        "joins": ask.texts,
        "late": ask.one_of("", "as_known", "correct"),
        "settle": ask.length(_NONE),
        "ttl": ask.or_none(ask.above_zero),
        "rows_of": ask.kind(str),
        "moments": ask.flag,
        "fresh_within": ask.length(_NONE),
        "owners": ask.owners,
        "tags": ask.texts,
        "show_rows": ask.number(0, whole=True),
    },
    Learner: {
        "numeric": ask.texts,
        "categorical": ask.texts,
        "algorithm": ask.one_of("gradient_boosting", "logistic_regression", "linear_regression"),
        "scaling": ask.one_of("standard", "none"),
        "missing": ask.one_of("median", "native"),
        "keep": ask.or_none(ask.number(1, whole=True)),
        "rounds": ask.number(1, whole=True),
        "rounds_unwatched": ask.number(1, whole=True),
        "learning_rate": ask.number(1e-9),
        "leaves": ask.number(2, whole=True),
        "patience": ask.number(1, whole=True),
        "seed": ask.number(0, whole=True),
        "decide_above": ask.number(0, 1),
        "recency": ask.or_none(ask.text),
        "estimator": ask.or_none(wrong_estimator),
        "parameters": wrong_values,
        "trusted": ask.texts,
        "search": ask.or_none(ask.kind(Search)),
    },
    Promotion: {
        "min_roc_auc": ask.or_none(ask.number(0, 1)),
        "max_log_loss_ratio": ask.or_none(ask.number(0)),
        "max_loss_ratio": ask.or_none(ask.number(0)),
        "tolerance": ask.number(0, 1),
        "answers_within": ask.number(0),
    },
    Model: {
        "name": ask.text,
        "task": ask.one_of(*TASKS),
        "view": ask.or_none(ask.kind(FeatureView)),
        "features": ask.texts,
        "spine": ask.kind(str),
        "spine_at": ask.one_of("day_end", "any_time"),
        "inputs": ask.texts,
        "sql": ask.text,
        "contract": ask.contract,
        "label": ask.text,
        "horizon": ask.length(_DAY, days=True),
        "embargo": ask.length(_NONE, days=True),
        "every": ask.length(_DAY, days=True),
        "split": ask.split,
        "suspect_above": ask.number(0.5, 1),
        "learner": ask.or_none(ask.kind(Learner)),
        "predictions": ask.or_none(ask.contract),
        "promotion": ask.kind(Promotion),
        "slices": ask.or_none(ask.text),
        "fresh_within": ask.length(_NONE),
        "owners": ask.owners,
        "tags": ask.texts,
    },
    Monitor: {
        "table": ask.text,
        "window": ask.length(_DAY, days=True),
        "baseline": ask.length(_DAY, days=True),
        "weights": wrong_weights,
        "retrain_above": ask.number(0),
        "retrains": ask.texts,
        "persist": ask.number(1, whole=True),
        "entity": ask.or_none(ask.text),
        "cooldown": ask.length(_NONE),
        "fresh_within": ask.length(_NONE),
        "owners": ask.owners,
    },
}
