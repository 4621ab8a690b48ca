"""What a look at a source costs by the number of its deliveries: `python -m mlpipe_assets_tests.benchmarks.ledger_looks 100000`.

First each has a document of its own, as every ledger had once; then the next save puts them into stretches. Said is the
processor time of a fresh process that reads the ledger and asks what was taken, and of the next look of the same process.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery, dump
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import spell_document

_BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
_LOOK = """
import sys, time
from mlpipe_assets_tests.benchmarks.ledger_looks import look
print(*look(sys.argv[1]))
"""


def made(number: int) -> Delivery:
    """A delivery of two hundred messages, five seconds after the one before."""
    at = _BEGUN + timedelta(seconds=5 * number)
    name = hashlib.sha256(f"{number}".encode()).hexdigest()
    mark = {"0": [200 * number, 200 * number + 200]}
    return Delivery(
        source="orders",
        delivery=name,
        source_file=f"0:{200 * number}",
        content=name,
        known_at=at,
        arrived=at.date(),
        events={at.date(): 200},
        known_by="newest message",
        columns=(),
        mark=mark,
    )


def fill(lake: Lake, count: int) -> None:
    """Put deliveries on record, each in a document of its own; nothing waits for the disk."""
    folder = lake.root / keys.deliveries("orders")
    folder.mkdir(parents=True)
    for number in range(count):
        one = made(number)
        (folder / f"{one.delivery}.json").write_bytes(spell_document(dump(one)))


def look(folder: str) -> tuple[float, float]:
    """Seconds of processor of the first look of this process, and of the second."""
    lake, spent = Lake(data_dir=folder), []
    for _ in range(2):
        begun = time.process_time()
        assert Ledger.load(lake, "orders").taken
        spent.append(time.process_time() - begun)
    return spent[0], spent[1]


def main(count: int) -> None:
    """Fill a lake, and look at it in three processes, before and after."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Lake(data_dir=folder), count)
        measure(folder, count)
        ledger = Ledger.load(Lake(data_dir=folder), "orders")
        begun = time.process_time()
        ledger.save()
        print(f"put into stretches in {time.process_time() - begun:.1f} s")
        measure(folder, count)


def measure(folder: str, count: int) -> None:
    """Say what looks cost."""
    documents = len([*(Path(folder) / keys.deliveries("orders")).iterdir()])
    looks = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", _LOOK, folder], check=True, capture_output=True, text=True)
        looks.append([float(one) for one in done.stdout.split()])
    first, second = (sorted(column)[1] for column in zip(*looks, strict=True))
    print(f"{count:,} deliveries in {documents:,} documents: first look {first:.2f} s, next look {second:.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
