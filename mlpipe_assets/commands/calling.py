"""How this user calls mlpipe and make, so that what a message suggests can be pasted into the shell it is read in."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from mlpipe_assets.settings import read_settings


def command() -> str:
    """How to call mlpipe here: by its name where the shell finds it, else by its path, quoted."""
    called = Path(sys.argv[0])
    here = called if called.name == "mlpipe" else Path(sys.executable).with_name("mlpipe")
    found = shutil.which("mlpipe")
    if found and os.path.realpath(found) == os.path.realpath(here):
        return "mlpipe"
    path = Path(os.path.abspath(here))  # noqa: PTH100 (resolve would follow links, and the user did not)
    if not path.is_relative_to(Path.cwd()):
        return shlex.quote(f"{path}")
    near = f"{path.relative_to(Path.cwd())}"
    return shlex.quote(near if os.sep in near else f"./{near}")


def make_dev() -> str:
    """How to start Dagster's UI from here: by the project's Makefile where it has a target for it."""
    root = read_settings().project.root
    makefile = root / "Makefile"
    if makefile.is_file() and re.search(r"^dev:", makefile.read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
        return "make dev" if Path.cwd() == root else f"make -C {shlex.quote(str(root))} dev"
    dagster = "dagster" if shutil.which("dagster") else shlex.quote(str(Path(sys.executable).with_name("dagster")))
    home = os.environ.get("DAGSTER_HOME") or root / ".dagster"
    return f"DAGSTER_HOME={shlex.quote(str(home))} {dagster} dev -m mlpipe_assets.definitions"
