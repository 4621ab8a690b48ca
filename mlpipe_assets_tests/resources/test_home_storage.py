"""A home that Dagster cannot write is one sentence, in its own commands too."""

from pathlib import Path

import click
import dagster as dg
import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.resources.instance import open_instance
from mlpipe_assets_tests.dagster_homes import project_home


def test_a_home_that_cannot_be_written_is_an_error_that_dagsters_commands_print_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project_home(tmp_path)
    (home / "history").touch()  # a file where a folder belongs
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    with pytest.raises(click.ClickException, match=f"Dagster cannot keep its records in {home}: ") as raised:
        dg.DagsterInstance.get()

    assert isinstance(raised.value, SettingsError)


def test_what_mlpipe_writes_dagsters_own_commands_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project_home(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with open_instance(home) as ours:
        ours.add_dynamic_partitions("days", ["2026-01-01"])

    with dg.DagsterInstance.get() as theirs:
        assert theirs.get_dynamic_partitions("days") == ["2026-01-01"]
        assert type(theirs.event_log_storage).__name__ == "SqliteEventLogStorage"
