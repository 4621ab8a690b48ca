"""Dagster's own storage and the warehouse in one PostgreSQL: daemon, sensors and a backfill, under a real `dagster dev`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest

from mlpipe_assets.partitions import days_between
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.automation.dev_server import DevServer, dev_server
from mlpipe_assets_tests.automation.test_loop import PEOPLE, drop_day
from mlpipe_assets_tests.planted import drop_customers
from mlpipe_assets_tests.servers import postgres_server
from mlpipe_assets_tests.webhook import Webhook

pytestmark = [pytest.mark.loop, pytest.mark.slow]
LAST = datetime.now(tz=UTC).date() - timedelta(days=2)
FIRST = LAST - timedelta(days=5)
NEXT = LAST + timedelta(days=1)
PATIENCE = 600.0
_STORAGE = """
storage:
  postgres:
    postgres_url:
      env: DAGSTER_PG_URL
"""


def ask(address: str, text: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a database for Dagster beside the warehouse's."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as found:
        ask(found, "create database dagster")
        yield found


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, listener: Webhook, address: str) -> Iterator[DevServer]:
    """Dagster over a lake of six days."""
    root = tmp_path_factory.mktemp("loop")
    lake = Lake(data_dir=str(root / "data"))
    for day in days_between(FIRST, LAST):
        drop_day(lake, day)
    drop_customers(lake, f"customers_{FIRST}.csv", [(who, 30, "north", FIRST) for who in PEOPLE])
    own = address.removesuffix("/postgres").replace("postgresql://", "postgresql+psycopg2://") + "/dagster"
    environment = {"DAGSTER_PG_URL": own, "MLPIPE_POSTGRES_URL": address}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_PG_URL", own)  # for the looks of this process
        with dev_server(
            root, FIRST, "loop_catalog:TABLES_ONLY", listener.url, storage=_STORAGE, environment=environment
        ) as found:
            yield found


def rows_of(address: str, day: date) -> int:
    return int(ask(address, f"select count(*) from stg.orders where date = '{day}'")[0][0])


def test_mlpipe_run_keeps_its_runs_in_postgresql_and_publishes_what_it_built(dev: DevServer, address: str) -> None:
    own = address.removesuffix("/postgres") + "/dagster"

    assert ask(own, "select count(*) > 0 from runs where status = 'SUCCESS'") == [(True,)]
    assert not (dev.home / "history").exists()
    assert rows_of(address, LAST) == len(dev.lake.read("interim", "orders", LAST))


def test_a_new_file_is_built_and_published_by_the_sensors(dev: DevServer, address: str) -> None:
    drop_day(dev.lake, NEXT)

    dev.wait_for("the new day in the warehouse", lambda: rows_of(address, NEXT) == 150, PATIENCE)

    assert ask(address, f"select count(*) > 0 from feats.customer_features where date = '{NEXT}'") == [(True,)]
    assert any(
        "warehouse/postgres" in {key.to_user_string() for key in run.asset_selection or ()} for run in dev.runs()
    )


def test_a_backfill_is_carried_out_by_the_daemon(dev: DevServer) -> None:
    before = len(dev.runs("ingest_job"))
    command = [
        str(Path(sys.executable).parent / "dagster"),
        "job",
        "backfill",
        "-m",
        "mlpipe_assets.definitions",
        "-j",
        "ingest_job",
    ]
    command += ["--from", f"{FIRST}", "--to", f"{FIRST}", "--noprompt"]
    env = {
        **os.environ,
        "DAGSTER_HOME": f"{dev.home}",
        "MLPIPE_DATA_DIR": f"{dev.lake.root}",
        "PYTHONPATH": f"{PROJECT_ROOT}",
    }
    env |= {
        "MLPIPE_START_DATE": f"{FIRST}",
        "MLPIPE_CATALOG": "mlpipe_assets_tests.automation.loop_catalog:TABLES_ONLY",
    }

    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr[-3000:]

    def is_done() -> bool:
        runs = dev.runs("ingest_job")[before:]
        return any(run.tags.get("dagster/backfill") and run.status is dg.DagsterRunStatus.SUCCESS for run in runs)

    dev.wait_for("the run of the backfill", is_done, PATIENCE)
