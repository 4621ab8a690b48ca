"""Lineage goes to an OpenLineage receiver as it is recorded; one that is down, or says no, fails no run and misses nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.lineage import sending
from mlpipe_assets.lineage.database import open_database
from mlpipe_assets.lineage.receiver import Receiver
from mlpipe_assets.lineage.recording import Recorder
from mlpipe_assets.lineage.sending import Sender
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.lineage.history import ask, bring, drop
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, planted_catalog
from mlpipe_assets_tests.webhook import Webhook, webhook

# What a day of files comes to, in the order it is recorded.
DAY_ONE = ["raw/orders", "interim/orders", "raw/customers", "interim/customers", "features/spend"]


@dataclass(frozen=True, kw_only=True)
class World:
    """A lake whose lineage is sent, and who receives it."""

    lake: Lake
    catalog: Catalog
    receiver: Receiver
    server: Webhook

    def run(self, number: int) -> None:
        """A run that takes the files of a day."""
        if number == 1:
            drop_customers(self.lake, f"customers_{START}.csv", ANN)
        drop(self.lake, number)
        recorder = Recorder(catalog=self.catalog, run=f"run {number}", receiver=self.receiver)
        bring(replace(self.lake, written=recorder), self.catalog, [day(n) for n in range(1, number + 1)])

    def send(self) -> int:
        """What a later run would send."""
        sending._rests.clear()  # as a process that begins later
        database = open_database(self.lake)
        return Sender(lake=self.lake, catalog=self.catalog, database=database, receiver=self.receiver).send()

    def names(self) -> list[str]:
        """The jobs of the events that were received."""
        return [event["job"]["name"] for event in self.server.received]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    sending._rests.clear()
    with webhook() as server:
        yield World(
            lake=Lake(data_dir=str(tmp_path / "data")),
            catalog=planted_catalog(tmp_path / "sql"),
            receiver=Receiver(url=f"http://127.0.0.1:{server.port}", api_key="s3cret"),
            server=server,
        )


def test_each_step_is_sent_once_in_order_and_is_what_an_export_has(world: World) -> None:
    world.run(1)
    assert world.names() == DAY_ONE
    world.run(2)

    assert world.server.received == ask(world.catalog, world.lake).openlineage()
    assert len({event["run"]["runId"] for event in world.server.received}) == len(world.names()) > len(DAY_ONE)
    assert {*world.server.asked} == {("/api/v1/lineage", "Bearer s3cret")}
    assert world.send() == 0


def test_what_a_receiver_that_was_down_lacks_is_sent_later(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.server.status = 503
    world.run(1)
    assert world.names() == []
    assert len(world.server.asked) == 1  # left alone for a while, whatever else the run writes
    assert [r.message for r in caplog.records if "OPENLINEAGE" in r.message] == [
        "lineage: the receiver of MLPIPE_OPENLINEAGE_URL answered 503; what it lacks is sent again after a later table or run."
    ]

    world.server.status = 200
    assert world.send() == 5
    assert world.names() == DAY_ONE
    assert "s3cret" not in caplog.text


def test_nobody_at_the_address_fails_no_run(world: World, caplog: pytest.LogCaptureFixture) -> None:
    nobody = replace(world, receiver=Receiver(url="http://127.0.0.1:1", api_key="s3cret"))

    nobody.run(1)

    assert world.lake.days("features", "spend") == [day(1)]
    assert "does not answer (ConnectionError)" in caplog.text
    assert world.send() == 5  # another receiver has all of it
    assert nobody.send() == 0


def test_an_event_that_is_refused_is_told_and_left_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.server.status = 422
    world.run(1)
    assert "refused the event of interim/orders with 422, which is left out" in caplog.text

    world.server.status = 200
    assert world.send() == 0


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429])
def test_a_no_that_is_not_of_the_event_loses_none(world: World, status: int) -> None:
    world.server.status = status
    world.run(1)
    world.server.status = 200

    assert world.send() == 5


def test_a_run_killed_after_an_event_sends_it_again_under_the_same_run_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Sender, "_note", lambda *_: None)
        world.run(1)

    world.send()

    ids = [event["run"]["runId"] for event in world.server.received]
    assert len({*ids}) == 5
    assert len(ids) > 5


def test_an_input_says_what_its_contract_promises(world: World) -> None:
    world.run(1)

    [event] = [event for event in world.server.received if event["job"]["name"] == "features/spend"]
    [orders] = [one for one in event["inputs"] if one["name"] == "interim/orders"]
    facets = orders["inputFacets"]
    assert facets["dataQualityMetrics"]["rowCount"] == 2
    assert facets["dataQualityMetrics"]["columnMetrics"]["order_id"] == {"nullCount": 0}
    promised = {"assertion": "not_null", "column": "order_id", "success": True, "severity": "error"}
    assert promised in facets["dataQualityAssertions"]["assertions"]


def test_the_address_is_checked_and_the_key_is_not_shown() -> None:
    env = {"MLPIPE_OPENLINEAGE_URL": "http://marquez:5000/", "MLPIPE_OPENLINEAGE_API_KEY": "s3cret"}
    found = read_settings(env)
    assert found.openlineage_url == "http://marquez:5000"
    assert "s3cret" not in f"{found}{Receiver(url=found.openlineage_url, api_key=found.openlineage_api_key)}"
    assert found.for_lake(Path("/elsewhere")).openlineage_url == ""
