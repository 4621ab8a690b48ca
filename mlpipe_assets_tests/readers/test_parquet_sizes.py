"""What a Parquet file says of its size is read off its footer, whoever wrote it and whatever is wrong with it."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.readers.parquet_sizes import unpacked_bytes

NESTED = pl.DataFrame(
    {
        "text": ["a", None, "ü" * 300],
        "nested": [[{"a": 1.5, "b": ["x"]}], [], None],
        "at": [datetime(2026, 1, 5, tzinfo=UTC)] * 3,
        "flag": [True, False, None],
    }
)


def told_by_duckdb(path: Path) -> int:
    counted = f"select sum(total_uncompressed_size) from parquet_metadata('{path}')"
    [(size,)] = duckdb.execute(counted).fetchall()
    return int(size or 0)


@pytest.mark.parametrize(
    ("frame", "rows_a_group"),
    [
        (NESTED, None),
        (NESTED, 1),
        (NESTED.clear(), None),
        (pl.select(pl.int_ranges(n, n + 3_000).explode().alias(f"c{n}") for n in range(20)), 100),
    ],
)
def test_the_sizes_of_all_pages_are_added_up(frame: pl.DataFrame, rows_a_group: int | None, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame.write_parquet(path, row_group_size=rows_a_group)

    assert unpacked_bytes(path) == told_by_duckdb(path)


def test_files_of_another_writer_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        f"copy (select range as n, map {{'k': range}} as m, uuid() as u, interval 1 day as i from range(5000)) to '{path}' "
        "(format parquet, row_group_size 2048, kv_metadata {a: 'b'})"
    )

    assert unpacked_bytes(path) == told_by_duckdb(path) > 0


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"\x00" * 100, b"PAR1" + b"\xff" * 4 + b"PAR1"])
def test_what_is_no_parquet_file_tells_no_size(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)

    assert unpacked_bytes(path) is None


@pytest.mark.parametrize("footer", [b"\x49\xfc" + b"\xff" * 9, b"\x1c" * 100_000, b"\x16" + b"\xff" * 100_000, b"\x1f"])
def test_a_footer_that_counts_or_nests_without_end_is_left_at_its_end(footer: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")

    assert unpacked_bytes(path) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8))
def test_whatever_a_damaged_footer_says_no_error_is_raised(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.parquet"
    NESTED.write_parquet(path)
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    for place, byte in changes:
        content[-8 - 1 - place % length] = byte
    path.write_bytes(content)

    size = unpacked_bytes(path)

    assert size is None or isinstance(size, int)
