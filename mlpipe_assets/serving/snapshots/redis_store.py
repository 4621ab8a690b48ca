"""The online store in Redis: one hash for each view of a snapshot, and one key that says which snapshots there are.

A request takes one command a view, all of them in one round trip. Each hash has a mark of its snapshot in it: where Redis
has evicted one, or it was removed, a read says so and does not take every entity for unknown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import redis

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.service_urls import explain, take_option, without_secrets
from mlpipe_assets.serving.snapshots.online_store import Expect, Rows, nothing
from mlpipe_assets.serving.snapshots.redis_wire import Wire
from mlpipe_assets.serving.snapshots.snapshot import (
    Generation,
    GoneError,
    Line,
    OnlineError,
    Snapshot,
    make_generation,
    read_line,
    spell_text,
)

_BATCH = 10_000
_MARK = b"\xff"  # no UTF-8, so never the key of an entity
_UNFINISHED = 3600  # seconds after which what a killed publisher left expires
_SECONDS = 5.0  # until an answer
_TURN = 600  # seconds that one publisher has, if it dies over it

T = TypeVar("T")


class RedisStore:
    """Snapshots in one Redis database, below a prefix: `mlpipe`, or `?prefix=` of the address."""

    def __init__(self, address: str) -> None:
        self._prefix, self._address = take_option(address, "prefix", "mlpipe")
        try:
            self._client: Any = redis.Redis.from_url(  # to mypy its commands have no types
                self._address, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, max_connections=64
            )
        except ValueError as error:
            raise SettingsError(f"MLPIPE_ONLINE_URL: {explain(error, self._address)}.") from None
        self._wire = Wire(self._address)

    def locate(self) -> str:
        """Host, database and prefix."""
        return f"{without_secrets(self._address)} ({self._prefix})"

    def line(self) -> Line:
        """The snapshots there are."""
        with self._explaining():
            return self._parsed(self._client.get(self._key("line")))

    def publish(self, snapshot: Snapshot, expect: Expect = nothing) -> Generation:
        """Keep a snapshot and let it answer from now on."""
        with (
            self._explaining(),
            self._client.lock(
                self._key("publishing"), timeout=_TURN, blocking_timeout=_SECONDS, raise_on_release_error=False
            ),
        ):
            generation = make_generation(snapshot, self.line())
            for rows in snapshot.views:
                self._fill(self._hash(generation, rows.view.name), generation, rows.pairs(_BATCH))
            expect(self.open(generation))  # what nobody can see expires
            _, gone = self._change(
                lambda line: line.after(generation), [self._hash(generation, v) for v in generation.views]
            )
            for one in gone:
                self._client.unlink(*(self._hash(one, view) for view in one.views))
        return generation

    def roll_back(self, reason: str) -> Generation:
        """Let the snapshot before answer again."""
        with self._explaining():
            line, _ = self._change(lambda line: (line.rolled_back(reason, datetime.now(tz=UTC)), None), [])
        if line.present is None:  # narrowed by rolled_back; states it for the type checker
            raise OnlineError("No snapshot answers.")
        return line.present

    def open(self, generation: Generation) -> "RedisReader":
        """A reader of one snapshot."""
        reader = RedisReader(self._client, self._wire, self._address, generation, self._hash)
        reader.read({view: [] for view in generation.views})
        return reader

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
        self._client.close()

    def _fill(self, name: str, generation: Generation, batches: Iterator[list[tuple[str, bytes]]]) -> None:
        self._client.hset(name, _MARK, generation.id)
        self._client.expire(name, _UNFINISHED)
        for pairs in batches:
            self._client.execute_command("HSET", name, *(part for pair in pairs for part in pair))

    def _change(self, make: Callable[[Line], tuple[Line, T]], lasting: Sequence[str]) -> tuple[Line, T]:
        """Replace the line by what `make` makes of it, again where another was faster, and let hashes last with it."""
        while True:
            with self._client.pipeline() as turn:
                try:
                    turn.watch(self._key("line"))
                    line, more = make(self._parsed(turn.get(self._key("line"))))
                    turn.multi()
                    for name in lasting:
                        turn.persist(name)
                    turn.set(self._key("line"), spell_text(line))
                    turn.execute()
                except redis.WatchError:
                    continue
                return line, more

    def _parsed(self, content: Any) -> Line:  # noqa: ANN401 (what the client answers has no type)
        return read_line(content, self.locate())

    def _hash(self, generation: Generation, view: str) -> str:
        return self._key(f"{generation.id}:{view}")

    def _key(self, name: str) -> str:
        return f"{self._prefix}:online:{name}"

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with explaining(self._address):
            yield


class RedisReader:
    """Reads the hashes of one snapshot."""

    def __init__(
        self,
        client: "redis.Redis",
        wire: Wire,
        address: str,
        generation: Generation,
        name_of: Callable[[Generation, str], str],
    ) -> None:
        self.generation = generation
        self._address = address
        self._client: Any = client  # to mypy its commands have no types
        self._wire = wire
        self._names = {view: name_of(generation, view) for view in generation.views}
        self._mark = generation.id.encode()

    def read(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view, in one round trip."""
        with explaining(self._address):
            commands = self._commands(wanted)
            if len(commands) == 1:
                answers = [self._client.execute_command(*commands[0])]
            else:
                with self._client.pipeline(transaction=False) as together:
                    for command in commands:
                        together.execute_command(*command)
                    answers = together.execute()
        return self._checked(wanted, answers)

    async def fetch(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The same on a connection that all requests share."""
        with explaining(self._address):
            answers = await self._wire.ask(self._commands(wanted))
        return self._checked(wanted, answers)

    def _commands(self, wanted: Mapping[str, Sequence[str]]) -> list[tuple[str | bytes, ...]]:
        return [("HMGET", self._names[view], _MARK, *keys) for view, keys in wanted.items()]

    def _checked(self, wanted: Mapping[str, Sequence[str]], answers: Sequence[list[bytes | None]]) -> Rows:
        """The rows, when each view still has the mark of its snapshot."""
        for view, answer in zip(wanted, answers, strict=True):
            if answer[0] != self._mark:
                raise GoneError(f"The rows of {view} in snapshot {self.generation.id} are not in Redis any more.")
        return {view: answer[1:] for view, answer in zip(wanted, answers, strict=True)}

    def close(self) -> None:
        """Nothing: the connections are those of the store."""


@contextmanager
def explaining(address: str) -> Iterator[None]:
    """Say what went wrong without user and password. Raises: OnlineError."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise OnlineError(f"{explain(error, address)}. Is MLPIPE_ONLINE_URL right, and the server up?") from None
