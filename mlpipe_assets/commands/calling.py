"""How this user calls mlpipe and make, so that what a message suggests can be pasted into the shell it is read in."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from mlpipe_assets.settings import PROJECT_ROOT


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
    """How to start Dagster's UI from here."""
    return "make dev" if Path.cwd() == PROJECT_ROOT else f"make -C {shlex.quote(str(PROJECT_ROOT))} dev"
