"""Machines that work on a lake: each is a cache and a Dagster of its own on this one."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.store import keys

MLPIPE = Path(sys.executable).with_name("mlpipe")
TABLES = ("raw/_events", "interim", "features", "processed", "monitoring", "validation/quarantine", keys.CONTENTS)
_SECONDS = 300


@dataclass(kw_only=True)
class Machine:
    """A machine: what it calls the lake, and what it keeps."""

    folder: Path
    data_dir: str
    environ: dict[str, str]

    def command(self, *arguments: str, program: Path = MLPIPE) -> "subprocess.Popen[str]":
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        own = {"DAGSTER_HOME": f"{self.folder / 'home'}", "MLPIPE_CACHE_DIR": f"{self.folder / 'cache'}"}
        own |= {"MLPIPE_DATA_DIR": self.data_dir, "MLPIPE_SETTLE_SECONDS": "0"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLPIPE_", "AWS_"))}
        return subprocess.Popen(
            [program, *arguments],
            env={**kept, **self.environ, **own},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def mlpipe(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        process = self.command(*arguments)
        said, _ = process.communicate(timeout=_SECONDS)
        assert process.returncode == code, said
        return said

    def python(self, code: str) -> str:
        """What a program prints."""
        said, _ = self.command("-c", code, program=Path(sys.executable)).communicate(timeout=_SECONDS)
        return said

    @property
    def root(self) -> Path:
        if "://" not in self.data_dir:
            return Path(self.data_dir)
        return next((self.folder / "cache").glob("*/data"))

    def tables(self) -> dict[str, str]:
        """The digest of each file of a table."""
        return digests_of_tables(self.root)


def digests_of_tables(root: Path) -> dict[str, str]:
    """The digest of each file of a table in a data folder; the report says when it was made, and is left out."""
    files = [path for name in TABLES for path in (root / name).rglob("[!.]*") if path.is_file()]
    files = [path for path in files if path.name != "report.html"]
    return {f"{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
