"""What every store promises: this suite runs on each of them."""

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.store.objects import ABSENT, ConflictError, MissingError, Objects, UnsupportedError
from mlpipe_assets_tests.store.stores import side_by_side

KEY = "interim/orders/date=2026-01-05/part.parquet"
TEN = b"0123456789"


def keys(objects: Objects, prefix: str = "") -> list[str]:
    return [head.key for head in objects.list(prefix)]


def test_what_was_put_is_what_get_head_and_list_tell(objects: Objects) -> None:
    before = datetime.now(tz=UTC) - timedelta(seconds=2)

    tag = objects.put(KEY, TEN)
    head = objects.head(KEY)

    assert (objects.get(KEY).content, objects.get(KEY).tag) == (TEN, tag)
    assert head is not None
    assert (head.key, head.tag, head.size) == (KEY, tag, 10)
    assert before < head.modified < before + timedelta(minutes=1)
    assert objects.list() == [head]
    assert KEY in objects.locate(KEY)


def test_what_is_not_there_is_missing_and_has_no_head(objects: Objects) -> None:
    with pytest.raises(MissingError, match=r"orders.* is not there\."):
        objects.get(KEY)
    with pytest.raises(MissingError):
        objects.get_if_changed(KEY, "a tag of before")
    assert objects.head(KEY) is None
    assert objects.list() == []


def test_what_has_not_changed_is_not_read_again(objects: Objects) -> None:
    tag = objects.put(KEY, b"one")
    assert objects.get_if_changed(KEY, tag) is None

    newer = objects.put(KEY, b"two")

    found = objects.get_if_changed(KEY, tag)
    assert found is not None
    assert (found.content, found.tag) == (b"two", newer)


def test_an_object_is_made_only_where_there_is_none(objects: Objects) -> None:
    objects.put(KEY, b"first", ABSENT)

    with pytest.raises(ConflictError, match="Nothing was changed here"):
        objects.put(KEY, b"second", ABSENT)

    assert objects.get(KEY).content == b"first"


def test_a_version_is_replaced_only_while_it_is_the_present_one(objects: Objects) -> None:
    first = objects.put(KEY, b"1")
    second = objects.put(KEY, b"2", first)

    with pytest.raises(ConflictError):
        objects.put(KEY, b"3", first)
    assert (objects.get(KEY).content, objects.get(KEY).tag) == (b"2", second)

    objects.delete(KEY)
    with pytest.raises(ConflictError):
        objects.put(KEY, b"3", second)
    assert objects.head(KEY) is None


def test_of_sixteen_that_make_the_same_object_one_wins(objects: Objects) -> None:
    def make(number: int) -> bool:
        try:
            objects.put(KEY, f"{number}".encode(), ABSENT)
        except ConflictError:
            return False
        return True

    won = side_by_side(make, 16)

    assert sum(won) == 1
    assert objects.get(KEY).content == f"{won.index(True)}".encode()


def test_eight_that_count_together_lose_no_step(objects: Objects) -> None:
    objects.put(KEY, b"0")

    def count(_: int) -> None:
        steps = 0
        while steps < 20:
            found = objects.get(KEY)
            try:
                objects.put(KEY, f"{int(found.content) + 1}".encode(), found.tag)
            except ConflictError:
                continue
            steps += 1

    side_by_side(count, 8)

    assert objects.get(KEY).content == b"160"


def test_a_change_there_and_back_again_is_noticed_where_each_write_has_a_number_of_its_own(objects: Objects) -> None:
    def document(value: str) -> bytes:
        return json.dumps({"value": value, "nonce": secrets.token_hex(8)}).encode()

    before = objects.put(KEY, document("a"))
    objects.put(KEY, document("b"))
    objects.put(KEY, document("a"))

    with pytest.raises(ConflictError):
        objects.put(KEY, document("c"), before)


def test_deleting_twice_is_fine(objects: Objects) -> None:
    objects.put(KEY, TEN)

    objects.delete(KEY)
    objects.delete(KEY)

    assert objects.list() == []


def test_many_are_deleted_whether_they_are_there_or_not_and_others_stay(objects: Objects) -> None:
    names = [f"a/{number}" for number in range(1100)]
    for name in (*names[:3], names[-1], "a/other"):
        objects.put(name, TEN)

    objects.delete_many(names)
    objects.delete_many([])

    assert [head.key for head in objects.list()] == ["a/other"]


@pytest.mark.parametrize(("first", "second"), [("a/x", "a/x/y"), ("a/x/y", "a/x"), ("a", "a/x/y")])
def test_a_name_is_a_file_or_a_folder_never_both(objects: Objects, first: str, second: str) -> None:
    objects.put(first, TEN)

    with pytest.raises(UnsupportedError, match="cannot have the same name"):
        objects.put(second, TEN)

    assert keys(objects) == [first]
    objects.delete(first)
    objects.put(second, TEN)
    assert keys(objects) == [second]


def test_a_folder_where_a_file_belongs_is_reported_and_stays(objects: Objects) -> None:
    objects.put("a/x/y", TEN)

    with pytest.raises(UnsupportedError, match=r"is a folder where a file belongs\. Take it away and run again\."):
        objects.get("a/x")
    assert objects.head("a/x") is None
    objects.delete("a/x")

    assert keys(objects) == ["a/x/y"]


@pytest.mark.parametrize(
    "name", ["a b", "größe", "100%", "#1", "what?", "a+b=c&d", "[x]*", "'\"", "~", ".hidden", "日"]
)
def test_odd_names_are_names(objects: Objects, name: str) -> None:
    key = f"raw/{name}/{name}.csv"

    objects.put(key, name.encode())

    assert objects.get(key).content == name.encode()
    assert keys(objects, f"raw/{name}") == [key]


def test_a_backslash_is_kept_or_refused_and_never_changed(objects: Objects) -> None:
    key = "raw/a\\b/\\.csv"
    try:
        objects.put(key, TEN)
    except UnsupportedError:
        assert keys(objects) == []
    else:
        assert keys(objects, "raw/a\\b") == [key]


BAD = ["", "/etc/passwd", "a/", "a//b", ".", "..", "a/../b", "./a", "a\nb", "a\x00b", "x" * 256, "x/" * 600 + "x"]


@pytest.mark.parametrize("key", [*BAD, "a/.x.tmp", ".keys.lock"])
def test_a_key_that_not_every_store_can_serve_is_refused_by_every_method(objects: Objects, key: str) -> None:
    for call in (
        lambda: objects.get(key),
        lambda: objects.get_if_changed(key, ""),
        lambda: objects.head(key),
        lambda: objects.put(key, TEN),
        lambda: objects.put_stream(key, [TEN]),
        lambda: objects.delete(key),
        lambda: objects.delete_many([key]),
        lambda: objects.lease(key, 1),
        lambda: objects.list(key or "/"),
        lambda: objects.locate(key) and objects.get(key),
    ):
        with pytest.raises(UnsupportedError, match="cannot be the key of an object"):
            call()
    assert objects.list() == []


def test_a_prefix_is_whole_segments(objects: Objects) -> None:
    objects.put("raw/orders/a.csv", TEN)
    objects.put("raw/orders_old/a.csv", TEN)
    objects.put("raw.csv", TEN)

    assert keys(objects, "raw/orders") == ["raw/orders/a.csv"]
    assert keys(objects, "raw") == ["raw/orders/a.csv", "raw/orders_old/a.csv"]
    assert keys(objects, "raw/order") == []
    assert keys(objects, "raw.csv") == []


PARTS = [slice(2, 5), slice(8, None), slice(-3, None), slice(-300, None), slice(8, 300), slice(20, 30), slice(4, 4)]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_is_read_as_a_slice_is_taken(objects: Objects, part: slice) -> None:
    tag = objects.put(KEY, TEN)

    found = objects.get(KEY, part)

    assert (found.content, found.tag) == (TEN[part], tag)


@pytest.mark.parametrize("part", [slice(0, 9, 2), slice(-3, -1), slice(5, 2), slice(-3, 9)], ids=str)
def test_a_part_that_not_every_store_can_serve_is_refused(objects: Objects, part: slice) -> None:
    objects.put(KEY, TEN)

    with pytest.raises(UnsupportedError, match="cannot be read"):
        objects.get(KEY, part)


def test_an_object_may_be_empty(objects: Objects) -> None:
    objects.put(KEY, b"")
    empty = objects.put_stream("streamed", [])

    assert (
        objects.get(KEY).content == objects.get("streamed").content == objects.get(KEY, slice(-5, None)).content == b""
    )
    assert [head.size for head in objects.list()] == [0, 0]
    assert empty.size == 0


def test_many_objects_are_listed_once_each_in_order(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # nothing is lost here, and a slow disk would make this test slow
    wanted = [f"t/{'date=' if number % 2 else ''}{number % 50}/{number}" for number in range(1_100)]
    for _ in in_order(lambda key: objects.put(key, b""), wanted, 16):
        pass

    assert keys(objects) == sorted(wanted)


def test_a_stream_tells_what_it_wrote(objects: Objects) -> None:
    written = objects.put_stream(KEY, [b"0123", b"", b"456789"])

    assert objects.get(KEY).content == TEN
    assert written.tag == objects.get(KEY).tag
    assert (written.size, written.sha256) == (10, hashlib.sha256(TEN).hexdigest())


def test_a_stream_that_breaks_leaves_what_was_there(objects: Objects) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        assert keys(objects) == ["old"]
        raise OSError("the source is gone")

    objects.put("old", TEN)
    for key in ("old", "new"):
        with pytest.raises(OSError, match="the source is gone"):
            objects.put_stream(key, broken())

    assert keys(objects) == ["old"]
    assert objects.get("old").content == TEN


def test_a_reader_sees_whole_objects_only(objects: Objects) -> None:
    size = 200_000
    objects.put(KEY, bytes(size))
    ended = threading.Event()

    def overwrite() -> None:
        for number in range(60):
            objects.put(KEY, bytes([number]) * size)
        ended.set()

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(overwrite)
        while not ended.is_set() and not writing.done():
            found = objects.get(KEY).content
            assert found == found[:1] * size
        writing.result()
