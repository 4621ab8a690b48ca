"""Local files: several processes, writers that are killed, full disks, and who may open what."""

import os
import resource
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlpipe_assets.store.local import LocalObjects, explain_writing
from mlpipe_assets.store.objects import DeniedError, FullError, StoreError
from mlpipe_assets_tests.store.processes import exit_code, start

KEY = "meta/alerts.json"


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "lake")


def hidden(objects: LocalObjects) -> list[str]:
    return sorted(path.name for path in objects.root.rglob(".*") if path.suffix == ".tmp")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No process like this one can write more into a file, as on a disk that is full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_a_killed_writer_left_is_no_object_and_is_swept_away_but_not_that_of_a_living_one(
    objects: LocalObjects,
) -> None:
    objects.put(KEY, b"old")
    half = """
def blocks():
    yield b"half"
    print("begun", flush=True)
    sys.stdin.read()
objects.put_stream("meta/alerts.json", blocks())
"""
    process = start(objects, half)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert [head.key for head in objects.list()] == [KEY]

    objects.sweep("meta")
    assert len(hidden(objects)) == 1
    process.kill()
    assert exit_code(process) == -signal.SIGKILL
    assert len(hidden(objects)) == 1
    objects.sweep("meta")

    assert hidden(objects) == []
    assert objects.get(KEY).content == b"old"


def test_on_a_full_disk_the_object_stays_and_nothing_is_left(objects: LocalObjects) -> None:
    objects.put(KEY, b"old")

    for write in (
        lambda: objects.put(KEY, bytes(100_000)),
        lambda: objects.put_stream(KEY, [bytes(50_000), bytes(50_000)]),
    ):
        with files_of_at_most(4096), pytest.raises(FullError) as raised:
            write()
        assert f"{raised.value}" == (
            f"No space left to write {objects.root}/meta/alerts.json. Nothing was replaced; free some space and run again."
        )

    assert objects.get(KEY).content == b"old"
    assert hidden(objects) == []


def test_a_stream_is_not_held_in_memory(objects: LocalObjects) -> None:
    def blocks() -> Iterator[bytes]:
        for number in range(32):
            yield bytes([number]) * (1 << 20)

    tracemalloc.start()
    written = objects.put_stream(KEY, blocks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert written.size == 32 << 20
    assert peak < 6 << 20


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_the_owner_opens_an_object_and_its_folders_whatever_the_umask(objects: LocalObjects, mask: int) -> None:
    before = os.umask(mask)
    try:
        objects.put(KEY, b"")
    finally:
        os.umask(before)

    below = {path: stat.S_IMODE(path.stat().st_mode) for path in objects.root.rglob("*")}
    assert {mode for path, mode in below.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in below.items() if path.is_file()} == {0o600}


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (13, DeniedError, "Permission denied. Check that MLPIPE_DATA_DIR (/lake) is a folder this user may write."),
        (30, DeniedError, "Read-only file system. Check that MLPIPE_DATA_DIR (/lake) is a folder this user may write."),
        (5, StoreError, "Input/output error. Check that MLPIPE_DATA_DIR (/lake) is a folder this user may write."),
        (28, FullError, "No space left to write /lake/a. Nothing was replaced; free some space and run again."),
    ],
)
def test_what_keeps_a_file_from_being_written_is_reported_in_words(number: int, kind: type, words: str) -> None:
    found = explain_writing(OSError(number, os.strerror(number)), Path("/lake/a"), Path("/lake"))

    assert type(found) is kind
    assert f"{found}".endswith(words)


def test_a_store_whose_root_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    objects = LocalObjects(tmp_path / "file")

    with pytest.raises(StoreError, match="Check that MLPIPE_DATA_DIR"):
        objects.put("a", b"")
    assert objects.list() == []


def test_a_service_has_a_store_without_polars_and_the_engine() -> None:
    program = "import sys, mlpipe_assets.store.local, mlpipe_assets.store.memory, mlpipe_assets.store.records\n"
    program += "print(sorted({'dagster', 'polars', 'duckdb', 'pandera'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
