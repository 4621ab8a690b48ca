"""Events are held to the classes that OpenLineage's own client has of its schema: no field is unknown, and none is lacking."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets_tests.fetched import make_environment
from mlpipe_assets_tests.lineage.history import ask, lived

pytestmark = [pytest.mark.slow, pytest.mark.long]

_READER = Path(__file__).with_name("read_openlineage.py")
_CLIENT = "openlineage-python==1.54.0"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ask(*lived(tmp_path_factory.mktemp("lineage"))).openlineage()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with their client."""
    return make_environment(tmp_path_factory.mktemp("client"), _CLIENT)


def read(python: Path, events: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What the classes of the client have against events."""
    path = folder / "events.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    done = subprocess.run([python, _READER, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_client_of_openlineage_has_nothing_against_the_events(
    events: list[dict[str, Any]], python: Path, tmp_path: Path
) -> None:
    found = read(python, events, tmp_path)

    assert (found["events"], found["wrong"]) == (len(events), [])
    assert {*found["facets"]} >= {
        "ColumnLineageDatasetFacet",
        "DataQualityAssertionsDatasetFacet",
        "DataQualityMetricsInputDatasetFacet",
        "DatasetVersionDatasetFacet",
        "JobTypeJobFacet",
        "OutputStatisticsOutputDatasetFacet",
        "SchemaDatasetFacet",
    }


def test_it_would_have_something_against_wrong_ones(events: list[dict[str, Any]], python: Path, tmp_path: Path) -> None:
    first = json.loads(json.dumps(events[0]))
    del first["run"]["runId"]
    first["job"]["name"] = 7
    first["job"]["facets"]["jobType"]["_schemaURL"] += "x"

    wrong = read(python, [first], tmp_path)["wrong"]

    assert [line.split(": ")[1].split(" ")[0] for line in wrong] == ["lacks", "7", "no"]
