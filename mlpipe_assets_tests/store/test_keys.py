"""How the places of the lake are spelled. That files are where they always were is what the tests of their writers show."""

from datetime import date
from pathlib import Path, PurePath

import pytest

from mlpipe_assets.store import keys
from mlpipe_assets.store.leftovers import leftovers

JAN_5 = date(2026, 1, 5)


def test_a_day_is_read_from_the_name_of_its_folder() -> None:
    assert keys.partition("interim", "orders", JAN_5) == "interim/orders/date=2026-01-05/part.parquet"
    assert keys.read_day(keys.name_day(JAN_5)) == JAN_5
    assert [keys.read_day(f"date={text}") for text in ("old", "20260105", "2026-W02-1", "2026-1-5", "")] == [None] * 5
    assert keys.is_day("date=2026-01-05")
    assert not keys.is_day("part.parquet")


def test_a_pattern_takes_the_files_it_is_of(tmp_path: Path) -> None:
    of_one = [
        keys.events("orders", JAN_5, "abc-1"),
        keys.refused_on_arrival("orders", JAN_5, "abc"),
    ]
    for key in [*of_one, keys.events("orders", JAN_5, "ab"), keys.events("customers", JAN_5, "abc")]:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()

    found = [path for pattern in keys.files_of_delivery("orders", "abc") for path in tmp_path.glob(pattern)]

    assert sorted(str(path.relative_to(tmp_path)) for path in found) == sorted(of_one)


def test_a_key_is_below_a_folder_by_whole_names() -> None:
    refused = PurePath(keys.refused_by_contract("orders", JAN_5))

    assert keys.is_below(refused, keys.QUARANTINE)
    assert not keys.is_below(PurePath("validation/quarantined/x"), keys.QUARANTINE)
    assert keys.is_refused_by_contract(refused)
    assert not keys.is_refused_by_contract(PurePath(keys.refused_on_arrival("orders", JAN_5, "abc")))


@pytest.mark.parametrize("stage", ["raw", "interim", "features", "models", "monitoring", "meta"])
def test_what_is_swept_of_a_table_is_never_in_the_drop_zone_nor_of_another_table(tmp_path: Path, stage: str) -> None:
    theirs = ["raw/orders/2026/.a.csv.1.tmp", f"{stage}/customers/date=2026-01-05/.part.parquet.1.tmp"]
    theirs += [f"meta/tables/.{stage}.customers.json.1.0a1b2c3d.tmp", "meta/drop_zone/.customers.json.1.tmp"]
    theirs += [f".store/{stage}/customers/.2026-01-05.part.parquet.1.tmp"]
    for key in theirs:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()

    assert [path for pattern in leftovers(stage, "orders") for path in tmp_path.glob(pattern)] == []


def test_a_killed_write_of_any_place_of_a_table_is_swept(tmp_path: Path) -> None:
    places = {
        ("raw", "orders"): [
            keys.events("orders", JAN_5, "a" * 64),
            keys.refused_on_arrival("orders", JAN_5, "a" * 64),
            keys.delivery("orders", "abc"),
            keys.seen_files("orders"),
            keys.digests("raw/_events/orders"),
        ],
        ("interim", "orders"): [
            keys.partition("interim", "orders", JAN_5),
            keys.refused_by_contract("orders", JAN_5),
            keys.manifest("interim/orders"),
            f"{keys.contents('interim/orders')}/2026-01-05.part.parquet",
        ],
        ("models", "m"): [keys.version("m", "v1", "card.md"), keys.champion("m"), keys.golden("m")],
        ("meta", "automation.requests"): [keys.automation("requests")],
        ("meta", "feature_registry"): [keys.registry("feature_registry")],
        ("monitoring", "orders"): [
            keys.partition(keys.DRIFT, "interim.orders", JAN_5),
            keys.baseline("interim.orders"),
            keys.partition(keys.PROFILES, "interim.orders", JAN_5, keys.PROFILE),
            keys.manifest(f"{keys.DRIFT}/interim.orders"),
            keys.manifest(f"{keys.REALISED}/orders"),
            f"{keys.contents(f'{keys.PROFILES}/interim.orders')}/2026-01-05.profile.json",
            f"{keys.contents(f'{keys.REALISED}/orders')}/2026-01-05.part.parquet",
        ],
        ("monitoring", "report"): [keys.REPORT_PAGE, keys.DRIFT_SUMMARY],
    }
    for (stage, name), written in places.items():
        left = [(tmp_path / key).with_name(f".{Path(key).name}.123.0a1b2c3d.tmp") for key in written]
        for path in left:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

        found = {path for pattern in leftovers(stage, name) for path in tmp_path.glob(pattern)}

        assert found == set(left), (stage, name)
        for path in left:
            path.unlink()


@pytest.mark.parametrize(
    ("key", "table"),
    [
        (keys.partition("interim", "orders", JAN_5), "interim/orders"),
        (keys.partition("processed", "m", JAN_5, keys.split("test")), "processed/m"),
        (keys.partition(keys.DRIFT, "interim.orders", JAN_5), "monitoring/drift/interim.orders"),
        (keys.events("orders", JAN_5, "abc"), "raw/_events/orders"),
        (keys.refused_by_contract("orders", JAN_5), "validation/quarantine/orders"),
        (keys.version("m", "v1", "card.md"), "models/m"),
        (keys.golden("m"), "validation/golden"),
        (keys.baseline("interim.orders"), "monitoring/reference"),
        (keys.REPORT_PAGE, "monitoring"),
        (keys.registry("model_registry"), "meta"),
    ],
)
def test_a_file_belongs_to_its_table(key: str, table: str) -> None:
    assert keys.table_of(Path(key)) == Path(table)


@pytest.mark.parametrize(
    "key",
    [
        keys.ALERTS,
        keys.ACCEPTANCES,
        keys.champion("m"),
        keys.delivery("orders", "abc"),
        keys.report("r"),
        keys.schema("s"),
        keys.manifest("interim/orders"),
        keys.digests("raw/_events/orders"),
    ],
)
def test_a_small_document_belongs_to_no_table(key: str) -> None:
    assert keys.table_of(Path(key)) is None
