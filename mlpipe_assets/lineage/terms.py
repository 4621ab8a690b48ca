"""The words of ML Metadata as plain values: artifacts, executions, the events between them, and contexts."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlpipe_assets.errors import SettingsError

INPUT, OUTPUT = "INPUT", "OUTPUT"
COMPLETE = "COMPLETE"
RUN, MODEL, TAG = "Run", "Model", "Tag"  # types of contexts
FILE, MODEL_VERSION = "File", "ModelVersion"  # types of artifacts
TYPES: Mapping[str, str] = {
    "raw": "Events",
    "interim": "CleanTable",
    "features": "Features",
    "online": "OnlineSnapshot",
    "processed": "TrainingSet",
    "models": MODEL_VERSION,
    "validation": "Validation",
    "predictions": "Predictions",
    "monitoring": "Measurements",
}
DECISION = "decision"  # type of the execution that promotes a version, keeps the one before, or goes back to it


class Key(NamedTuple):
    """What an artifact is known by.

    Attributes:
        table: Such as `interim/orders`, or `raw/orders` for a file and for the events of a day.
        partition: The day; of a file its name, of a model its version.
        digest: SHA-256 of what it holds.
    """

    table: str
    partition: str
    digest: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.table}@{self.partition}"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something that a step made, or was given.

    Attributes:
        is_held: Whether it is what its table holds now; else it was replaced, or taken away.
        made_at: When it was recorded, UTC, as ISO 8601.
    """

    id: int
    type: str
    key: Key
    uri: str = ""
    is_held: bool = False
    made_at: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A step of a run, for one partition.

    Attributes:
        type: The stage; `decision` for one about a version of a model.
        name: The partition it made, as `table@partition`.
        run: Of which run; empty where no run of ours did it.
        inputs: Digest of its inputs and of the code.
    """

    id: int
    type: str
    name: str
    run: str = ""
    state: str = COMPLETE
    at: str = ""
    inputs: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What executions and artifacts belong to: a run, a model, a tag."""

    id: int
    type: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one partition was made of, to be recorded at once.

    Attributes:
        made: What came out; several of one execution share it. None for an execution that makes nothing.
        made_type: The type of that artifact.
        inputs: What went in, each with its type.
        contexts: Type and name of each that both belong to; the run is added.
        about: Properties of the artifact.
        how: Properties of the execution.
    """

    type: str
    name: str
    made: Key | None
    made_type: str = ""
    inputs: Mapping[Key, str] = field(default_factory=dict)
    contexts: tuple[tuple[str, str], ...] = ()
    code: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)


def read_artifact(row: Sequence[Any]) -> Artifact:
    """An artifact of its row, which ends with whether it is held."""
    number, kind, table, partition, digest, uri, made_at, properties, held = row
    key = Key(table, partition, digest)
    return Artifact(
        id=number,
        type=kind,
        key=key,
        uri=uri,
        made_at=made_at,
        properties=json.loads(properties),
        is_held=bool(held),
    )


def read_execution(row: Sequence[Any]) -> Execution:
    """An execution of its row."""
    number, kind, name, run, state, at, inputs, properties = row
    return Execution(
        id=number, type=kind, name=name, run=run, state=state, at=at, inputs=inputs, properties=json.loads(properties)
    )


def read_where(terms: Iterable[str]) -> dict[str, str]:
    """Conditions on properties, from `NAME=VALUE`.

    Raises: SettingsError for one that is spelled otherwise.
    """
    found: dict[str, str] = {}
    for term in terms:
        if not re.fullmatch(r"\w+=.*", term):
            raise SettingsError(
                f"{term!r} is no condition on a property. Write NAME=VALUE, such as champion=2026-04-30-c02b8090."
            )
        name, _, value = term.partition("=")
        found[name] = value
    return found
