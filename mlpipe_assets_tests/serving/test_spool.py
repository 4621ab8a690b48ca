"""Rows that a server writes become deliveries: each row once, whoever dies, and whatever the disk does."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.intake.drop_zone import DropZone
from mlpipe_assets.intake.known_at import BY_NAME
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import FullError, StoreError
from mlpipe_assets_tests.store.test_local import files_of_at_most

ORDERS = Source(name="orders", contract=Orders, key=("order_id",), event_time="order_ts")


def spool(lake: Lake, **settings: float) -> Spool:
    return Spool(root=lake.root, source="orders", **settings)  # type: ignore[arg-type]  # seconds or bytes


def delivered(lake: Lake) -> list[dict[str, int]]:
    """The rows of all deliveries that the intake takes, in their order."""
    pending, problems = DropZone.of(lake, ORDERS).look({})
    assert problems == []
    folder = lake.root / "raw/orders"
    return [json.loads(line) for found in pending for line in (folder / found.name).read_bytes().splitlines()]


def test_rows_are_one_delivery_once_their_file_is_handed_over(lake: Lake) -> None:
    writer = spool(lake)
    writer.append([b'{"n":1}', b'{"n":2}'])
    writer.append([b'{"n":3}'])
    assert delivered(lake) == []

    writer.close()

    [pending], _ = DropZone.of(lake, ORDERS).look({})
    reading = DropZone.of(lake, ORDERS).known(pending)
    assert delivered(lake) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert reading.by == BY_NAME
    assert (
        timedelta(0)
        <= reading.known_at - datetime.fromtimestamp(pending.modified_ns / 1e9, tz=UTC)
        < timedelta(seconds=1)
    )
    assert (writer.counts.rows, writer.counts.files) == (3, 1)


def test_a_spool_that_nothing_was_written_to_leaves_nothing(lake: Lake) -> None:
    writer = spool(lake)

    writer.append([])
    writer.take_left()
    writer.close()

    assert not (lake.root / "raw/orders").exists()


def test_a_file_is_handed_over_when_it_is_old_or_large(lake: Lake) -> None:
    old, large = spool(lake, seconds=0.05), spool(lake, most_bytes=20)
    old.append([b'{"n":1}'])
    assert not old.close_due()

    time.sleep(0.06)
    assert old.close_due()
    large.append([b'{"n":2}'])
    assert delivered(lake) == [{"n": 1}]
    large.append([b'{"n":3}', b'{"n":4}'])
    large.append([b'{"n":5}'])

    assert sorted(row["n"] for row in delivered(lake)) == [1, 2, 3, 4]
    large.close()


def test_names_sort_in_the_order_of_their_rows(lake: Lake) -> None:
    writer = spool(lake, most_bytes=1)

    for number in range(12):
        writer.append([b'{"n":%d}' % number])

    assert [row["n"] for row in delivered(lake)] == list(range(12))


_KILLED = """
import os, sys
from pathlib import Path
from mlpipe_assets.serving.spool import Spool
writer = Spool(root=Path(sys.argv[1]), source="orders")
for number in range(10):
    writer.append([b'{"n":%d}' % number])
os.write(writer._part.handle.fileno(), b'{"n":10')
print("written", flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_is_delivered_once_without_its_torn_row(lake: Lake) -> None:
    subprocess.run([sys.executable, "-c", _KILLED, str(lake.root)], check=False, capture_output=True)
    [left] = (lake.root / "raw/orders").iterdir()
    hour_ago = time.time_ns() - 3600 * 10**9
    os.utime(left, ns=(hour_ago, hour_ago))
    assert delivered(lake) == []

    first, second = spool(lake), spool(lake)
    first.take_left()
    second.take_left()

    [pending], _ = DropZone.of(lake, ORDERS).look({})
    assert delivered(lake) == [{"n": number} for number in range(10)]
    assert (first.counts.left, first.counts.torn, second.counts.left) == (1, 1, 0)
    known = DropZone.of(lake, ORDERS).known(pending).known_at
    assert timedelta(minutes=59) < datetime.now(tz=UTC) - known < timedelta(minutes=61)  # when its last row came


def test_a_file_that_a_living_process_writes_is_not_taken_from_it(lake: Lake) -> None:
    living, other = spool(lake), spool(lake)
    living.append([b'{"n":1}'])

    other.take_left()
    living.append([b'{"n":2}'])
    living.close()

    assert delivered(lake) == [{"n": 1}, {"n": 2}]
    assert other.counts.left == 0


@pytest.mark.parametrize("left", [b"", b'{"n":1', b"x" * 3_000_000])
def test_a_file_without_a_whole_row_goes_away(lake: Lake, left: bytes) -> None:
    folder = lake.root / "raw/orders"
    folder.mkdir()
    (folder / ".spool-abc.jsonl").write_bytes(left)

    writer = spool(lake)
    writer.take_left()

    assert list(folder.iterdir()) == []
    assert writer.counts.torn == (1 if left else 0)


def test_of_rows_that_a_full_disk_took_half_of_none_is_written(lake: Lake) -> None:
    writer = spool(lake)
    writer.append([b'{"n":1}'])

    with files_of_at_most(24), pytest.raises(FullError):
        writer.append([b'{"n":2}', b'{"n":333333333333333}'])
    assert (writer.counts.failed_rows, writer.counts.problem) == (2, "no space left")
    writer.append([b'{"n":4}'])
    writer.close()

    assert delivered(lake) == [{"n": 1}, {"n": 4}]
    assert writer.counts.problem is None


def test_a_folder_that_cannot_be_written_is_said_and_tried_again(lake: Lake) -> None:
    folder = lake.root / "raw/orders"
    folder.write_text("a file where the folder should be")
    writer = spool(lake)

    with pytest.raises(StoreError):
        writer.append([b'{"n":1}'])
    assert writer.counts.problem
    folder.unlink()
    writer.append([b'{"n":2}'])
    writer.close()

    assert delivered(lake) == [{"n": 2}]


def test_rows_of_a_file_that_somebody_removed_are_counted(lake: Lake) -> None:
    writer = spool(lake)
    writer.append([b'{"n":1}', b'{"n":2}'])
    [path] = (lake.root / "raw/orders").iterdir()

    path.unlink()
    writer.close_due()
    writer.close()
    writer.append([b'{"n":3}'])
    writer.close()

    assert (writer.counts.failed_rows, writer.counts.rows) == (2, 3)
    assert delivered(lake) == [{"n": 3}]


def test_its_files_are_closed_to_others(lake: Lake) -> None:
    writer = spool(lake)
    writer.append([b'{"n":1}'])
    writer.close()

    [path] = (lake.root / "raw/orders").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
