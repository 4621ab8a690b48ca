"""Limits: a file that holds far more than its size says is refused in seconds, by name, with what to declare."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.readers import options
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.options import Budget, Limits
from mlpipe_assets_tests.readers.reading import read_bytes, read_file
from mlpipe_assets_tests.readers.test_spreadsheet import sheets


def refused(folder: Path, name: str, content: bytes, limits: Limits) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_bytes(folder, content, name, limits=limits)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.parquet"])
def test_a_file_that_unpacks_to_far_more_than_its_size_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(options, "SMALL_BYTES", 1 << 20)
    text = pl.DataFrame({"a": ["x" * 40]}).select(pl.col("a").repeat_by(200_000).explode())
    if name.endswith("parquet"):
        text.write_parquet(tmp_path / name)
    else:
        rows = text.write_csv() if "csv" in name else text.write_ndjson()
        (tmp_path / name).write_bytes(gzip.compress(rows.encode()))

    with pytest.raises(
        UnreadableFileError, match=r"unpack to more than 100 times as many.*declare feed=Files\(limits=Limits\(ratio="
    ):
        read_file(tmp_path / name, limits=Limits(ratio=100))

    assert read_file(tmp_path / name, limits=Limits(ratio=100_000)).records.height == 200_000


def test_a_workbook_whose_parts_unpack_to_more_than_the_limit_is_unreadable(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", s=[["a"], ["b"]])
    size = sum(part.file_size for part in zipfile.ZipFile(path).infolist())

    assert read_file(path, limits=Limits(unpacked_bytes=size)).records.height == 1
    with pytest.raises(UnreadableFileError, match=r"more than .* bytes unpacked"):
        read_file(path, limits=Limits(unpacked_bytes=size - 1))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"a,b\n" + b"1,2\n" + b"x\n" * 11),
        ("a.csv", b"a,b\n" + b"1,2\n" + b'"x\n' * 11),
        ("a.jsonl", b'{"a":1}\n' + b"x\n" * 11),
        ("a.json", b'[{"a":1}' + b",5" * 11 + b"]"),
    ],
)
def test_more_refused_rows_than_the_limit_make_the_file_unreadable(tmp_path: Path, name: str, content: bytes) -> None:
    message = refused(tmp_path, name, content, Limits(refused=10))

    assert message.startswith(f"{name}: more than 10 of its rows cannot be read (the first: ")
    assert read_bytes(tmp_path, content, name, limits=Limits(refused=11)).malformed.height == 11


def test_a_value_or_a_header_longer_than_the_limit_makes_the_file_unreadable(tmp_path: Path) -> None:
    pl.DataFrame({"a": ["x" * 11]}).write_parquet(tmp_path / "a.parquet")
    path = sheets(tmp_path / "a.xlsx", s=[["a"], ["x" * 11]])

    for file in (tmp_path / "a.parquet", path):
        with pytest.raises(UnreadableFileError, match="a value of more than 10 bytes"):
            read_file(file, limits=Limits(cell_bytes=10))
    assert "has 3 columns, more than 2" in refused(tmp_path, "a.csv", b"a,b,c\n", Limits(columns=2))


def test_a_small_file_is_no_bomb_however_well_it_is_packed() -> None:
    budget = Budget(name="a.csv.gz", packed=1, limits=Limits())

    budget.unpack(options.SMALL_BYTES)

    with pytest.raises(UnreadableFileError, match="1 bytes unpack to more than 250 times as many"):
        budget.unpack(1)
