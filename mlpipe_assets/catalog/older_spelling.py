"""Declarations in the words of earlier versions: they mean what they meant, and a warning says how they are written now."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.places import declared_at

_OF_FILES = ("known_at", "delimiter", "records", "limits")
_Kind = TypeVar("_Kind", bound=type[Any])
_warned: dict[str | tuple[str, type[Warning], int], int] = {}  # by which `warnings` knows what it has shown


def with_older_spelling(kind: _Kind) -> _Kind:
    """The class of sources, which also takes what belongs to files as keywords of its own: `Source(records="data")`."""
    init: Callable[..., None] = kind.__init__

    @wraps(init)
    def take(source: object, *args: object, **given: Any) -> None:  # noqa: ANN401 (what a dataclass takes)
        older = {name: given.pop(name) for name in _OF_FILES if name in given}
        if older:
            words = ", ".join(f"{name}=..." for name in older)
            _warn(
                f"source {given.get('name')!r}: write feed=Files({words}), with Files from mlpipe_assets.catalog.feeds, "
                f"instead of {words}"
            )
            given["feed"] = replace(given.get("feed", Files()), **older)
        init(source, *args, **given)

    kind.__init__ = take
    for name in _OF_FILES:
        setattr(kind, name, property(_reader(name)))
    return kind


def with_one_join_key(kind: _Kind) -> _Kind:
    """The class of entities, which also takes the only key by itself: `Entity(join_key="customer_id")`."""
    init: Callable[..., None] = kind.__init__

    @wraps(init)
    def take(entity: object, *args: object, **given: Any) -> None:  # noqa: ANN401 (what a dataclass takes)
        if "join_key" in given:
            given["join_keys"] = (given.pop("join_key"),)
        init(entity, *args, **given)

    kind.__init__ = take
    return kind


def _reader(name: str) -> Callable[[Any], object]:
    def read(source: Any) -> object:  # noqa: ANN401 (a source, whose class is made with this function)
        _warn(f"source {source.name!r}: read feed.{name} instead of {name}")
        return getattr(source.feed, name)

    return read


def _warn(text: str) -> None:
    """Warn once for each line that declares."""
    file, line = declared_at()
    warnings.warn_explicit(text, DeprecationWarning, file, line, registry=_warned)
