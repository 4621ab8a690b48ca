"""APIs as sources, by a real server on this machine: each record once, page by page, whatever the server does in between."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import HttpApi
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.intake import http_pages
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.stages.raw.plan import new_files
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, events, file_digests, materialize, quarantined, take

Answer = tuple[int, Any, dict[str, str]]


@dataclass(kw_only=True)
class Api:
    """A server, what it was asked, and how it answers."""

    port: int = 0
    answer: Callable[[dict[str, str]], Answer] = lambda _: (200, [], {})
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/orders"


@pytest.fixture
def api() -> Iterator[Api]:
    """A server on a free port of the loopback."""
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
            found.headers.append(dict(self.headers))
            status, document, headers = found.answer(found.asked[-1])
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": f"{len(body)}"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def order(order_id: str, changed: str | int, **other: object) -> dict[str, object]:
    row: dict[str, object] = {
        "order_id": order_id,
        "customer_id": "c1",
        "order_ts": f"{JAN_5}T08:00:00Z",
        "amount": "1.00",
    }
    row |= {"quantity": 1, "product_id": "P00001", "channel": "web", "region": "north", "changed_at": changed}
    return row | other


def at(hour: int) -> str:
    return f"2026-01-07T{hour:02}:00:00Z"


def source(api: Api, **more: Any) -> Source:
    return replace(orders, feed=HttpApi(url=api.url, **({"newer_by": "changed_at"} | more)))


def ids(lake: Lake) -> list[str]:
    return [json.loads(payload)["order_id"] for payload in events(lake).sort("source_file", "record_number")["payload"]]


def test_records_are_taken_once_and_what_is_newer_is_asked_for(api: Api, lake: Lake) -> None:
    there = [order("o1", at(9)), order("o2", at(10))]
    api.answer = lambda asked: (200, {"data": [o for o in there if f"{o['changed_at']}" >= asked.get("since", "")]}, {})
    shop = source(api, records="data", since="since")

    taken = take(lake, shop)

    [one] = taken.new
    assert (one.source_file, one.known_at) == (f"up to {at(10)}", datetime(2026, 1, 7, 10, tzinfo=UTC))
    assert new_files(lake, shop) == []
    assert api.asked[-1] == {"since": at(10)}
    there += [order("o3", at(10)), order("o1", at(11), amount="7.00")]  # o3 has the very time that was the newest
    take(lake, shop)
    assert ids(lake) == ["o1", "o2", "o3", "o1"]
    build(lake, [JAN_5], shop)
    amounts = dict(lake.read("interim", "orders", JAN_5).select("order_id", "amount").rows())
    assert {name: f"{value}" for name, value in amounts.items()} == {"o1": "7.00", "o2": "1.00", "o3": "1.00"}
    assert new_files(lake, shop) == []


@pytest.mark.parametrize(
    ("values", "overlap", "asked"),
    [
        ((at(9), at(10), at(11)), timedelta(hours=1, minutes=30), "2026-01-07T08:30:00Z"),
        (("2026-01-05", "2026-01-06", "2026-01-07"), timedelta(hours=30), "2026-01-04"),
        ((900, 1000, 1100), 150, "850"),
    ],
)
def test_records_that_appear_late_are_taken_within_the_overlap(
    api: Api, lake: Lake, values: tuple[Any, Any, Any], overlap: Any, asked: str
) -> None:
    early, late, later = values
    there = [order("o1", late)]
    api.answer = lambda _: (200, there, {})
    shop = source(api, since="since", overlap=overlap)

    def run() -> list[str]:
        taken = [delivery.source_file.split(",")[0] for delivery in take(lake, shop).new]
        assert new_files(lake, shop) == []  # a look alone takes nothing again
        return taken

    assert run() == [f"up to {late}"]
    there += [order("o2", early)]  # nothing is newer, and something is there that was not
    assert run() == [f"up to {late}"]
    assert api.asked[-1] == {"since": asked}
    assert run() == []
    there += [order("o3", later)]
    assert run() == [f"up to {later}"]
    there += [order("o0", -500 if isinstance(early, int) else "2025-12-01")]  # too late
    assert run() == []
    build(lake, [JAN_5], shop)
    assert lake.read("interim", "orders", JAN_5)["order_id"].sort().to_list() == ["o1", "o2", "o3"]


def test_an_overlap_of_another_kind_is_told(api: Api, lake: Lake) -> None:
    api.answer = lambda _: (200, [order("o1", at(9))], {})
    shop = source(api, overlap=5)

    assert "changed_at is a time, so overlap=5 must be a timedelta" in f"{take(lake, shop).problems}"


def test_a_run_of_dagster_takes_them(api: Api, lake: Lake) -> None:
    api.answer = lambda _: (200, [order("o1", at(9))], {})

    run = materialize(lake, JAN_5, source=source(api))

    assert run.result.success
    assert all(check.passed for check in run.checks.values())


PAGES = [[order("o1", 1), order("o2", 2)], [order("o3", 3)], [order("o4", 4)]]


def by_token(asked: dict[str, str]) -> Answer:
    number = int(asked.get("cursor", "0"))
    return 200, {"items": PAGES[number], "next": f"{number + 1}" if number < 2 else None}, {}


def by_address(asked: dict[str, str]) -> Answer:
    number = int(asked.get("p", "0"))
    return 200, {"items": PAGES[number], "links": {"next": f"/v1/orders?p={number + 1}" if number < 2 else ""}}, {}


def by_header(asked: dict[str, str]) -> Answer:
    number = int(asked.get("p", "0"))
    return 200, {"items": PAGES[number]}, {"Link": f'</v1/orders?p={number + 1}>; rel="next"'} if number < 2 else {}


def by_number(asked: dict[str, str]) -> Answer:
    number = int(asked["page"])
    return 200, {"items": PAGES[number - 1] if number <= 3 else []}, {}


@pytest.mark.parametrize(
    ("answer", "paging"),
    [
        (by_token, {"next_page": "next", "page_parameter": "cursor"}),
        (by_address, {"next_page": "links.next"}),
        (by_header, {}),
        (by_number, {"page_parameter": "page"}),
    ],
)
def test_pages_are_followed_by_token_address_header_or_number(
    api: Api, lake: Lake, answer: Callable[[dict[str, str]], Answer], paging: dict[str, str]
) -> None:
    api.answer = answer

    take(lake, source(api, records="items", **paging))

    assert sorted(ids(lake)) == ["o1", "o2", "o3", "o4"]


def test_a_server_that_is_overloaded_is_asked_again_when_it_says(api: Api, lake: Lake) -> None:
    answers = iter([(429, b"", {"Retry-After": "1"}), (503, b"", {}), (200, [order("o1", at(9))], {})])
    api.answer = lambda _: next(answers)
    began = time.monotonic()

    take(lake, source(api))

    assert ids(lake) == ["o1"]
    assert time.monotonic() - began >= 1.0


def test_a_failure_in_the_middle_takes_nothing_and_the_next_run_all(api: Api, lake: Lake) -> None:
    broken = [True]

    def answer(asked: dict[str, str]) -> Answer:
        return (404, b"gone", {}) if broken[0] and asked.get("cursor") == "2" else by_token(asked)

    api.answer = answer
    shop = source(api, records="items", next_page="next", page_parameter="cursor")
    first = take(lake, shop)
    broken[0] = False

    take(lake, shop)

    assert (first.new, [problem.reason for problem in first.problems]) == ([], [f"{api.url}: it answers 404"])
    assert sorted(ids(lake)) == ["o1", "o2", "o3", "o4"]


def test_what_is_no_record_goes_to_quarantine_and_numbers_keep_their_digits(api: Api, lake: Lake) -> None:
    body = json.dumps([order("o1", at(9)), "x", order("o2", "soon"), {"order_id": "o3"}]).replace(
        '"1.00"', "1234567.10"
    )
    api.answer = lambda _: (200, body.encode(), {})

    take(lake, source(api))
    build(lake, [JAN_5], source(api))

    assert ids(lake) == ["o1"]
    assert '"amount":"1234567.10"' in events(lake)["payload"][0]
    assert sorted(quarantined(lake)["reasons"]) == [
        "changed_at: neither a time in ISO 8601 nor a whole number",
        "has no changed_at, by which newer records are found",
        "not a JSON object",
    ]


def test_the_secret_is_sent_and_shown_nowhere(api: Api, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    api.answer = lambda _: (401, b"no s3cret", {})

    def reason(shop: Source) -> str:
        found, [problem] = intake_of(lake, shop).look({})
        assert found == []
        assert "s3cret" not in problem.reason
        return problem.reason.removeprefix(f"{api.url}: ")

    assert reason(source(api, token="SHOP_TOKEN")) == "it refuses us (401); it was sent the secret in SHOP_TOKEN"
    assert api.headers[-1]["Authorization"] == "Bearer s3cret"
    assert reason(source(api, token="SHOP_TOKEN", token_header="X-Api-Key")).startswith("it refuses us")
    assert (api.headers[-1]["X-Api-Key"], "Authorization" in api.headers[-1]) == ("s3cret", False)
    api.answer = lambda _: (302, b"", {"Location": "http://other.example/?s3cret"})
    assert reason(source(api)).startswith("it answers with a redirect (302), which is not followed")
    api.answer = lambda _: (200, {"items": [], "next": "http://other.example/"}, {})
    assert reason(source(api, records="items", next_page="next")).startswith("its next page is at another server")
    api.answer = lambda _: (200, b"<html>", {})
    assert reason(source(api)) == "its answer is no JSON, it begins with b'<'"
    api.answer = lambda _: (200, {"rows": []}, {})
    assert (
        reason(source(api, records="data.items"))
        == "there is no list of records at 'data.items': name its place by records="
    )
    monkeypatch.setattr(http_pages, "_MOST_BYTES", 5)
    assert reason(source(api)).startswith("a page of it is longer than 5 bytes")
    monkeypatch.delenv("SHOP_TOKEN")
    assert reason(source(api, token="SHOP_TOKEN")).startswith("the variable SHOP_TOKEN is not set")
    closed = replace(orders, feed=HttpApi(url="http://127.0.0.1:1/", newer_by="changed_at"))
    monkeypatch.setattr(http_pages, "PATIENCE", 0)
    [problem] = intake_of(lake, closed).look({})[1]
    assert problem.reason == "http://127.0.0.1:1/: it does not answer (ConnectionError)"


def test_an_api_that_leads_in_a_circle_is_left(api: Api, lake: Lake) -> None:
    api.answer = lambda _: (200, {"items": [order("o1", 1)], "next": "same"}, {})

    taken = take(lake, source(api, records="items", next_page="next", page_parameter="cursor"))

    assert [problem.reason for problem in taken.problems] == [
        f"{api.url}: it gives the same page again and again as the next one"
    ]
    assert len(api.asked) == 2


def test_a_snapshot_is_all_records_once_a_day(api: Api, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    person = {"customer_id": "C00001", "signup_date": "2025-01-01", "age": 30, "region": "north", "email": "c@x"}
    api.answer = lambda _: (200, [person], {})
    people = replace(customers, feed=HttpApi(url=api.url))
    take(lake, people)
    assert new_files(lake, people) == []

    later = datetime.now(tz=UTC) + timedelta(days=1)
    monkeypatch.setattr(time, "time_ns", lambda: int(later.timestamp()) * 1_000_000_000)
    api.answer = lambda _: (200, [person | {"age": 31}], {})

    assert [delivery.source_file for delivery in take(lake, people).new] == [f"{later.date()}"]


def test_damaged_events_are_made_again_while_the_api_gives_the_same(api: Api, lake: Lake) -> None:
    there = [order("o1", at(9)), order("o2", at(10))]
    api.answer = lambda _: (200, there, {})
    take(lake, source(api))
    there.append(order("o3", at(10)))
    take(lake, source(api))
    before = file_digests(lake.root, "raw")
    for path in (lake.root / "raw" / "_events").rglob("*.parquet"):
        path.chmod(0o644)
        path.write_bytes(b"rubbish")
    there.append(order("o4", at(11)))

    healed = take(lake, source(api))

    assert [problem.reason for problem in healed.problems] == []
    assert before.items() <= file_digests(lake.root, "raw").items()
    assert sorted(ids(lake)) == ["o1", "o2", "o3", "o4"]


def test_a_time_that_is_not_yet_silences_nothing(api: Api, lake: Lake) -> None:
    there = [order("o1", at(9)), order("o2", "9999-12-31T00:00:00Z")]
    api.answer = lambda _: (200, there, {})
    take(lake, source(api))
    there.append(order("o3", at(10)))

    take(lake, source(api))

    assert sorted(ids(lake)) == ["o1", "o3"]
    assert {*quarantined(lake)["reasons"]} == {"changed_at: a time that is not yet"}


def test_an_api_of_which_no_record_can_be_taken_any_more_is_told(api: Api, lake: Lake) -> None:
    api.answer = lambda _: (200, [order("o1", at(9)) | {"changed_at": None, "updated": at(9)}], {})
    none = take(lake, source(api))
    api.answer = lambda _: (200, [order("o1", at(9))], {})
    take(lake, source(api))
    api.answer = lambda _: (200, [order("o1", 1767776400)], {})
    other = take(lake, source(api))

    assert [problem.reason for problem in (*none.problems, *other.problems)] == [
        f"{api.url}: none of 1 record can be taken; the first has no changed_at, by which newer records are found",
        f"{api.url}: newer_by is a whole number now and was a time before, so nobody can say what is newer",
    ]
