"""Messages of a stream, in the answers before raw has taken them: what they say is what the day is built with."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets.catalog.feeds import NatsStream
from mlpipe_assets.serving.push.metrics import push_metrics
from mlpipe_assets.serving.push.stream_tail import NOTHING_TAKEN, StreamTail
from mlpipe_assets.stages.raw.taking import pull
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.nats_server import NatsServer
from mlpipe_assets_tests.serving.pushing import (
    TODAY,
    YESTERDAY,
    Pushed,
    batch,
    build,
    event,
    open_catalog,
    publish,
    pushed_to,
    raw_rows,
    some_events,
)

pytestmark = pytest.mark.slow
FEED = NatsStream(servers="SHOP_NATS", stream="said")


@dataclass(kw_only=True)
class Followed:
    """A lake that is published up to yesterday of the messages of one stream, and its servers."""

    server: NatsServer
    lake: Lake
    asked: Pushed

    def send(self, *rows: Mapping[str, Any] | str) -> None:
        """Messages."""
        self.server.send("said.x", [row if isinstance(row, str) else json.dumps(row) for row in rows])

    def look(self) -> None:
        """What a server does twice a second."""
        self.asked.pushes.look()  # says which days are open
        self.tail.look()
        self.asked.pushes.look()

    def take(self) -> None:
        """What `mlpipe pull` does."""
        assert pull(self.lake, self.asked.catalog.source("events"), lambda: False).problems == []

    @property
    def tail(self) -> StreamTail:
        return self.asked.pushes.following["events"]

    def restart(self) -> None:
        """Another server in place of one that was killed."""
        self.asked = pushed_to(self.lake, self.asked.catalog)

    def rows_of(self, *people: str) -> list[Any]:
        """Rows of the last two days of some people."""
        return [row and row[0] for row in self.asked.online("totals", *[(one,) for one in people])]


@pytest.fixture
def followed(nats: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    monkeypatch.setenv("SHOP_NATS", nats.options)
    nats.make("said")
    lake, catalog = Lake(data_dir=f"{tmp_path / 'data'}"), open_catalog(tmp_path / "sql", feed=FEED)
    history = [*some_events(YESTERDAY - timedelta(days=3), YESTERDAY), event("e", "eve", YESTERDAY)]
    nats.send("said.x", [json.dumps(row) for row in history])
    build(lake, catalog, YESTERDAY)
    publish(lake, catalog, YESTERDAY)
    yield Followed(server=nats, lake=lake, asked=pushed_to(lake, catalog))
    nats.ask(lambda js: js.delete_stream("said"))


def expect_equal(found: Followed, people: Sequence[str]) -> None:
    """What is answered of some people is what the day is built with."""
    views = [view.name for view in found.asked.catalog.feature_views]
    entities = {name: [(one, 1) if name == "pairs" else (one,) for one in people] for name in views}
    online = {name: dict(zip(ones, found.asked.online(name, *ones), strict=True)) for name, ones in entities.items()}
    build(found.lake, found.asked.catalog, TODAY)
    for name, answers in online.items():
        built = batch(found.lake, found.asked.catalog.view(name), TODAY)
        assert answers == {entity: built.get(entity) for entity in answers}, name


def test_a_message_is_in_the_answers_before_it_is_in_raw_and_the_day_is_built_with_the_same(followed: Followed) -> None:
    assert followed.rows_of("eve", "fay") == [1, None]
    before = len(raw_rows(followed.lake))

    drawn = some_events(TODAY, TODAY, seed=7, each=9)
    followed.send(*drawn, event("f1", "fay"), event("e1", "eve", number=2))
    followed.look()

    assert followed.rows_of("eve", "fay") == [2, 1]
    assert len(raw_rows(followed.lake)) == before
    expect_equal(followed, sorted({"eve", "fay", *(row["who"] for row in drawn)}))


def test_a_late_message_and_one_that_does_not_hold_change_no_answer(followed: Followed) -> None:
    followed.send("no record", event("f1", "fay", YESTERDAY), {**event("f2", "fay"), "money": "much"})
    followed.look()
    assert followed.rows_of("fay") == [None]

    followed.send(event("f2", "fay"))
    followed.look()
    assert followed.rows_of("fay") == [1]


def test_rows_that_raw_takes_make_way_for_its_own_and_no_answer_changes(followed: Followed) -> None:
    followed.send(event("f1", "fay", number=1), event("f2", "fay"))
    followed.look()
    followed.send(event("f1", "fay", number=5, word="a"))  # a correction, in a stretch of its own
    followed.look()
    online = followed.asked.online("totals", ("fay",))
    followed.take()
    followed.send(event("f4", "gil"))
    followed.look()

    assert followed.rows_of("fay", "gil") == [2, 1]
    assert followed.asked.online("totals", ("fay",)) == online
    rows = followed.asked.pushes._rows["events"].rows
    assert rows is not None
    assert sorted(rows["id"]) == ["f1", "f1", "f2", "f4"]  # each message once
    expect_equal(followed, ["fay", "gil"])


def test_what_was_taken_before_a_server_read_it_is_answered_and_so_is_what_was_not(followed: Followed) -> None:
    followed.send(event("f1", "fay"))
    followed.take()
    followed.send(event("f3", "fay"))
    followed.restart()
    assert followed.rows_of("fay") == [1]  # of raw, before the broker was asked
    followed.look()
    assert followed.rows_of("fay") == [2]

    followed.send(event("g1", "gil"))
    followed.take()  # before this server looks again
    followed.look()
    assert followed.rows_of("fay", "gil") == [2, 1]
    expect_equal(followed, ["fay", "gil"])


def test_a_server_that_cannot_be_asked_is_named_and_what_was_read_goes_on_answering(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.send(event("f1", "fay"))
    followed.look()
    monkeypatch.setenv("SHOP_NATS", "nats://127.0.0.1:1")
    followed.look()

    assert followed.rows_of("fay") == [1]
    told = followed.asked.pushes.all_not_online()
    assert set(told) == {"known", "totals", "pairs", "written"}
    assert told["known"].startswith("the messages of events cannot be read: the servers do not answer")
    assert metrics_of(followed) == {"mlpipe_followed_rows_total": 1, "mlpipe_follow_failed": 1.0}
    monkeypatch.setenv("SHOP_NATS", followed.server.options)
    followed.send(event("f2", "fay"))
    followed.look()
    assert followed.asked.pushes.all_not_online() == {}
    assert followed.rows_of("fay") == [2]


def test_a_file_of_raw_that_is_damaged_is_named_and_read_once_it_is_whole(followed: Followed) -> None:
    followed.send(event("f1", "fay"))
    followed.take()
    [file] = followed.lake.root.glob(f"raw/_events/events/*{TODAY}*/*.parquet")
    content = file.read_bytes()
    file.write_bytes(b"something else")
    followed.restart()
    followed.look()
    assert followed.rows_of("fay") == [None]
    assert "a file of raw is damaged" in followed.asked.pushes.all_not_online()["known"]

    file.write_bytes(content)
    followed.look()
    assert followed.rows_of("fay") == [1]


def metrics_of(followed: Followed) -> dict[str, float]:
    return {one.name: one.samples[0][1] for one in push_metrics(followed.asked.pushes) if "follow" in one.name}


def test_a_stream_of_which_raw_has_nothing_is_not_read_from_its_beginning(followed: Followed, tmp_path: Path) -> None:
    nothing = Lake(data_dir=f"{tmp_path / 'nothing'}")
    empty = replace(followed, lake=nothing, asked=pushed_to(nothing, followed.asked.catalog))
    empty.look()

    assert empty.tail.problem == NOTHING_TAKEN
