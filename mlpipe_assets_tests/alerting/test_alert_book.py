"""The alert book: started anew when it cannot be read, and its log loses no line."""

import json

import pytest

from mlpipe_assets.alerting.alert_book import AlertBook, read_book
from mlpipe_assets.store.lake import Lake


@pytest.mark.parametrize(
    "content",
    ['{"open": {"ra', "[]", '{"open": [], "waiting": [], "seen": {}}', '{"open": {}, "waiting": [1], "seen": {}}'],
)
def test_a_book_that_cannot_be_read_is_started_anew(lake: Lake, content: str, caplog: pytest.LogCaptureFixture) -> None:
    AlertBook(lake=lake, open={"raw": {"a": {"told": "x"}}}).save()
    assert read_book(lake).open == {"raw": {"a": {"told": "x"}}}
    (lake.root / "meta" / "alerts.json").write_text(content)

    assert read_book(lake) == AlertBook(lake=lake)
    assert "alerts.json cannot be read and is started anew" in caplog.text


def test_half_a_line_of_the_log_does_not_swallow_the_next(lake: Lake) -> None:
    path = lake.root / "meta" / "alerts.jsonl"
    book = AlertBook(lake=lake)
    book.record([{"n": 1}])
    path.write_bytes(path.read_bytes() + b'{"n"')

    book.record([{"n": 2}])

    assert json.loads(path.read_text().splitlines()[-1]) == {"n": 2}
