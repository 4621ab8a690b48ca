"""What automation remembers between two looks: small documents in meta/automation, written whole or not at all."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_CURES = {
    "retrainings": "It says which retrainings were asked for. Restore it from a copy; if you delete it, drift that goes on "
    "asks for one retraining more."
}
_CURE = "Delete it: what is still needed is then asked for once more."


def recall(lake: Lake, name: str) -> dict[str, Any]:
    """A document as it is now; empty where there is none.

    Raises: LakeError, with what to do, when it cannot be read.
    """
    return _record(lake, name).read() or {}


@contextmanager
def remember(lake: Lake, name: str) -> Iterator[dict[str, Any]]:
    """A document to change, held by this process until the block ends and then stored, if it changed.

    Raises: BusyError when another process holds it for ten seconds; LakeError when it cannot be read or written.
    """
    with lake.writing("meta", f"automation.{name}"):
        found = recall(lake, name)
        before = copy.deepcopy(found)
        yield found
        if found != before:
            _record(lake, name).write(found)


def _record(lake: Lake, name: str) -> Record[dict[str, Any]]:
    return Record(objects=lake.objects, key=keys.automation(name), parse=_parse, cure=_CURES.get(name, _CURE))


def _parse(content: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    if not isinstance(content, dict):
        raise TypeError(json.dumps(content)[:50])
    return content
