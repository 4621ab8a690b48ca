"""When a file was known, and which files may be read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.resources.drop_zone import DroppedFile, Problem, known_at, look, undeclared_folders

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dropped(name: str) -> DroppedFile:
    return DroppedFile(name=name, path=Path(name), size=1, mtime_ns=int(NOON.timestamp()) * 1_000_000_000)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders_2026-01-05.csv", "2026-01-05T23:59:59"),
        ("orders_2026-10-31.csv", "2026-10-31T23:59:59"),
        ("orders_2026-11-22.csv", "2026-11-22T23:59:59"),
        ("orders_20261231.csv.gz", "2026-12-31T23:59:59"),
        ("orders_2026-11-22T06:30Z.csv", "2026-11-22T06:30:00"),
        ("orders_20261122_063015.csv", "2026-11-22T06:30:15"),
        ("orders_20261122063015.csv", "2026-11-22T06:30:15"),
        ("part-2026-11-22/orders_2026-11-23.csv", "2026-11-23T23:59:59"),
        ("orders_20261122_9999.csv", "2026-11-22T23:59:59"),
    ],
)
def test_a_date_or_time_in_the_name_says_when_a_file_was_known(name: str, expected: str) -> None:
    assert known_at(dropped(name), orders.known_at) == (datetime.fromisoformat(expected).replace(tzinfo=UTC), True)


@pytest.mark.parametrize("name", ["orders.csv", "orders_2026-13-45.csv", "orders_7.csv"])
def test_without_a_date_in_the_name_it_is_the_time_of_modification(name: str) -> None:
    assert known_at(dropped(name), orders.known_at) == (NOON, False)


def test_every_day_of_two_years_is_read_as_itself() -> None:
    for ordinal in range(datetime(2026, 1, 1, tzinfo=UTC).toordinal(), datetime(2028, 1, 1, tzinfo=UTC).toordinal()):
        day = datetime.fromordinal(ordinal).date()
        for name in (f"orders_{day}.csv", f"orders_{day:%Y%m%d}.csv", f"orders_{day:%Y%m%d}T0102.csv"):
            assert known_at(dropped(name), orders.known_at)[0].date() == day


def test_files_in_subfolders_are_found_and_hidden_ones_and_transfers_are_not(tmp_path: Path) -> None:
    for name in ("b.csv", "2026/a.jsonl", "_events/x.csv", ".git/y.csv", ".z.csv", "~$book.xlsx", "new.csv.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    files, problems = look(tmp_path)

    assert ([f.name for f in files], problems) == (["2026/a.jsonl", "b.csv"], [])


def test_a_drop_zone_that_is_absent_is_empty_and_one_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("x")

    assert look(tmp_path / "absent") == ([], [])
    assert look(tmp_path / "orders") == ([], [Problem(name="orders", reason="is not a folder")])


def test_folders_no_source_is_declared_for_are_named(tmp_path: Path) -> None:
    for name in ("orders", "refunds", "_events", ".cache"):
        (tmp_path / name).mkdir()

    assert undeclared_folders(tmp_path, ["orders"]) == ["refunds"]


@pytest.mark.parametrize("target", ["loop.csv", "other.csv", "gone.csv"])
def test_a_link_that_leads_nowhere_is_named_and_the_files_beside_it_are_read(tmp_path: Path, target: str) -> None:
    (tmp_path / "loop.csv").symlink_to(target)
    (tmp_path / "other.csv").symlink_to("loop.csv")
    (tmp_path / "good.csv").write_text("a\n1\n")

    files, problems = look(tmp_path)

    assert [file.name for file in files] == ["good.csv"]
    assert [problem.name for problem in problems] == ["loop.csv", "other.csv"]
    assert all(problem.reason.startswith("cannot be opened: ") for problem in problems)


def test_a_folder_of_a_source_that_is_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "orders").symlink_to("orders")

    assert look(tmp_path / "orders") == ([], [Problem(name="orders", reason="is a link that leads nowhere")])
