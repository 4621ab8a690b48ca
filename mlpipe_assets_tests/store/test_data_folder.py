"""Whether the data folder can be used: one sentence that names the folder in the way, as a user without rights sees it."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.flow import written_folders
from mlpipe_assets.store.data_folder import expect_access

NOBODY = 65534


@contextmanager
def as_a_user_without_rights(folder: Path) -> Iterator[None]:
    """Root may write everything: become nobody, who owns the folder, for a while."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for above in folder.parents:
        if above.is_relative_to("/tmp") and above != Path("/tmp"):
            above.chmod(above.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def root() -> Iterator[Path]:
    """A data folder that has been used, where anybody may reach it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        for name in ("raw/orders", "raw/_events", "interim", "meta"):
            (root / name).mkdir(parents=True)
        yield root
        for path in (root, *root.rglob("*")):
            path.chmod(0o700)


@pytest.mark.parametrize(
    ("place", "mode", "writing", "said"),
    [
        (".", 0o600, False, "may not read"),
        (".", 0o300, False, "may not read"),
        ("interim", 0o000, False, "may not read"),
        ("meta", 0o500, True, "may not write"),
        ("raw/_events", 0o500, True, "may not write"),
        (".", 0o500, True, "may not write"),
    ],
)
def test_a_folder_without_the_rights_is_named_with_the_command_that_gives_them(
    root: Path, *, place: str, mode: int, writing: bool, said: str
) -> None:
    with as_a_user_without_rights(root):
        (root / place).chmod(mode)

        with pytest.raises(LakeError) as refused:
            expect_access(root, written_folders(), writing=writing)

    folder = root / place
    assert f"{refused.value}".startswith(f"This user {said} {folder}. Let them, as with: chmod u+rwx {folder}, or name")


@pytest.mark.parametrize(("place", "writing"), [("raw", True), ("raw/orders", True), ("interim", False)])
def test_what_is_only_read_need_not_be_writable(root: Path, *, place: str, writing: bool) -> None:
    with as_a_user_without_rights(root):
        (root / place).chmod(0o500)

        expect_access(root, written_folders(), writing=writing)


def test_a_read_only_disk_is_said_to_be_one(root: Path) -> None:
    bound = subprocess.run(["mount", "--bind", str(root), str(root)], check=False, capture_output=True)
    if bound.returncode:
        pytest.skip("only root may mount a read-only disk")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(root)], check=True)
        expect_access(root, written_folders(), writing=False)

        with pytest.raises(LakeError, match=r"is on a disk that is read-only here\. Mount it writable, or"):
            expect_access(root, written_folders(), writing=True)
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)
