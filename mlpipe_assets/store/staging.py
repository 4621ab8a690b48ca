"""Files written whole under a temporary name, on the disk before anyone can see them."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.manifest import Part
from mlpipe_assets.store.private_files import create_file, make_folder, writer
from mlpipe_assets.store.recovery import FACTS


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A file written under a temporary name, not yet visible.

    Attributes:
        target: Where every tool finds it afterwards.
        part: What it holds.
    """

    temporary: Path
    target: Path
    part: Part

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.part.size

    @property
    def digest(self) -> str:
        """Its SHA-256."""
        return self.part.sha256

    def discard(self) -> None:
        """Take it away again."""
        self.temporary.unlink(missing_ok=True)


def spell_frame(frame: pl.DataFrame, facts: Mapping[str, Any]) -> memoryview:
    """A frame as Parquet, with how it was made in the footer: the same rows and facts are the same bytes."""
    buffer = BytesIO()
    frame.write_parquet(
        buffer, compression="zstd", compression_level=1, metadata={FACTS: json.dumps(facts, sort_keys=True)}
    )
    return buffer.getbuffer()


def beside(target: Path) -> Path:
    """The temporary name of a file in its own folder."""
    return target.with_name(f".{target.name}.{writer()}.tmp")


def stage_bytes(
    root: Path, temporary: Path, target: Path, content: bytes | memoryview, facts: Mapping[str, Any]
) -> Staged:
    """Write bytes.

    Args:
        root: The data folder.
        temporary: Where they are written.
        target: Where they are to be seen.
        content: The bytes.
        facts: How they were made.

    Raises: StoreError when the disk is full or the folder cannot be written; nothing is left behind.
    """

    def write(path: Path) -> None:
        with path.open("wb") as handle:
            handle.write(content)

    return stage_with(root, temporary, target, write, digest=hashlib.sha256(content).hexdigest(), facts=facts)


def stage_with(
    root: Path,
    temporary: Path,
    target: Path,
    write: Callable[[Path], None],
    *,
    digest: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Staged:
    """Let `write` make the file; a digest that is not known yet is taken of it.

    Raises: as `stage_bytes`.
    """
    try:
        make_folder(root, temporary.parent)
        create_file(temporary)
        write(temporary)
        with temporary.open("rb") as handle:
            digest = digest or hashlib.file_digest(handle, "sha256").hexdigest()
            os.fsync(handle.fileno())
            stat = os.fstat(handle.fileno())
    except (OSError, pl.exceptions.PolarsError) as error:
        if temporary.exists():
            temporary.unlink()
        raise explain_writing(error, target, root) from error
    part = Part(digest, stat.st_size, stat.st_mtime_ns, facts or {})
    return Staged(temporary=temporary, target=target, part=part)
