"""Rows that are pushed: which are taken, what is said of others, and that each is in raw exactly once."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import Feed, Files
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.serving.http.access import KeyBook
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.serving.pushing import (
    TODAY,
    YESTERDAY,
    Pushed,
    event,
    open_catalog,
    pushed_to,
    raw_rows,
    source,
)
from mlpipe_assets_tests.store.test_local import files_of_at_most


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return open_catalog(tmp_path_factory.mktemp("sql"))


@pytest.fixture
def asked(lake: Lake, catalog: Catalog) -> Iterator[Pushed]:
    """A server of a lake in which nothing is published."""
    found = pushed_to(lake, catalog)
    yield found
    found.pushes.close()


def taken(lake: Lake, asked: Pushed) -> list[dict[str, Any]]:
    """What raw holds once everything is handed over and ingested."""
    asked.pushes.close()
    assert ingest(lake, source, Ledger.load(lake, source.name)).problems == []
    return raw_rows(lake)


def test_rows_are_in_raw_once_as_they_were_sent(lake: Lake, asked: Pushed) -> None:
    rows = b'{"rows": [{"id": "1", "who": "ann", "shop": 1, "at": "%s", "number": 1, "money": 1.10,\n "note": "x"}]}'

    answer = asked.post("/push/events", rows % f"{TODAY}T00:00:00Z".encode())

    assert (answer.status_code, answer.json()["rows"]) == (200, 1)
    [payload] = _payloads(taken(lake, asked), lake)
    assert '"money": 1.10,  "note": "x"' in payload  # no number was read and written again


def _payloads(_: object, lake: Lake) -> list[str]:
    paths = sorted(lake.root.glob("raw/_events/events/*/*.parquet"))
    return [one for path in paths for one in pl.read_parquet(path, hive_partitioning=False)["payload"]]


def test_one_row_needs_no_list(lake: Lake, asked: Pushed) -> None:
    answer = asked.post("/push/events", {"rows": event(1, "ann")})

    assert (answer.status_code, answer.json()["rows"]) == (200, 1)
    assert taken(lake, asked) == [event(1, "ann")]


@pytest.mark.parametrize(
    ("rows", "detail"),
    [
        (
            [{**event(2, "ann"), "money": "secret"}],
            "Row 1 breaks what events promises: money: not a number with at most 2 decimals.",
        ),
        (
            [event(1, "ann"), {**event(2, "ann"), "number": 1.5}],
            "Row 2 breaks what events promises: number: not a whole number.",
        ),
        ([{**event(1, "ann"), "who": None}], "Row 1 breaks what events promises: who: is null."),
        ([{"id": "1"}], "Row 1 breaks what events promises: at: is null."),
        ([{**event(1, "ann"), "at": "secret"}], "Row 1 breaks what events promises: at: cannot be read as a time."),
        (
            [event(1, "ann"), event(2, "ann", TODAY + timedelta(days=3)), {"id": "3"}],
            "Row 2 breaks what events promises: at: lies too far in the future, more than 24 hours after now. So do 1 more of its 3.",
        ),
        ([event(1, "ann"), 7], "Row 2: not a JSON object."),
        ([{**event(1, "ann"), "_push": "mine"}], "Row 1 has the name _push, which is ours."),
        ([], "rows is empty."),
        ("secret", "rows is not a list of objects."),
    ],
)
def test_a_row_that_does_not_hold_is_named_without_its_values_and_none_is_taken(
    lake: Lake, asked: Pushed, rows: object, detail: str
) -> None:
    answer = asked.post("/push/events", {"rows": rows})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)
    assert "secret" not in answer.text
    assert taken(lake, asked) == []


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "The body is not JSON."),
        (b'{"rows": [{"a": NaN}]}', 400, "The body is not JSON."),
        (b'{"rows": [{"a": "\xff"}]}', 400, "The body is not JSON."),
        (b'{"rows": [{"a": 1}]} x', 400, "The body is not JSON."),
        (b"[" * 100_000, 400, "The body is not JSON."),
        (b"[]", 422, "The body is not an object."),
        (b"{}", 422, "rows is missing."),
        (b'{"rows": [{"a": 1}], "secret": 1}', 422, "1 of the names beside rows are no part of this request."),
        (b'{"rows": [{"a": 1}], "rows": [{"a": 2}]}', 422, "rows stands twice."),
        (b'{"rows": [{"secret": 1, "secret": 2}]}', 422, "Row 1: a name stands twice."),
        (b'{"rows": [{"a": "\\ud800"}]}', 422, "Row 1: a lone surrogate"),
        (json.dumps({"rows": [{"a": 1}] * 1001}).encode(), 422, "1,001 rows are more than the 1,000 of one request."),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_a_sentence(
    asked: Pushed, body: bytes, status: int, detail: str
) -> None:
    answer = asked.post("/push/events", body)

    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)
    assert "secret" not in answer.text


def test_a_request_sent_again_with_its_key_brings_no_second_row_even_to_another_server(
    lake: Lake, asked: Pushed
) -> None:
    rows = [event(1, "ann"), event(2, "bob")]
    first = asked.push(*rows, key="a-1")
    again = asked.push(*rows, key="a-1")
    asked.pushes.close()
    other = pushed_to(lake, asked.catalog)
    third = other.push(*rows, key="a-1")
    changed = other.push(event(1, "eve"), event(2, "bob"), key="a-1")

    assert [one.status_code for one in (first, again, third, changed)] == [200, 200, 200, 422]
    assert first.json() == again.json() == third.json()
    assert changed.json()["detail"] == "Other rows came under this Idempotency-Key. Send these under a new one."
    assert taken(lake, other) == rows


def test_the_rest_of_a_request_that_was_cut_off_is_written_when_it_is_sent_again(lake: Lake, asked: Pushed) -> None:
    rows = [event(n, "ann") for n in range(3)]
    dead = Spool(root=lake.root, source="events")
    dead.append([f'{{"_push":"a-1 2/3",{json.dumps(rows[1])[1:]}'.encode()])
    dead.close()

    answer = asked.push(*rows, key="a-1")

    assert answer.json()["rows"] == 3
    assert sorted(row["id"] for row in taken(lake, asked)) == ["0", "1", "2"]


def test_rows_sent_twice_without_a_key_count_once(lake: Lake, asked: Pushed) -> None:
    asked.push(event(1, "ann"))
    asked.push(event(1, "ann"))

    taken(lake, asked)
    build_interim(lake, DuckDBEngine(), source, [TODAY])

    assert lake.read("interim", "events", TODAY, ["id", "who"]).rows() == [("1", "ann")]


@pytest.mark.parametrize("key", ["with blank", "x" * 65, "", "ä"])
def test_a_key_of_other_characters_is_refused(asked: Pushed, key: str) -> None:
    headers = {"idempotency-key": key.encode().decode("latin-1")}

    answer = asked.send(
        "POST", "/push/events", json={"rows": [event(1, "ann")]}, headers=httpx.Headers(headers, encoding="latin-1")
    )

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("The header Idempotency-Key is not 1 to 64 letters")


def test_requests_that_wait_are_written_together_and_each_gets_its_own_answer(lake: Lake, asked: Pushed) -> None:
    pushing = asked.pushes.taking["events"]
    texts = [json.dumps({**event(n, "ann"), "who": "ann" if n % 3 else None}) for n in range(9)]

    async def push_all() -> list[Any]:
        waiting = [pushing.push(f"k{n // 2}", [text]) for n, text in enumerate(texts)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(push_all())

    refused = [n for n, one in enumerate(found) if isinstance(one, Exception)]
    assert {n for n in range(9) if n % 3 == 0} <= {*refused}
    kept = {f"{n}" for n in range(9)} - {f"{n}" for n in refused}
    assert {row["id"] for row in taken(lake, asked)} == kept
    assert len(kept) >= 3


def test_rows_that_the_disk_does_not_take_are_not_answered_for(lake: Lake, asked: Pushed) -> None:
    asked.push(event(1, "ann"))
    with files_of_at_most(600):
        full = asked.post("/push/events", {"rows": [event(n, "bob") for n in range(20)]})

    assert (full.status_code, full.json()["detail"]) == (
        503,
        "The rows could not be written: no space left. None of this request was taken.",
    )
    assert taken(lake, asked) == [event(1, "ann")]


def test_rows_of_closed_days_are_taken_and_counted_as_late(lake: Lake, asked: Pushed) -> None:
    answer = asked.push(event(1, "ann", YESTERDAY), event(2, "ann"))

    assert (answer.json()["rows"], answer.json()["late"]) == (2, 1)
    assert len(taken(lake, asked)) == 2


def test_a_key_pushes_to_the_sources_that_it_was_made_for(lake: Lake, asked: Pushed) -> None:
    book = KeyBook(lake=lake)
    reader, till = book.add("reader", ["*"], ["*"]), book.add("till", [], [], ["events"])
    asked.server.state.look()

    def push(token: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        answer: httpx.Response = asked.post("/push/events", {"rows": [event(1, "ann")]}, headers)
        return answer

    assert (push(reader).status_code, push(reader).json()["detail"]) == (403, "This key may not push rows to events.")
    assert push(till).status_code == 200
    assert push("nothing").status_code == 401
    headers = {"authorization": f"Bearer {till}"}
    body = {"features": ["known:rows_1d"], "entities": {"who": ["ann"]}}
    assert asked.post("/get-online-features", body, headers).status_code in (403, 503)


class Topic(Feed):
    """Rows from elsewhere than files."""


@pytest.mark.parametrize(
    ("changed", "status", "detail"),
    [
        (
            {"event_time": None},
            422,
            "Rows cannot be pushed to events: it is a snapshot, each delivery is the whole table.",
        ),
        ({"feed": Topic()}, 422, "Rows cannot be pushed to events: it does not take its rows from files."),
        (
            {"feed": Files(records="data")},
            422,
            "Rows cannot be pushed to events: its files wrap their rows below 'data'.",
        ),
        ({"name": "others"}, 404, "There is no source 'events'; those that rows can be pushed to are others."),
    ],
)
def test_a_source_that_takes_no_single_rows_says_why(
    lake: Lake, changed: dict[str, Any], status: int, detail: str
) -> None:
    other: Source = replace(source, **changed)

    answer = pushed_to(lake, Catalog(sources=(other,))).post("/push/events", {"rows": [event(1, "ann")]})

    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


def prepare_events(text: pl.DataFrame) -> pl.DataFrame:
    """Who by their number; fails where it is none."""
    return text.with_columns("c" + pl.col("who").cast(pl.Int64).cast(pl.String))


def test_a_prepare_function_is_applied_and_its_failure_is_of_one_request(lake: Lake) -> None:
    other = replace(source, prepare=prepare_events)
    asked = pushed_to(lake, Catalog(sources=(other,)))
    pushing = asked.pushes.taking["events"]

    async def push_both() -> list[Any]:
        texts = (json.dumps(event(1, "7")), json.dumps(event(2, "secret")))
        return await asyncio.gather(*(pushing.push("", [text]) for text in texts), return_exceptions=True)

    good, bad = asyncio.run(push_both())
    asked.pushes.close()

    assert good.rows == 1
    assert "the prepare function of events failed" in f"{bad}"
    assert "secret" not in f"{bad}"


def test_a_time_that_cannot_be_read_is_named_also_where_the_source_has_a_prepare_function(lake: Lake) -> None:
    asked = pushed_to(lake, Catalog(sources=(replace(source, prepare=prepare_events),)))

    answer = asked.post("/push/events", {"rows": [{**event(1, "7"), "at": "soon"}]})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Row 1 breaks what events promises: at: ")
    assert "prepare" not in answer.json()["detail"]


def test_what_a_dead_server_left_is_handed_over_by_the_next_one_though_nothing_is_pushed_to_it(
    lake: Lake, catalog: Catalog
) -> None:
    dead = Spool(root=lake.root, source="events", sync=True)
    dead.append([json.dumps(event(1, "ann")).encode()])
    [left] = lake.root.glob("raw/events/.spool-*")
    if dead._part:
        dead._part.handle.close()

    pushed_to(lake, catalog).pushes.hand_over()

    assert not left.exists()
    assert ingest(lake, source, Ledger.load(lake, source.name)).problems == []
    assert raw_rows(lake) == [event(1, "ann")]
