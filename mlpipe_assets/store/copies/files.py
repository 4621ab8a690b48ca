"""Files of the copy of a lake on this machine: which there are, and how one comes and goes."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.store import keys
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.objects import is_reserved
from mlpipe_assets.store.private_files import create_file, make_folder

_OURS = ("meta/locks", keys.ASIDE, keys.PROTOTYPE, keys.BRANCHES, ".dagster")  # of this machine only


def files_of_lake(root: Path) -> Iterator[tuple[str, list[int]]]:
    """The files of the copy that belong to the lake, with size, time and number.

    Manifests first, so that what they name is seen; the logs of digests last, so that what is seen is on record.
    """
    yield from _walk(root, keys.TABLES)
    for item in _walk(root, ""):
        if not (is_delivered(item[0]) or item[0].startswith((f"{keys.TABLES}/", f"{keys.DIGESTS}/"))):
            yield item
    yield from _walk(root, keys.DIGESTS)


def files_delivered(root: Path) -> Iterator[tuple[str, list[int]]]:
    """The files of its drop zone, likewise."""
    yield from (item for item in _walk(root, keys.DROP_ZONE) if is_delivered(item[0]))


def read_small(root: Path, key: str, most: int) -> bytes | None:
    """What a file holds; None for one of more bytes than `most`."""
    with (root / key).open("rb") as handle:
        found = handle.read(most + 1)
    return found if len(found) <= most else None


def write_file(root: Path, key: str, blocks: Iterable[bytes], mtime_ns: int, sha256: str = "") -> bool:
    """Write a file whole, with its time; nothing is written where it has another digest than the one expected.

    Returns: Whether it was written.

    Raises: StoreError, and whatever the blocks raise.
    """
    path, digest = root / key, hashlib.sha256()
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        make_folder(root, path.parent)
        create_file(temporary)
        with temporary.open("wb") as handle:
            for block in blocks:
                digest.update(block)
                handle.write(block)
            handle.flush()
            os.fsync(handle.fileno())  # its size and time vouch for it from now on, after a power cut too
        if sha256 and digest.hexdigest() != sha256:
            return False
        os.utime(temporary, ns=(mtime_ns, mtime_ns))
        temporary.replace(path)
    except OSError as error:
        raise explain_writing(error, path, root) from error
    finally:
        temporary.unlink(missing_ok=True)
    return True


def link_file(root: Path, source: str, key: str) -> bool:
    """Give a file a second name; False where the file system cannot."""
    return link_from(root / source, root, key)


def link_from(source: Path, root: Path, key: str) -> bool:
    """The same of a file of another copy."""
    path = root / key
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(root, path.parent)
        temporary.unlink(missing_ok=True)
        os.link(source, temporary)
        temporary.replace(path)
    except OSError:  # no hard links here
        return False
    return True


def remove_file(root: Path, key: str) -> None:
    """Take a file away, and the folders that are empty then."""
    path = root / key
    path.unlink(missing_ok=True)
    for folder in path.relative_to(root).parents[:-1]:
        with suppress(OSError):  # others are in it
            (root / folder).rmdir()


def move_aside(root: Path, key: str, target: Path) -> None:
    """Move a file out of the copy, over one that was moved before.

    Raises: StoreError.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (root / key).replace(target)
    except OSError as error:
        raise explain_writing(error, target, root.parent) from error


def sweep(root: Path) -> None:
    """Take away temporary files and empty folders: of a run that was killed, for nobody here writes now."""
    for folder, _, names in os.walk(root, topdown=False):
        if any(f"{folder}/".startswith(f"{root / ours}/") for ours in _OURS):
            continue
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                Path(folder, name).unlink(missing_ok=True)
        if folder != f"{root}":
            with suppress(OSError):  # something is in it
                Path(folder).rmdir()


def blocks_of(handle: BinaryIO) -> Iterator[bytes]:
    """What is left of an open file, block by block."""
    while block := handle.read(1 << 20):
        yield block


def numbers_of(path: Path) -> list[int]:
    """Size, time of modification and number of a file: another one for another content."""
    return _numbers(path.stat())


def _numbers(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def is_delivered(key: str) -> bool:
    """Whether a file is one of the drop zone, and no event that we made of one."""
    return key.startswith(f"{keys.DROP_ZONE}/") and not key.startswith(f"{keys.EVENTS}/")


def _walk(root: Path, below: str) -> Iterator[tuple[str, list[int]]]:
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        key = f"{below}/{entry.name}".lstrip("/")
        if entry.is_dir(follow_symlinks=False):
            if key not in _OURS:
                yield from _walk(root, key)
        elif not is_reserved(entry.name):
            with suppress(FileNotFoundError):
                yield key, _numbers(entry.stat())
