"""The log of the digests of files that no manifest speaks of, events above all: a kill accuses nobody, damage is found."""

from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.errors import DamagedError, LakeError
from mlpipe_assets.store import digests, keys
from mlpipe_assets.store.digest_log import log_path, read_log
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, flip

ONE, OTHER = pl.DataFrame({"n": [1, 2, 3]}), pl.DataFrame({"n": [9, 9, 9]})
TABLE = Path("raw/_events/orders")


@pytest.fixture
def written(lake: Lake) -> Path:
    """Events of three numbers, beside some of other numbers."""
    lake.commit(lake.stage(lake.root / keys.events("orders", JAN_6, "abc"), OTHER, {}))
    path = lake.root / keys.events("orders", JAN_5, "abc")
    lake.commit(lake.stage(path, ONE, {}))
    return path


def read(lake: Lake, path: Path) -> pl.DataFrame:
    return pl.read_parquet(lake.check([path]), hive_partitioning=False)


@pytest.mark.parametrize("visible", [0, 1])
def test_a_kill_between_record_and_rename_accuses_neither_content(
    lake: Lake, written: Path, visible: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = lake.stage(written, OTHER, {"inputs": "new"})
    real = Path.replace

    def die(self: Path, target: Path) -> Path:
        if visible:
            real(self, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            lake.commit(staged)

    assert read(lake, written).equals([ONE, OTHER][visible])
    lake.commit(lake.stage(written, ONE, {"inputs": "5"}))
    assert digests.damage(lake.root, written) is None
    flip(written)
    assert "does not hold what was written to it" in str(digests.damage(lake.root, written))


def test_a_first_write_that_was_killed_accuses_no_missing_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lake.root / keys.events("orders", JAN_5, "abc")
    staged = lake.stage(path, ONE, {})
    with monkeypatch.context() as dying:
        dying.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            lake.commit(staged)

    assert digests.damage(lake.root, path) is None


def test_a_file_taken_away_by_the_lake_is_not_missed(lake: Lake, written: Path) -> None:
    lake.remove(written)

    assert digests.damage(lake.root, written) is None


def test_a_lake_from_before_digests_were_kept_is_taken_as_it_is(lake: Lake) -> None:
    old, new = (lake.root / keys.events("orders", day, "abc") for day in (JAN_5, JAN_6))
    old.parent.mkdir(parents=True)
    ONE.write_parquet(old)
    assert read(lake, old).equals(ONE)

    lake.commit(lake.stage(new, OTHER, {}))
    flip(old)

    with pytest.raises(DamagedError):
        read(lake, old)


def test_a_log_whose_last_line_was_cut_short_goes_on(lake: Lake, written: Path) -> None:
    log = log_path(lake.root, TABLE)
    log.write_bytes(log.read_bytes() + b'0123456789abcdef {"files":{"interim/')

    assert read(lake, written).equals(ONE)
    lake.commit(lake.stage(written, OTHER, {}))

    assert read(lake, written).equals(OTHER)


def test_a_damaged_log_says_so(lake: Lake, written: Path) -> None:
    log = log_path(lake.root, TABLE)
    log.write_bytes(log.read_bytes().replace(b"sha", b"x").replace(b'"done"', b'"dune"', 1))

    with pytest.raises(LakeError, match=r"raw\._events\.orders\.log cannot be read: line 2 is damaged.*delete it"):
        read(lake, written)
    assert written.exists()


def test_a_log_stays_as_short_as_its_files_are_few(lake: Lake, written: Path) -> None:
    for number in range(700):
        lake.commit(lake.stage_bytes(written, f"{number}".encode()))

    log = read_log(lake.root, TABLE)

    assert log_path(lake.root, TABLE).stat().st_size < 1 << 17
    assert log is not None
    assert [len(found) for found in log.files.values()] == [1, 1]
    assert digests.damage(lake.root, written) is None
    assert digests.damage(lake.root, lake.root / keys.events("orders", JAN_6, "abc")) is None
