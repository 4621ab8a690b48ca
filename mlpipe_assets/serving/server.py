"""The server: Feast's request and answer, predictions by the champion, health, metrics. FastAPI before one snapshot at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.access import ServeKey
from mlpipe_assets.serving.answers import BadRequestError, answer, find_features
from mlpipe_assets.serving.counters import CONTENT_TYPE, Metric, ServerCounters, render
from mlpipe_assets.serving.documentation import FEATURES, HEALTH, METRICS, PREDICT, describe
from mlpipe_assets.serving.gate import FAILED, Gate, Limits, RequestLog, spell_error, why
from mlpipe_assets.serving.online_store import Reader
from mlpipe_assets.serving.prediction import BarredError, Champion
from mlpipe_assets.serving.requests import FeatureRequest, PredictRequest, count_entities, parse
from mlpipe_assets.serving.snapshot import GoneError, OnlineError
from mlpipe_assets.serving.state import Loaded, ServerState

_LOOK_SECONDS = 0.5
_JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Server:
    """What answers.

    Attributes:
        more_metrics: Gives metrics beside the server's own, such as those of the lake; called in a thread of its own.
    """

    state: ServerState
    limits: Limits = field(default_factory=Limits)
    counters: ServerCounters = field(default_factory=ServerCounters)
    log: RequestLog = field(default_factory=RequestLog)
    more_metrics: Callable[[], list[Metric]] = list

    def app(self) -> Gate:
        """The application that uvicorn runs."""
        app = FastAPI(title="mlpipe serve", version="1", docs_url=None, redoc_url=None, lifespan=self._looking)
        features, predict = partial(self._answered, self._features), partial(self._answered, self._predict)
        for path, handler, method, words in (
            ("/get-online-features", features, "POST", FEATURES),
            ("/predict/{model}", predict, "POST", PREDICT),
            ("/health", self._health, "GET", HEALTH),
            ("/metrics", self._metrics, "GET", METRICS),
        ):
            name = path.split("/")[1]
            app.add_api_route(path, handler, methods=[method], name=name, **describe(words, self.state.catalog))
        return Gate(
            app=app,
            state=self.state,
            counters=self.counters,
            limits=self.limits,
            log=self.log,
            routes=frozenset(route.path for route in app.routes if hasattr(route, "path")),
            checks_host=lambda: not self.state.loaded.keys.by_id,
        )

    async def _answered(self, handler: "Callable[[Request, Loaded], Awaitable[bytes]]", request: Request) -> Response:
        """The answer of a handler, or why there is none. A snapshot that was removed meanwhile is asked again, once, on the newer one."""
        loaded = self.state.loaded
        try:
            try:
                content = await handler(request, loaded)
            except GoneError:
                await asyncio.to_thread(self.state.look)
                content = await handler(request, self.state.loaded)
        except MlpipeError as error:
            return _problem(request, why(error), f"{error}")
        except Exception as error:  # noqa: BLE001 (a bug: its message may hold what somebody asked for)
            self.log.write("error", request_id=request.scope["mlpipe"]["request_id"], **spell_error(error))
            return _problem(request, 500, FAILED)
        return Response(content, media_type=_JSON)

    async def _features(self, request: Request, loaded: Loaded) -> bytes:
        asked = parse(FeatureRequest, await request.body())
        count = count_entities(asked.entities, self.limits.entities)
        reader = _reader_of(loaded)
        features = self._named(asked, loaded)
        wanted = find_features(reader.generation, features, full_names=asked.full_feature_names)
        if count * len(wanted.names) > self.limits.values:
            raise BadRequestError(
                f"{count:,} entities with {len(wanted.names):,} features are more than {self.limits.values:,} values. Ask in several "
                "requests."
            )
        key: ServeKey = request.scope["mlpipe"]["key"]
        for view in wanted.views:
            key.expect_view(view.name)
        _expect_join_keys(asked.entities, wanted.join_keys)
        self._note(request, loaded, "/get-online-features", count, features=len(wanted.names))
        ask = partial(answer, reader, wanted, asked.entities, datetime.now(tz=UTC))
        return await asyncio.to_thread(ask) if reader.is_remote else ask()

    async def _predict(self, request: Request, loaded: Loaded) -> bytes:
        name = request.path_params["model"]
        asked = parse(PredictRequest, await request.body())
        count = count_entities(asked.entities, self.limits.entities)
        reader = _reader_of(loaded)
        champion = loaded.champions.get(name)
        if champion is None:
            there = ", ".join(sorted(loaded.champions)) or "none"
            raise BadRequestError(f"There is no model {name[:100]!r}; there are {there}.", status=404)
        key: ServeKey = request.scope["mlpipe"]["key"]
        key.expect_model(name)
        if not isinstance(champion, Champion):
            raise BarredError(champion)
        key.expect_view(champion.view.name)
        _expect_join_keys(asked.entities, champion.view.join_keys)
        self._note(request, loaded, "/predict/{model}", count, model=name, model_version=champion.version.version)
        request_id = request.scope["mlpipe"]["request_id"]
        found = await asyncio.to_thread(champion.answer, reader, asked.entities, datetime.now(tz=UTC), request_id)
        return orjson.dumps(found)

    async def _health(self) -> Response:
        loaded = self.state.loaded
        ready = loaded.reader is not None and not self.state.stopping
        status = "ok" if ready else "stopping" if self.state.stopping else "nothing is published"
        content = {"status": status, "snapshot": loaded.snapshot}
        return Response(orjson.dumps(content), status_code=200 if ready else 503, media_type=_JSON)

    async def _metrics(self) -> Response:
        more = await asyncio.to_thread(self.more_metrics)
        return Response(
            render([*self.counters.metrics(), *_snapshot_metrics(self.state), *more]), media_type=CONTENT_TYPE
        )

    def _named(self, asked: FeatureRequest, loaded: Loaded) -> list[str]:
        """The features of a request, or those of the model that it names."""
        if (asked.features is None) == (asked.feature_service is None):
            raise BadRequestError("Name either features, or a feature_service.")
        if asked.features is not None:
            return asked.features
        champion = loaded.champions.get(asked.feature_service or "")
        if not isinstance(champion, Champion):
            there = (
                ", ".join(sorted(name for name, one in loaded.champions.items() if isinstance(one, Champion))) or "none"
            )
            raise BadRequestError(
                f"There is no feature service {(asked.feature_service or '')[:100]!r}; there are {there}.", status=404
            )
        return [f"{champion.view.name}:{name}" for name in champion.fitted.features]

    def _note(self, request: Request, loaded: Loaded, route: str, count: int, **facts: object) -> None:
        """What the log and the counters say of a request: counts and names of ours, nothing that was sent."""
        self.counters.entities[route] += count
        request.scope["mlpipe"]["facts"].update(entities=count, snapshot=loaded.snapshot, **facts)

    @asynccontextmanager
    async def _looking(self, _: FastAPI) -> AsyncIterator[None]:
        """Look for newer snapshots, champions and keys while the server runs."""
        task = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.state.close()

    async def _look_on(self) -> None:
        told: str | None = None
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            changed = await asyncio.to_thread(self.state.look)
            problem = self.state.problem
            self.counters.reloads["failed" if problem else "new" if changed else "same"] += 1
            if changed:
                loaded = self.state.loaded
                barred = {name: one for name, one in loaded.champions.items() if not isinstance(one, Champion)}
                self.log.write("loaded", snapshot=loaded.snapshot, models=sorted(loaded.champions), barred=barred)
            if problem and problem != told:
                self.log.write("look failed", problem=problem)
            told = problem


def _expect_join_keys(entities: Collection[str], join_keys: Sequence[str]) -> None:
    """Make sure that entities have all join keys and nothing else. Raises: BadRequestError."""
    if missing := [name for name in join_keys if name not in entities]:
        raise BadRequestError(f"What is asked needs the join key {missing[0]}, which is not among the entities.")
    if strange := sum(name not in join_keys for name in entities):
        raise BadRequestError(
            f"{strange} of the entities' keys are no join keys of what is asked; those are {', '.join(join_keys)}."
        )


def _reader_of(loaded: Loaded) -> Reader:
    if loaded.reader is None:
        raise OnlineError("Nothing is published online yet. Next: mlpipe run")
    return loaded.reader


def _problem(request: Request, status: int, detail: str) -> Response:
    content = orjson.dumps({"detail": detail, "request_id": request.scope["mlpipe"]["request_id"]})
    headers = {"retry-after": "1"} if status == 503 else None  # noqa: PLR2004 (the statuses of HTTP)
    return Response(content, status_code=status, media_type=_JSON, headers=headers)


def _snapshot_metrics(state: ServerState) -> list[Metric]:
    """How old what is served is, and whether each model answers."""
    loaded = state.loaded
    views = loaded.reader.generation.views.values() if loaded.reader else ()
    models: dict[str, Any] = {name: isinstance(one, Champion) for name, one in loaded.champions.items()}
    found = [
        Metric(
            name="mlpipe_served_as_of_seconds",
            kind="gauge",
            help="The instant that the newest served rows of a view are of, in seconds since 1970.",
            samples=[({"view": view.name}, datetime.fromisoformat(view.as_of).timestamp()) for view in views],
        ),
        Metric(
            name="mlpipe_served_entities",
            kind="gauge",
            help="Entities of a view in the snapshot that is served.",
            samples=[({"view": view.name}, view.rows) for view in views],
        ),
        Metric(
            name="mlpipe_served_model",
            kind="gauge",
            help="1 where the champion of a model answers, 0 where it must not.",
            samples=[({"model": name}, float(ready)) for name, ready in models.items()],
        ),
        Metric(
            name="mlpipe_look_failed",
            kind="gauge",
            help="1 while the online store, the keys or a model cannot be read; what was loaded before answers then.",
            samples=[({}, float(state.problem is not None))],
        ),
    ]
    return [metric for metric in found if metric.samples]
