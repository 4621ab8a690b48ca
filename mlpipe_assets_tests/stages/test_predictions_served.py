"""What a model said online is a table of its own: typed as its predictions are, request by request."""

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.commands.trace import _tree
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import MissingPartitionError, SettingsError
from mlpipe_assets.explain.explaining import explain, explain_served
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.stages.predictions.served import build_served, served_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.lineage.history import ask
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, publish_online, spend
from mlpipe_assets_tests.serving.asking import serving
from mlpipe_assets_tests.serving.logged import log_of, take_log, written


@dataclass(frozen=True, kw_only=True)
class Served:
    """A lake after one request for predictions of ann, who has features, and of nobody."""

    lake: Lake
    catalog: Catalog
    answer: dict[str, Any]
    days: list[date]
    unrecorded: Lake  # as it was before the lineage of the answers was recorded

    @property
    def model(self) -> Model:
        return self.catalog.models[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    catalog, lake, _ = crowned_lake(tmp_path_factory.mktemp("served"))
    catalog = replace(catalog, sources=(*catalog.sources, serving_log))
    publish_online(lake, catalog)
    ask(catalog, lake).artifacts()  # records the snapshot
    asked = serving(lake, catalog, answers=log_of(lake))
    body = {"entities": {"customer_id": ["ann", "nobody"]}}
    answer = asked.post("/predict/returning", body, {"x-request-id": "mine"}).json()
    asked.features("spend:*", customer_id=["ann"])
    written(asked)
    days = take_log(lake)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    build_served(lake, serving_log, catalog.models[0], days)
    unrecorded = copy_lake(lake, tmp_path_factory.mktemp("unrecorded") / "data")
    return Served(lake=lake, catalog=catalog, answer=answer, days=days, unrecorded=unrecorded)


def test_each_prediction_is_there_with_its_request_and_the_types_of_the_model(served: Served) -> None:
    rows = pl.concat([served.lake.read("predictions", "returning_served", on) for on in served.days])

    ann = served.answer["results"][0]
    assert rows.select("request_id", "row_number", "customer_id", "status", "probability", "decision").rows() == [
        ("mine", 0, "ann", "PRESENT", ann["probability"], ann["decision"]),
        ("mine", 1, "nobody", "NOT_FOUND", None, None),
    ]
    assert rows["model_version"].unique().to_list() == [served.answer["metadata"]["model_version"]]
    assert [str(rows.schema[name]) for name in ("probability", "decision")] == ["Float64", "Boolean"]
    assert [moment and moment.date() for moment in rows["as_of"]] == [day(7), None]


def test_a_day_is_behind_until_it_was_taken_and_when_more_came(served: Served) -> None:
    def due() -> tuple[date, ...]:
        return served_work(served.lake, serving_log, served.model, lambda _: True).days

    assert due() == ()
    other = replace(served.model, name="another")
    assert served_work(served.lake, serving_log, other, lambda _: True).days == tuple(served.days)


def test_it_is_asked_in_sql_as_other_predictions(served: Served) -> None:
    sql = "select request_id, decision from predictions.returning_served where status = 'PRESENT'"

    _, rows = query(served.lake, DuckDBEngine(), served.catalog, sql)

    assert rows == [("mine", served.answer["results"][0]["decision"])]


def test_an_explanation_names_the_requests_that_were_answered_from_the_same_row(served: Served) -> None:
    found = explain(served.lake, served.catalog, served.model, ["ann"], day(6))

    assert [(row["request_id"], row["probability"]) for row in found.served] == [
        ("mine", served.answer["results"][0]["probability"])
    ]
    assert found.served[0]["probability"] == found.prediction["probability"]
    assert "customer_id" not in found.served[0]
    told = Console(width=200, force_terminal=False)
    with told.capture() as shown:
        told.print(_tree(served.model, ["ann"], found))
    assert "answered online 1 time from these features" in shown.get()
    assert "request mine: " in shown.get()


def test_a_request_leads_back_to_the_version_the_snapshot_and_the_files(served: Served) -> None:
    asked, found = explain_served(served.lake, served.catalog, "mine")

    assert (asked.entity, found.request_rows) == ({"customer_id": "ann"}, 2)
    assert found.prediction["probability"] == served.answer["results"][0]["probability"]
    assert found.model["version"] == served.answer["metadata"]["model_version"]
    assert found.feature_partition["name"] == "features/spend@2026-01-06"
    assert {one["name"] for one in found.files} == {
        "raw/orders/orders_2026-06-30.csv",
        "raw/customers/customers_2026-01-01.csv",
    }
    assert [row["record"] for row in found.rows["interim/orders"]] == [7, 6, 5]
    told = Console(width=200, force_terminal=False)
    with told.capture() as shown:
        told.print(_tree(served.model, ["ann"], found))
    assert "to request mine, row 0 of 2 (--row names another) from snapshot 000001-" in shown.get()


def test_of_an_entity_without_features_a_request_says_so(served: Served) -> None:
    asked, found = explain_served(served.lake, served.catalog, "mine", 1)

    assert (asked.entity, found.features, found.rows) == ({"customer_id": "nobody"}, {}, {})
    told = Console(width=200, force_terminal=False)
    with told.capture() as shown:
        told.print(_tree(served.model, ["nobody"], found))
    assert "predictions/returning_served: nobody → NOT_FOUND" in shown.get()
    assert "no row of nobody" in shown.get()


def test_features_built_again_since_are_not_taken_for_those_that_answered(served: Served) -> None:
    lake = served.unrecorded
    answered = explain_served(served.lake, served.catalog, "mine")[1].feature_partition["digest"]
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "ann", day(6), "1.00", "web")])
    bring_in(lake, replace(served.catalog, sources=served.catalog.sources[:2]))
    build_features(lake, DuckDBEngine(), served.catalog, spend, [day(6)])

    _, found = explain_served(lake, served.catalog, "mine")

    assert (found.feature_partition["digest"], found.feature_partition["is_held"]) == (answered, False)
    assert found.features_changed


@pytest.mark.parametrize(
    ("request_id", "row", "said"),
    [
        (
            "yours",
            0,
            r"No request 'yours' in predictions/returning_served, which has 1 request of .*, such as 'mine' of",
        ),
        ("mine", 2, r"request 'mine' has no row 2; it asked for 2 predictions, rows 0 to 1"),
    ],
)
def test_a_request_that_is_not_there_is_said_with_what_is(served: Served, request_id: str, row: int, said: str) -> None:
    with pytest.raises(MissingPartitionError, match=said):
        explain_served(served.lake, served.catalog, request_id, row)


def test_without_a_serving_log_no_request_can_be_explained(served: Served) -> None:
    with pytest.raises(SettingsError, match=r"none of its sources is serving_log\. Add it to SOURCES"):
        explain_served(served.lake, replace(served.catalog, sources=served.catalog.sources[:2]), "mine")


def test_a_day_on_which_nobody_asked_is_empty_and_no_fault(tmp_path: Path, lake: Lake) -> None:
    catalog, _, _ = crowned_lake(tmp_path / "other")
    model = catalog.models[0]

    assert served_work(lake, serving_log, model, lambda _: True).days == ()
    [outcome] = build_served(lake, serving_log, model, [last_partition()])

    assert (outcome.counts, outcome.refused, outcome.missing) == ({"rows": 0}, None, None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"probability": "much", "decision": True}, "is not of the types"),
        ({"probability": 1.5, "decision": True}, "<= 1"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused_and_not_asked_for_again(
    served: Served, tmp_path: Path, answer: dict[str, object], said: str
) -> None:
    lake = Lake(data_dir=str(tmp_path / "data"))
    on = served.days[-1]
    log = served.lake.read("interim", "serving_log", on)
    change = lake.change("interim", "serving_log")
    change.put(change.table.stage(on, log.with_columns(answer=pl.lit(json.dumps(answer))), {"inputs": "planted"}))
    change.publish()

    [outcome] = build_served(lake, serving_log, served.model, [on])
    work = served_work(lake, serving_log, served.model, lambda _: True)

    assert outcome.refused
    assert (work.days, len(work.blocked)) == ((), 1)
    assert said in work.blocked[0][1]
    assert "much" not in work.blocked[0][1]


def test_a_catalog_without_the_log_has_no_such_table(served: Served) -> None:
    without = replace(served.catalog, sources=served.catalog.sources[:-1])

    assert "predictions/returning_served" in {table.key for table in tables_of(served.catalog)}
    assert "predictions/returning_served" not in {table.key for table in tables_of(without)}
