"""What a server wrote for a lake in a bucket: on its disk until the bucket has it, and there once."""

from pathlib import Path

import pytest

from mlpipe_assets.serving.http.outbox import Outbox
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import UnreachableError

KEY = "raw/serving_log/2026-01-05T100000Z_abc-0001.jsonl"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """One with a finished file and one that is being written."""
    folder = tmp_path / "raw/serving_log"
    folder.mkdir(parents=True)
    (tmp_path / KEY).write_text("{}\n")
    (folder / ".spool-abc.jsonl").write_text("{}")
    return Outbox(objects=MemoryObjects(), root=tmp_path, source="serving_log")


def files(outbox: Outbox) -> list[str]:
    return sorted(path.name for path in outbox.root.rglob("*.jsonl"))


def test_a_finished_file_is_in_the_bucket_and_then_here_no_more(outbox: Outbox) -> None:
    assert [metric.samples[0][1] for metric in outbox.metrics()] == [0, 1.0]

    outbox.send()

    assert [head.key for head in outbox.objects.list()] == [KEY]
    assert outbox.objects.get(KEY).content == b"{}\n"
    assert files(outbox) == [".spool-abc.jsonl"]
    assert [metric.samples[0][1] for metric in outbox.metrics()] == [1, 0.0]


def test_what_the_bucket_does_not_take_stays_until_it_does(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise UnreachableError("s3://lake does not answer.", reason="no answer")

    with monkeypatch.context() as down:
        down.setattr(outbox.objects, "put", gone)
        outbox.send()
    assert (outbox.problem, len(files(outbox))) == ("no answer", 2)

    outbox.send()

    assert (outbox.problem, files(outbox)) == (None, [".spool-abc.jsonl"])


def test_a_server_that_died_between_sending_and_removing_has_sent_it_once(outbox: Outbox) -> None:
    outbox.objects.put(KEY, b"{}\n")

    outbox.send()

    assert (outbox.problem, files(outbox)) == (None, [".spool-abc.jsonl"])


def test_what_another_delivered_under_the_name_is_not_replaced(outbox: Outbox) -> None:
    outbox.objects.put(KEY, b"of another\n")

    outbox.send()

    assert outbox.problem == "another process wrote it in the meantime"
    assert outbox.objects.get(KEY).content == b"of another\n"
    assert len(files(outbox)) == 2
