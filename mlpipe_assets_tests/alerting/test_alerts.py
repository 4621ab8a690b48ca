"""Alerts through a real webhook: told once, told again when a channel was down, and never at the cost of a run."""

import json
import logging
import socket
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from mlpipe_assets.alerting.alert_book import read_book
from mlpipe_assets.alerting.alerts import deliver_waiting, tell_alerts
from mlpipe_assets.alerting.channels import Note, deliver, unusable
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.alerting.test_messages import LATE, NOW, OTHER
from mlpipe_assets_tests.webhook import Webhook

MINUTE = timedelta(minutes=1)


def settings_for(*urls: str) -> Settings:
    return replace(read_settings({}), alert_urls=urls)


def test_an_alert_names_the_environment_and_where_to_look(lake: Lake, server: Webhook) -> None:
    settings = replace(settings_for(server.url), environment="production", ui_url="http://dagster.example:3000")

    tell_alerts(lake, settings, "freshness", [LATE], NOW)

    [broken] = server.received
    assert broken["title"] == "[production] raw/orders: no partition of 2026-05-01"
    assert broken["message"].endswith(
        f"from: host {socket.gethostname()}, environment production, data folder {lake.root}\n"
        "open: http://dagster.example:3000"
    )


def test_a_message_whose_next_try_a_wrong_clock_put_off_for_years_is_sent(lake: Lake, server: Webhook) -> None:
    server.status = 500
    tell_alerts(lake, settings_for(server.url), "freshness", [LATE], NOW + timedelta(days=4000))
    server.status = 200

    assert deliver_waiting(lake, settings_for(server.url), NOW) == 0


def audit(lake: Lake) -> list[tuple[str, str]]:
    """Kind and title of every message ever told."""
    lines = (lake.root / "meta" / "alerts.jsonl").read_text().splitlines()
    return [(record["kind"], record["title"]) for record in map(json.loads, lines)]


def test_the_webhook_is_told_what_broke_and_what_healed_once_each(lake: Lake, server: Webhook) -> None:
    settings = settings_for(server.url)

    for look, problems in enumerate(([LATE], [LATE], [], [])):
        tell_alerts(lake, settings, "freshness", problems, NOW + look * MINUTE)

    broken, healed = server.received
    assert (broken["title"], broken["type"]) == ("raw/orders: no partition of 2026-05-01", "failure")
    assert broken["message"] == (
        "raw/orders: no partition of 2026-05-01\n"
        "how many: 3 tables late: raw/orders, interim/orders, features/spend\n"
        "example: the newest partition is 2026-04-30\n"
        "since: 2026-05-03 06:00 UTC\n"
        "what to do: see why no file of orders came\n\n"
        f"from: host {socket.gethostname()}, data folder {lake.root}"
    )
    assert (healed["title"], healed["type"]) == ("healed: raw/orders: no partition of 2026-05-01", "success")
    assert read_book(lake).waiting == []
    assert audit(lake) == [("broken", broken["title"]), ("healed", healed["title"])]


def test_scopes_do_not_heal_each_other(lake: Lake, server: Webhook) -> None:
    settings = settings_for(server.url)
    tell_alerts(lake, settings, "freshness", [LATE], NOW)

    told = tell_alerts(lake, settings, "checks", [], NOW + MINUTE)

    assert told == []
    assert list(read_book(lake).open["freshness"]) == ["raw/orders"]


def test_a_dead_channel_fails_nothing_and_gets_the_message_when_it_is_back(lake: Lake, server: Webhook) -> None:
    server.status = 500
    settings = settings_for(server.url)

    told = tell_alerts(lake, settings, "freshness", [LATE], NOW)
    assert [m.kind for m in told] == ["broken"]
    assert [w["channels"] for w in read_book(lake).waiting] == [["channel 1 (json)"]]

    server.status = 200
    tell_alerts(lake, settings, "freshness", [LATE], NOW + MINUTE)
    assert server.titles() == ["raw/orders: no partition of 2026-05-01"]
    assert read_book(lake).waiting == []


def test_a_live_channel_is_not_told_twice_because_another_is_dead(lake: Lake, server: Webhook) -> None:
    settings = settings_for("json://127.0.0.1:9/nobody-listens", server.url)

    for look in range(3):
        tell_alerts(lake, settings, "freshness", [LATE], NOW + look * MINUTE)

    assert len(server.received) == 1
    assert [w["channels"] for w in read_book(lake).waiting] == [["channel 1 (json)"]]


def test_a_channel_that_stays_dead_is_tried_ever_more_rarely(lake: Lake, server: Webhook) -> None:
    server.status = 503
    settings = settings_for(server.url)
    tell_alerts(lake, settings, "freshness", [LATE], NOW)

    tries = []
    for minute in range(1, 61):
        before = read_book(lake).waiting[0]["tries"]
        deliver_waiting(lake, settings, NOW + minute * MINUTE)
        if read_book(lake).waiting[0]["tries"] > before:
            tries.append(minute)

    assert tries == [1, 2, 4, 8, 16, 32]


def test_messages_of_a_bad_hour_arrive_in_order(lake: Lake, server: Webhook) -> None:
    server.status = 500
    settings = settings_for(server.url)
    tell_alerts(lake, settings, "freshness", [LATE], NOW)
    tell_alerts(lake, settings, "freshness", [LATE, OTHER], NOW + MINUTE)
    server.status = 200

    tell_alerts(lake, settings, "freshness", [], NOW + 60 * MINUTE)

    assert [title.split(":")[0] for title in server.titles()] == ["raw/orders", "raw/customers", "healed"]


def test_without_urls_the_messages_are_kept_in_the_lake(lake: Lake) -> None:
    tell_alerts(lake, settings_for(), "freshness", [LATE], NOW)

    assert audit(lake) == [("broken", "raw/orders: no partition of 2026-05-01")]
    assert read_book(lake).waiting == []


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:9/s3cret-token", "nonsense://s3cret-token", "s3cret-token", "json://user:s3cret-token@"]
)
def test_no_log_and_no_file_holds_a_url(url: str, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    tell_alerts(lake, settings_for(url), "freshness", [LATE], NOW)

    assert "alerts: channel 1" in caplog.text
    assert "s3cret-token" not in caplog.text
    files = [path for path in lake.root.rglob("*") if path.is_file()]
    assert not any(b"s3cret-token" in path.read_bytes() for path in files)
    assert "s3cret-token" not in repr(settings_for(url))


def test_a_delivered_message_leaves_no_url_in_the_log_either(
    lake: Lake, server: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    tell_alerts(lake, settings_for(server.url), "freshness", [LATE], NOW)

    assert len(server.received) == 1
    assert "s3cret-token" not in caplog.text


def test_a_data_folder_that_cannot_be_written_fails_no_run(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    (lake.root / "meta").write_text("a file where a folder should be")

    told = tell_alerts(lake, settings_for(), "freshness", [LATE], NOW)

    assert told == []
    assert "nothing told this time" in caplog.text


def test_a_book_that_cannot_be_read_is_started_anew(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    (lake.root / "meta").mkdir(parents=True)
    (lake.root / "meta" / "alerts.json").write_text("{")

    told = tell_alerts(lake, settings_for(), "freshness", [LATE], NOW)

    assert [m.kind for m in told] == ["broken"]
    assert "is started anew" in caplog.text


def test_a_channel_that_does_not_answer_costs_no_more_than_its_time() -> None:
    note = Note(title="t", body="b", kind="failure")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        url = f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=60"
        started = time.monotonic()

        taken = deliver([url], [[note]], seconds=0.3)

        assert taken == [0]
        assert (
            time.monotonic() - started < 30
        )  # the channel itself would wait for a minute; its thread ends with the socket


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", ()),
        (" , ", ()),
        ("json://a/x", ("json://a/x",)),
        (
            "json://a/x,slack://t/o/k  mailto://u:p@h?to=a@h,b@h",
            ("json://a/x", "slack://t/o/k", "mailto://u:p@h?to=a@h,b@h"),
        ),
        ("json://a/x\nntfy://topic,", ("json://a/x", "ntfy://topic")),
    ],
)
def test_urls_stand_between_commas_or_spaces(text: str, urls: tuple[str, ...]) -> None:
    assert read_settings({"MLPIPE_ALERT_URLS": text}).alert_urls == urls


def test_a_url_that_nothing_understands_is_named_without_what_is_in_it() -> None:
    found = unusable(["json://127.0.0.1:9/", "garbage://user:secret@host", "secret"])

    assert found == ["channel 2 (garbage)", "channel 3 (no URL)"]
