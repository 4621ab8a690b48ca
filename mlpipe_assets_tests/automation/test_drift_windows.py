"""What monitoring stored, as the retraining decision reads it and people are told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from mlpipe_assets.automation.drift_windows import look_at_drift, windows_of_monitor
from mlpipe_assets.automation.memory import remember
from mlpipe_assets.automation.retraining import tags_of
from mlpipe_assets.automation.retraining_memory import DOCUMENT, note_requests
from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day

_MODEL = BUILT_IN.models[0]
CATALOG = replace(  # one model, so that there is one decision
    BUILT_IN,
    models=(_MODEL,),
    monitors=tuple(
        replace(monitor, persist=2, retrains=monitor.retrains and (_MODEL.name,))
        for monitor in BUILT_IN.monitors
        if monitor.stage != "predictions" or monitor.name == _MODEL.name
    ),
)
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
RANKED = {"comparison": "performance", "column": "overall", "method": "roc_auc", "value": 0.17, "threshold": 0.75}
PREDICTIONS = "predictions/repeat_purchase"


def store(lake: Lake, table: str, number: int, *, bad: bool, worse: bool = False) -> None:
    """A day of measurements as the monitoring stage leaves it; `worse`: than on the test set."""
    row = {**DRIFTED, "table": table, "date": day(number), "verdict": "drift" if bad else "none"}
    ranked = {**row, **RANKED, "verdict": "drift" if worse else "none"}
    facts = {"drift_score": 0.25 if bad else 0.0, "bad": bad or worse, "performance_bad": worse, "reference": "v1"}
    path = lake.path(DRIFT, table.replace("/", "."), day(number))
    lake.commit(lake.stage(path, pl.DataFrame([row, ranked], schema=SCHEMA), facts))


def store_footer(lake: Lake, table: str, number: int, **facts: object) -> None:
    """A partition of which only the footer matters."""
    stage, _, name = table.partition("/")
    path = lake.path(stage, name, day(number))
    lake.commit(lake.stage(path, pl.DataFrame({"a": [1]}), {"fingerprint": f"{number}", **facts}))


def test_a_table_that_drifted_for_long_enough_asks_for_its_model_and_is_told(lake: Lake) -> None:
    for number in (3, 4, 5):
        store(lake, "interim/orders", number, bad=number > 3)

    [look] = look_at_drift(lake, CATALOG)

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
    [first] = look_at_drift(lake, CATALOG)
    assert first.retraining
    with remember(lake, DOCUMENT) as memory:
        note_requests(memory, lake, instance, [first.retraining], datetime(2026, 1, 6, tzinfo=UTC))
    store(lake, "interim/orders", 6, bad=True)

    [again] = look_at_drift(lake, CATALOG)

    assert (again.retraining, again.told[0]) == (
        None,
        "repeat_purchase: was asked for as of 2026-01-05, cooling down until 2026-01-12",
    )
    assert again.problem
    assert first.problem
    assert again.problem.key == first.problem.key
    assert "2026-01-05 was asked for, and there is no model of it yet; if its run failed, " in again.problem.to_do

    store_footer(lake, "models/repeat_purchase", 6)  # a model of a later day meets it too

    [met] = look_at_drift(lake, CATALOG)

    assert (met.retraining, met.told[0]) == (None, "repeat_purchase: was retrained for the drift of interim/orders@v1")
    assert met.problem
    assert met.problem.to_do.endswith("a retraining as of 2026-01-05 was asked for, see its checks and model card")


def test_drift_of_predictions_alone_asks_for_nothing(lake: Lake) -> None:
    for number in (4, 5):
        store(lake, "predictions/repeat_purchase", number, bad=True)

    [look] = look_at_drift(lake, CATALOG)

    assert (look.retraining, look.problem) == (None, None)


def test_performance_alone_asks_with_itself_as_evidence_and_is_told_as_what_it_is(lake: Lake) -> None:
    for number in (4, 5):
        store(lake, PREDICTIONS, number, bad=True, worse=True)

    [look] = look_at_drift(lake, CATALOG)

    assert look.retraining
    assert look.retraining.evidence == ("overall against the test set: roc_auc 0.17, threshold 0.75",)
    assert look.problem
    assert look.problem.what == "its predictions no longer come true as they did on its test set"
    assert look.problem.how_many == "1 of the tables watched: predictions/repeat_purchase 2026-01-05 (performance)"


def test_without_a_sensor_that_asks_people_are_told_how_to_train(lake: Lake) -> None:
    for number in (4, 5):
        store(lake, "interim/orders", number, bad=True)

    [look] = look_at_drift(lake, CATALOG, asks=False)

    assert look.problem
    assert look.problem.to_do == (
        "open monitoring/report.html, then train on what is known by now: dagster job execute -m mlpipe_assets.definitions "
        """-j retraining_job --tags '{"dagster/partition": "2026-01-05"}' (under `make dev` a sensor asks for it)"""
    )


def test_performance_speaks_of_the_version_that_predicted_not_of_the_one_that_took_its_place(lake: Lake) -> None:
    model = replace(CATALOG.models[0], horizon=timedelta(days=1))
    monitor = Monitor(table=PREDICTIONS, window=timedelta(days=1), persist=2)
    for number, version in ((3, "v1"), (4, "v1"), (5, "v2")):
        store_footer(lake, PREDICTIONS, number, champion=version)
        store_footer(lake, "features/customer_features", number)
        store_footer(lake, "interim/orders", number)
        store(lake, PREDICTIONS, number, bad=False, worse=number > 3)

    found = windows_of_monitor(lake, replace(CATALOG, models=(model,)), monitor, model.name)

    assert [(w.day, w.bad, w.reference) for w in found] == [(day(4), True, "v1"), (day(5), True, "v1")]


def test_tables_that_drift_together_make_one_request_and_one_problem(lake: Lake) -> None:
    for table in ("interim/orders", "features/customer_features"):
        for number in (4, 5):
            store(lake, table, number, bad=True)

    [look] = look_at_drift(lake, CATALOG)

    assert look.retraining
    assert look.retraining.references == ("interim/orders@v1", "features/customer_features@v1")
    assert look.problem
    assert look.problem.how_many.startswith("2 of the tables watched: ")


def test_nothing_is_decided_and_nothing_heals_while_measurements_are_behind(lake: Lake) -> None:
    for number in (4, 5):
        store(lake, "interim/orders", number, bad=True)
    path = lake.path("interim", "orders", day(6))
    lake.commit(lake.stage(path, pl.DataFrame({"a": [1]}), {"fingerprint": "new"}))

    [look] = look_at_drift(lake, CATALOG)

    assert (look.settled, look.retraining, look.problem) == (False, None, None)
    assert look.told == ("repeat_purchase: waiting until monitoring/orders is up to date",)
