"""Every implementation of `Objects`: a new one is one line here, and the suite runs on it. And work of several at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.client import Patience
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Objects
from mlpipe_assets_tests.object_server import BUCKET, ObjectServer

T = TypeVar("T")
STORES: dict[str, Callable[[Path, Callable[[], ObjectServer]], Objects]] = {
    "local": lambda folder, _: LocalObjects(folder / "lake"),
    "memory": lambda _folder, _: MemoryObjects(),
    "bucket": lambda folder, server: bucket(server(), f"{folder}".strip("/")),
}


def bucket(server: ObjectServer, prefix: str, *, endpoint: str = "", patience: Patience | None = None) -> BucketObjects:
    """What is below a prefix of the bucket of a server."""
    address = read_address(f"s3://{BUCKET}/{prefix}", server.environ(endpoint=endpoint))
    return BucketObjects(address=address, patience=patience or Patience(seconds=10, retries=3))


def side_by_side(work: Callable[[int], T], times: int) -> list[T]:
    """The results of some work done in as many threads, which begin at the same moment."""
    barrier = threading.Barrier(times)

    def one(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))
