"""A run killed at any moment leaves whole files only, and the next one ends where an undisturbed one would."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.faults import work
from mlpipe_assets_tests.frames import drop, file_digests, order, orders_csv

pytestmark = pytest.mark.faults
TRIES = 20
BELOW = ("raw/_events", "interim", "features", "processed", "monitoring", "validation/quarantine", "meta")
SNAPSHOT = "customer_id,email,age,region,signup_date\nc1,a@x,30,north,2025-12-01\n"
DAYS, ORDERS = 4, 20


def first_files(lake: Lake) -> None:
    drop(lake, "customers.csv", SNAPSHOT, source="customers")
    for day in range(1, DAYS + 1):
        stamp = f"2026-01-{day:02}"
        lines = [order(f"o{day}-{i}", f"{stamp}T10:00:00Z", f"{i}.50") for i in range(ORDERS)]
        drop(lake, f"orders_{stamp}.csv", orders_csv(*lines, order(f"bad{day}", f"{stamp}T11:00:00Z", "-1"), "cut off"))


def second_files(lake: Lake) -> None:
    """Rows of every day sent again as of one day, and rows late for it: the other days lose rows without being built."""
    for day in range(1, DAYS + 1):
        lines = [order(f"o{day}-{i}", "2026-01-03T12:00:00Z", "9.99") for i in range(5)]
        late = order(f"late{day}", "2026-01-03T13:00:00Z")
        drop(
            lake,
            f"late_2026-01-{10 + day}.csv",
            orders_csv(*lines, late, order(f"worse{day}", "2026-01-03T14:00:00Z", "-2")),
        )


def copy_of(root: Path, target: Path) -> str:
    """A copy made of hard links: the lake replaces files and never writes into them."""
    shutil.copytree(root, target, copy_function=os.link)
    return str(target)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that is up to date but for new files in its drop zone."""
    lake = Lake(data_dir=str(tmp_path_factory.mktemp("halfway") / "data"))
    first_files(lake)
    work.bring_up_to_date(str(lake.root))
    second_files(lake)
    return lake.root


@pytest.fixture(scope="module")
def expected(halfway: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = Path(copy_of(halfway, tmp_path_factory.mktemp("undisturbed") / "data"))
    work.bring_up_to_date(str(root))
    assert len(Lake(data_dir=str(root)).days("features", "customer_features")) == DAYS
    assert Lake(data_dir=str(root)).days("processed", "repeat_purchase", "test.parquet") != []
    assert len(list((root / "monitoring" / "drift").rglob("part.parquet"))) == DAYS
    return results(root)


def results(root: Path) -> dict[str, str]:
    """Everything a run makes, but locks, digest logs (they tell of all that was ever written) and what the run itself dates."""
    found = file_digests(root, *BELOW)
    histories = ("/locks/", "/digests/", "registry")
    return {path: digest for path, digest in found.items() if not any(word in path for word in histories)}


def visible(root: Path) -> list[Path]:
    """Parquet files under their final names."""
    return [path for folder in BELOW for path in (root / folder).rglob("*.parquet") if not path.name.startswith(".")]


def read_whole(path: Path) -> None:
    try:
        content = (
            path.read_bytes()
        )  # at once: polars opens a path more than once, and the file may be replaced in between
    except FileNotFoundError:
        assert not path.exists()  # swept: it belonged to a delivery that was never counted
    else:
        pl.read_parquet(BytesIO(content))


def test_a_run_killed_at_any_moment_leaves_whole_files_and_the_next_ends_the_same(
    halfway: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    context = multiprocessing.get_context(
        "forkserver"
    )  # children start from imported modules: a try takes the work only
    context.set_forkserver_preload(work.PRELOADED)
    seconds = 0.0
    for name in ("warm", "timed"):  # the first also starts the server
        began = time.monotonic()
        undisturbed = context.Process(target=work.bring_up_to_date, args=(copy_of(halfway, tmp_path / name),))
        undisturbed.start()
        undisturbed.join()
        seconds = time.monotonic() - began
        assert results(tmp_path / name) == expected
    chance = random.Random(20260105)
    killed = 0
    for number in range(3 * TRIES):
        if number >= TRIES and killed >= TRIES // 2:  # where runs end before their moment comes, more are tried
            break
        root = Path(copy_of(halfway, tmp_path / f"{number}"))
        run = context.Process(target=work.bring_up_to_date, args=(str(root),))
        run.start()
        deadline = time.monotonic() + chance.uniform(0.02, seconds)
        while run.is_alive() and time.monotonic() < deadline:
            for path in visible(root):
                read_whole(path)
        if run.is_alive() and run.pid:
            os.kill(run.pid, signal.SIGKILL)
            killed += 1
        run.join()
        for path in visible(root):
            read_whole(path)

        work.bring_up_to_date(str(root))

        assert results(root) == expected, f"try {number}"
        assert not list(root.rglob("*.tmp"))
        shutil.rmtree(root)
    assert killed >= TRIES // 2


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_run_that_dies_before_any_one_rename_is_healed_by_the_next(
    halfway: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every point at which something becomes visible, one after another; the random kills above only meet some."""
    real, left = os.replace, [0]

    def replace_or_die(source: str, target: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        real(source, target)

    point, ended = 0, False
    while not ended:
        root = Path(copy_of(halfway, tmp_path / f"{point}"))
        left[0] = point
        with monkeypatch.context() as dying:
            dying.setattr(os, "replace", replace_or_die)
            dying.setattr(Lake, "sweep", lambda *_: None)  # the dead do not tidy up
            try:
                work.bring_up_to_date(str(root))
                ended = True
            except Killed:
                pass
        work.bring_up_to_date(str(root))
        assert results(root) == expected, f"died before rename {point}"
        assert not list(root.rglob("*.tmp"))
        shutil.rmtree(root)
        point += 3 if point > 20 else 2
    assert point > len(work.CATALOG.sources) * DAYS
