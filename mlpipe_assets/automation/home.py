"""Where Dagster keeps the records of a project's runs: DAGSTER_HOME, else `.dagster` in the project's folder."""

import os
from contextlib import suppress
from pathlib import Path

import dagster as dg

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.new_project.templates import TEMPLATES
from mlpipe_assets.resources.instance import alone_in, open_instance
from mlpipe_assets.settings import read_settings


def dagster_home() -> Path:
    """The folder of the records; a branch has its own, so that nothing there is told of main."""
    settings, named = read_settings(), os.environ.get("DAGSTER_HOME")
    if settings.branch:
        return settings.data_dir / ".dagster"
    return Path(named).absolute() if named else settings.project.root / ".dagster"


def open_home() -> dg.DagsterInstance:
    """The instance in that folder, which is made where the environment names none.

    Raises: SettingsError when the folder is none or cannot be written.
    """
    branch = read_settings().branch
    named = None if branch else os.environ.get("DAGSTER_HOME")
    if named and not Path(named).is_dir():
        raise SettingsError(f"DAGSTER_HOME={named!r} is not a folder. Make it, or unset it.")
    home = dagster_home()
    if not named:
        with suppress(OSError):  # said below
            home.mkdir(exist_ok=True)
    if not os.access(home, os.W_OK):
        raise SettingsError(
            f"{home} cannot be written, and Dagster keeps its runs there. Let this user write it, or set DAGSTER_HOME to a "
            "folder that may be written."
        )
    if not named:
        os.environ["DAGSTER_HOME"] = str(home)
    with alone_in(home):
        _configure(home, linked=not (named or branch))
        return open_instance(home)


def _configure(home: Path, *, linked: bool) -> None:
    """Give the home the project's dagster.yaml: without one Dagster collects statistics, and says so in the middle of a run."""
    config, ours = home / "dagster.yaml", read_settings().project.root / "dagster.yaml"
    if config.exists():
        return
    config.unlink(missing_ok=True)
    if ours.exists() and linked:
        config.symlink_to(Path("..") / "dagster.yaml")
    else:
        config.write_bytes((ours if ours.exists() else TEMPLATES / "every" / "dagster.yaml.template").read_bytes())
