"""Opening Dagster's records: several processes at once, in a folder that is new to all of them."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.resources.instance import alone_in, explaining_the_home, open_instance

_OPEN = """
import sys
from contextlib import closing
from pathlib import Path
from mlpipe_assets.resources.instance import alone_in, open_instance

home = Path(sys.argv[1])
sys.stdin.readline()
with alone_in(home):
    instance = open_instance(home)
made = sorted(str(path.relative_to(home)) for path in home.rglob("*.db"))
assert made == ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"], made
print(instance.get_runs_count())
"""


def test_processes_that_open_a_new_home_at_once_all_get_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]

    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()

    said = [process.communicate() for process in started]
    assert [(process.returncode, out) for process, (out, _) in zip(started, said, strict=True)] == [(0, "0\n")] * 3, (
        said
    )


def test_a_table_that_another_process_made_first_is_no_lack_of_space(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at the same moment") as caught, explaining_the_home(tmp_path):
        raise sqlite3.OperationalError("table alembic_version already exists")

    assert "Free some space" not in str(caught.value)


@dg.asset
def number() -> int:
    return 1


def test_a_second_run_is_recorded_as_the_first_is_and_dagster_reads_both(tmp_path: Path) -> None:
    with alone_in(tmp_path):
        instance = open_instance(tmp_path)
    runs = [dg.materialize([number], instance=instance).run_id for _ in range(2)]

    plain = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path)))

    first, second = (
        [entry.dagster_event_type for entry in plain.all_logs(run_id) if entry.is_dagster_event] for run_id in runs
    )
    assert first == second
    assert first[-1] is dg.DagsterEventType.RUN_SUCCESS
    tables = [_describe(tmp_path / "history" / "runs" / f"{run_id}.db") for run_id in runs]
    assert tables[0] == tables[1]
    assert not list(tmp_path.rglob("*.tmp"))


def _describe(file: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(file)) as database:
        names = database.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        return [*names, *database.execute("select * from alembic_version").fetchall()]


_DIE = """
import os, sys
from pathlib import Path
import dagster as dg
from mlpipe_assets.resources.instance import open_instance

@dg.asset
def number() -> int:
    return 1

instance = open_instance(Path(sys.argv[1]))
for _ in range(3):
    print(dg.materialize([number], instance=instance).run_id, flush=True)
files = {os.path.realpath(path) for path in Path("/proc/self/fd").glob("*")}
files = {path for path in files if path.endswith(".db")}
assert len(files) <= 3, files  # runs, the index, and the newest run
os._exit(9)
"""


def test_what_a_killed_process_recorded_is_read_by_dagster(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _DIE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 9, ended.stderr

    plain = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path)))

    assert [plain.get_run_by_id(run_id).is_success for run_id in ended.stdout.split()] == [True] * 3  # type: ignore[union-attr]
    ends = [entry.dagster_event_type for entry in plain.all_logs(ended.stdout.split()[-1]) if entry.is_dagster_event]
    assert ends[-1] is dg.DagsterEventType.RUN_SUCCESS


def test_an_instance_that_was_disposed_has_no_file_open(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        dg.materialize([number], instance=instance)

    assert not list(tmp_path.rglob("*.db-wal"))
