"""The retraining sensor on a real Dagster: what is on record in the lake decides, whatever Dagster was thrown away."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from mlpipe_assets.resources.run_owner import owner_tags
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out, go_back
from mlpipe_assets.tagging.making import make_tag
from mlpipe_assets_tests.automation.test_drift_windows import CATALOG, store
from mlpipe_assets_tests.automation.test_sensors import Sensors


def drift_until(lake: Lake, last: int) -> None:
    for number in range(4, last + 1):
        store(lake, "interim/orders", number, bad=True)


def asked(lake: Lake, instance: dg.DagsterInstance) -> tuple[list[str | None], str]:
    """The run keys that the sensor asks for at its next look, and why not more."""
    requests, told = Sensors(lake, CATALOG, instance).tick("retraining_sensor")
    return [request.run_key for request in requests], told


def make_run(lake: Lake, instance: dg.DagsterInstance, key: str | None, status: dg.DagsterRunStatus) -> None:
    tags = {RUN_KEY_TAG: str(key), **owner_tags(lake.root)}
    instance.add_run(dg.DagsterRun(job_name="retraining_job", tags=tags, status=status))


def test_a_request_whose_run_never_started_is_asked_for_under_the_same_key_until_there_is_a_run(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    drift_until(lake, 5)

    [key], _ = asked(lake, instance)  # and the process is killed before Dagster hears of it
    assert asked(lake, instance)[0] == [key]

    make_run(lake, instance, key, dg.DagsterRunStatus.SUCCESS)
    assert asked(lake, instance)[0] == []


def test_a_new_dagster_home_neither_forgets_a_retraining_nor_asks_for_it_again(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    drift_until(lake, 5)
    [key], _ = asked(lake, instance)
    make_run(lake, instance, key, dg.DagsterRunStatus.SUCCESS)
    drift_until(lake, 7)

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as new:
        keys, told = asked(lake, new)

    assert keys == []
    assert "repeat_purchase: was asked for as of 2026-01-05, cooling down until 2026-01-12" in told


def test_a_retraining_whose_run_failed_is_asked_for_once_more_when_the_cooldown_is_over(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    drift_until(lake, 5)
    [first], _ = asked(lake, instance)
    make_run(lake, instance, first, dg.DagsterRunStatus.FAILURE)
    drift_until(lake, 11)
    assert asked(lake, instance)[0] == []

    drift_until(lake, 12)

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as new:
        [second], _ = asked(lake, new)
        make_run(lake, new, second, dg.DagsterRunStatus.FAILURE)
        assert asked(lake, new)[0] == []
    assert second != first


def test_while_a_tag_is_checked_out_no_retraining_is_asked_for_and_afterwards_it_is(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    drift_until(lake, 5)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    make_tag(lake, CATALOG, "v1", tables=[], message="", now=now, root=lake.root)
    check_out(lake, CATALOG, "v1", tables=[], now=now)

    keys, told = asked(lake, instance)
    assert (keys, "held at tag v1" in told) == ([], True)

    go_back(lake, CATALOG)
    assert len(asked(lake, instance)[0]) == 1
