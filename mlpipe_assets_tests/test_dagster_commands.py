"""Dagster's own commands and the project's jobs: what they materialize, and what they refuse."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.partitions import days_between, last_partition
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.resources.instance import open_instance
from mlpipe_assets.settings import PROJECT_ROOT, read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
DAYS = days_between(day(1), day(40))


class Place:
    """A lake with forty days of files and a home for Dagster, for one process after another."""

    def __init__(self, root: Path) -> None:
        self.home = quiet_home(root)
        self.lake = Lake(data_dir=str(root / "data"))
        drop_orders(self.lake, f"orders_{day(40)}.csv", one_a_day(1, 40, ("ann", "bob")))
        drop_customers(self.lake, f"customers_{START}.csv", ANN)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """One command of the environment's bin folder."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "DAGSTER_"))}
        env |= {"DAGSTER_HOME": str(self.home), "MLPIPE_DATA_DIR": str(self.lake.root), "MLPIPE_SETTLE_SECONDS": "0"}
        env |= {"PYTHONPATH": str(PROJECT_ROOT), "PATH": f"{BIN}:{env['PATH']}", "COLUMNS": "300"}
        return subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=PROJECT_ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def job(self, name: str, first: str, last: str | None = None) -> subprocess.CompletedProcess[str]:
        """`dagster job execute` for a day or a range, as a process of its own."""
        tags = json.dumps(tags_of(first, last))
        return self.run("dagster", "job", "execute", "-m", "mlpipe_assets.definitions", "-j", name, "--tags", tags)

    def job_here(self, name: str, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        """What `dagster job execute` executes, in this process."""
        definitions = build_definitions(CATALOG, replace(read_settings(), data_dir=self.lake.root))
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with open_instance(self.home) as instance:
            return definitions.resolve_job_def(name).execute_in_process(
                instance=instance, tags=tags_of(first, last), run_config=quiet
            )

    def materialized(self, table: str) -> list[str]:
        """Partitions that Dagster knows of."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return sorted(instance.get_materialized_partitions(dg.AssetKey(table.split("/"))))

    def runs(self) -> int:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return instance.get_runs_count()


def tags_of(first: str, last: str | None) -> dict[str, str]:
    """What asks for a day, or for a range of days."""
    if last is None:
        return {"dagster/partition": first}
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("dagster"))


def keys(first: int, last: int) -> list[str]:
    return [f"{d}" for d in days_between(day(first), day(last))]


@pytest.mark.long
def test_jobs_materialize_the_day_or_the_range_they_are_asked_for(place: Place) -> None:
    ingested = place.job("ingest_job", f"{day(1)}")
    assert ingested.returncode == 0, ingested.stderr[-3000:]
    assert place.materialized("raw/orders") == keys(1, 40)  # every day the files brought, not only the one asked for

    place.job_here("daily_job", f"{day(1)}", f"{day(40)}")
    assert place.runs() == 2  # a range is one run
    for table in ("interim/orders", "features/customer_features"):
        assert place.materialized(table) == keys(1, 40)
        assert place.lake.days(*table.split("/")) == DAYS

    place.job_here("daily_job", f"{day(40)}")
    assert place.runs() == 3

    place.job_here("training_job", f"{day(40)}")
    assert place.materialized("processed/repeat_purchase") == keys(40, 40)
    assert place.lake.days("processed", "repeat_purchase", "train.parquet") == [day(40)]


def test_a_partition_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    first, beyond = last_partition(), last_partition() + timedelta(days=3)

    with pytest.raises(MissingPartitionError, match=f"partition {beyond} does not exist; partitions run from"):
        place.job_here("daily_job", f"{first}", f"{beyond}")
    with pytest.raises(MissingPartitionError, match="partition 2025-12-31 does not exist; partitions run from"):
        place.job_here("daily_job", "2025-12-31")
    with pytest.raises(ValueError, match="does not match format"):
        place.job_here("daily_job", "2026-13-01")  # no day at all stops in Dagster, before any code of ours
    assert not (place.lake.root / "interim").exists()
    assert not (place.lake.root / "raw" / "_events").exists()


@pytest.mark.long
def test_assets_materialize_and_launch_over_a_range_in_one_run(tmp_path: Path) -> None:
    place = Place(tmp_path)

    select = ["--select", "group:raw or group:interim"]
    done = place.run(
        "dagster",
        "asset",
        "materialize",
        "-m",
        "mlpipe_assets.definitions",
        *select,
        "--partition-range",
        f"{day(1)}...{day(6)}",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert place.runs() == 1
    assert place.materialized("interim/orders") == keys(1, 6)

    launched = place.run("dg", "launch", "--assets", "group:features", "--partition-range", f"{day(4)}...{day(6)}")
    assert launched.returncode == 0, (launched.stdout + launched.stderr)[-3000:]
    assert place.materialized("features/customer_features") == keys(4, 6)
    assert place.lake.days("features", "customer_features") == days_between(day(4), day(6))


@pytest.mark.long
def test_dg_checks_the_definitions(tmp_path: Path) -> None:
    checked = Place(tmp_path).run("dg", "check", "defs")

    assert checked.returncode == 0, checked.stderr[-3000:]


@pytest.mark.long
def test_dg_lists_the_definitions(tmp_path: Path) -> None:
    listed = Place(tmp_path).run("dg", "list", "defs", "--json")

    found = json.loads(listed.stdout)
    assert {"raw/orders", "interim/orders", "features/customer_features"} <= {a["asset_key"] for a in found["assets"]}
    assert {"ingest_job", "daily_job", "training_job"} <= {j["name"] for j in found["jobs"]}
