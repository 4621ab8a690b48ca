"""Which reader a file gets, by its name."""

from collections.abc import Iterator
from pathlib import Path

from mlpipe_assets.readers.blocks import Block, UnreadableFileError
from mlpipe_assets.readers.columnar import read_parquet
from mlpipe_assets.readers.delimited import read_delimited
from mlpipe_assets.readers.json_text import read_json

_DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
SUFFIXES = (*_DELIMITED, *_JSON, ".xlsx", ".parquet")


def read_blocks(path: Path, *, delimiter: str | None = None, block_bytes: int = 16 << 20) -> Iterator[Block]:
    """Blocks of records of one file, in file order; at least one, even without rows.

    The whole file must be consumed before any of it is used: a broken file may show only at its end.
    Raises: UnreadableFileError if the file is not what its extension says, or its extension is none of SUFFIXES.
    """
    name = path.name.lower()
    if name.endswith(_DELIMITED):
        yield from read_delimited(path, delimiter=delimiter, block_bytes=block_bytes)
    elif name.endswith(_JSON):
        yield from read_json(path, block_bytes=block_bytes)
    elif name.endswith(".xlsx"):
        from mlpipe_assets.readers.spreadsheet import read_spreadsheet  # noqa: PLC0415 (a tenth of a second, seldom needed)

        yield from read_spreadsheet(path, block_bytes=block_bytes)
    elif name.endswith(".parquet"):
        yield from read_parquet(path, block_bytes=block_bytes)
    else:
        raise UnreadableFileError(f"{path.name}: cannot read this kind of file. Readable are {', '.join(SUFFIXES)}.")
