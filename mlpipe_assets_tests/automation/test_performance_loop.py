"""The loop from an empty lake to a first champion, and from predictions that stop coming true to a new one."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from mlpipe_assets.partitions import days_between
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.versions import ModelVersion
from mlpipe_assets_tests.automation.dev_server import DevServer, dev_server
from mlpipe_assets_tests.planted import drop_customers, drop_orders
from mlpipe_assets_tests.webhook import Webhook

pytestmark = [pytest.mark.loop, pytest.mark.slow]
LAST = datetime.now(tz=UTC).date() - timedelta(days=10)  # of the days whose files have come when Dagster starts
FIRST = LAST - timedelta(days=13)
TURNED = days_between(LAST + timedelta(days=1), LAST + timedelta(days=4))
PATIENCE = 1200.0  # seconds until a state counts as never reached; alone on two cores all of it takes about two minutes
YOUNG, OLD = ([f"{group}{n:02}" for n in range(20)] for group in ("young", "old"))
MODEL, WATCHED = "repeat_purchase", "predictions.repeat_purchase"


def drop_day(lake: Lake, on: date) -> None:
    """A file of who ordered: mostly the young, and from the days of `TURNED` on mostly the old. Everyone on the first day."""
    chance = random.Random((on - FIRST).days)
    often, seldom = (OLD, YOUNG) if on in TURNED else (YOUNG, OLD)
    who = [w for people, odds in ((often, 0.7), (seldom, 0.1)) for w in people if on == FIRST or chance.random() < odds]
    drop_orders(lake, f"orders_{on}.csv", [(f"{on}-{w}", w, on, "20.00", "web") for w in who])


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, listener: Webhook) -> Iterator[DevServer]:
    """Dagster over a drop zone with the files of fourteen days, of which nothing is built."""
    root = tmp_path_factory.mktemp("performance")
    lake = Lake(data_dir=str(root / "data"))
    for on in days_between(FIRST, LAST):
        drop_day(lake, on)
    ages = [(who, age, "north", FIRST) for people, age in ((YOUNG, 25), (OLD, 65)) for who in people]
    drop_customers(lake, f"customers_{FIRST}.csv", ages)
    with dev_server(root, FIRST, "performance_catalog:CATALOG", listener.url, built=False) as found:
        yield found


def asked(dev: DevServer, job: str) -> list[tuple[str, str]]:
    """First table of each run of a job, with the partition it was asked for."""
    found = [(sorted(key.to_user_string() for key in run.asset_selection or ()), run) for run in dev.runs(job)]
    return [(tables[0], run.tags["dagster/partition"]) for tables, run in found]


def facts(dev: DevServer, on: date) -> dict[str, object]:
    """What monitoring says of the predictions of a day."""
    return dev.lake.facts(DRIFT, WATCHED, on) or {}


def answered(dev: DevServer, on: date) -> str:
    """The version that predicted a day; empty while nothing did."""
    return str((dev.lake.facts("predictions", MODEL, on) or {}).get("champion", ""))


def about_performance(listener: Webhook) -> list[str]:
    """Titles of what was told of the model; that customers of other ages order is also told of its features, as skew."""
    return [title for title in listener.titles() if f"models/{MODEL}" in title]


def written(dev: DevServer, stage: str) -> int:
    """When the newest day's partition of predictions, or of what monitoring says of them, was written."""
    return dev.lake.path(stage, WATCHED if stage == DRIFT else MODEL, TURNED[-1]).stat().st_mtime_ns


def test_files_alone_end_in_a_first_champion_whose_predictions_are_watched(dev: DevServer, listener: Webhook) -> None:
    dev.wait_for("predictions that are watched", lambda: dev.lake.days(DRIFT, WATCHED), PATIENCE)
    dev.wait_for("the end of the last run", lambda: all(run.is_finished for run in dev.runs()), PATIENCE)

    used = champion(dev.lake, MODEL)
    assert used
    assert (used.as_of, used.reason) == (LAST, "the first model to hold every threshold")
    assert (used.metrics["test_roc_auc"] or 0.0) > 0.8
    assert asked(dev, "training_job") == [(f"models/{MODEL}", f"{LAST}")]
    assert dev.runs("retraining_job") == []
    assert dev.lake.days("predictions", MODEL) == dev.lake.days(DRIFT, WATCHED) == [LAST]
    assert dev.lake.read("predictions", MODEL, LAST)["customer_id"].to_list() == sorted(YOUNG + OLD)
    assert facts(dev, LAST)["performance_bad"] is False  # nobody knows yet what came of them
    assert listener.titles() == []


@pytest.fixture(scope="module")
def first(dev: DevServer) -> ModelVersion:
    """The first champion; the files of the days on which customers behave the other way round came after it."""
    dev.wait_for("predictions", lambda: dev.lake.days(DRIFT, WATCHED), PATIENCE)
    found = champion(dev.lake, MODEL)
    assert found
    for on in TURNED:
        drop_day(dev.lake, on)
    return found


def test_predictions_that_stop_coming_true_end_in_one_retraining_and_one_alert(
    dev: DevServer, listener: Webhook, first: ModelVersion
) -> None:
    dev.wait_for("a retraining", lambda: [r for r in dev.runs("retraining_job") if r.is_finished], PATIENCE)
    dev.wait_for("the alert", lambda: about_performance(listener), PATIENCE)

    [retraining] = dev.runs("retraining_job")
    known = [facts(dev, on)["performance_bad"] for on in (LAST, *TURNED)]
    assert known == [False, False, True, True, True]  # the labels of LAST are complete two days later
    assert asked(dev, "retraining_job") == [(f"models/{MODEL}", f"{TURNED[-1]}")]
    assert retraining.status is dg.DagsterRunStatus.SUCCESS
    assert retraining.tags["mlpipe/drifted_from"] == f"predictions/{MODEL}@{first.version}"
    assert retraining.tags["mlpipe/evidence"].startswith("overall against the test set: roc_auc 0.")
    assert about_performance(listener) == [
        f"models/{MODEL}: its predictions no longer come true as they did on its test set"
    ]
    told = next(note["message"] for note in listener.received if note["title"] in about_performance(listener))
    assert f"how many: 1 of the tables watched: predictions/{MODEL} {TURNED[-1]} (performance)\n" in told
    assert f"to do: open monitoring/report.html; a retraining as of {TURNED[-1]} was asked for, see its checks" in told


def test_a_later_look_at_the_same_predictions_asks_for_nothing_more(
    dev: DevServer, listener: Webhook, first: ModelVersion
) -> None:
    """The new champion answers for the newest day; what the first one predicted stays as bad as it was."""
    newest = TURNED[-1]
    dev.wait_for("predictions by the new champion", lambda: answered(dev, newest) not in ("", first.version), PATIENCE)
    dev.wait_for("a look of monitoring at them", lambda: written(dev, DRIFT) > written(dev, "predictions"), PATIENCE)
    dev.wait_for("the end of the last run", lambda: all(run.is_finished for run in dev.runs()), PATIENCE)
    settled = datetime.now(tz=UTC)
    dev.wait_for("a later look", lambda: dev.has_looked("retraining_sensor", settled), PATIENCE)

    used = champion(dev.lake, MODEL)
    assert used
    assert (used.as_of, answered(dev, newest), facts(dev, newest)["performance_bad"]) == (newest, used.version, True)
    assert len(dev.runs("training_job")) == len(dev.runs("retraining_job")) == 1
    assert dg.DagsterRunStatus.FAILURE not in {run.status for run in dev.runs()}
    assert (
        len(about_performance(listener)) == 1
    )  # neither told again nor healed: what the new one predicted is not known yet
