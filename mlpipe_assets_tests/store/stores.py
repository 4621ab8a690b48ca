"""Every implementation of `Objects` that the suite runs on."""

from collections.abc import Callable
from pathlib import Path

from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Objects

STORES: dict[str, Callable[[Path], Objects]] = {
    "local": lambda folder: LocalObjects(folder / "lake"),
    "memory": lambda _: MemoryObjects(),
}
