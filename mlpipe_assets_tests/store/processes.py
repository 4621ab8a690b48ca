"""Other processes with the same store, which do what a program says."""

import os
import subprocess
import sys

from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.objects import Objects

START = """
import os, signal, sys
from pathlib import Path
from mlpipe_assets.store.objects import ABSENT, ConflictError
"""


def start(
    objects: Objects, program: str, *arguments: str, environ: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Another process, which has the store as `objects` and the arguments from `sys.argv[1]` on.

    Args:
        objects: The store.
        program: What it does.
        arguments: What it is given.
        environ: How a bucket lets it in.
    """
    command = [sys.executable, "-c", START + _spell(objects) + program, *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environ or {})}
    )


def exit_code(process: "subprocess.Popen[str]") -> int:
    process.communicate(timeout=60)
    return process.returncode


def _spell(objects: Objects) -> str:
    if isinstance(objects, LocalObjects):
        return (
            f"from mlpipe_assets.store.local import LocalObjects\nobjects = LocalObjects(Path({str(objects.root)!r}))\n"
        )
    assert isinstance(objects, BucketObjects)
    lines = ["from mlpipe_assets.store.bucket.objects import BucketObjects"]
    lines += ["from mlpipe_assets.store.bucket.address import read_address"]
    return "\n".join([*lines, f"objects = BucketObjects(address=read_address({str(objects.address)!r}))\n"])
