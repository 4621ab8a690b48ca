"""What OpenAPI says of each path, with examples from the catalog."""

from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import BaseModel

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.http.requests import (
    FeatureAnswer,
    FeatureRequest,
    Health,
    PredictAnswer,
    PredictRequest,
    Problem,
    PushAnswer,
    PushRequest,
)
from mlpipe_assets.serving.push.pushed_rows import why_not
from mlpipe_assets.transforms.events import own_columns

_STATUSES = {
    400: "The body is not JSON.",
    401: "A key is missing, or does not count.",
    403: "The key may not ask this.",
    404: "There is no such view, feature, model or source.",
    413: "The body is too long.",
    415: "The body is not sent as JSON.",
    422: "The request cannot be answered as it is.",
    429: "Too many requests are being answered.",
    500: "The server failed.",
    503: "Nothing is published, the store does not answer, or the champion must not.",
    504: "There was no answer in time.",
}


@dataclass(frozen=True, kw_only=True)
class Words:
    """One path."""

    summary: str
    answer: type[BaseModel] | None
    request: type[BaseModel] | None = None
    statuses: tuple[int, ...] = (401, 403, 429, 500, 504)


FEATURES = Words(
    summary="Features of entities, as they are now, in Feast's shape",
    answer=FeatureAnswer,
    request=FeatureRequest,
    statuses=tuple(_STATUSES),
)
PREDICT = Words(
    summary="What the champion of a model says of entities",
    answer=PredictAnswer,
    request=PredictRequest,
    statuses=tuple(_STATUSES),
)
PUSH = Words(
    summary="Take rows of a source, which count in the answers within a second",
    answer=PushAnswer,
    request=PushRequest,
    statuses=tuple(_STATUSES),
)
HEALTH = Words(summary="Whether the server can answer", answer=Health, statuses=(403, 500, 503))
METRICS = Words(summary="Metrics as Prometheus reads them", answer=None)


def describe(words: Words, catalog: Catalog) -> dict[str, Any]:
    """Arguments of `add_api_route`."""
    responses: dict[int | str, Any] = {
        status: {"model": Problem, "description": _STATUSES[status]} for status in words.statuses
    }
    responses |= {503: {"model": Health, "description": _STATUSES[503]}} if words.answer is Health else {}
    if words.answer:
        responses[200] = {"model": words.answer, "description": "The answer."}
    else:
        responses[200] = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics."}
    found: dict[str, Any] = {
        "summary": words.summary,
        "description": f"{words.summary}.",
        "responses": responses,
        "response_model": None,
    }
    extra: dict[str, Any] = {"security": [{"bearer": []}, {}]}
    if words.request:
        content = {
            "schema": words.request.model_json_schema(),
            "examples": {"one": {"value": _example(words.request, catalog)}},
        }
        extra["requestBody"] = {"required": True, "content": {"application/json": content}}
    if words is PREDICT:
        extra["parameters"] = [_name("model", [model.name for model in catalog.models if model.learner])]
    if words is PUSH:
        extra["parameters"] = [_name("source", [source.name for source in _pushed_to(catalog)]), _ONCE]
    return {**found, "openapi_extra": extra}


_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of the request: sent again within a day with the same rows it brings no second row.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "example": "8f14e45f-ceea-467f-a8cd-2b1e3f0c7d11",
}


def _name(what: str, names: list[str]) -> dict[str, Any]:
    """A name at the end of a path."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    found = {"name": what, "in": "path", "required": True, "schema": schema}
    return {**found, **({"example": names[0]} if names else {})}


def _pushed_to(catalog: Catalog) -> list[Source]:
    return [source for source in catalog.sources if why_not(source) is None]


def _pushed_row(catalog: Catalog) -> dict[str, Any]:
    """A row of the first source that rows can be pushed to, as its types have it; its values may break rules."""
    source = next(iter(_pushed_to(catalog)), None)
    if source is None:
        return {"order_id": "O1", "ordered_at": "2026-01-31T12:00:00Z"}
    own = own_columns(source)
    types = {column.name: column.dtype for column in columns(source.contract) if column.name in own}
    return {name: _value(dtype) for name, dtype in types.items()}


def _value(dtype: pl.DataType) -> object:
    if dtype == pl.Boolean:
        return True
    if dtype.is_numeric():
        return 1
    if dtype == pl.Date:
        return "2026-01-31"
    return "2026-01-31T12:00:00Z" if dtype == pl.Datetime else "C00001"


def _example(request: type[BaseModel], catalog: Catalog) -> dict[str, Any]:
    """A request that the catalog can answer."""
    if request is PushRequest:
        return {"rows": [_pushed_row(catalog)]}
    view = next(iter(catalog.online_views), None)
    if view is None:
        return {"features": ["customer_features:orders_7d"], "entities": {"customer_id": ["C00001"]}}
    keys = {name: ["C00001"] for name in view.entity.join_keys}
    if request is PredictRequest:
        return {"entities": keys}
    names = [column.name for column in columns(view.contract) if column.name not in (*keys, "as_of")]
    return {"features": [f"{view.name}:{name}" for name in names[:2]], "entities": keys}
