"""Whatever is asked of a store, in whatever order: every store answers as the one in memory does."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import ABSENT, ANY, Objects, StoreError
from mlpipe_assets_tests.store.stores import STORES

Step = Callable[[Objects, dict[str, list[str]]], object]
KEYS = st.sampled_from(["a", "a/b", "a/b/c", "d"])
TEXTS = st.binary(max_size=4)
PLACES = st.integers(-5, 5) | st.none()


def put(key: str, content: bytes, condition: int) -> Step:
    """Write, on a condition: anything, nothing, or one of the versions that were written before, from the newest."""

    def step(objects: Objects, tags: dict[str, list[str]]) -> object:
        known = tags.setdefault(key, [])
        wanted = known[-1 - condition] if 0 <= condition < len(known) else (ANY if condition == -1 else ABSENT)
        known.append(objects.put(key, content, wanted))
        return "written"

    return step


def stream(key: str, blocks: list[bytes]) -> Step:
    def step(objects: Objects, _: dict[str, list[str]]) -> object:
        done = objects.put_stream(key, blocks)
        return done.sha256, done.size

    return step


def get(key: str, part: slice) -> Step:
    return lambda objects, _: objects.get(key, part).content


def head(key: str) -> Step:
    def step(objects: Objects, _: dict[str, list[str]]) -> object:
        found = objects.head(key)
        return found and (found.key, found.size)

    return step


def delete(key: str) -> Step:
    return lambda objects, _: objects.delete(key)


def listing(prefix: str) -> Step:
    return lambda objects, _: [(found.key, found.size) for found in objects.list(prefix)]


STEPS = st.one_of(
    st.builds(put, KEYS, TEXTS, st.integers(-1, 2)),
    st.builds(stream, KEYS, st.lists(TEXTS, max_size=3)),
    st.builds(get, KEYS, st.builds(slice, PLACES, PLACES)),
    st.builds(head, KEYS),
    st.builds(delete, KEYS),
    st.builds(listing, st.sampled_from(["", "a", "a/b", "d", "x"])),
)


def answers(objects: Objects, steps: list[Step]) -> list[object]:
    """What each step gives, or the kind of its error, and what is there in the end."""
    tags: dict[str, list[str]] = {}
    found: list[object] = []
    for step in steps:
        try:
            found.append(step(objects, tags))
        except StoreError as error:
            found.append(type(error).__name__)
    return [*found, {head.key: objects.get(head.key).content for head in objects.list()}]


@pytest.mark.parametrize("store", [name for name in STORES if name != "memory"])
@settings(max_examples=50)
@given(steps=st.lists(STEPS, min_size=10, max_size=20))
def test_every_store_answers_as_the_one_in_memory(store: str, steps: list[Step]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)  # nothing is lost here, and a slow disk would make this test slow

        assert answers(STORES[store](Path(folder)), steps) == answers(MemoryObjects(), steps)
