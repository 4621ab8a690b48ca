"""What daily assets show of themselves."""

import json
from tempfile import TemporaryDirectory

import dagster as dg

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.stages.raw.asset import raw_asset
from mlpipe_assets.store.lake import Lake


def test_a_run_that_names_no_day_is_told_how_to(lake: Lake) -> None:
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        result = dg.materialize(
            [raw_asset(orders)],
            resources={"lake": LakeResource(data_dir=lake.data_dir), "executor": THREADS},
            instance=instance,
            raise_on_error=False,
        )

    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.error
    assert "raw/orders: the run names no day. Add --tags" in str(failure.error.cause or failure.error)


def test_a_run_that_is_refused_before_it_works_leaves_a_report_that_says_why(lake: Lake) -> None:
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        result = dg.materialize(
            [raw_asset(orders)],
            resources={"lake": LakeResource(data_dir=lake.data_dir), "executor": THREADS},
            instance=instance,
            tags={"dagster/partition": "2131-01-01"},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    report = json.loads((lake.root / "validation" / "reports" / f"{result.run_id}.json").read_text())
    assert not result.success
    assert report["validation_passed"] is False
    assert "partition 2131-01-01 does not exist" in report["errors"][0]
