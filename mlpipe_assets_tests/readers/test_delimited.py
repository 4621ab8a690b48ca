"""Delimited text: what is a record, what is refused, and how both are numbered."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets_tests.readers.reading import malformed, read_bytes, records


def test_every_value_stays_as_received(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b"order_id,amount,note\n000123,9.670,\n2,NULL, x \n")

    assert_frame_equal(
        read.records,
        records(
            (2, '{"order_id":"000123","amount":"9.670","note":""}'),
            (3, '{"order_id":"2","amount":"NULL","note":" x "}'),
        ),
    )
    assert read.text is not None
    assert_frame_equal(
        read.text, pl.DataFrame({"order_id": ["000123", "2"], "amount": ["9.670", "NULL"], "note": ["", " x "]})
    )
    assert_frame_equal(read.malformed, malformed())


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"a,b\n1,x\n", '{"a":"1","b":"x"}'),
        (b"a,b\r\n1,x\r\n", '{"a":"1","b":"x"}'),
        (b"a,b\r1,x\r", '{"a":"1","b":"x"}'),
        (b'a,b\r1,"x\ry"', '{"a":"1","b":"x\\ry"}'),
        (b"a,b\n1,x", '{"a":"1","b":"x"}'),
        (b"a,b\n1,x\r", '{"a":"1","b":"x"}'),
        (b"a,b\n1\r,x\n", '{"a":"1\\r","b":"x"}'),
        (b"a,b\n1,x\r\r\n", '{"a":"1","b":"x\\r"}'),
        (b"\xef\xbb\xbfa,b\n1,x\n", '{"a":"1","b":"x"}'),
        ("a,b\n1,é\n".encode("utf-16"), '{"a":"1","b":"é"}'),
        ("\ufeffa,b\n1,é\n".encode("utf-16-be"), '{"a":"1","b":"é"}'),
        (b"a;b\n1,5;x\n", '{"a":"1,5","b":"x"}'),
        (b"a\tb\n1\tx\\\n", '{"a":"1","b":"x\\\\"}'),
        (b"a|b\n1|x\n", '{"a":"1","b":"x"}'),
        (b'"a;b;c",d\n1,x\n', '{"a;b;c":"1","d":"x"}'),
        (b'a,b\n"1, ""one""","x\r\ny"\n', '{"a":"1, \\"one\\"","b":"x\\r\\ny"}'),
        (b" a ,\n1,x\n", '{"a":"1","_column_2":"x"}'),
        (b"a\n1\n", '{"a":"1"}'),
        (b'a\n""\n', '{"a":""}'),
        (b"*,^b$\n1,x\n", '{"*":"1","^b$":"x"}'),
        (b"a,b\nx^1,x\n", '{"a":"x^1","b":"x"}'),
        (b"a,b\n\xef\xbb\xbf1,x\n", '{"a":"\ufeff1","b":"x"}'),
    ],
)
def test_line_ends_encodings_delimiters_and_quotes_are_understood(tmp_path: Path, content: bytes, row: str) -> None:
    read = read_bytes(tmp_path, content)

    assert_frame_equal(read.records, records((2, row)))
    assert_frame_equal(read.malformed, malformed())


@pytest.mark.parametrize(
    ("line", "shown", "reason"),
    [
        (b"1", "1", "1 field where the header has 2"),
        (b"1,2,3", "1,2,3", "3 fields where the header has 2"),
        (b"caf\xe9,2", "caf\\xe9,2", "not UTF-8 text"),
        (b'5" pipe,2', '5" pipe,2', "broken quotes: a quote inside a field that is not quoted"),
        (b'"1"x,2', '"1"x,2', "broken quotes: text after a closing quote"),
        (b'"1,2', '"1,2', "broken quotes: a quote that never closes"),
        (b'1,"2', '1,"2', "broken quotes: a quote that never closes"),
    ],
)
def test_a_broken_line_is_refused_alone_and_shifts_nothing(
    tmp_path: Path, line: bytes, shown: str, reason: str
) -> None:
    read = read_bytes(tmp_path, b"a,b\n0,0\n\n" + line + b"\r\n8,8\n9,9\n")

    assert_frame_equal(
        read.records, records((2, '{"a":"0","b":"0"}'), (5, '{"a":"8","b":"8"}'), (6, '{"a":"9","b":"9"}'))
    )
    assert_frame_equal(read.malformed, malformed((4, shown, reason)))


def test_a_record_over_several_lines_has_the_number_of_its_first(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b'a,b\n1,"x\n\ny"\n2,z\n')

    assert_frame_equal(read.records, records((2, '{"a":"1","b":"x\\n\\ny"}'), (5, '{"a":"2","b":"z"}')))


def test_a_quoted_field_over_lines_with_too_many_fields_gives_its_lines_back(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b'a,b\n1,"x\n2,y"\n3,"z",4\n5,6\n')

    assert_frame_equal(read.records, records((2, '{"a":"1","b":"x\\n2,y"}'), (5, '{"a":"5","b":"6"}')))
    assert_frame_equal(read.malformed, malformed((4, '3,"z",4', "3 fields where the header has 2")))


def test_a_quote_that_closes_only_a_megabyte_later_counts_as_never_closed(tmp_path: Path) -> None:
    body = b"2,y\n" * (300 << 10)

    read = read_bytes(tmp_path, b'a,b\n1,"x\n' + body + b'3,"\n')

    assert read.records.height == 300 << 10
    assert read.malformed.get_column("record_number").to_list() == [2, (300 << 10) + 3]


def test_a_nul_late_in_the_file_costs_one_line(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b"a,b\n" + b"1,x\n" * 20_000 + b"2,\x00\n3,y\n")

    assert read.records.height == 20_001
    assert_frame_equal(read.malformed, malformed((20_002, "2,\x00", "a NUL byte")))


def test_many_broken_lines_take_no_longer_than_many_lines(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b"a,b\n" + b'1,"x\n' * 50_000)

    assert read.malformed.height + read.records.height == 50_000


@pytest.mark.parametrize(
    ("content", "columns"), [(b"", []), (b"\n\n", []), (b"a, b\n", ["a", "b"]), (b"a,b", ["a", "b"])]
)
def test_a_file_without_rows_is_one_empty_block(tmp_path: Path, content: bytes, columns: list[str]) -> None:
    read = read_bytes(tmp_path, content)

    assert_frame_equal(read.records, records())
    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame(schema=dict.fromkeys(columns, pl.String())))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b,a\n", "columns named twice in the header: one at positions 1, 3. Give each"),
        (b'a,"b\n1,2\n', "quote that never closes"),
        (b'a,b"c"\n', "a quote inside a field"),
        (b"caf\xe9,b\n", r"not UTF-8 text"),
        (b"a,b\n1,\x00\n", "binary file, it has a NUL byte at position 6"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        read_bytes(tmp_path, content)


def test_a_declared_delimiter_wins_and_must_be_one_character(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b"a,b;c\n1,2;3\n", delimiter=";")

    assert_frame_equal(read.records, records((2, '{"a,b":"1,2","c":"3"}')))
    with pytest.raises(UnreadableFileError, match="not one ASCII character"):
        read_bytes(tmp_path, b"a\n", delimiter="::")


def test_gzip_is_undone_and_several_members_are_one_file(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, gzip.compress(b"a,b\n1,", mtime=0) + gzip.compress(b"x\n", mtime=0), "orders.CSV.GZ")

    assert_frame_equal(read.records, records((2, '{"a":"1","b":"x"}')))


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,x\n", gzip.compress(b"a,b\n1,x\n", mtime=0)[:-9], gzip.compress(b"a,b\n1,x\n", mtime=0) + b"junk"],
)
def test_a_broken_gzip_refuses_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="broken or cut gzip file"):
        read_bytes(tmp_path, content, "orders.csv.gz")


def test_an_unknown_extension_names_the_readable_ones(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"Readable are \.csv"):
        read_bytes(tmp_path, b"", "orders.pdf")


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\r3,4\r5,6\r",
        b"a,b\n1,2\n3,4\r5,6\r7,8\n9,0\n",
        b"a,b\n0,0\n" + b"1,2\\n" * 30,
        b"a,b\n0,0\n" + b"1,2," * 30 + b"\n",
    ],
)
def test_a_line_that_must_hold_many_records_makes_the_file_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"line \d holds several records"):
        read_bytes(tmp_path, content)


@pytest.mark.parametrize("line", [b"1,2,3,4", b"1,2" + b"," * 500, b"1\r2,3,4", b"1,2,3,4,5,6,7,8"])
def test_a_line_with_a_few_fields_too_many_is_refused_alone(tmp_path: Path, line: bytes) -> None:
    read = read_bytes(tmp_path, b"a,b\n1,2\n" + line + b"\n3,4\n")

    assert read.records["record_number"].to_list() == [2, 4]
    assert read.malformed["record_number"].to_list() == [3]


def test_a_row_of_data_in_place_of_a_header_is_not_quoted(tmp_path: Path) -> None:
    content = b"Ann Smith,amount,0170 1234567,Ann Smith,Amount,amount\n1,2,3,4,5,6\n"
    with pytest.raises(UnreadableFileError) as raised:
        read_bytes(tmp_path, content, columns=frozenset({"order_id", "amount"}))

    assert str(raised.value) == (
        "orders.csv: columns named twice in the header: one at positions 1, 4; 'amount' at positions 2, 6. Give each column its "
        "own name, and put a header first if this is a row of data."
    )
