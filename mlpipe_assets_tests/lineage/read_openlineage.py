"""Hold events to the classes that OpenLineage's own client has of its schema; run by a Python that has `openlineage-python`.

`python read_openlineage.py EVENTS` reads a JSON event a line, and prints what is wrong and how often each facet is there.
"""

import enum
import importlib
import json
import pkgutil
import sys
import types
import typing
from collections import Counter
from pathlib import Path
from typing import Any

import attr
from openlineage.client import generated
from openlineage.client.generated.base import BaseFacet, RunEvent

_OF_EVERY_FACET = {"_producer", "_schemaURL", "_deleted"}


def facets_by_schema() -> dict[str, Any]:
    """The class of each facet, by the address of its schema."""
    modules = [
        importlib.import_module(f"{generated.__name__}.{one.name}") for one in pkgutil.iter_modules(generated.__path__)
    ]
    classes: set[Any] = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    return {one._get_schema(): one for one in classes if issubclass(one, BaseFacet)}


FACETS = facets_by_schema()
SEEN: Counter[str] = Counter()


def check(kind: Any, value: Any, path: str) -> list[str]:
    """What is wrong with a value that is to be of one of their types."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return []
    if origin in (typing.Union, types.UnionType):
        found = [check(one, value, path) for one in inner]
        return min(found, key=len)
    if origin is typing.ClassVar:
        return [f"{path}: is none of an event"]
    if origin is list:
        return (
            [line for n, one in enumerate(value) for line in check(inner[0], one, f"{path}[{n}]")]
            if isinstance(value, list)
            else [f"{path}: no list"]
        )
    if origin is dict:
        return (
            [line for key, one in value.items() for line in check(inner[1], one, f"{path}.{key}")]
            if isinstance(value, dict)
            else [f"{path}: no object"]
        )
    if isinstance(kind, type) and issubclass(kind, BaseFacet):
        return check_facet(value, path)
    if isinstance(kind, type) and attr.has(kind):
        return check_fields(kind, value, path)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [] if value in {one.value for one in kind} else [f"{path}: {value!r} is none of {kind.__name__}"]
    allowed = (int, float) if kind is float else kind
    return [] if isinstance(value, allowed) else [f"{path}: {value!r} is no {kind}"]


def check_facet(value: Any, path: str) -> list[str]:
    """The same of a facet, by the schema that it names."""
    found = FACETS.get(value.get("_schemaURL"))
    if found is None:
        return [f"{path}: no facet has the schema {value.get('_schemaURL')}"]
    SEEN[found.__name__] += 1
    return check_fields(found, {name: one for name, one in value.items() if name not in _OF_EVERY_FACET}, path)


def check_fields(kind: Any, value: Any, path: str) -> list[str]:
    """The same of an object with named fields."""
    if not isinstance(value, dict):
        return [f"{path}: no object"]
    hints = typing.get_type_hints(kind)
    fields = {one.name: one for one in attr.fields(kind) if one.init and one.name not in _OF_EVERY_FACET}
    lacking = [
        f"{path}: lacks {name}" for name, one in fields.items() if one.default is attr.NOTHING and name not in value
    ]
    unknown = [f"{path}: has {name}" for name in value if name not in fields and name != "schemaURL"]
    return [
        *lacking,
        *unknown,
        *(line for name in fields if name in value for line in check(hints[name], value[name], f"{path}.{name}")),
    ]


if __name__ == "__main__":
    events = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    wrong = [line for n, event in enumerate(events) for line in check_fields(RunEvent, event, f"event {n}")]
    sys.stdout.write(json.dumps({"events": len(events), "wrong": wrong[:20], "facets": SEEN}))
