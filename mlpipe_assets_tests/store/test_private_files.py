"""Who may open the files of the lake."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day, one_a_day, planted_catalog, planted_lake


@pytest.fixture(params=[0o000, 0o077, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    """The mode of everything the lake has written, below its data folder."""
    own = [path for path in root.rglob("*") if "_events" in path.parts or path.relative_to(root).parts[0] != "raw"]
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in own}


def test_only_the_owner_opens_what_the_lake_writes_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    lake = planted_lake(
        tmp_path / "data", planted_catalog(tmp_path / "sql"), [*one_a_day(1, 2), ("bad", "ann", day(2), "-1", "web")]
    )
    with lake.writing("interim", "orders"):
        found = modes(lake.root)

    assert {mode for path, mode in found.items() if (lake.root / path).is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if (lake.root / path).is_file()} == {0o600}
    assert any("quarantine" in path for path in found)
    assert any(path.startswith("meta/locks") for path in found)
    assert stat.S_IMODE((lake.root / "raw").stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE(lake.root.stat().st_mode) == 0o777 & ~umask


def test_a_group_is_let_in_by_a_setting(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_FILE_MODE", "0640")
    lake = Lake(data_dir=str(tmp_path / "data"))

    lake.commit(lake.stage(lake.path("interim", "orders", day(1)), pl.DataFrame({"n": [1]}), {}))

    assert modes(lake.root)["interim/orders/date=2026-01-01/part.parquet"] == 0o640
    assert modes(lake.root)["interim/orders"] == 0o750
    assert umask != 0o640
