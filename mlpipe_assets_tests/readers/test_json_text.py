"""JSON lines and arrays: text kept verbatim, broken pieces set apart."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets_tests.readers.reading import malformed, read_bytes, records

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OBJECTS = st.lists(
    st.dictionaries(
        st.text(max_size=3), st.integers() | st.text(max_size=5) | st.lists(st.dictionaries(st.just("k"), st.none()))
    )
)
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ",",
    '"',
    '{"a":1}',
    '{"a":[{"b":1},{"b":2}]}',
    ',{"a":2}',
    "\n",
    "nul",
    '"a":',
    "1.5",
    "é",
    "\\",
]


def test_the_text_of_each_line_is_kept_verbatim(tmp_path: Path) -> None:
    read = read_bytes(
        tmp_path, b'\xef\xbb\xbf {"a": 1.10, "n": 12345678901234567890123} \r\n\n{"b":"\\u00e9"}', "x.jsonl"
    )

    assert read.text is None
    assert_frame_equal(read.records, records((1, '{"a": 1.10, "n": 12345678901234567890123}'), (3, '{"b":"\\u00e9"}')))
    assert_frame_equal(read.malformed, malformed())


@pytest.mark.parametrize(
    ("element", "shown", "reason"),
    [
        (b"17", "17", "not a JSON object"),
        (b'{"a":NaN}', '{"a":NaN}', "not JSON: NaN"),
        (b'{"a":-Infinity}', '{"a":-Infinity}', "not JSON: -Infinity"),
        (b'{"a":oops}', '{"a":oops}', "not JSON: expecting value"),
        (b'{"a":"\xff"}', '{"a":"\\xff"}', "not UTF-8 text"),
        (
            b'{"a":"\\ud800"}',
            '{"a":"\\ud800"}',
            "a lone surrogate: half of a character, which other engines cannot read",
        ),
        (b'{"a":' + b"[" * 101 + b"]" * 101 + b"}", '{"a":' + "[" * 101 + "]" * 101 + "}", "nested too deeply"),
        (b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}", '{"a":' + "[" * 9000 + "]" * 9000 + "}", "nested too deeply"),
    ],
)
def test_a_broken_element_is_refused_alone_in_lines_and_arrays(
    tmp_path: Path, element: bytes, shown: str, reason: str
) -> None:
    lines = read_bytes(tmp_path, b'{"i":1}\n' + element + b'\n{"i":3}\n', "x.json")
    array = read_bytes(tmp_path, b'[{"i":1},\n' + element + b', {"i":3}]\n', "x.json")

    assert_frame_equal(lines.records, records((1, '{"i":1}'), (3, '{"i":3}')))
    assert_frame_equal(lines.malformed, malformed((2, shown, reason)))
    assert_frame_equal(array.records, lines.records)
    assert_frame_equal(array.malformed, lines.malformed)


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (b'{"a":1} {"a":2}\n{"a":3}\n', [1, 2, 3]),
        (b'{"a":1}{"a":2}{"a":3}', [1, 2, 3]),
        (b'{"a":1},\n{"a":2},\n{"a":3},\n', [1, 2, 3]),
        (b'{"a":1}\r{"a":2}\r{"a":3}\r', [1, 2, 3]),
        (b'{\n "a":1\n}\n{\n "a":2\n}\n{"a":3}', [1, 4, 7]),
        (b'[{"a":1}]\n[{"a":2}]\n[{"a":3}]', [1, 2, 3]),
        (b'[{"a":1},{"a":2}][{"a":3}]', [1, 2, 3]),
        (b'\x1e{"a":1}\n\x1e{"a":2}\n\x1e{"a":3}\n', [1, 2, 3]),
        (b'[]\n[{"a":1},\n{"a":2}]\n\n\n{"a":3}', [1, 2, 6]),
        (b'{"a":1}\n\n[{"a":2},{"a":3}]', [1, 2, 3]),
        (b'[\n{"a":1}\n,\n{"a":2}\n]\n,[{"a":3}]', [1, 2, 3]),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_objects_and_lists_one_after_another_are_all_read(
    tmp_path: Path, content: bytes, numbers: list[int], block_bytes: int
) -> None:
    read = read_bytes(tmp_path, content, "x.json", block_bytes=block_bytes)

    assert read.records["record_number"].to_list() == numbers
    assert [json.loads(payload)["a"] for payload in read.records["payload"]] == [1, 2, 3]
    assert_frame_equal(read.malformed, malformed())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a":1,"a":2}', "a"),
        ('{"a" :1,"a":2}', "a"),
        ('{"a":1,\n"a"\t:2}', "a"),
        ('{"a":1,"\\u0061"\r\n:2}', "a"),
        ('{"b":{"a" :1,"a":2}}', "a"),
        ('{"b":[7,{"a":1,"a":2}],"c":{}}', "a"),
        ('{"a":"\\":","a":1}', "a"),
        ('{"a":"\\":","b" : "x :y"}', None),
        ('{"a":{"a":{"a":1}},"b" :[]}', None),
    ],
)
def test_an_object_with_a_key_twice_is_refused_wherever_blanks_stand(
    tmp_path: Path, text: str, name: str | None
) -> None:
    sound = '\n{"c":1}' * 9

    found = read_bytes(tmp_path, f"{text}{sound}".encode(), "x.jsonl")

    assert found.malformed["reason"].to_list() == ([f"the key {name!r} stands twice"] if name else [])
    assert found.records.height == (9 if name else 10)


def test_a_thousand_objects_without_line_ends_are_a_thousand_rows(tmp_path: Path) -> None:
    objects = [{"id": number, "items": [{"s": number}]} for number in range(1000)]
    for between in ("", " ", ",", ", ", "\n", "\n\n", "\r"):
        read = read_bytes(tmp_path, between.join(map(json.dumps, objects)).encode(), "x.jsonl")

        assert [json.loads(payload) for payload in read.records["payload"]] == objects
        assert read.records["record_number"].is_unique().all()
        assert read.malformed.is_empty()


@pytest.mark.parametrize(
    ("content", "whole", "broken"),
    [
        (b'{"a":1};{"a":2}\n{"a":3}\n', [2, 3], ['{"a":1};']),
        (b'{"a":1} more\n{"a":2}\n', [2], ['{"a":1} more']),
        (b'{"a":oops}{"a":2}{"a":3}', [2, 3], ['{"a":oops}']),
        (b'{"a":"x{"a":2}{"a":3}', [2, 3], ['{"a":"x']),
        (b'{"a":1,"b":\n{"a":2}\n{"a":3}\n', [2, 3], ['{"a":1,"b":']),
        (b'{"a":1,"b":[{"s":1},{"s":2}\n{"a":2}\n', [2], ['{"a":1,"b":[{"s":1},{"s":2}']),
        (b'{\n "a":oops,\n "b":[\n  {"s":1}\n ]\n}\n{\n "a":2\n}\n', [2], ['{\n "a":oops,\n "b":[\n  {"s":1}\n ]\n}']),
        (b'{"a":{"b":1}\n{"a":2}\n{"a":3}}\n', [2], ['{"a":{"b":1}', '{"a":3}}']),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_a_broken_object_outside_a_list_costs_itself_alone(
    tmp_path: Path, content: bytes, whole: list[int], broken: list[str], block_bytes: int
) -> None:
    read = read_bytes(tmp_path, content, "x.json", block_bytes=block_bytes)

    assert [json.loads(payload)["a"] for payload in read.records["payload"]] == whole
    assert read.malformed["payload"].to_list() == broken


@pytest.mark.parametrize(
    ("content", "whole", "broken"),
    [
        (b'[{"a":1}] more', [(1, '{"a":1}')], [(2, "more", "not JSON: expecting value")]),
        (b'[{"a":1}{"b":2},]', [(1, '{"a":1}'), (2, '{"b":2}')], []),
        (
            b'[{"a":1, {"b":2}, {"c":3}]',
            [(2, '{"b":2}'), (3, '{"c":3}')],
            [(1, '{"a":1', "not JSON: expecting property name enclosed in double quotes")],
        ),
        (b'[{"a":"5" pipe"},{"b":2}]', [(2, '{"b":2}')], [(1, '{"a":"5" pipe"}', "not JSON: expecting ',' delimiter")]),
        (
            b'[{"id":1,"i":[{"s":1},{"s":2}, {"id":2,"i":[]}, {"id":3}]',
            [(2, '{"id":2,"i":[]}'), (3, '{"id":3}')],
            [(1, '{"id":1,"i":[{"s":1},{"s":2}', "not JSON: expecting ',' delimiter")],
        ),
        (b" [ ] ", [], []),
        (b"", [], []),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_an_array_keeps_its_whole_elements_whatever_is_broken(
    tmp_path: Path, content: bytes, whole: list[tuple[int, str]], broken: list[tuple[int, str, str]], block_bytes: int
) -> None:
    read = read_bytes(tmp_path, content, "x.json", block_bytes=block_bytes)

    assert_frame_equal(read.records, records(*whole))
    assert_frame_equal(read.malformed, malformed(*broken))


def test_sound_elements_between_two_stray_quotes_are_kept(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b'[{"a":"5" pipe"},{"a":"x"},{"a":2},{"a":"6" pipe"},{"a":3}]', "x.json")

    assert_frame_equal(read.records, records((2, '{"a":"x"}'), (3, '{"a":2}'), (5, '{"a":3}')))
    assert read.malformed.get_column("payload").to_list() == ['{"a":"5" pipe"}', '{"a":"6" pipe"}']


@QUICK
@given(objects=OBJECTS, indent=st.sampled_from([None, 1]), block_bytes=st.sampled_from([1, 5, 64]))
def test_every_sound_array_comes_back_whole(
    tmp_path: Path, objects: list[dict[str, object]], indent: int | None, block_bytes: int
) -> None:
    read = read_bytes(tmp_path, json.dumps(objects, indent=indent).encode(), "x.json", block_bytes=block_bytes)

    assert [json.loads(payload) for payload in read.records.get_column("payload")] == objects
    assert read.malformed.is_empty()


@QUICK
@given(
    body=st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    opening=st.sampled_from(["", "["]),
    block_bytes=st.sampled_from([1, 5]),
)
def test_any_text_gives_the_same_for_any_block_size(tmp_path: Path, body: str, opening: str, block_bytes: int) -> None:
    content = (opening + body).encode()

    assert outcome(tmp_path, content, block_bytes) == outcome(tmp_path, content, 1 << 20)


def outcome(folder: Path, content: bytes, block_bytes: int) -> tuple[list[tuple[object, ...]], ...] | str:
    """Records and refused rows, or why the file is unreadable."""
    try:
        read = read_bytes(folder, content, "x.json", block_bytes=block_bytes)
    except UnreadableFileError as error:
        return str(error)
    return read.records.rows(), read.malformed.rows()


@pytest.mark.parametrize(
    "content", [b"[", b'[{"a":1}', b'[{"a":1},{"b":', b'[{"a":1},{"b":"x', b'[{"i":1,"x":[{"s":1},{"s":2']
)
def test_a_list_that_is_never_closed_makes_the_file_unreadable(tmp_path: Path, content: bytes) -> None:
    for block_bytes in (1, 1 << 20):
        assert "the list is never closed" in outcome(tmp_path, content, block_bytes)


@pytest.mark.parametrize(
    "content",
    [b'{"a":', b"<html><body>Please log in</body></html>", b"oops\noops\n", b'"a"\n"b"\n', b"[1, 2, null]", b"null"],
)
def test_a_file_of_which_no_record_can_be_read_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)

    with pytest.raises(
        UnreadableFileError, match=r"x\.json: no row of it can be read: \d refused, the first because: not"
    ):
        list(read_blocks(tmp_path / "x.json"))


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b'{"data": [{"a":1},{"a":2}]}', "data"),
        (b'{"count": 2, "next": null, "data": [{"a":1},{"a":2}], "meta": {"data": []}}', "data"),
        (b'{"data": [{"a":1}], "page": 1}\n{"data": [], "page": 2}{"data": [{"a":2}]}', "data"),
        (b'{"result": {"data": 5, "items": [{"a":1},{"a":2}], "x": "y"}, "ok": true}', "result.items"),
        (b'{"data": [{"a":1}, {"a":oops}, {"a":2}]}', "data"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_records_inside_other_json_are_read_by_their_declared_path(
    tmp_path: Path, content: bytes, path: str, block_bytes: int
) -> None:
    read = read_bytes(tmp_path, content, "x.json", records=path, block_bytes=block_bytes)

    assert read.records["payload"].to_list() == ['{"a":1}', '{"a":2}']
    assert read.malformed["payload"].to_list() == (['{"a":oops}'] if b"oops" in content else [])


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": [{"a":1}',
        b'{"data": [{"a":1}]',
        b'{"data": [{"a":1}], "next": ',
        b'{"data": [{"a":1}]}{"error": "x"}',
        b'{"data": {"a":1}}',
        b'{"data": null}',
        b'{"items": [{"a":1}]}',
        b'[{"a":1}]',
        b'{"data": [{"a":1}]} more',
        b"<html>",
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_a_wrapper_without_its_list_or_its_end_makes_the_file_unreadable(
    tmp_path: Path, content: bytes, block_bytes: int
) -> None:
    with pytest.raises(UnreadableFileError, match=r"no list of records at 'data'|the list is never closed"):
        read_bytes(tmp_path, content, "x.json", records="data", block_bytes=block_bytes)


def test_a_cut_gzip_or_binary_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="broken or cut gzip"):
        read_bytes(tmp_path, gzip.compress(b'[{"a":1}]')[:-4], "x.json.gz")
    with pytest.raises(UnreadableFileError, match="binary file"):
        read_bytes(tmp_path, b'{"a":"\0"}', "x.jsonl")
