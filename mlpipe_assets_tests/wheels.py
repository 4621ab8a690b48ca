"""The wheel of this checkout in an environment of its own, made without a network: the dependencies are those of the tests."""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.dagster_homes import quiet_home

BIN = Path(sys.executable).parent
UV = str(BIN / "uv")


def build_wheel(folder: Path) -> Path:
    """The wheel, built into a folder."""
    command = [
        UV,
        "build",
        "--quiet",
        "--wheel",
        "--offline",
        "--no-build-isolation",
        "--python",
        sys.executable,
    ]
    subprocess.run([*command, "--out-dir", str(folder), str(PROJECT_ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Installed:
    """An environment with the wheel in it."""

    def __init__(self, folder: Path) -> None:
        wheel = build_wheel(folder / "dist")
        self.bin = folder / "env" / "bin"
        subprocess.run(
            [UV, "venv", "--quiet", "--offline", "--python", sys.executable, str(self.bin.parent)], check=True
        )
        install = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(self.bin / "python")]
        subprocess.run([*install, str(wheel)], check=True)
        (self.packages,) = self.bin.parent.glob("lib/*/site-packages")
        # The environment of the tests comes after it; paths in there that lead to the checkout are not followed.
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
        for name in ("dagster", "pytest"):
            script = (self.bin / name).write_text(f'#!/bin/sh\nexec "{self.bin}/python" -m {name} "$@"\n')
            (self.bin / name).chmod(0o755 if script else 0)
        self.home = quiet_home(folder)

    def run(self, folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One command as somebody types it in a folder, with no variable of ours but those given."""
        env = self._environment(variables)
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)

    @contextmanager
    def start(self, folder: Path, *command: str) -> Iterator[Path]:
        """The same for as long as it is needed; gives the file of what it prints."""
        log = folder / "printed.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=folder, env=self._environment({}), stdout=out, stderr=out, start_new_session=True
            )
            try:
                yield log
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        ours = ("MLPIPE_", "DAGSTER", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {"PATH": f"{self.bin}:{env['PATH']}", "DAGSTER_HOME": str(self.home), "MLPIPE_SETTLE_SECONDS": "0"}
        return env | variables
