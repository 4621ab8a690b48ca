"""mlpipe init: a project of the user's own."""

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from mlpipe_assets.commands.console import make_console, plain
from mlpipe_assets.new_project.files import project_files
from mlpipe_assets.new_project.names import package_name
from mlpipe_assets.new_project.writing import write_project
from mlpipe_assets.sample import write_sample


def init(options: argparse.Namespace) -> int:
    """Write a new project and say what comes next."""
    folder = Path(os.path.abspath(options.folder))  # noqa: PTH100 (a link stays the name that the user gave)
    package = package_name(options.name or folder.name)
    counts: dict[str, int] = {}

    def add_sample(staging: Path) -> None:
        if options.example == "shop":  # few rows, and days enough for a model
            counts.update(write_sample(staging / "data", days=120, orders_per_day=40, customers=300))

    files = project_files(package, options.example)
    write_project(folder, files, add_sample)
    console = make_console(options)
    deliveries = counts.get("order_files", 0) + counts.get("customer_files", 0)
    with_sample = f", and a sample of {deliveries} deliveries in data/raw" if deliveries else ""
    console.print(f"Made the project {package}: {len(files)} files{with_sample}.", soft_wrap=True)
    console.print("Next, one line after the other:\n")
    for line in _next_lines(folder):
        console.print(f"  {plain(line)}", soft_wrap=True)
    console.print(_THEN[options.example].format(package=package))
    return 0


_THEN = {
    "shop": """
It takes every stage from files to predictions. Then make test, and make dev for
Dagster's UI. README.md says what is where; start in {package}/catalog/sources.py.""",
    "empty": """
There is nothing to do yet: README.md says in four steps how to begin. make test
runs the tests, make dev opens Dagster's UI.""",
}


def _next_lines(folder: Path) -> list[str]:
    """What to type to run the project, wherever the environment is."""
    lines: list[str] = []
    own = Path(sys.executable).parent
    found = shutil.which("mlpipe")
    if not found or os.path.realpath(found) != os.path.realpath(own / "mlpipe"):
        script = own / "activate"
        lines.append(
            f". {shlex.quote(str(script))}" if script.exists() else f'export PATH={shlex.quote(str(own))}:"$PATH"'
        )
    if folder != Path.cwd():
        near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
        lines.append(
            f"cd {shlex.quote(str(near))}" if not str(near).startswith("-") else f"cd ./{shlex.quote(str(near))}"
        )
    return [*lines, "make run"]
