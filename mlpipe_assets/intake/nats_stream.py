"""Messages of a stream of NATS JetStream: a range of its sequences is one delivery, on record with it and nowhere else.

A consumer is made for each reading, and goes with it; it acknowledges nothing, so the stream stays as it is.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from time import monotonic
from typing import Any, ClassVar, TypeVar

from mlpipe_assets.catalog.feeds import NatsStream
from mlpipe_assets.errors import spell_count
from mlpipe_assets.intake.intake import Mark
from mlpipe_assets.intake.messages import spool_message
from mlpipe_assets.intake.offsets import Ranges, Span
from mlpipe_assets.intake.ranges import PARTITIONS, TOPIC, StreamIntake, spell_milliseconds
from mlpipe_assets.intake.spooled import NotGivenError, Spooling

T = TypeVar("T")
_AT_ONCE = 500
_BYTES = 1 << 30  # that may wait here: what is above is dropped, which is found and read again
_SECONDS = 5  # that a server has to take a connection, or to answer
_PATIENCE = 30.0  # seconds without a message that the server says is there
_SETTLING = 5.0  # seconds that a server which came back is given to open its streams
_AFTER = 60.0  # seconds after which the server takes a consumer away that nobody asks
_TEXTS = ("user", "password", "token", "user_credentials", "nkeys_seed", "nkeys_seed_str", "tls_hostname", "domain")
_FILES = ("tls_ca", "tls_cert", "tls_key")


@dataclass(kw_only=True)
class NatsIntake(StreamIntake):
    """The intake of one stream, whose sequences are one partition."""

    client: ClassVar[str] = "nats"
    system: ClassVar[str] = "NATS"
    feed: NatsStream

    @property
    def called(self) -> str:
        """The name of the stream."""
        return self.feed.stream

    def _spell(self, ranges: Ranges) -> str:
        (start, end) = ranges[0]
        return f"{start}-{end - 1}"

    def _ends(self) -> tuple[str, dict[int, Span]]:
        identity, span = _run(lambda: self._asked(self._describe))
        return identity, {0: span}

    def _read(self, mark: Mark, out: Spooling) -> None:
        start, end = mark[PARTITIONS]["0"]
        _run(lambda: self._asked(lambda stream: self._take_range(stream, mark[TOPIC], start, end, out)))

    async def _asked(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """What some work gets from JetStream; a server that is coming up is asked again. Raises: NotGivenError."""
        passing = _errors().NoRespondersError, _js_errors().ServiceUnavailableError
        until = monotonic() + _SETTLING
        while True:
            said: list[str] = []
            try:
                async with _connected(self.feed.servers, said) as stream:
                    return await work(stream)
            except passing as error:
                if monotonic() > until:
                    raise NotGivenError(_why(error, said)) from None
            except (_errors().Error, TimeoutError, OSError, ValueError) as error:
                raise NotGivenError(_why(error, said)) from None
            await asyncio.sleep(0.2)

    async def _describe(self, stream: Any) -> tuple[str, Span]:  # noqa: ANN401 (a class of the optional client)
        info = await stream.stream_info(self.feed.stream)
        retention = info.config.retention or "limits"
        if (kind := getattr(retention, "value", retention)) != "limits":
            raise NotGivenError(
                f"it keeps messages only until somebody has taken them (retention {kind}), and what is taken here "
                "is not acknowledged. Make a stream that has it as its source, and take that"
            )
        first, last = max(info.state.first_seq, 1), info.state.last_seq
        return f"{info.created:%Y-%m-%dT%H:%M:%S.%fZ}", (min(first, last + 1), last + 1)

    async def _take_range(self, stream: Any, identity: str, start: int, end: int, out: Spooling) -> None:  # noqa: ANN401 (as above)
        now, (low, _) = await self._describe(stream)
        if now != identity:
            raise NotGivenError("it is another stream now than the one that was looked at")
        seen = 0
        numbers = count(1)
        async for message in self._messages(stream, max(start, low), end):
            seen += 1
            beside: dict[str, object] = {}
            if self.feed.subject_as is not None:
                beside[self.feed.subject_as] = message.subject
            if self.feed.timestamp is not None:
                sent = message.metadata.timestamp
                beside[self.feed.timestamp] = spell_milliseconds(round(sent.timestamp() * 1000))
            spool_message(message.data, beside, next(numbers), out, self.decode)
        gone = min(low, end) - start if self.feed.subject else end - start - seen
        if gone > 0:
            what = "sequence" if self.feed.subject else "message"
            lost = f"{spell_count(gone, what)} of {start}-{end - 1}"
            out.notes.append(f"{lost} had expired, or were deleted, at the server before they were taken")

    async def _messages(self, stream: Any, start: int, end: int) -> AsyncIterator[Any]:  # noqa: ANN401 (as above)
        """The messages from `start` to before `end`; sequences may be missing. Raises: NotGivenError where some got lost on the way."""
        if start >= end:
            return
        api = import_module("nats.js.api")
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=_AFTER,
            mem_storage=True,
        )
        reading = await stream.pull_subscribe(
            self.feed.subject or ">", stream=self.feed.stream, config=config, pending_bytes_limit=_BYTES
        )
        left = (await reading.consumer_info()).num_pending
        delivered, last = 0, monotonic()
        while left:
            try:
                messages = await reading.fetch(_AT_ONCE, timeout=_SECONDS)
            except (TimeoutError, _errors().TimeoutError):
                if monotonic() - last > _PATIENCE:
                    raise NotGivenError(
                        f"no message came for {_PATIENCE:g} seconds, though the stream has more"
                    ) from None
                continue
            last = monotonic()
            for message in messages:
                about = message.metadata
                delivered += 1
                if about.sequence.consumer != delivered:
                    raise NotGivenError("messages were lost on the way; it is tried again")
                if about.sequence.stream >= end:
                    return
                yield message
                left = about.num_pending
                if about.sequence.stream + 1 >= end:
                    return


def _errors() -> Any:  # noqa: ANN401 (a module that need not be installed)
    return import_module("nats.errors")


def _js_errors() -> Any:  # noqa: ANN401 (as above)
    return import_module("nats.js.errors")


def _run(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What a coroutine gives, in a thread of its own: this one may have an event loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(begin())).result()


@asynccontextmanager
async def _connected(variable: str, said: list[str]) -> AsyncIterator[Any]:
    """JetStream of the servers in a variable; what the server says beside its answers is added to `said`."""

    async def hear(error: Exception) -> None:
        said.append(f"{error}".lower())

    options = _options(variable)
    domain = options.pop("domain", None)
    connection = import_module("nats.aio.client").Client()
    try:
        await connection.connect(
            **options, error_cb=hear, allow_reconnect=False, max_reconnect_attempts=1, connect_timeout=_SECONDS
        )
        yield connection.jetstream(timeout=_SECONDS, domain=domain)
    finally:
        await connection.close()


def _options(variable: str) -> dict[str, Any]:
    """The options of the client in a variable: servers between commas, or a JSON object. Raises: NotGivenError."""
    given = os.environ.get(variable, "").strip()
    if not given:
        raise NotGivenError(
            f"the variable {variable} is not set: it holds the servers, as nats://host1:4222,nats://host2:4222"
        )
    found: Any = {"servers": given}
    if given.startswith("{"):
        try:
            found = json.loads(given)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("servers"), str):
            raise NotGivenError(f'{variable} is no JSON object of options with "servers" among them')
    wrong = [
        name for name, value in found.items() if name not in ("servers", *_TEXTS, *_FILES) or not isinstance(value, str)
    ]
    if wrong:
        raise NotGivenError(
            f"{variable} holds {spell_count(len(wrong), 'thing')} that is no option; there are servers, "
            f"{', '.join((*_TEXTS, *_FILES))}"
        )
    options = {name: value for name, value in found.items() if name in _TEXTS}
    if any(name in found for name in _FILES):
        options["tls"] = _context(found, variable)
    return options | {"servers": [server.strip() for server in found["servers"].split(",") if server.strip()]}


def _context(found: dict[str, str], variable: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=found.get("tls_ca"))
        if "tls_cert" in found:
            context.load_cert_chain(found["tls_cert"], found.get("tls_key"))
    except (OSError, ssl.SSLError):
        raise NotGivenError(f"a certificate that {variable} names cannot be read") from None
    return context


def _why(error: BaseException, said: list[str]) -> str:
    """What went wrong, without what the client was given: its texts may hold addresses with passwords."""
    errors, js = _errors(), _js_errors()
    heard = " ".join([*said, f"{error}".lower()])
    if isinstance(error, js.NotFoundError):
        return "there is no such stream, or it is hidden from us"
    if "authorization" in heard or "authentication" in heard or "user_credentials" in heard:
        return "the server refuses this user"
    if "permissions violation" in heard:
        return "we may not read it"
    if isinstance(error, js.APIError):
        return f"NATS says {error.code} ({error.err_code}: {f'{error.description}'[:100]})"
    if isinstance(error, (errors.NoRespondersError, js.ServiceUnavailableError)):
        return "JetStream does not answer there; it is tried again"
    if isinstance(error, ValueError) and not isinstance(error, errors.Error):
        return "an option of the client is wrong"
    return "the servers do not answer; it is tried again"
