"""A release makes a tag by a job of Dagster's, as often as it likes."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from mlpipe_assets.automation.tag_job import tag_job
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import list_tags, read_tag
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.tagging.lakes import CATALOG, publish

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records."""
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def release(lake: Lake, instance: dg.DagsterInstance, **config: Any) -> str:
    """What a run of the job with some config says when it fails; nothing when it does not."""
    result = tag_job(CATALOG, lake.root).execute_in_process(
        run_config={**QUIET, "ops": {"tag": {"config": config}}},
        instance=instance,
        resources={"lake": LakeResource(data_dir=lake.data_dir)},
        raise_on_error=False,
    )
    if result.success:
        return ""
    failure = result.failure_data_for_node("tag")
    assert failure is not None
    assert failure.user_failure_data is not None
    return str(failure.user_failure_data.description)


def test_the_same_release_again_is_no_error_and_the_tag_stays_what_it_was(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    publish(lake, {JAN_5: 1})
    publish(lake, {JAN_5: 1}, name="returns")

    assert release(lake, instance, name="v1", tables=["interim/orders"], message="of March") == ""
    made = read_tag(lake.objects, "v1")
    assert release(lake, instance, name="v1", tables=["interim/orders"], message="asked again") == ""

    assert read_tag(lake.objects, "v1") == made
    assert (made.message, [*made.tables], list_tags(lake.objects)) == ("of March", ["interim/orders"], ["v1"])
    assert len(instance.fetch_observations(dg.AssetKey(["interim", "orders"]), limit=5).records) == 1


@pytest.mark.parametrize("config", [{"tables": []}, {"tables": ["interim/orders"]}], ids=["more tables", "another day"])
def test_a_name_that_stands_for_something_else_fails_the_release(
    lake: Lake, instance: dg.DagsterInstance, config: dict[str, list[str]]
) -> None:
    publish(lake, {JAN_5: 1})
    assert release(lake, instance, name="v1", tables=["interim/orders"]) == ""
    publish(lake, {JAN_6: 2}, name="orders" if config["tables"] else "returns")

    wrong = "interim/orders" if config["tables"] else "interim/returns"
    assert f"it pins something else of {wrong}. What a name stands for" in release(lake, instance, name="v1", **config)


def test_what_cannot_be_tagged_says_why(lake: Lake, instance: dg.DagsterInstance) -> None:
    assert "There is no partition to tag" in release(lake, instance, name="v1")
    assert "cannot be the name of a tag" in release(lake, instance, name="now")
