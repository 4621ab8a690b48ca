"""Dagster's SQLite storage as dagster.yaml names it: a home that cannot be written is one sentence, for its own commands too.

Dagster opens its storage before any code of ours is loaded. A class of ours in dagster.yaml is what it loads first.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.resources.instance import explaining_the_home


class HomeError(click.ClickException, SettingsError):
    """Dagster's home cannot be used. Its commands are click's, which print the message of such an error and no traceback."""


class HomeStorage(DagsterSqliteStorage):
    """Dagster's own files below DAGSTER_HOME."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the files.

        Raises: HomeError naming the folder, the reason and what to do.
        """
        try:
            with explaining_the_home(Path(base_dir)):
                super().__init__(base_dir, inst_data)
        except SettingsError as error:
            raise HomeError(f"{error}") from error

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeStorage":
        """The storage of a config; Dagster's own makes its own class here.

        Raises: HomeError naming the folder, the reason and what to do.
        """
        base = str(config_value["base_dir"])
        try:
            with explaining_the_home(Path(base)):
                Path(base).mkdir(parents=True, exist_ok=True)
        except SettingsError as error:
            raise HomeError(f"{error}") from error
        return cls(base, inst_data=inst_data)
