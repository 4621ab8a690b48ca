"""The server in this process: what it answers, whom it refuses, and that each refusal is a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.serving.http.access import KeyBook
from mlpipe_assets.serving.http.gate import FAILED, Limits
from mlpipe_assets.serving.snapshots.snapshot import Snapshot, ViewRows
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.serving.asking import Asked, serving
from mlpipe_assets_tests.serving.published import AS_OF, published, snapshot, view_rows

CATALOG = Catalog()
TIME = "2026-01-05T00:00:00Z"
NONE = "1970-01-01T00:00:00Z"


@pytest.fixture
def asked(lake: Lake) -> Asked:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1, "bob": None}, visits={"ann": 7}))
    return serving(lake, CATALOG)


def test_features_come_by_column_as_feast_gives_them(asked: Asked) -> None:
    answer = asked.features("visits:orders", "spend:city", customer_id=["ann", "bob", "eve"])

    assert answer.status_code == 200
    assert answer.json() == {
        "metadata": {"feature_names": ["customer_id", "orders", "city"]},
        "results": [
            {"values": ["ann", "bob", "eve"], "statuses": ["PRESENT"] * 3, "event_timestamps": [NONE] * 3},
            {
                "values": [7, None, None],
                "statuses": ["PRESENT", "NOT_FOUND", "NOT_FOUND"],
                "event_timestamps": [TIME, NONE, NONE],
            },
            {
                "values": ["Porto", "Porto", None],
                "statuses": ["PRESENT", "PRESENT", "NOT_FOUND"],
                "event_timestamps": [TIME, TIME, NONE],
            },
        ],
    }


def test_a_null_a_whole_view_and_full_names(asked: Asked) -> None:
    body = {"features": ["spend:*", "visits:orders"], "entities": {"customer_id": ["bob"]}, "full_feature_names": True}

    answer = asked.post("/get-online-features", body).json()

    assert answer["metadata"]["feature_names"] == ["customer_id", "spend__orders", "spend__city", "visits__orders"]
    assert [column["values"] for column in answer["results"]] == [["bob"], [None], ["Porto"], [None]]
    assert [column["statuses"] for column in answer["results"]] == [
        ["PRESENT"],
        ["NULL_VALUE"],
        ["PRESENT"],
        ["NOT_FOUND"],
    ]


def test_a_row_older_than_its_view_allows_has_no_value(lake: Lake) -> None:
    now = datetime.now(tz=UTC)
    frame = pl.DataFrame(
        {
            "customer_id": ["young", "old"],
            "as_of": [now - timedelta(days=1), now - timedelta(days=3)],
            "orders": 1,
            "city": "Porto",
        },
        schema_overrides={"as_of": pl.Datetime("us", "UTC")},
    )
    view = replace(published(rows=2), ttl_seconds=timedelta(days=2).total_seconds())
    SqliteStore(lake=lake).publish(Snapshot(inputs="a", views=(ViewRows(view=view, frame=frame),)))

    [_, column] = serving(lake, CATALOG).features("spend:orders", customer_id=["young", "old"]).json()["results"]

    assert (column["values"], column["statuses"]) == ([1, None], ["PRESENT", "OUTSIDE_MAX_AGE"])


def test_what_is_not_finite_is_null(lake: Lake) -> None:
    frame = view_rows("spend", {"ann": 1, "bob": 1, "eve": 1}).frame.with_columns(
        orders=pl.Series([float("nan"), float("inf"), 0.1])
    )
    SqliteStore(lake=lake).publish(Snapshot(inputs="a", views=(ViewRows(view=published(rows=3), frame=frame),)))

    [_, column] = serving(lake, CATALOG).features("spend:orders", customer_id=["ann", "bob", "eve"]).json()["results"]

    assert column["values"] == [None, None, 0.1]
    assert column["statuses"] == ["NULL_VALUE", "NULL_VALUE", "PRESENT"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "The body is not JSON."),
        (b"\xff", 400, "The body is not JSON."),
        (b"[]", 422, "The body is not an object."),
        ({}, 422, "entities is missing."),
        ({"features": ["spend:orders"], "entities": {}}, 422, "entities is empty."),
        ({"features": ["spend:orders"], "entities": {"customer_id": []}}, 422, "entities names no entity."),
        (
            {"features": ["spend"], "entities": {"customer_id": ["ann"]}},
            422,
            "features[0] is not spelled as view:feature",
        ),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": [1]}},
            422,
            "Value 1 of customer_id is not a text.",
        ),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": [True]}},
            422,
            "entities.customer_id[0] is neither a text nor a whole number.",
        ),
        ({"features": ["spend:orders"], "entities": {"other": ["ann"]}}, 422, "needs the join key customer_id"),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": ["ann"], "x": ["a"]}},
            422,
            "1 of the entities' keys are no join keys",
        ),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": ["ann"], "x": []}},
            422,
            "lists of different lengths",
        ),
        (
            {"features": ["spend:orders"] * 2, "entities": {"customer_id": ["ann"]}},
            422,
            "orders would be in the answer twice",
        ),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}, "limit": 1},
            422,
            "limit is no part of this request.",
        ),
        ({"features": ["spend:nothing"], "entities": {"customer_id": ["ann"]}}, 404, "it has orders, city"),
        ({"features": ["spent:orders"], "entities": {"customer_id": ["ann"]}}, 404, "there are spend, visits"),
        ({"entities": {"customer_id": ["ann"]}}, 422, "Name either features, or a feature_service."),
        (
            {"feature_service": "x", "entities": {"customer_id": ["ann"]}},
            404,
            "There is no feature service 'x'; there are none.",
        ),
        (
            {"features": ["spend:orders"], "entities": {"customer_id": ["ann"] * 1001}},
            422,
            "1,001 entities are more than the 1,000",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(
    asked: Asked, body: object, status: int, detail: str
) -> None:
    answer = asked.post("/get-online-features", body)

    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_what_is_no_request_of_ours_is_refused(asked: Asked) -> None:
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}}

    assert asked.send("POST", "/get-online-features", data={"a": "b"}).status_code == 415
    for method, path, status, detail in (
        ("GET", "/get-online-features", 405, "This path takes POST, and not GET."),
        ("POST", "/health", 405, "This path takes GET, and not POST."),
        ("POST", "/predict", 404, "There is nothing at this path. There are "),
        ("GET", "/nothing", 404, "POST /predict/{model}"),
        ("GET", "/", 404, "There is nothing at this path."),
    ):
        answer = asked.send(method, path)
        assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert asked.send("POST", "/health").headers["allow"] == "GET"
    assert asked.post("/get-online-features", body, base="http://evil.example").status_code == 403
    assert (
        asked.post("/predict/none", {"entities": {"customer_id": ["ann"]}})
        .json()["detail"]
        .startswith("There is no model 'none'")
    )


def test_a_server_beyond_loopback_answers_nobody_when_the_last_key_is_taken_back(lake: Lake, asked: Asked) -> None:
    assert asked.server.state.loaded.snapshot
    book = KeyBook(lake=lake)
    bearer = {"authorization": f"Bearer {book.add('till', ['*'], ['*'], ['*'])}"}
    asked = serving(lake, CATALOG, on_loopback=False)
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}}
    assert asked.post("/get-online-features", body, bearer).status_code == 200

    book.remove("till")
    asked.server.state.look()

    for headers in (bearer, {}, {"host": "localhost"}):
        answer = asked.post("/get-online-features", body, headers)
        assert (answer.status_code, "No key is left" in answer.json()["detail"]) == (403, True)


def test_a_request_beyond_the_limits_is_refused(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}))
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}}

    long = serving(lake, CATALOG, Limits(body_bytes=50)).post("/get-online-features", body)
    busy = serving(lake, CATALOG, Limits(at_once=0)).post("/get-online-features", body)
    many = serving(lake, CATALOG, Limits(values=1)).features("spend:*", customer_id=["ann"])

    assert (long.status_code, long.json()["detail"][:36]) == (413, "The body is longer than 50 bytes. As")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert (many.status_code, "are more than 1 values" in many.json()["detail"]) == (422, True)


def test_what_takes_too_long_is_ended(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    asked = serving(lake, CATALOG, Limits(seconds=0.05))

    async def wait(*_: object) -> bytes:
        await asyncio.sleep(5)
        return b""

    monkeypatch.setattr("mlpipe_assets.serving.http.server.Server._features", wait)

    answer = asked.features("spend:orders", customer_id=["ann"])

    assert (answer.status_code, answer.json()["detail"]) == (
        504,
        "There was no answer within 0.05 seconds. Ask for less, or again.",
    )


def test_before_anything_is_published_the_server_says_so(lake: Lake) -> None:
    asked = serving(lake, CATALOG)

    assert asked.send("GET", "/health").json() == {
        "status": "no snapshot answers",
        "snapshot": None,
        "problem": "Nothing is published online yet. Next: mlpipe run",
    }
    answer = asked.features("spend:orders", customer_id=["ann"])
    assert (answer.status_code, answer.json()["detail"]) == (503, "Nothing is published online yet. Next: mlpipe run")


def test_a_newer_snapshot_answers_after_the_next_look_and_a_removed_one_is_asked_again(
    lake: Lake, asked: Asked
) -> None:
    def orders() -> object:
        return asked.features("spend:orders", customer_id=["ann"]).json()["results"][1]["values"]

    assert orders() == [1]
    SqliteStore(lake=lake).publish(snapshot("b", spend={"ann": 2}))
    assert orders() == [1]
    assert asked.server.state.look()
    assert orders() == [2]
    assert not asked.server.state.look()


def test_what_cannot_be_read_any_more_leaves_what_was_loaded(lake: Lake, asked: Asked) -> None:
    (lake.root / "online" / "features" / "line.json").write_text("{")

    assert not asked.server.state.look()

    assert asked.features("spend:orders", customer_id=["ann"]).status_code == 200
    assert "line.json cannot be read" in f"{asked.server.state.problem}"
    assert "mlpipe_look_failed 1" in asked.send("GET", "/metrics").text


def test_keys_open_what_their_scope_names_and_nothing_else(lake: Lake) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"ann": 1}, visits={"ann": 1}))
    token = KeyBook(lake=lake).add("checkout", ["spend"], [])
    asked = serving(lake, CATALOG)
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["ann"]}}

    def status(header: str | None, body: object = body, base: str = "http://shop.example") -> int:
        headers = {"authorization": header} if header else {}
        return asked.post("/get-online-features", body, headers, base=base).status_code

    assert status(f"Bearer {token}") == 200
    assert status(f"bearer  {token}") == 200
    assert status(f"Bearer {token}", {**body, "features": ["visits:orders"]}) == 403
    assert [
        status(None),
        status("Bearer "),
        status(f"Bearer {token[:-1]}x"),
        status("Bearer mlp_00000000_" + "x" * 43),
    ] == [401] * 4
    assert status(f"Basic {token}") == 401
    assert asked.send("GET", "/metrics").status_code == 401
    assert asked.send("GET", "/openapi.json").status_code == 401
    assert asked.send("GET", "/health").status_code == 200
    KeyBook(lake=lake).remove("checkout")
    KeyBook(lake=lake).add("other", ["*"], ["*"])
    asked.server.state.look()
    assert status(f"Bearer {token}") == 401


def test_no_log_line_holds_a_value_or_a_key(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(lake=lake).publish(snapshot("a", spend={"private-ann": 1}))
    token = KeyBook(lake=lake).add("checkout", ["*"], ["*"])
    asked = serving(lake, CATALOG)
    headers = {"authorization": f"Bearer {token}", "x-request-id": "mine-1"}
    body = {"features": ["spend:orders"], "entities": {"customer_id": ["private-ann"]}}

    asked.post("/get-online-features", body, headers)
    asked.post("/get-online-features?customer=private-ann", {**body, "private-ann": "private-ann"}, headers)
    asked.post("/predict/private-ann", {"entities": {"customer_id": ["private-ann"]}}, headers)

    def fail(*_: object) -> bytes:
        raise KeyError("private-ann")

    monkeypatch.setattr("mlpipe_assets.serving.http.server.answer", fail)
    broken = asked.post("/get-online-features", body, headers)

    assert (broken.status_code, broken.json()) == (500, {"detail": FAILED, "request_id": "mine-1"})
    text = asked.logged.getvalue()
    assert ("private-ann" in text, token in text, token[13:] in text) == (False, False, False)
    first = asked.lines()[0]
    assert {
        name: first[name] for name in ("event", "request_id", "route", "status", "key", "entities", "features")
    } == {
        "event": "request",
        "request_id": "mine-1",
        "route": "/get-online-features",
        "status": 200,
        "key": "checkout",
        "entities": 1,
        "features": 1,
    }
    assert [line["error"] for line in asked.lines() if line["event"] == "error"] == ["KeyError"]


def test_metrics_count_what_was_asked(asked: Asked) -> None:
    asked.features("spend:orders", customer_id=["ann", "bob"])
    asked.features("spend:nothing", customer_id=["ann"])
    asked.send("GET", "/wp-admin.php")

    text = asked.send("GET", "/metrics").text

    assert 'mlpipe_requests_total{route="/get-online-features",status="200"} 1' in text
    assert 'mlpipe_requests_total{route="/get-online-features",status="404"} 1' in text
    assert 'mlpipe_requests_total{route="other",status="404"} 1' in text
    assert 'mlpipe_entities_total{route="/get-online-features"} 2' in text
    assert 'mlpipe_request_seconds_count{route="/get-online-features"} 2' in text
    assert f'mlpipe_served_as_of_seconds{{view="spend"}} {AS_OF.timestamp():.0f}' in text
    assert 'mlpipe_served_entities{view="spend"} 2' in text


def test_openapi_describes_every_path_with_an_example(asked: Asked) -> None:
    paths = asked.send("GET", "/openapi.json").json()["paths"]

    assert set(paths) == {"/get-online-features", "/predict/{model}", "/push/{source}", "/health", "/metrics"}
    for path, name in (
        ("/get-online-features", "entities"),
        ("/predict/{model}", "entities"),
        ("/push/{source}", "rows"),
    ):
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert content["examples"]["one"]["value"][name]
        assert {"200", "400", "401", "403", "404", "413", "415", "422", "429", "500", "503", "504"} == set(
            paths[path]["post"]["responses"]
        )
