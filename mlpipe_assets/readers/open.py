"""Which reader a file gets, by its name."""

from collections.abc import Callable, Iterator
from pathlib import Path

from mlpipe_assets.readers.blocks import Block, UnreadableFileError
from mlpipe_assets.readers.columnar import read_parquet
from mlpipe_assets.readers.delimited import read_delimited
from mlpipe_assets.readers.json_text import read_json
from mlpipe_assets.readers.log_lines import read_lines
from mlpipe_assets.readers.options import Budget, ReadOptions

_DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_LOGS = (".log", ".log.gz")
SUFFIXES = (*_DELIMITED, *_JSON, ".xlsx", ".parquet", *_LOGS)


def read_blocks(path: Path, options: ReadOptions | None = None, *, block_bytes: int = 16 << 20) -> Iterator[Block]:
    """Blocks of records of one file, in file order; at least one, even without rows.

    The whole file must be consumed before any of it is used: a broken file may show only at its end.
    Raises: UnreadableFileError if the file is not what its extension says, its extension is none of SUFFIXES, it passes a limit, or
    something is in it and no record of that could be read.
    """
    rows = refused = 0
    reason = ""
    for block in read_pieces(path, options or ReadOptions(), block_bytes=block_bytes):
        rows, refused = rows + block.records.height, refused + block.malformed.height
        if block.malformed.height and not reason:
            reason = block.malformed["reason"][0]
        yield block
    if refused and not rows:
        raise UnreadableFileError(
            f"{path.name}: no row of it can be read: {refused:,} refused, the first because: {reason}. "
            "Check what was delivered under this name, and deliver it again."
        )


def read_pieces(path: Path, options: ReadOptions, *, block_bytes: int) -> Iterator[Block]:
    """The same blocks, whether or not any record of the file can be read."""
    budget = Budget(name=path.name, packed=path.stat().st_size, limits=options.limits)
    yield from _reader(path, options)(path, options, budget, block_bytes=block_bytes)


def _reader(path: Path, options: ReadOptions) -> Callable[..., Iterator[Block]]:
    name = path.name.lower()
    if options.lines and name.endswith((*_LOGS, ".txt", ".txt.gz")):
        return read_lines
    if name.endswith(_LOGS):
        raise UnreadableFileError(
            f'{path.name}: a log is read by a pattern of its lines: declare feed=Files(lines=r"(?P<name>…) …").'
        )
    if name.endswith(_DELIMITED):
        return read_delimited
    if name.endswith(_JSON):
        return read_json
    if name.endswith(".xlsx"):
        from mlpipe_assets.readers.spreadsheet import read_spreadsheet  # noqa: PLC0415 (a tenth of a second, seldom needed)

        return read_spreadsheet
    if name.endswith(".parquet"):
        return read_parquet
    raise UnreadableFileError(f"{path.name}: cannot read this kind of file. Readable are {', '.join(SUFFIXES)}.")
