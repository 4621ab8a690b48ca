"""Records and logs on every store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.objects import Objects
from mlpipe_assets.store.records import Log, Record, list_documents
from mlpipe_assets_tests.store.stores import side_by_side

KEY = "meta/refused/interim/orders/2026-01-05.json"


def record(objects: Objects) -> Record[int]:
    return Record(objects=objects, key=KEY, parse=lambda found: int(found["rows"]), cure="Delete it and run again.")


def log(objects: Objects) -> Log[str]:
    return Log(objects=objects, key="meta/log.jsonl", parse=lambda line: str(line["day"]), cure="Mend that line.")


def test_a_record_is_read_as_what_it_stands_for_and_kept_as_text_for_people(objects: Objects) -> None:
    assert record(objects).read() is None

    record(objects).write({"rows": 3, "day": "2026-01-05"})

    assert record(objects).read() == 3
    assert objects.get(KEY).content == b'{\n "day": "2026-01-05",\n "rows": 3\n}\n'
    record(objects).delete()
    assert record(objects).read() is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"Expecting value: line 1 column 1 \(char 0\)"),
        (b'{"rows": ', r"Expecting value: line 1 column 10 \(char 9\)"),
        (b"\xff", r"'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"{}", "it lacks 'rows'"),
        (b"[]", "it does not hold what is written there"),
        (b"null", "it does not hold what is written there"),
        (b'{"rows": "many"}', r"invalid literal for int\(\) with base 10: 'many'"),
    ],
)
def test_a_damaged_record_is_named_with_why_and_what_to_do_and_stays_as_it_is(
    objects: Objects, content: bytes, reason: str
) -> None:
    objects.put(KEY, content)

    for call in (record(objects).read, lambda: record(objects).change(lambda _: {})):
        with pytest.raises(LakeError, match=rf"2026-01-05\.json cannot be read: {reason}\. Delete it and run again\.$"):
            call()

    assert objects.get(KEY).content == content


def test_a_record_is_changed_from_what_another_process_made_of_it_meanwhile(objects: Objects) -> None:
    record(objects).write({"rows": 1})
    others: list[Callable[[], None]] = [lambda: record(objects).write({"rows": 10})]

    def add_one(rows: int | None) -> dict[str, Any]:
        if others:
            others.pop()()
        return {"rows": (rows or 0) + 1}

    record(objects).change(add_one)

    assert record(objects).read() == 11


def test_documents_are_listed_by_name_without_those_of_other_kinds_and_folders(objects: Objects) -> None:
    for key in ("a/c.json", "a/b.json", "a/b.pending", "a/d.json~", "a/old/e.json", "a.json", "ab/f.json"):
        objects.put(key, b"")

    assert list_documents(objects, "a") == ["b", "c"]
    assert list_documents(objects, "a", ".pending") == ["b"]
    assert list_documents(objects, "none") == []


def test_a_log_is_only_added_to(objects: Objects) -> None:
    assert log(objects).read() == []

    log(objects).append([{"day": "5", "b": 1, "a": 2}])
    log(objects).append([{"day": "6"}, {"day": "7"}])

    assert log(objects).read() == ["5", "6", "7"]
    assert objects.get("meta/log.jsonl").content.startswith(b'{"day": "5", "b": 1, "a": 2}\n{"day": "6"}\n')


def test_lines_that_are_added_at_once_are_all_there(objects: Objects) -> None:
    side_by_side(lambda number: log(objects).append([{"day": number}]), 8)

    assert sorted(log(objects).read()) == ["0", "1", "2", "3", "4", "5", "6", "7"]


def test_a_last_line_that_was_left_open_stays_a_line_of_its_own(objects: Objects) -> None:
    objects.put("meta/log.jsonl", b'{"day": "5"}\n\n{"day": "6"}')

    log(objects).append([{"day": "7"}])

    assert log(objects).read() == ["5", "6", "7"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"day"', "Expecting ':' delimiter, column 7"),
        (b"{}", "it lacks 'day'"),
        (b"\xff", r"'utf-8' codec can't decode.*"),
    ],
)
def test_a_damaged_line_is_named_by_its_number(objects: Objects, line: bytes, reason: str) -> None:
    objects.put("meta/log.jsonl", b'{"day": "5"}\n' + line + b'\n{"day": "6"}\n')

    with pytest.raises(LakeError, match=rf"log\.jsonl cannot be read: line 2: {reason}\. Mend that line\.$"):
        log(objects).read()


def test_what_the_store_cannot_read_is_reported_like_any_damaged_record(tmp_path: Path) -> None:
    for key in (KEY, "meta/log.jsonl"):
        LocalObjects(tmp_path).put(f"{key}/file", b"")

    with pytest.raises(
        LakeError, match=r"2026-01-05\.json cannot be read: Is a directory\. Delete it and run again\.$"
    ):
        record(LocalObjects(tmp_path)).read()
    with pytest.raises(LakeError, match=r"log\.jsonl cannot be read: Is a directory\. "):
        log(LocalObjects(tmp_path)).read()
