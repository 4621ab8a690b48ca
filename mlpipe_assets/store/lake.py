"""The lake: partitioned Parquet on disk, whole or not at all, with each partition's facts in its own footer."""

import fcntl
import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import BusyError, LakeError, SettingsError
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.store import keys
from mlpipe_assets.store.digest_log import Written, on_record
from mlpipe_assets.store.digests import accuse, changed_beside, check, check_content, content_digest, warn_once
from mlpipe_assets.store.keys import PART
from mlpipe_assets.store.local import LocalObjects, explain_writing, sync_folder
from mlpipe_assets.store.private_files import create_file, make_folder

FACTS = "mlpipe"
_PATIENCE = 10.0  # seconds to wait for another run of the same table
_FLUSHES = (
    8  # folders at a time: flushed side by side they share what the file system writes, 0.7 ms instead of 4 for eight
)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A file written beside its target under a temporary name, not yet visible."""

    temporary: Path
    target: Path
    size: int
    digest: str
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Lake:
    """Tables as folders of day partitions below one root."""

    data_dir: str

    @property
    def root(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    @cached_property
    def objects(self) -> LocalObjects:
        """The data folder as a store of objects."""
        return LocalObjects(self.root)

    @property
    def is_new(self) -> bool:
        """Whether no run has written anything here yet."""
        return not (self.root / keys.META).exists()

    def expect_used(self) -> None:
        """Make sure that the data folder is one: a mistyped name must not be an empty lake in which all is well.

        Raises: SettingsError for a folder that was never used and has no drop zone in it.
        """
        if self.root.exists() and not self.root.is_dir():
            raise SettingsError(f"MLPIPE_DATA_DIR={str(self.root)!r} is not a folder. Name one, or unset it.")
        if self.is_new and not (self.root / keys.DROP_ZONE).is_dir():
            there = "was never used and has no drop zone (raw/) in it" if self.root.exists() else "does not exist"
            raise SettingsError(
                f"The data folder {self.root} {there}. Is MLPIPE_DATA_DIR right? To begin there: mkdir -p {shlex.quote(f'{self.root}/raw')}"
                ", or: mlpipe sample"
            )

    def folder(self, stage: str, name: str, day: date | None = None) -> Path:
        """Where a table, or one of its partitions, lives."""
        table = self.root / stage / name
        return table / keys.name_day(day) if day else table

    def path(self, stage: str, name: str, day: date, file: str = PART) -> Path:
        """The file of a partition."""
        return Path(self.data_dir, keys.partition(stage, name, day, file))

    def days(self, stage: str, name: str, file: str = PART) -> list[date]:
        """The days a table has a partition for, in order; those before MLPIPE_START_DATE are left out, as everywhere."""
        folder = self.folder(stage, name)
        if not folder.is_dir():
            return []
        there = [e.name for e in os.scandir(folder) if keys.is_day(e.name) and Path(e.path, file).exists()]
        found = {name: keys.read_day(name) for name in there}
        if strange := sorted(name for name, day in found.items() if day is None):
            raise LakeError(
                f"{folder / strange[0]} is not the folder of a day, which is called {keys.name_day(START_DATE)}. Move it away, "
                "then run again."
            )
        return sorted(day for day in found.values() if day and day >= START_DATE)

    def has(self, stage: str, name: str, day: date, file: str = PART) -> bool:
        """Whether a table has a partition for a day, without a look at what it holds."""
        return self.objects.head(keys.partition(stage, name, day, file)) is not None

    def facts(self, stage: str, name: str, day: date, file: str = PART) -> dict[str, Any] | None:
        """What a partition's footer says of how it was made.

        None when there is no such partition, or when it does not hold what was written to it: it is to be built again.
        """
        path = self.path(stage, name, day, file)
        if not path.exists():
            return None
        if path.is_dir():
            raise LakeError(f"{path} is a folder where a file belongs. Take it away and run again.")
        if wrong := changed_beside(self.root, path):
            warn_once(path, wrong)
            return None
        try:
            text = pl.read_parquet_metadata(path).get(FACTS)
            return json.loads(text) if text else {}
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise LakeError(f"{path} cannot be read: {error}. Delete it and run again to rebuild it.") from error

    def read(
        self, stage: str, name: str, day: date, columns: list[str] | None = None, file: str = PART
    ) -> pl.DataFrame:
        """One partition.

        Raises: DamagedError when it does not hold what was written to it.
        """
        return pl.read_parquet(
            self.read_bytes(self.path(stage, name, day, file)), columns=columns, hive_partitioning=False
        )

    def read_bytes(self, path: Path) -> bytes:
        """A file of the lake, at once: polars opens a path twice, and a run may replace it in between.

        Raises: DamagedError when it is gone, cannot be read, or does not hold what was written to it.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            accuse(
                self.root,
                path,
                "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}",
            )
        check_content(self.root, path, content)
        return content

    def check(self, paths: Iterable[Path]) -> list[Path]:
        """The same paths, when each is there and holds what was written to it.

        Raises: DamagedError with the first that does not.
        """
        return check(self.root, paths)

    def stage(self, target: Path, frame: pl.DataFrame, facts: Mapping[str, Any]) -> Staged:
        """Write a frame under a temporary name in the target's folder.

        Raises: LakeError when the disk is full or the folder cannot be written; nothing is left behind.
        """
        buffer = BytesIO()
        frame.write_parquet(
            buffer, compression="zstd", compression_level=1, metadata={FACTS: json.dumps(facts, sort_keys=True)}
        )
        return self.stage_bytes(target, buffer.getbuffer())

    def stage_bytes(self, target: Path, content: bytes | memoryview) -> Staged:
        """Write bytes under a temporary name in the target's folder."""

        def write(temporary: Path) -> None:
            with temporary.open("wb") as handle:
                handle.write(content)

        return self._staged(target, write, hashlib.sha256(content).hexdigest())

    def stage_with(self, target: Path, write: Callable[[Path], None]) -> Staged:
        """Let `write` make a temporary file in the target's folder."""
        return self._staged(target, write, None)

    def _staged(self, target: Path, write: Callable[[Path], None], digest: str | None) -> Staged:
        """The same; a digest that is not known yet is taken of the file."""
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            make_folder(self.root, target.parent)
            create_file(temporary)
            write(temporary)
            with temporary.open("rb") as handle:
                digest = digest or hashlib.file_digest(handle, "sha256").hexdigest()
                os.fsync(handle.fileno())
        except (OSError, pl.exceptions.PolarsError) as error:
            if temporary.exists():
                temporary.unlink()
            raise explain_writing(error, target, self.root) from error
        stat = temporary.stat()
        return Staged(temporary=temporary, target=target, size=stat.st_size, digest=digest, mtime_ns=stat.st_mtime_ns)

    def commit(self, *staged: Staged) -> None:
        """Make staged files visible, one atomic rename each, with their digests on record."""
        held = {s.target: Written(sha256=s.digest, size=s.size, mtime_ns=s.mtime_ns) for s in staged}
        try:
            with on_record(self.root, held, content_digest):
                for item in staged:
                    item.temporary.replace(item.target)
                folders = {item.target.parent for item in staged}
                list(in_order(sync_folder, folders, _FLUSHES))
        except OSError as error:
            raise explain_writing(error, staged[0].target, self.root) from error

    def publish(self, contents: Mapping[str, bytes]) -> None:
        """Replace files by their keys: each whole, and all of them on the disk before the first becomes visible."""
        self.commit(*(self.stage_bytes(self.root / key, content) for key, content in contents.items()))

    def discard(self, *staged: Staged) -> None:
        """Forget staged files."""
        for item in staged:
            item.temporary.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file that may not be there."""
        if path.exists():
            with on_record(self.root, {path: None}, content_digest):
                path.unlink()

    @contextmanager
    def writing(self, stage: str, name: str) -> Iterator[None]:
        """Be the only run that writes a table; leftovers of a killed one are swept away.

        Raises: BusyError when another run still writes it after ten seconds.
        """
        path = self.root / keys.lock(stage, name)
        try:
            make_folder(self.root, path.parent)
            if not path.exists():
                create_file(path)
            handle = path.open("a+")
        except OSError as error:
            raise explain_writing(error, path, self.root) from error
        with handle:
            deadline = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise BusyError(
                            f"{stage}/{name}: another run is writing this table. Nothing was changed here; "
                            "run again when it has ended."
                        ) from None
                    time.sleep(0.1)
            self.sweep(stage, name)
            try:
                yield
            except BaseException:  # a full disk above all: what is not visible by now never will be
                self.sweep(stage, name)
                raise

    def sweep_documents(self) -> None:
        """Remove what killed processes left of small documents that are no table's, such as reports and acceptances."""
        for folder in (keys.META, keys.REPORTS, keys.SCHEMAS):
            self.objects.sweep(folder)

    def sweep(self, stage: str, name: str) -> None:
        """Remove temporary files that a killed run of this table left; never those of another table, whose run may live."""
        for pattern in keys.leftovers(stage, name):
            for left in self.root.glob(pattern):
                left.unlink(missing_ok=True)
