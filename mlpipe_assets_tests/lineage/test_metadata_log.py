"""`meta/metadata_log.jsonl` has a line for each execution on record, whoever was killed, and whatever became of the database."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.lineage.book import Book
from mlpipe_assets.lineage.database import SqliteDatabase
from mlpipe_assets.lineage.metadata_log import MetadataLog
from mlpipe_assets.lineage.terms import FILE, Key, Told
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.known_files import NOTE
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.turns import take_turn
from mlpipe_assets_tests.lineage.history import BAD, ask, lived

MORNING = "2026-01-01T06:00:00.000+00:00"


def told(number: int) -> Told:
    """Orders of a day, made of a file."""
    day = f"2026-01-{number:02}"
    return Told(
        type="interim",
        name=f"interim/orders@{day}",
        made=Key("interim/orders", day, "ab" * 32),
        made_type="CleanTable",
        inputs={Key("raw/orders", f"orders_{day}.csv", "cd" * 32): FILE},
        contexts=(("Model", "returning"),),
        about={"rows": 2},
        how={"reason": "Größe"},
    )


def record(lake: Lake, *numbers: int, at: str = MORNING) -> None:
    with SqliteDatabase(root=lake.root).writing() as connection:
        Book(connection=connection, at=at).record([told(number) for number in numbers], "run 1")


def write(lake: Lake) -> int:
    return MetadataLog(lake=lake, database=SqliteDatabase(root=lake.root)).bring_up_to_date()


def lines(lake: Lake) -> list[dict[str, Any]]:
    text = (lake.root / keys.LINEAGE_LOG).read_text(encoding="utf-8")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def executions(lake: Lake) -> list[int]:
    return [one["id"] for one in lines(lake) if one["kind"] == "execution"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(data_dir=f"{tmp_path / 'data'}")


def test_lines_say_what_was_made_of_what_by_whom(lake: Lake) -> None:
    record(lake, 1)

    assert write(lake) == 1
    file, orders, execution = lines(lake)
    assert file == {
        "kind": "artifact",
        "id": 1,
        "type": "File",
        "table": "raw/orders",
        "partition": "orders_2026-01-01.csv",
        "digest": "cd" * 32,
        "at": MORNING,
        "properties": {},
    }
    assert (orders["table"], orders["partition"], orders["properties"]) == ("interim/orders", "2026-01-01", {"rows": 2})
    assert execution == {
        "kind": "execution",
        "id": 1,
        "type": "interim",
        "name": "interim/orders@2026-01-01",
        "run": "run 1",
        "state": "COMPLETE",
        "at": MORNING,
        "properties": {"reason": "Größe"},
        "contexts": [{"type": "Model", "name": "returning"}],
        "inputs": [1],
        "outputs": [2],
        "artifacts": 2,
    }


def test_an_artifact_that_two_executions_were_given_has_one_line(lake: Lake) -> None:
    record(lake, 1, 1)
    write(lake)
    record(lake, 1)
    write(lake)

    assert [(one["kind"], one["id"]) for one in lines(lake)] == [
        ("artifact", 1),
        ("artifact", 2),
        ("execution", 1),
        ("execution", 2),
        ("execution", 3),
    ]


def test_only_what_is_new_is_added(lake: Lake) -> None:
    record(lake, 1)
    write(lake)
    before = (lake.root / keys.LINEAGE_LOG).read_bytes()
    record(lake, 2, 3)

    assert (write(lake), write(lake)) == (2, 0)
    assert (lake.root / keys.LINEAGE_LOG).read_bytes().startswith(before)
    assert executions(lake) == [1, 2, 3]


def test_a_lake_without_executions_has_no_log(lake: Lake) -> None:
    assert write(lake) == 0
    assert not (lake.root / keys.LINEAGE_LOG).exists()


@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_log_that_was_cut_anywhere_is_whole_again(cut: int) -> None:
    with TemporaryDirectory() as root:
        lake = Lake(data_dir=f"{root}/data")
        record(lake, 1, 2)
        write(lake)
        path = lake.root / keys.LINEAGE_LOG
        whole = path.read_bytes()
        path.write_bytes(whole[:cut])
        record(lake, 3)

        write(lake)

        assert path.read_bytes().startswith(whole)
        assert executions(lake) == [1, 2, 3]


def test_lines_longer_than_what_is_read_at_a_time_are_found(lake: Lake) -> None:
    path = lake.root / keys.LINEAGE_LOG
    long = Told(
        type="interim",
        name="interim/orders@2026-01-01",
        made=Key("interim/orders", "2026-01-01", "ab" * 32),
        made_type="CleanTable",
        how={"reason": "x" * 200_000},
    )
    with SqliteDatabase(root=lake.root).writing() as connection:
        Book(connection=connection, at=MORNING).record([long, long], "run 1")
    write(lake)
    path.write_bytes(path.read_bytes()[:-100_000])

    assert write(lake) == 1
    assert executions(lake) == [1, 2]


def test_zeros_at_the_end_as_power_cuts_leave_them_make_it_written_again(lake: Lake) -> None:
    record(lake, 1, 2)
    write(lake)
    path = lake.root / keys.LINEAGE_LOG
    path.write_bytes(path.read_bytes()[:-40] + bytes(40) + b"\n")

    assert write(lake) == 2
    assert executions(lake) == [1, 2]


def test_a_database_that_was_begun_anew_begins_the_log_anew(lake: Lake) -> None:
    record(lake, 1, 2)
    write(lake)
    for path in (lake.root / keys.LINEAGE).glob("metadata.sqlite*"):
        path.unlink()
    record(lake, 5, 6, 7, at="2026-02-01T06:00:00.000+00:00")

    assert write(lake) == 3
    assert [one["name"][-2:] for one in lines(lake) if one["kind"] == "execution"] == ["05", "06", "07"]


def test_two_that_write_at_once_write_each_line_once(lake: Lake) -> None:
    record(lake, 1)
    with take_turn(lake.root, "lineage", "metadata_log", patience=0.0, highest=lambda: 0):
        assert write(lake) == 0
    assert write(lake) == 1


def test_a_lake_in_a_bucket_has_none(lake: Lake) -> None:
    record(lake, 1)
    (lake.root.parent / NOTE).write_text("{}", encoding="utf-8")

    assert write(lake) == 0
    assert not (lake.root / keys.LINEAGE_LOG).exists()


def test_runs_write_it_and_a_correction_is_told_of_the_days_it_changed(tmp_path: Path) -> None:
    catalog, lake = lived(tmp_path)

    by_runs = lines(lake)
    asked = ask(catalog, lake).log()

    assert [json.dumps(one, ensure_ascii=False) for one in by_runs] == asked
    artifacts = {one["id"]: one for one in by_runs if one["kind"] == "artifact"}
    steps = [one for one in by_runs if one["kind"] == "execution"]
    given = [(one["name"], artifacts[number]) for one in steps if one["type"] == "raw" for number in one["inputs"]]
    bad = [(name, file["digest"]) for name, file in given if file["partition"] == BAD]
    assert [name for name, _ in bad] == ["raw/orders@2026-01-03"] * 2  # the file as it was, and as corrected
    assert len({digest for _, digest in bad}) == 2
    assert {one["type"] for one in steps} >= {"raw", "interim", "features", "processed", "models", "decision"}
