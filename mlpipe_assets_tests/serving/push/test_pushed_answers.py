"""Answers follow pushed rows: what they say is what the day's build will say of the same rows, to the last bit."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import LakeError
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.serving.push.open_day import OpenSource
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.catalog.declared import every_function, view_of
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import day, publish_online
from mlpipe_assets_tests.serving.asking import serving
from mlpipe_assets_tests.serving.pushing import (
    PEOPLE,
    TODAY,
    YESTERDAY,
    Pushed,
    batch,
    build,
    copied,
    drop,
    event,
    open_lake,
    publish,
    pushed_to,
    some_events,
)

Entity = tuple[Any, ...]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Catalog]:
    """A lake that is published up to yesterday; nobody changes it."""
    return open_lake(tmp_path_factory.mktemp("published"))


@pytest.fixture
def asked(published: tuple[Lake, Catalog], tmp_path: Path) -> Pushed:
    """A server of a lake of one test."""
    lake, catalog = published
    return pushed_to(copied(lake, tmp_path), catalog)


def entities(asked: Pushed, view: str, rows: list[dict[str, Any]]) -> list[Entity]:
    keys = asked.catalog.view(view).entity.join_keys
    return sorted({tuple(row[key] for key in keys) for row in rows})


def built(asked: Pushed) -> dict[str, dict[Entity, list[Any]]]:
    """Hand everything over, build the day, and give the rows of each view."""
    asked.pushes.close()
    build(asked.pushes.lake, asked.catalog, TODAY)
    return {view.name: batch(asked.pushes.lake, view, TODAY) for view in asked.catalog.feature_views}


def expect_equal(asked: Pushed, rows: list[dict[str, Any]]) -> None:
    """Online answers of the entities of some rows are what the day is built with."""
    online = {
        view.name: dict(zip(wanted, asked.online(view.name, *wanted), strict=True))
        for view in asked.catalog.feature_views
        if (wanted := entities(asked, view.name, rows))
    }
    found = built(asked)
    assert set(online) == set(found)
    for name, answers in online.items():
        assert answers == {entity: found[name].get(entity) for entity in answers}, name


@pytest.mark.long
def test_every_function_over_every_kind_of_column_is_what_the_day_is_built_with(tmp_path: Path) -> None:
    every = replace(view_of(*every_function(), late="as_known"), name="every")
    asked = pushed_to(*open_lake(tmp_path, every))
    rows = some_events(TODAY, TODAY, seed=2, each=40)
    asked.push(*rows)

    expect_equal(asked, rows)


def test_answers_are_what_the_day_is_built_with_whatever_the_view(asked: Pushed) -> None:
    rows = some_events(TODAY, TODAY, seed=2, each=12)
    assert asked.push(*rows[:7]).json() == {"rows": 7, "late": 0}
    for row in rows[7:]:
        asked.push(row)

    expect_equal(asked, rows)


@pytest.mark.long
def test_files_of_the_day_and_pushed_rows_are_one_table_of_which_the_later_version_counts(asked: Pushed) -> None:
    lake, late = asked.pushes.lake, some_events(TODAY, TODAY, seed=3, each=6)
    drop(lake, "others.jsonl", [*late, event("x", "ann", money="1.00"), event("y", "bob", money="2.00")])
    build(lake, asked.catalog, TODAY)
    asked.server.state.look()

    asked.push(event("x", "ann", money="7.00"), event("z", "cyd", money="4.00"))

    expect_equal(asked, [event("x", "ann"), event("z", "cyd")])


def test_a_row_that_is_corrected_takes_what_it_was_from_whom_it_was_of(asked: Pushed) -> None:
    before = asked.online("written", ["ann"], ["bob"])
    asked.push(event("x", "ann"))
    assert asked.online("written", ["ann"]) != before[:1]
    asked.push(event("x", "bob"), event("y", "cyd", word="a"))
    asked.push(event("y", "cyd", word="b"))

    expect_equal(asked, [event("x", "ann"), event("x", "bob"), event("y", "cyd")])


def test_somebody_new_is_there_and_everybody_else_is_as_the_snapshot_has_them(asked: Pushed) -> None:
    before = asked.online("totals", *[[name] for name in PEOPLE])

    asked.push(event("x", "eve", money="5.00"))

    assert asked.online("totals", *[[name] for name in PEOPLE]) == before
    assert asked.online("totals", ["eve"]) == [[1, 1, 5.0, 0]]
    assert asked.online("pairs", ["eve", 1], ["eve", 2]) == [[1, 1, 5.0, 0][:3], None]


def test_the_row_is_as_of_the_moment_at_which_it_was_merged(asked: Pushed) -> None:
    moment = datetime.combine(TODAY, time(9, 30, 15), tzinfo=UTC)
    asked.pushes.now = lambda: moment
    asked.server.state.look()

    asked.push(event("x", "ann"))

    answer = asked.post(
        "/get-online-features", {"features": ["totals:since"], "entities": {"who": ["ann", "bob"]}}
    ).json()["results"][1]
    assert answer["event_timestamps"] == [f"{TODAY}T09:30:15Z", f"{TODAY}T00:00:00Z"]
    assert answer["values"][0] == 0


def test_late_rows_and_rows_in_place_of_late_ones_change_no_answer(asked: Pushed) -> None:
    known = some_events(TODAY - timedelta(days=6), YESTERDAY)[-1]
    before = asked.online("totals", *[[name] for name in (*PEOPLE, "eve")])

    told = asked.push(
        event("x", "eve", YESTERDAY), event("y", "ann", TODAY - timedelta(days=40)), event(known["id"], "eve")
    )

    assert told.json() == {"rows": 3, "late": 3}
    assert asked.online("totals", *[[name] for name in (*PEOPLE, "eve")]) == before


def test_another_server_and_one_that_begins_later_answer_the_same(asked: Pushed) -> None:
    lake, catalog = asked.pushes.lake, asked.catalog
    other = pushed_to(lake, catalog)
    rows = some_events(TODAY, TODAY, seed=4, each=6)
    asked.push(*rows)
    other.push(event("x", "eve"))
    asked.pushes.look()
    later = pushed_to(lake, catalog)
    asked.pushes.close()  # its file gets another name, and is not read again
    wanted = [[name] for name in (*PEOPLE, "eve")]

    found = [one.online("known", *wanted) for one in (asked, other, later)]
    asked.pushes.look()

    assert found[0] == found[1] == found[2] == asked.online("known", *wanted)
    other.pushes.close()
    expect_equal(asked, [*rows, event("x", "eve")])


@pytest.mark.long
def test_of_two_servers_the_version_of_the_file_that_is_known_later_counts_as_it_will_in_the_build(
    asked: Pushed,
) -> None:
    other = pushed_to(asked.pushes.lake, asked.catalog)
    asked.push(event("x", "ann", money="1.00"))
    other.push(event("x", "ann", money="2.00"))
    asked.push(event("y", "ann"))  # so its file is known last, with its older version of x
    other.pushes.close()
    asked.pushes.close()
    asked.pushes.look()

    expect_equal(asked, [event("x", "ann")])


def test_the_rows_of_a_day_make_way_for_its_snapshot_and_those_of_the_next_day_go_on_from_it(asked: Pushed) -> None:
    lake, tomorrow = asked.pushes.lake, TODAY + ONE_DAY
    asked.push(event("x", "ann", money="1.00"), event("y", "bob"))
    today = asked.online("totals", ["ann"])
    asked.push(event("z", "ann", tomorrow, money="2.00"))
    assert asked.online("totals", ["ann"]) == today  # tomorrow's row waits

    midnight = datetime.combine(tomorrow, time(0, 5), tzinfo=UTC)
    asked.pushes.now = lambda: midnight
    asked.pushes.look()
    before = asked.online("totals", ["ann"], ["bob"])  # both days are open until today is built
    asked.pushes.close()
    build(lake, asked.catalog, TODAY)
    publish(lake, asked.catalog, TODAY)
    asked.server.state.look()

    assert asked.pushes.overlay.count()["totals"] == 1
    assert asked.online("totals", ["ann"]) == before[:1]
    assert asked.online("totals", ["bob"]) == [batch(lake, asked.catalog.view("totals"), TODAY)["bob",]]


def test_what_is_taken_back_takes_its_overlay_along(asked: Pushed) -> None:
    lake, store = asked.pushes.lake, SqliteStore(lake=asked.pushes.lake)
    asked.push(event("x", "ann", money="1.00"))
    before = asked.online("totals", ["ann"], ["bob"])
    asked.pushes.close()
    build(lake, asked.catalog, TODAY)
    publish(lake, asked.catalog, TODAY)
    asked.server.state.look()
    assert asked.pushes.overlay.count().get("totals", 0) == 0

    store.roll_back("wrong")
    asked.server.state.look()

    assert asked.online("totals", ["ann"], ["bob"]) == before


def test_a_view_that_cannot_follow_answers_from_the_snapshot_and_says_why(asked: Pushed) -> None:
    before = asked.online("written", ["ann"])
    asked.pushes.now = lambda: datetime.combine(TODAY + 2 * ONE_DAY, time(1), tzinfo=UTC)

    told = asked.push(event("x", "ann", TODAY + ONE_DAY))

    words = f"its newest day is {YESTERDAY}; the days since are not built"
    assert told.json()["not_online"] == dict.fromkeys(["known", "totals", "pairs", "written"], words)
    assert asked.send("GET", "/health").json()["not_online"]["written"] == words
    assert asked.online("written", ["ann"]) == before


def test_a_table_that_cannot_be_read_is_named_and_its_rows_follow_once_it_is_whole(asked: Pushed) -> None:
    lake, catalog = asked.pushes.lake, asked.catalog
    [content] = (lake.root / ".store/interim/events").glob(f"date={YESTERDAY}/part.*")
    face, sound = lake.path("interim", "events", YESTERDAY), content.read_bytes()
    for path in (content, face):
        path.unlink()
        path.write_bytes(b"")
    told = asked.push(event("x", "ann"))
    assert f"date={YESTERDAY}" in asked.send("GET", "/health").json()["not_online"]["written"]
    assert told.status_code == 200
    before = asked.online("written", ["ann"])

    for path in (content, face):
        path.write_bytes(sound)
    later = pushed_to(lake, catalog)

    assert later.online("written", ["ann"]) != before
    assert "not_online" not in later.send("GET", "/health").json()


def test_rows_that_came_while_the_lake_could_not_be_read_are_not_passed_over(
    asked: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpipe_assets.serving.push.pushes._BETWEEN_LOOKS", 0.0)
    manifest = asked.pushes.lake.root / "meta/tables/interim.events.json"
    sound = manifest.read_bytes()
    manifest.write_text("{")

    assert asked.push(event("x", "eve")).status_code == 200
    other = pushed_to(asked.pushes.lake, asked.catalog)
    for one in (asked, other):
        assert one.online("written", ["eve"]) == [None]
        assert "interim.events.json" in one.send("GET", "/health").json()["not_online"]["written"]
    manifest.write_bytes(sound)
    for one in (asked, other):
        one.pushes.look()

        assert one.online("written", ["eve"]) == [[1, 0]]
    asked.pushes.close()


def test_a_look_that_fails_in_the_middle_is_made_again_with_the_same_rows(
    asked: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asked.online("totals", ["eve"])

    def fail(*_: object) -> None:
        raise LakeError("the disk is gone")

    with monkeypatch.context() as failing:
        failing.setattr(OpenSource, "select", fail)
        assert asked.post("/push/events", {"rows": [event("x", "eve", money="1.00")]}).status_code == 200
        with pytest.raises(LakeError):
            asked.pushes.look()
        other = pushed_to(asked.pushes.lake, asked.catalog)  # it begins all the same
    assert before == asked.online("totals", ["eve"]) == other.online("totals", ["eve"]) == [None]

    for one in (asked, other):
        one.pushes.look()

        assert one.online("totals", ["eve"]) == [[1, 1, 1.0, 0]]
    asked.pushes.close()


def test_predictions_are_of_the_rows_that_follow_from_what_is_pushed(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    now = datetime.combine(day(7), time(12), tzinfo=UTC)
    pushes = Pushes(lake=lake, catalog=catalog, engine=DuckDBEngine(), now=lambda: now)
    asked = serving(lake, catalog, pushes=pushes)
    entities = {"entities": {"customer_id": ["ann", "new"]}}
    before = asked.post("/predict/returning", entities).json()["results"]
    row = {"order_id": "n", "customer_id": "new", "order_ts": f"{day(7)}T10:00:00Z", "amount": 1, "quantity": 1}

    asked.post("/push/orders", {"rows": [{**row, "product_id": "P00001", "channel": "web", "region": "north"}]})
    pushes.look()

    after = asked.post("/predict/returning", entities).json()["results"]
    pushes.close()
    assert [one["status"] for one in before] == ["PRESENT", "NOT_FOUND"]
    assert after[0] == before[0]
    assert (after[1]["status"], after[1]["as_of"]) == ("PRESENT", f"{day(7)}T12:00:00Z")


def test_metrics_say_what_was_pushed_and_how_many_answers_follow(asked: Pushed) -> None:
    assert "mlpipe_pushed_rows_total" not in asked.send("GET", "/metrics").text
    asked.push(event("x", "ann"), event("y", "bob", YESTERDAY), key="k")
    asked.push(event("x", "ann"), event("y", "bob", YESTERDAY), key="k")

    text = asked.send("GET", "/metrics").text

    for kind, count in (("taken", 2), ("late", 1), ("repeated", 2)):
        assert f'mlpipe_pushed_rows_total{{source="events",kind="{kind}"}} {count}' in text
    assert 'mlpipe_overlay_entities{view="totals"} 1' in text
    assert "mlpipe_push_delay_seconds" in text
    assert "mlpipe_push_not_online" not in text
