"""An answer written to a file, whole or not at all, in memory that does not grow with the number of features.

Blocks of columns go to files beside the answer, in the spine's order; the answer takes some rows of all of them at a time.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from polars.io.plugins import register_io_source

from mlpipe_assets.catalog.asked import RetrievalError
from mlpipe_assets.errors import LakeError
from mlpipe_assets.point_in_time.retrieval import Retrieval

_CELLS_OF_A_BLOCK = 16_000_000
_CELLS_AT_ONCE = 4_000_000
_FEWEST_ROWS, _MOST_ROWS = 1_024, 262_144
_UTC_TEXT = "%Y-%m-%dT%H:%M:%SZ"


def expect_target(out: Path, spine: object) -> None:
    """Make sure that an answer can be written there.

    Raises: RetrievalError for another kind of file, a folder that is not there, and the spine itself.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise RetrievalError(f"{out} is neither .parquet nor .csv by its name, and an answer is one of these.")
    if not out.parent.is_dir():
        raise RetrievalError(f"There is no folder {out.parent} to write {out.name} into.")
    if out.is_dir():
        raise RetrievalError(f"{out} is a folder. Name a file.")
    if isinstance(spine, str | Path) and out.exists() and Path(spine).exists() and out.samefile(spine):
        raise RetrievalError(f"{out} is the spine itself, which stays as it is. Name another file.")


def write_features(retrieval: Retrieval, out: Path) -> int:
    """Write an answer; how many rows it has.

    Raises: LakeError when it cannot be written; nothing of it is left then, and what was there stays.
    """
    rows = retrieval.spine.height
    try:
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
            target = Path(place, out.name)
            _sink(retrieval, [retrieval.spine.lazy(), *_write_blocks(retrieval, Path(place))], target)
            with target.open("rb") as handle:
                os.fsync(handle.fileno())
            target.replace(out)
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        raise LakeError(f"Cannot write {out}: {reason}. Nothing was left behind, and nothing was replaced.") from error
    return rows


def _write_blocks(retrieval: Retrieval, place: Path) -> Iterator[pl.LazyFrame]:
    """The added columns as files, some columns of one view each."""
    width = max(1, _CELLS_OF_A_BLOCK // max(1, retrieval.spine.height))
    for number, block in enumerate(retrieval.parts(width)):
        path = place / f"{number}.arrow"
        block.write_ipc(path, compression="uncompressed", record_batch_size=_rows_at_once(retrieval))
        yield pl.scan_ipc(path)


def _rows_at_once(retrieval: Retrieval) -> int:
    """How many rows of all columns are held at once; a block has them in one batch, so that they are read without the others."""
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _CELLS_AT_ONCE // len(retrieval.names)))


def _sink(retrieval: Retrieval, blocks: Sequence[pl.LazyFrame], target: Path) -> None:
    """Put blocks side by side, some rows at a time; in CSV each `as_of` is ISO 8601."""
    names, height = retrieval.names, retrieval.spine.height
    rows = _rows_at_once(retrieval)
    as_csv = target.suffix == ".csv"
    spell = [pl.col(name).dt.strftime(_UTC_TEXT) for name in retrieval.as_of_names] if as_csv else []

    def some_rows(first: int) -> pl.DataFrame:
        parts = [block.slice(first, rows).collect() for block in blocks]
        return pl.concat(parts, how="horizontal").select(names).with_columns(spell)

    def batches(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        assert predicate is None  # a sink asks for everything  # noqa: S101
        assert n_rows is None  # noqa: S101
        for first in range(0, max(1, height), rows):
            yield some_rows(first).select(with_columns or names)

    whole = register_io_source(batches, schema=some_rows(height).schema)
    if as_csv:
        whole.sink_csv(target)
    else:
        whole.sink_parquet(target, row_group_size=rows)
