"""The server: Feast's request and answer, predictions by the champion, health, metrics. FastAPI before one snapshot at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from fastapi import FastAPI, Response

from mlpipe_assets.serving.answer_log import AnswerLog
from mlpipe_assets.serving.answers import BadRequestError, Wanted, answer, find_features, keys_of_views
from mlpipe_assets.serving.http.background import follow_on, look_on, merge_on, send_on, write_on
from mlpipe_assets.serving.http.counters import CONTENT_TYPE, Metric, ServerCounters, render
from mlpipe_assets.serving.http.documentation import FEATURES, HEALTH, METRICS, PREDICT, PUSH, describe
from mlpipe_assets.serving.http.gate import Call, Gate, Handler, Limits, RequestLog
from mlpipe_assets.serving.http.outbox import Outbox
from mlpipe_assets.serving.http.requests import FeatureRequest, PredictRequest, count_entities, parse
from mlpipe_assets.serving.http.routes import Routes
from mlpipe_assets.serving.http.state import Loaded, ServerState
from mlpipe_assets.serving.prediction import BarredError, Champion
from mlpipe_assets.serving.push.marks import check_key
from mlpipe_assets.serving.push.metrics import push_metrics
from mlpipe_assets.serving.push.pushed_rows import cut_rows, source_to_push
from mlpipe_assets.serving.push.pushing import spell_answer
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.snapshot import GoneError, OnlineError

_MOST_REMEMBERED = 1000  # different lists of features
_JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Server:
    """What answers.

    Attributes:
        more_metrics: Gives metrics beside the server's own, such as those of the lake; called in a thread of its own.
        answers: Where answers are logged; None where the catalog has no source for them.
        outbox: Sends what was logged to where the lake is; None where the log is written there at once.
        no_pushes: Why no rows can be pushed to this server.
        on_loopback: Whether it listens to this machine only.
    """

    state: ServerState
    limits: Limits = field(default_factory=Limits)
    counters: ServerCounters = field(default_factory=ServerCounters)
    log: RequestLog = field(default_factory=RequestLog)
    more_metrics: Callable[[], list[Metric]] = list
    answers: AnswerLog | None = None
    outbox: Outbox | None = None
    no_pushes: str = "This server takes no rows."
    on_loopback: bool = False

    def app(self) -> Gate:
        """The application that uvicorn runs."""
        app = FastAPI(title="mlpipe serve", version="1", docs_url=None, redoc_url=None, lifespan=self._looking)
        for path, endpoint, method, words in (
            ("/get-online-features", _described, "POST", FEATURES),
            ("/predict/{model}", _described, "POST", PREDICT),
            ("/push/{source}", _described, "POST", PUSH),
            ("/health", self._health, "GET", HEALTH),
            ("/metrics", self._metrics, "GET", METRICS),
        ):
            name = path.split("/")[1]
            app.add_api_route(path, endpoint, methods=[method], name=name, **describe(words, self.state.catalog))
        return Gate(
            app=app,
            state=self.state,
            counters=self.counters,
            limits=self.limits,
            log=self.log,
            handlers={
                "/get-online-features": partial(self._again_where_gone, self._features),
                "/predict/": partial(self._again_where_gone, self._predict),
                "/push/": self._push,
            },
            routes=Routes.of(app.routes),
            on_loopback=self.on_loopback,
        )

    async def _again_where_gone(self, handler: Handler, call: Call) -> bytes:
        """The answer of a handler; when its snapshot was removed meanwhile, that of the newer one."""
        try:
            return await handler(call)
        except GoneError:
            await asyncio.to_thread(self.state.look)
            call.loaded = self.state.loaded
            return await handler(call)

    async def _features(self, call: Call) -> bytes:
        asked = parse(FeatureRequest, call.body)
        count = count_entities(asked.entities, self.limits.entities)
        reader = _reader_of(call.loaded)
        wanted = self._wanted(asked, call.loaded, reader)
        if count * len(wanted.names) > self.limits.values:
            raise BadRequestError(
                f"{count:,} entities with {len(wanted.names):,} features are more than {self.limits.values:,} values. Ask in several "
                "requests."
            )
        for view in wanted.views:
            call.key.expect_view(view.name)
            if refusal := call.loaded.barred.get(view.name):
                raise BarredError(f"The view {view.name} must not be answered from. {refusal}.")
        _expect_join_keys(asked.entities, wanted.join_keys)
        self.counters.entities["/get-online-features"] += count
        call.facts.update(entities=count, snapshot=call.loaded.snapshot, features=len(wanted.names))
        keys = keys_of_views(wanted, asked.entities)
        now = datetime.now(tz=UTC)
        answered = await answer(reader, wanted, asked.entities, keys, now)
        if self.answers:
            self.answers.note_features(
                call.request_id, now, reader.generation.id, wanted, asked.entities, keys, answered
            )
        return answered.content

    async def _predict(self, call: Call) -> bytes:
        asked = parse(PredictRequest, call.body)
        count = count_entities(asked.entities, self.limits.entities)
        reader = _reader_of(call.loaded)
        champion = call.loaded.champions.get(call.name)
        if champion is None:
            there = ", ".join(sorted(call.loaded.champions)) or "none"
            raise BadRequestError(f"There is no model {call.name[:100]!r}; there are {there}.", status=404)
        call.key.expect_model(call.name)
        if not isinstance(champion, Champion):
            raise BarredError(champion)
        call.key.expect_view(champion.view.name)
        _expect_join_keys(asked.entities, champion.view.join_keys)
        self.counters.entities["/predict/{model}"] += count
        version = champion.version.version
        call.facts.update(entities=count, snapshot=call.loaded.snapshot, model=call.name, model_version=version)
        now = datetime.now(tz=UTC)
        found = await asyncio.to_thread(champion.answer, reader, asked.entities, now, call.request_id)
        content = orjson.dumps(found)
        if self.answers:
            self.answers.note_predictions(
                call.request_id, now, reader.generation.id, champion.view, found, len(content)
            )
        return content

    async def _push(self, call: Call) -> bytes:
        pushes = self.state.pushes
        if pushes is None:
            raise BadRequestError(self.no_pushes, status=404)
        source_to_push(self.state.catalog, call.name)
        call.key.expect_source(call.name)
        key, payloads = check_key(call.once), cut_rows(call.body)
        if not pushes.has_looked:
            await asyncio.to_thread(pushes.look)
        taken = await pushes.taking[call.name].push(key, payloads)
        call.facts.update(source=call.name, rows=taken.rows, late=taken.late)
        return orjson.dumps(spell_answer(taken, pushes.not_online(call.name)))

    def _wanted(self, asked: FeatureRequest, loaded: Loaded, reader: Reader) -> Wanted:
        """The features of a request, found once for all requests that ask for the same of one snapshot."""
        features = tuple(self._named(asked, loaded))
        place = (features, asked.full_feature_names)
        wanted = loaded.found.get(place)
        if wanted is None:
            wanted = find_features(reader.generation, features, full_names=asked.full_feature_names)
            if len(loaded.found) < _MOST_REMEMBERED:
                loaded.found[place] = wanted
        return wanted

    async def _health(self) -> Response:
        loaded = self.state.loaded
        ready = loaded.reader is not None and not self.state.stopping
        status = "ok" if ready else "stopping" if self.state.stopping else "no snapshot answers"
        problem = self.answers.problem if self.answers else None
        content: dict[str, object] = {"status": status, "snapshot": loaded.snapshot}
        if loaded.reader is None:
            content["problem"] = loaded.silence
        if problem:
            content["log"] = f"answers are not logged: {problem}"
        elif self.outbox and self.outbox.problem:
            content["log"] = f"answers wait on this machine: {self.outbox.problem}"
        if self.state.pushes and (not_online := self.state.pushes.all_not_online()):
            content["not_online"] = not_online
        return Response(orjson.dumps(content), status_code=200 if ready else 503, media_type=_JSON)

    async def _metrics(self) -> Response:
        more = await asyncio.to_thread(self.more_metrics)
        logged = self.answers.metrics() if self.answers else []
        logged += await asyncio.to_thread(self.outbox.metrics) if self.outbox else []
        logged += push_metrics(self.state.pushes) if self.state.pushes else []
        return Response(
            render([*self.counters.metrics(), *_snapshot_metrics(self.state), *logged, *more]), media_type=CONTENT_TYPE
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

    @asynccontextmanager
    async def _looking(self, _: FastAPI) -> AsyncIterator[None]:
        """Look for newer snapshots, champions, keys and pushed rows while the server runs, and write down what it answers."""
        if self.answers:
            await asyncio.to_thread(self.answers.begin)
        chores = (
            look_on(self.state, self.counters, self.log),
            write_on(self.answers, self.log),
            merge_on(self.state.pushes, self.log),
            follow_on(self.state.pushes, self.log),
            send_on(self.outbox, self.log),
        )
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if self.answers:
                await asyncio.to_thread(self.answers.close)
            if self.outbox:
                await asyncio.to_thread(self.outbox.send)
            self.log.flush()
            self.state.close()


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
        raise OnlineError(loaded.silence)
    return loaded.reader


def _described() -> None:
    """Nothing: the gate answers, so that a request does not go through FastAPI; it is here for the description."""


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
            name="mlpipe_served_view",
            kind="gauge",
            help="1 where a view is answered from, 0 where it must not be.",
            samples=[({"view": view.name}, float(view.name not in loaded.barred)) for view in views],
        ),
        Metric(
            name="mlpipe_look_failed",
            kind="gauge",
            help="1 while the online store, the keys or a model cannot be read; what was loaded before answers then.",
            samples=[({}, float(state.problem is not None))],
        ),
    ]
    return [metric for metric in found if metric.samples]
