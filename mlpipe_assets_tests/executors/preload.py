"""What a worker of the tests imports first: it leaves it to the system when files reach the disk, as `conftest` does here."""

import os
from collections.abc import Callable

unsynced: Callable[[int], None] = lambda _: None  # noqa: E731
os.fsync = unsynced  # type: ignore[assignment]
