"""Folders for Dagster, for commands that run in a process of their own."""

import shutil
from pathlib import Path

from mlpipe_assets.settings import PROJECT_ROOT


def quiet_home(root: Path) -> Path:
    """A DAGSTER_HOME below `root` that sends nothing home, and is otherwise as Dagster comes."""
    home = root / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return home


def project_home(root: Path) -> Path:
    """A DAGSTER_HOME below `root` with the project's own settings of Dagster."""
    home = root / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT_ROOT / "dagster.yaml", home)
    return home
