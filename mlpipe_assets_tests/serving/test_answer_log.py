"""What a server answers is a table: each answer as it was given, a fixed share of the entities, and no request pays for it."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.automation.problems import problems_now
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.serving_log import find_serving_log, serving_log
from mlpipe_assets.serving.snapshots.snapshot import Snapshot, ViewRows
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import publish_online
from mlpipe_assets_tests.serving.asking import Asked, serving
from mlpipe_assets_tests.serving.logged import log_of, take_log, written
from mlpipe_assets_tests.serving.published import AS_OF, published, snapshot, view_rows

CATALOG = Catalog(sources=(serving_log,))


def logging(lake: Lake, share: float = 1.0, catalog: Catalog = CATALOG) -> Asked:
    return serving(lake, catalog, answers=log_of(lake, share))


def logged(lake: Lake) -> pl.DataFrame:
    """The clean table after the deliveries went through the lake as those of any source do."""
    return pl.concat([lake.read("interim", "serving_log", day) for day in take_log(lake)])


def texts(rows: pl.DataFrame, column: str) -> list[Any]:
    return [json.loads(text) for text in rows.sort("row_number")[column]]


def test_each_view_of_each_entity_is_a_row_as_it_was_answered(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1, "bob": None}, visits={"ann": 7}))
    asked = logging(lake)
    began = datetime.now(tz=UTC)

    asked.post(
        "/get-online-features",
        {
            "features": ["visits:orders", "spend:*"],
            "entities": {"customer_id": ["ann", "bob"]},
            "full_feature_names": True,
        },
        {"x-request-id": "mine"},
    )
    written(asked)

    rows = logged(lake).sort("row_number")
    assert rows.select("request_id", "row_number", "kind", "view", "feature_version", "model").rows() == [
        ("mine", 0, "features", "visits", "v1", None),
        ("mine", 1, "features", "spend", "v1", None),
        ("mine", 2, "features", "visits", "v1", None),
        ("mine", 3, "features", "spend", "v1", None),
    ]
    assert texts(rows, "join_keys") == [{"customer_id": who} for who in ("ann", "ann", "bob", "bob")]
    assert texts(rows, "answer") == [
        {"orders": 7},
        {"orders": 1, "city": "Porto"},
        {"orders": None},
        {"orders": None, "city": "Porto"},
    ]
    assert texts(rows, "statuses") == [
        {"orders": "PRESENT"},
        {"orders": "PRESENT", "city": "PRESENT"},
        {"orders": "NOT_FOUND"},
        {"orders": "NULL_VALUE", "city": "PRESENT"},
    ]
    assert rows["as_of"].to_list() == [AS_OF, AS_OF, None, AS_OF]
    assert rows["snapshot"].unique().to_list() == [asked.server.state.loaded.snapshot]
    assert began <= rows["answered_at"][0] <= datetime.now(tz=UTC)


def test_numbers_come_through_to_the_last_digit(lake: Lake) -> None:
    wide, tiny = 2**63 - 1, 0.1 + 0.2
    frame = view_rows("spend", {"ann": wide}).frame.with_columns(city=pl.Series([tiny]))
    SqliteStore(lake=lake).publish(Snapshot(inputs="a", views=(ViewRows(view=published(rows=1), frame=frame),)))
    asked = logging(lake)

    asked.features("spend:*", customer_id=["ann"])
    written(asked)

    assert texts(logged(lake), "answer") == [{"orders": wide, "city": tiny}]


def test_one_request_id_sent_twice_is_two_answers_and_a_file_delivered_twice_is_one(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    asked = logging(lake)
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}}

    asked.post("/get-online-features", body, {"x-request-id": "mine"})
    asked.post("/get-online-features", body, {"x-request-id": "mine"})
    written(asked)
    [file] = (lake.root / "raw/serving_log").iterdir()
    again = file.read_bytes() + b"\n"  # other bytes, so no copy of the file, and the same rows
    file.with_name(f"again_{file.name}").write_bytes(again)

    assert logged(lake)["request_id"].to_list() == ["mine", "mine"]


def test_a_share_of_the_entities_is_logged_and_always_the_same(lake: Lake) -> None:
    everybody = [f"c{number}" for number in range(1000)]
    SqliteStore(lake=lake).publish(snapshot("a", spend=dict.fromkeys(everybody, 1), visits=dict.fromkeys(everybody, 1)))
    first, second, none = logging(lake, 0.1), logging(lake, 0.1), logging(lake, 0)

    first.features("spend:orders", customer_id=everybody)
    for part in (everybody[150:200], everybody[:150]):
        second.features("visits:orders", customer_id=part)
    none.features("spend:orders", customer_id=everybody)
    for asked in (first, second, none):
        written(asked)

    rows = logged(lake).with_columns(who=pl.col("join_keys").str.json_path_match("$.customer_id"))
    kept = {view: set(rows.filter(view=view)["who"]) for view in ("spend", "visits")}
    assert 70 < len(kept["spend"]) < 130
    assert kept["visits"] == kept["spend"] & set(everybody[:200])


def test_predictions_are_logged_whole(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    asked = logging(lake, 0, catalog)

    answer = asked.post(
        "/predict/returning", {"entities": {"customer_id": ["ann", "nobody"]}}, {"x-request-id": "mine"}
    )
    written(asked)

    rows, (ann, _) = logged(lake).sort("row_number"), answer.json()["results"]
    assert (
        rows.select("request_id", "kind", "view", "model", "model_version", "feature_version").rows()
        == [("mine", "prediction", "spend", "returning", used.version, used.feature_version)] * 2
    )
    assert texts(rows, "join_keys") == [{"customer_id": "ann"}, {"customer_id": "nobody"}]
    assert texts(rows, "answer") == [
        {"probability": ann["probability"], "decision": ann["decision"]},
        {"probability": None, "decision": None},
    ]
    assert texts(rows, "statuses") == [{"row": "PRESENT"}, {"row": "NOT_FOUND"}]


def test_what_is_refused_is_not_logged(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    asked = logging(lake)

    assert asked.features("spend:nothing", customer_id=["ann"]).status_code == 404
    assert asked.features("spend:orders", customer_id=[1]).status_code == 422
    written(asked)

    assert not (lake.root / "raw/serving_log").exists()


def test_a_log_that_cannot_be_written_fails_no_request_and_is_seen(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    (lake.root / "raw/serving_log").write_text("a file where the folder should be")
    asked = logging(lake)
    assert asked.server.answers

    assert asked.features("spend:orders", customer_id=["ann"]).status_code == 200
    asked.server.answers.write()
    assert asked.features("spend:orders", customer_id=["ann"]).status_code == 200
    asked.server.answers.write()

    health, metrics = asked.send("GET", "/health"), asked.send("GET", "/metrics").text
    assert (health.status_code, health.json()["log"].partition(":")[0]) == (200, "answers are not logged")
    assert 'mlpipe_log_rows_total{result="failed"} 2' in metrics
    assert "mlpipe_log_failed 1" in metrics


def test_a_server_says_once_that_it_cannot_log_and_logs_again_when_it_can(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    folder = lake.root / "raw/serving_log"
    folder.write_text("a file where the folder should be")
    asked = logging(lake)
    monkeypatch.setattr("mlpipe_assets.serving.http.background._LOOK_SECONDS", 0.02)
    app = asked.server.app()

    async def run() -> None:
        async with app.app.router.lifespan_context(app.app):  # type: ignore[attr-defined]  # FastAPI's own
            for _ in range(3):
                asked.server.answers.note_predictions("r", AS_OF, "s", published(), ANSWER, 100)  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
            folder.unlink()
            asked.server.answers.note_predictions("r", AS_OF, "s", published(), ANSWER, 100)  # type: ignore[union-attr]

    asyncio.run(run())

    assert [line["event"] for line in asked.lines() if "logged" in line["event"]] == ["answers are not logged"]
    assert [path.suffix for path in folder.iterdir()] == [".jsonl"]  # written when it stopped


ANSWER = {
    "metadata": {"feature_version": "v1", "model": "m", "model_version": "1"},
    "results": [{"entity": {"customer_id": "ann"}, "status": "PRESENT", "as_of": None, "probability": 0.5}],
}


def test_answers_beyond_what_may_wait_are_counted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpipe_assets.serving.answer_log._MOST_BYTES", 250)
    log = log_of(lake)

    for _ in range(4):
        log.note_predictions("r", AS_OF, "s", published(), ANSWER, 100)
    log.write()
    log.note_predictions("r", AS_OF, "s", published(), ANSWER, 100)
    log.close()

    assert (log.dropped, log.spool.counts.rows) == (2, 3)


def test_a_catalog_without_the_source_logs_nothing(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    asked = serving(lake, Catalog())

    assert asked.features("spend:orders", customer_id=["ann"]).status_code == 200

    assert find_serving_log(Catalog()) is None
    assert find_serving_log(CATALOG) == serving_log
    assert "mlpipe_log" not in asked.send("GET", "/metrics").text
    assert not (lake.root / "raw/serving_log").exists()


def test_a_log_that_nobody_wrote_to_is_behind_with_nothing_and_never_late(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    now = datetime.now(tz=UTC)
    without = problems_now(lake, catalog, now)
    catalog = replace(catalog, sources=(*catalog.sources, serving_log))

    work = interim_work(lake, serving_log, lambda _: True)

    assert (work.days, work.blocked) == ((), ())
    assert problems_now(lake, catalog, now) == without
