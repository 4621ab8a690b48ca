"""Retrainings that were asked for are kept in the lake, whatever becomes of Dagster's records."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
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


def lost(lake: Lake, instance: dg.DagsterInstance) -> list[Retraining]:
    with remember(lake, DOCUMENT) as memory:
        return never_started(memory, lake, instance)


def test_a_request_is_known_from_the_lake_alone(asked: Lake) -> None:
    assert requests_so_far(asked, "returning") == [Request(reference="interim/orders@v1", day=day(5))]
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


def test_a_record_that_cannot_be_read_stops_the_question_instead_of_training_again(asked: Lake) -> None:
    path = asked.root / "meta" / "automation" / "retrainings.json"
    path.write_text(path.read_text()[:40])

    with pytest.raises(LakeError, match=r"which retrainings were asked for\. Restore it from a copy"):
        requests_so_far(asked, "returning")
