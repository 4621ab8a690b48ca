"""What monitoring stored, as the retraining decision reads it and people are told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlpipe_assets.automation.drift_windows import look_at_drift
from mlpipe_assets.automation.retraining import tags_of
from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.monitoring.building import DRIFT
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets_tests.planted import day

CATALOG = replace(BUILT_IN, monitors=tuple(replace(monitor, persist=2) for monitor in BUILT_IN.monitors))
DRIFTED = {
    "comparison": "baseline",
    "column": "amount",
    "method": "psi",
    "value": 0.91,
    "threshold": 0.1,
    "verdict": "drift",
    "n_reference": 100,
    "n_current": 90,
    "note": "",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(data_dir=str(tmp_path / "data"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as found:
        yield found


def store(lake: Lake, table: str, number: int, *, bad: bool) -> None:
    """A day of measurements as the monitoring stage leaves it."""
    row = {**DRIFTED, "table": table, "date": day(number), "verdict": "drift" if bad else "none"}
    facts = {"drift_score": 0.25 if bad else 0.0, "bad": bad, "performance_bad": False, "reference": "v1"}
    path = lake.path(DRIFT, table.replace("/", "."), day(number))
    lake.commit(lake.stage(path, pl.DataFrame([row], schema=SCHEMA), facts))


def test_a_table_that_drifted_for_long_enough_asks_for_its_model_and_is_told(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    for number in (3, 4, 5):
        store(lake, "interim/orders", number, bad=number > 3)

    [look] = look_at_drift(lake, CATALOG, instance)

    assert look.retraining
    assert tags_of(look.retraining) == {
        "mlpipe/model": "repeat_purchase",
        "mlpipe/drifted_from": "interim/orders@v1",
        "mlpipe/drifted_on": "2026-01-05",
        "mlpipe/evidence": "amount against the baseline: psi 0.91, threshold 0.1",
    }
    assert look.problem
    assert look.problem.where == "models/repeat_purchase"
    assert look.problem.how_many == "1 of the tables watched: interim/orders 2026-01-05 (drift score 0.25)"
    assert look.problem.example == "amount against the baseline: psi 0.91, threshold 0.1"
    assert "a retraining as of 2026-01-05 was asked for" in look.problem.to_do


def test_a_retraining_that_was_asked_for_is_not_asked_for_again_but_the_problem_stands(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    for number in (4, 5):
        store(lake, "interim/orders", number, bad=True)
    [first] = look_at_drift(lake, CATALOG, instance)
    assert first.retraining
    failed = dg.DagsterRunStatus.FAILURE
    instance.add_run(dg.DagsterRun(job_name="retraining_job", status=failed, tags=tags_of(first.retraining)))
    store(lake, "interim/orders", 6, bad=True)

    [again] = look_at_drift(lake, CATALOG, instance)

    assert (again.retraining, again.told[0]) == (
        None,
        "repeat_purchase: was retrained for the drift of interim/orders@v1",
    )
    assert again.problem
    assert first.problem
    assert again.problem.key == first.problem.key


def test_drift_of_predictions_alone_asks_for_nothing(lake: Lake, instance: dg.DagsterInstance) -> None:
    for number in (4, 5):
        store(lake, "predictions/repeat_purchase", number, bad=True)

    [look] = look_at_drift(lake, CATALOG, instance)

    assert (look.retraining, look.problem) == (None, None)


def test_tables_that_drift_together_make_one_request_and_one_problem(lake: Lake, instance: dg.DagsterInstance) -> None:
    for table in ("interim/orders", "features/customer_features"):
        for number in (4, 5):
            store(lake, table, number, bad=True)

    [look] = look_at_drift(lake, CATALOG, instance)

    assert look.retraining
    assert look.retraining.references == ("interim/orders@v1", "features/customer_features@v1")
    assert look.problem
    assert look.problem.how_many.startswith("2 of the tables watched: ")


def test_nothing_is_decided_and_nothing_heals_while_measurements_are_behind(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    for number in (4, 5):
        store(lake, "interim/orders", number, bad=True)
    path = lake.path("interim", "orders", day(6))
    lake.commit(lake.stage(path, pl.DataFrame({"a": [1]}), {"fingerprint": "new"}))

    [look] = look_at_drift(lake, CATALOG, instance)

    assert (look.settled, look.retraining, look.problem) == (False, None, None)
    assert look.told == ("repeat_purchase: waiting until monitoring/orders is up to date",)
