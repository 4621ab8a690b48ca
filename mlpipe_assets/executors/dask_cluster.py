"""The workers of a Dask cluster as executors. Each result is taken as soon as it is there: a worker that dies takes none with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed
from distributed.protocol import pickle

from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.executors.executor import Item, Result
from mlpipe_assets.executors.remote import Wire, host_of, perform, terms, unpack

_AHEAD = 4  # items a thread of a worker has waiting: enough to keep it busy, and little to do again
_DEATHS = 3  # workers that may die over one item
_PATIENCE = 30  # seconds until a scheduler answers, and has a worker
_WIRE = Wire(dumps=pickle.dumps, loads=pickle.loads)


def perform_here(agreed: Mapping[str, Any], packed: bytes) -> bytes:
    """Do packed work on a worker."""
    return perform(agreed, packed, _WIRE)


@dataclass(kw_only=True)
class DaskExecutor:
    """Work on the workers of a Dask cluster, reached by its scheduler as `dask://HOST:PORT`."""

    address: str = field(repr=False)
    is_here: bool = False
    _client: Client | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Dask, and where its scheduler is."""
        return f"Dask at {host_of(self.address.removeprefix('dask://'))}"

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], at_once: int = 2) -> Iterator[Result]:  # noqa: ARG002
        """The result of each item, in their order; see `Executor`.

        Raises: ExecutorError when the scheduler is lost, or workers die over one item again and again.
        """
        client = self._connected()
        agreed, ahead = terms(), _AHEAD * max(1, sum(client.nthreads().values()))
        done: dict[int, bytes] = {}
        places: dict[Future[Any], int] = {}
        found = as_completed(loop=client.loop)
        turn = 0
        try:
            for place, item in enumerate(items):
                future = client.submit(perform_here, agreed, pickle.dumps((work, item)), pure=False)
                places[future] = place
                found.add(future)
                while len(places) >= ahead:
                    self._collect(found, places, done)
                while turn in done:
                    yield unpack(done.pop(turn), _WIRE)
                    turn += 1
            while places or done:
                if turn not in done:
                    self._collect(found, places, done)
                    continue
                yield unpack(done.pop(turn), _WIRE)
                turn += 1
        finally:
            client.cancel(list(places))

    def close(self) -> None:
        """Let go of the scheduler; the next work reaches it again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _collect(
        self, found: "Iterator[Future[Any]]", places: dict["Future[Any]", int], done: dict[int, bytes]
    ) -> None:
        """Take the next result there is, and let the worker forget it."""
        future = next(found)
        try:
            done[places.pop(future)] = future.result()
        except KilledWorker:
            raise ExecutorError(
                f"{self.name}: {_DEATHS + 1} workers died over the same piece of work. Give them more memory, or look into their logs."
            ) from None
        except Exception as error:
            words = f"{type(error).__name__}: {error}"[:500]
            raise ExecutorError(
                f"{self.name} lost work: {words}. Is it still there? Run again; what was made stays."
            ) from error
        future.release()

    def _connected(self) -> Client:
        """A client of the scheduler, with a worker at least.

        Raises: ExecutorError.
        """
        if self._client is not None and self._client.status == "running":
            return self._client
        where = self.address.replace("dask://", "tcp://", 1)
        try:
            client = Client(where, timeout=_PATIENCE, set_as_default=False, name="mlpipe")
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"{self.name} does not answer ({type(error).__name__}). Start it (dask scheduler, and dask worker on each machine), or "
                "unset MLPIPE_EXECUTOR."
            ) from None
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError:
            client.close()
            raise ExecutorError(f"{self.name} has no worker. Start one: dask worker {where}") from None
        self._client = client
        return client
