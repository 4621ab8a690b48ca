"""`mlpipe verify`: what is damaged, what can be made again and how, what nobody knows."""

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.cli import main
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.verification import Verified, verify
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import day, one_a_day, planted_catalog, planted_lake


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return planted_catalog(tmp_path / "sql")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with events, clean tables, features and a training set."""
    root = tmp_path_factory.mktemp("built")
    catalog = planted_catalog(root / "sql")
    lake = planted_lake(root / "data", catalog, [*one_a_day(1, 9), ("bad", "ann", day(2), "-1", "web")])
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(9)))
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copy_lake(built, tmp_path / "data")


def look(lake: Lake, catalog: Catalog, table: str | None = None) -> Verified:
    return verify(lake, catalog, table, lambda _: None)


def found(verified: Verified) -> list[tuple[str, str, bool]]:
    return [(wrong.path, wrong.what, wrong.again) for wrong in verified.wrong]


def test_a_lake_as_it_was_written_has_nothing_wrong(lake: Lake, catalog: Catalog) -> None:
    verified = look(lake, catalog)

    assert found(verified) == []
    assert verified.files == len(
        [p for p in lake.root.rglob("*.parquet") if p.relative_to(lake.root).parts[0] != ".store"]
    )
    assert (verified.unknown, verified.open_to_others) == (0, 0)


def test_each_kind_of_damage_is_named_with_whether_it_can_be_made_again(lake: Lake, catalog: Catalog) -> None:
    clean, features = lake.path("interim", "orders", day(3)), lake.path("features", "spend", day(4))
    test = lake.path("processed", "returning", day(9), "test.parquet")
    events = next((lake.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet"))
    stat, content = clean.stat(), clean.read_bytes()
    clean.write_bytes(content[:40] + bytes(8) + content[48:])
    os.utime(clean, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    features.unlink()
    os.truncate(test, 10)
    pl.DataFrame({"payload": ["{}"]}).write_parquet(events)

    verified = look(lake, catalog)

    assert [(path.split("/")[0], what.split(" ")[0], again) for path, what, again in found(verified)] == [
        ("features", "is", True),
        ("interim", "does", True),
        ("processed", "has", True),
        ("raw", "has", True),
    ]
    assert lake.facts("interim", "orders", day(3)) is None, (
        "the next run builds it again, whatever its size and time say"
    )
    assert lake.facts("processed", "returning", day(9), "train.parquet") is None, "a set is whole or it is built again"


def test_events_whose_file_is_gone_need_a_person(lake: Lake, catalog: Catalog) -> None:
    (lake.root / "raw" / "orders" / "orders_2026-06-30.csv").unlink()
    next((lake.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet")).unlink()

    [wrong] = look(lake, catalog, "raw/orders").wrong

    assert (wrong.what, wrong.again) == ("is gone", False)
    assert wrong.to_do.startswith(
        f"raw/orders/orders_2026-06-30.csv: its events of {day(2)} are damaged and cannot be made again: no file in raw/orders"
    )


def test_files_that_nobody_wrote_and_records_that_cannot_be_read_are_named(lake: Lake, catalog: Catalog) -> None:
    stray = lake.path("interim", "orders", day(30))
    stray.parent.mkdir()
    stray.write_bytes(lake.path("interim", "orders", day(3)).read_bytes())
    record = next(lake.root.glob("meta/deliveries/customers/*.json"))
    record.write_text('{"half":')

    assert found(look(lake, catalog)) == [
        (f"interim/orders/date={day(30)}/part.parquet", "is not on record: mlpipe did not write it", False),
        (str(record.relative_to(lake.root)), "cannot be read", False),
    ]


def test_a_damaged_log_of_digests_is_named(lake: Lake, catalog: Catalog) -> None:
    log = lake.root / "meta" / "digests" / "raw._events.orders.log"
    log.write_bytes(log.read_bytes().replace(b"parquet", b"parquat", 1))

    assert ("meta/digests/raw._events.orders.log", "is damaged", False) in found(look(lake, catalog))


def test_a_damaged_manifest_is_named_and_so_is_a_content_that_its_face_does_not_share(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    manifest = lake.root / "meta" / "tables" / "features.spend.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"sha", b"shb").replace(b'"gen":', b'"gen" :'))
    copy = Lake(data_dir=f"{tmp_path / 'copy'}")
    shutil.copytree(lake.root, copy.root)  # without hard links
    content = next(copy.root.glob(f".store/interim/orders/date={day(3)}/*.parquet"))
    content.write_bytes(bytes(content.stat().st_size))

    # nobody can say now which of its files are on record, so none of them is said to be a stranger's
    assert found(look(lake, catalog)) == [("meta/tables/features.spend.json", "cannot be read", False)]
    assert [path for path, _, _ in found(look(copy, catalog)) if path.startswith("interim")] == [
        f"interim/orders/date={day(3)}/part.parquet"
    ]


def test_a_manifest_of_a_newer_version_is_not_to_be_deleted(lake: Lake, catalog: Catalog) -> None:
    manifest = lake.root / "meta" / "tables" / "features.spend.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'{"format":1,', b'{"format":2,'))

    [wrong] = look(lake, catalog).wrong

    assert wrong.to_do.endswith(
        "its format 2 is of a newer version of mlpipe_assets. Upgrade mlpipe_assets here: it is sound, and must not be deleted."
    )


def test_one_table_can_be_asked_for(lake: Lake, catalog: Catalog) -> None:
    lake.path("features", "spend", day(4)).unlink()

    assert found(look(lake, catalog, "interim/orders")) == []
    assert len(look(lake, catalog, "features/spend").wrong) == 1
    with pytest.raises(SettingsError, match=r"interim/ordrs has no files in"):
        look(lake, catalog, "interim/ordrs")


def test_a_lake_of_before_has_files_of_which_nothing_is_known(lake: Lake, catalog: Catalog) -> None:
    (lake.root / "meta" / "digests" / "raw._events.orders.log").unlink()
    lake.path("interim", "orders", day(3)).chmod(0o644)

    verified = look(lake, catalog)

    assert (found(verified), verified.unknown, verified.open_to_others) == ([], 9, 1)


def test_the_command_ends_with_1_when_something_is_wrong(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    assert catalog.sources
    assert main(["verify"]) == 0
    assert "files hold what was written to them" in capsys.readouterr().out
    for number in range(1, 10):
        lake.path("features", "spend", day(number)).write_bytes(b"")

    assert main(["verify", "--table", "features/spend"]) == 1
    said = capsys.readouterr().out
    assert "Can be made again: 9" in said
    assert "0 of 9 files hold what was written to them" in said
    assert main(["verify", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["wrong"]) == 9
