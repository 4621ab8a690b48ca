"""Which files of the drop zone may be read."""

from pathlib import Path

import pytest

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.intake.drop_zone import DropZone, undeclared_folders
from mlpipe_assets.intake.intake import DeliveryProblem, Pending


def look(folder: Path) -> tuple[list[Pending], list[DeliveryProblem]]:
    return DropZone(folder=folder, source=orders).look({})


def test_files_in_subfolders_are_found_and_hidden_ones_and_transfers_are_not(tmp_path: Path) -> None:
    for name in ("b.csv", "2026/a.jsonl", "_events/x.csv", ".git/y.csv", ".z.csv", "~$book.xlsx", "new.csv.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    files, problems = look(tmp_path)

    assert ([f.name for f in files], problems) == (["2026/a.jsonl", "b.csv"], [])


def test_a_drop_zone_that_is_absent_is_empty_and_one_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("x")

    assert look(tmp_path / "absent") == ([], [])
    assert look(tmp_path / "orders") == ([], [DeliveryProblem(name="orders", reason="is not a folder")])


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

    assert look(tmp_path / "orders") == ([], [DeliveryProblem(name="orders", reason="is a link that leads nowhere")])
