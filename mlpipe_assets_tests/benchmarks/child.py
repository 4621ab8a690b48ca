"""A command as a child process, measured: wall seconds and the peak of its resident memory.

The child is started by a small launcher, this file as a script: Linux counts the memory of whoever starts a process as
the first peak of the process started, and a benchmark that has just compared millions of rows is large.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class ChildError(RuntimeError):
    """A measured command failed, so there is nothing to report."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A command that ended well."""

    seconds: float
    peak_bytes: int
    output: str

    @property
    def result(self) -> Any:
        """What the last line it printed says, as JSON."""
        return json.loads(self.output.splitlines()[-1])


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command from the checkout, its environment extended.

    Raises: ChildError, with the end of what it printed, when it does not exit with 0.
    """
    variables = {**os.environ, **(environment or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode every import is a compilation
    launcher = [sys.executable, f"{Path(__file__).resolve()}", *command]
    done = subprocess.run(launcher, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        printed = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        raise ChildError(f"{' '.join(command)[:300]} ended with {done.returncode}: {' | '.join(printed[-12:])[:2000]}")
    return Finished(output=done.stdout, **json.loads(done.stderr.splitlines()[-1]))


def python(*arguments: str, environment: Mapping[str, str] | None = None) -> Finished:
    """The same for this interpreter, from a module (`-m`) or from text (`-c`)."""
    return measure([sys.executable, *arguments], environment)


def _launch(command: Sequence[str]) -> int:
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": usage.ru_maxrss * unit}), file=sys.stderr)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1:]) & 0xFF)
