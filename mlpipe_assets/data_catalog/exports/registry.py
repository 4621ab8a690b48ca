"""The formats that the catalog is exported in, and the one way they are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports import croissant, datahub, glue, odcs
from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.store.lake import Lake

Spell = Callable[[Lake, Sequence[Entry], Path], Iterator[tuple[str, bytes]]]
FORMATS: Mapping[str, Spell] = {
    "odcs": odcs.spell,
    "datahub": datahub.spell,
    "glue": glue.spell,
    "croissant": croissant.spell,
}


def write_export(lake: Lake, entries: Sequence[Entry], kind: str, out: Path) -> list[Path]:
    """Write the files of one format into a folder, and say which.

    Raises: SettingsError where a format finds nothing to write, LakeError when the folder cannot be written.
    """
    files = dict(FORMATS[kind](lake, entries, out.absolute()))
    if not files:
        raise SettingsError(f"There is nothing to export as {kind} yet. Next: mlpipe run")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise LakeError(f"{out} cannot take the export: {error.strerror}. Name another folder with --out.") from error
    return [out / name for name in files]
