"""Whatever is asked of a store, in whatever order: every store answers as the one in memory does."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import ABSENT, ANY, Objects, StoreError
from mlpipe_assets_tests.store.stores import STORES

Step = Callable[[Objects, dict[str, list[str]]], object]
NESTED = ("a", "a/b", "a/b/c", "d")
# A server that keeps folders takes a folder for an object when all that was in it is gone: no name is above another.
FLAT = ("a/b/c", "a/d", "a/b/e", "d")
TEXTS = st.binary(max_size=4)
PLACES = st.integers(-5, 5) | st.none()


def put(key: str, content: bytes, condition: int) -> Step:
    """Write, on a condition: anything, nothing, or one of the versions that were written before, from the newest."""

    def step(objects: Objects, tags: dict[str, list[str]]) -> object:
        known = tags.setdefault(key, [])
        wanted = known[-1 - condition] if 0 <= condition < len(known) else (ANY if condition == -1 else ABSENT)
        # A tag may be made of the content alone, so that two versions must not be alike.
        known.append(objects.put(key, content + b"#%d" % len(known), wanted))
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


def steps_on(names: Sequence[str]) -> st.SearchStrategy[list[Step]]:
    keys = st.sampled_from(names)
    one = st.one_of(
        st.builds(put, keys, TEXTS, st.integers(-1, 2)),
        st.builds(stream, keys, st.lists(TEXTS, max_size=3)),
        st.builds(get, keys, st.builds(slice, PLACES, PLACES)),
        st.builds(head, keys),
        st.builds(delete, keys),
        st.builds(listing, st.sampled_from(["", "a", "a/b", "d", "x"])),
    )
    return st.lists(one, min_size=10, max_size=20)


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


@pytest.mark.parametrize(
    ("new_store", "names"), [("local", NESTED), ("bucket", FLAT)], indirect=["new_store"], ids=["local", "bucket"]
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example has a new store
@given(data=st.data())
def test_every_store_answers_as_the_one_in_memory(
    new_store: Callable[[], Objects], names: Sequence[str], data: st.DataObject
) -> None:
    steps = data.draw(steps_on(names))

    assert answers(new_store(), steps) == answers(MemoryObjects(), steps)


def test_every_store_but_the_one_in_memory_is_held_against_it() -> None:
    assert set(STORES) == {"memory", "local", "bucket"}
