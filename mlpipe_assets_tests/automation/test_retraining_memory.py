"""Retrainings that were asked for are kept in the lake, whatever becomes of Dagster's records."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from mlpipe_assets.automation.memory import remember
from mlpipe_assets.automation.retraining import Request, Retraining
from mlpipe_assets.automation.retraining_memory import DOCUMENT, never_started, note_requests, requests_so_far, run_key
from mlpipe_assets.errors import LakeError
from mlpipe_assets.resources.run_owner import owner_tags
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day

NOW = datetime(2026, 1, 6, tzinfo=UTC)
WANTED = Retraining(model="returning", references=("interim/orders@v1",), day=day(5), evidence=("amount moved",))


@pytest.fixture
def asked(lake: Lake, instance: dg.DagsterInstance) -> Lake:
    with remember(lake, DOCUMENT) as memory:
        note_requests(memory, lake, instance, [WANTED], NOW)
    return lake


def lost(lake: Lake, instance: dg.DagsterInstance, hours: float = 0) -> list[Retraining]:
    """What no run took up, by a look so many hours after the request."""
    with remember(lake, DOCUMENT) as memory:
        return never_started(memory, lake, instance, NOW + timedelta(hours=hours))


def make_model(lake: Lake, number: int) -> None:
    """The partition that a training leaves."""
    lake.commit(lake.stage(lake.path("models", "returning", day(number)), pl.DataFrame({"version": ["v"]}), {}))


def test_a_request_is_known_from_the_lake_alone(asked: Lake) -> None:
    assert requests_so_far(asked, "returning") == [Request(reference="interim/orders@v1", day=day(5), met=False)]
    assert requests_so_far(asked, "another") == []


def test_a_request_of_which_dagster_made_no_run_is_asked_for_again(asked: Lake, instance: dg.DagsterInstance) -> None:
    assert lost(asked, instance) == [WANTED]


def test_a_request_of_which_dagster_made_a_run_is_settled_even_when_the_run_is_deleted(
    asked: Lake, instance: dg.DagsterInstance
) -> None:
    tags = {RUN_KEY_TAG: run_key(asked, WANTED), **owner_tags(asked.root)}
    run = dg.DagsterRun(job_name="retraining_job", tags=tags, status=dg.DagsterRunStatus.FAILURE)
    instance.add_run(run)
    assert lost(asked, instance) == []

    instance.delete_run(run.run_id)

    assert lost(asked, instance) == []


def test_another_dagster_does_not_ask_again_for_what_the_first_was_given(asked: Lake, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as other:
        assert lost(asked, other) == []


def test_a_request_that_was_lost_with_its_dagster_is_taken_over_once_and_then_followed_up(
    asked: Lake, tmp_path: Path
) -> None:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as new:
        assert lost(asked, new, hours=5.9) == []
        assert lost(asked, new, hours=6) == [WANTED]
        assert requests_so_far(asked, "returning") == [Request(reference="interim/orders@v1", day=day(5), met=False)]

        tags = {RUN_KEY_TAG: run_key(asked, WANTED), **owner_tags(asked.root)}
        new.add_run(dg.DagsterRun(job_name="retraining_job", tags=tags))
        assert lost(asked, new, hours=7) == []

        with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as third:
            assert lost(asked, third, hours=200) == []  # it was taken up


def test_two_dagsters_do_not_take_a_request_from_each_other_within_six_hours(asked: Lake, tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as one,
        dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as other,
    ):
        assert lost(asked, one, hours=6) == [WANTED]
        assert lost(asked, other, hours=6.1) == []


def test_a_request_is_met_by_a_model_of_its_day_or_later_whoever_made_it(
    asked: Lake, instance: dg.DagsterInstance
) -> None:
    make_model(asked, 4)
    assert lost(asked, instance) == [WANTED]

    make_model(asked, 6)

    assert lost(asked, instance) == []
    assert requests_so_far(asked, "returning") == [Request(reference="interim/orders@v1", day=day(5), met=True)]


def test_a_record_that_cannot_be_read_stops_the_question_instead_of_training_again(asked: Lake) -> None:
    path = asked.root / "meta" / "automation" / "retrainings.json"
    path.write_text(path.read_text()[:40])

    with pytest.raises(LakeError, match=r"which retrainings were asked for\. Restore it from a copy"):
        requests_so_far(asked, "returning")
