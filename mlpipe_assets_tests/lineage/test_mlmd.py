"""An export to ML Metadata is opened by its own library, and answers there what `mlpipe lineage` answers here."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets_tests.fetched import make_environment
from mlpipe_assets_tests.lineage.history import MODEL, ask, lived

_READER = Path(__file__).with_name("read_mlmd.py")
_NAME = "features/spend@2026-01-08"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    return ask(*lived(tmp_path_factory.mktemp("mlmd")))


def test_a_database_has_what_is_on_record(history: Lineage, tmp_path: Path) -> None:
    path = tmp_path / "mlmd.sqlite"

    counts = history.mlmd(path)

    with closing(sqlite3.connect(path)) as found:
        assert found.execute("select schema_version from MLMDEnv").fetchall() == [(10,)]
        tables = {"artifacts": "Artifact", "executions": "Execution", "contexts": "Context"}
        assert {
            name: found.execute(f"select count(*) from {table}").fetchone()[0] for name, table in tables.items()
        } == dict(counts)
        held = found.execute(
            "select p.string_value from Artifact a join ArtifactProperty p on p.artifact_id = a.id join Type t on t.id = a.type_id "
            "where t.name = 'Features' and a.state = 2 and p.name = 'partition' and not p.is_custom_property order by 1"
        ).fetchall()
    assert [day for (day,) in held] == [f"2026-01-0{number}" for number in range(1, 9)]
    assert [one.name for one in tmp_path.iterdir()] == ["mlmd.sqlite"]


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left(history: Lineage, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"nowhere/mlmd\.sqlite cannot be written"):
        history.mlmd(tmp_path / "nowhere" / "mlmd.sqlite")


@pytest.mark.slow
@pytest.mark.long
def test_the_library_of_ml_metadata_reads_it(history: Lineage, tmp_path: Path) -> None:
    counts = history.mlmd(tmp_path / "mlmd.sqlite")
    python = make_environment(tmp_path / "env", "ml-metadata==1.17.1")

    done = subprocess.run(
        [python, _READER, tmp_path / "mlmd.sqlite", _NAME], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    given = history.neighbours(_NAME).filter(direction="input")
    assert {name: read[name] for name in counts} == dict(counts)
    assert read["made_by"][0] == _NAME
    assert read["given"] == sorted(f"{row['table']}@{row['partition']}" for row in given.to_dicts())
    assert read["rows"] == 2
    assert (read["model"], len(read["versions"])) == (MODEL, 2)
    assert {"CleanTable", "Features", "ModelVersion"} <= {*read["types"]}
