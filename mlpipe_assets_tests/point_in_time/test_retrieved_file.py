"""An answer as a file: the same as the frame, whole or not at all, and never over the spine."""

from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.asked import RetrievalError
from mlpipe_assets.errors import LakeError
from mlpipe_assets.point_in_time import retrieved_file
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.point_in_time.retrieved_file import expect_target, write_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.feature_lake import end_of, two_views, write_days
from mlpipe_assets_tests.planted import day

_SPINE = pl.DataFrame(
    {
        "row": [1, 2, 3],
        "customer_id": ["ann", "bob", None],
        "channel": ["app", "app", "web"],
        "event_timestamp": [end_of(day(1)), end_of(day(2)), end_of(day(2))],
    }
)


@pytest.fixture
def retrieval(tmp_path: Path) -> Retrieval:
    """All of two views for three rows."""
    return retrieval_for(tmp_path, _SPINE)


def retrieval_for(tmp_path: Path, spine: pl.DataFrame) -> Retrieval:
    """All of two views."""
    catalog = two_views(tmp_path / "sql")
    lake = Lake(data_dir=str(tmp_path / "data"))
    write_days(lake, catalog, "spend", {day(1): [("ann", 1, 30), ("bob", 2, None)], day(2): [("ann", 3, 30)]})
    write_days(lake, catalog, "by_channel", {day(1): [("ann", "app", 7, "P1")]})
    wording = Wording(statuses=True, full_names=True)
    return Retrieval(lake, catalog, ["spend:age", "by_channel:*", "spend:orders_3d"], spine, wording)


@pytest.fixture(params=["all at once", "cell by cell"], autouse=True)
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual sizes, and the smallest: one column a block, one row at once."""
    if request.param == "cell by cell":
        for name in ("_CELLS_OF_A_BLOCK", "_CELLS_AT_ONCE", "_FEWEST_ROWS", "_MOST_ROWS"):
            monkeypatch.setattr(retrieved_file, name, 1)


def test_parquet_has_the_rows_of_the_frame(retrieval: Retrieval, tmp_path: Path) -> None:
    out = tmp_path / "out" / "found.parquet"
    out.parent.mkdir()

    assert write_features(retrieval, out) == 3

    assert_frame_equal(pl.read_parquet(out), retrieval.frame())
    assert [path.name for path in out.parent.iterdir()] == ["found.parquet"]


def test_csv_has_them_with_times_in_iso_8601(retrieval: Retrieval, tmp_path: Path) -> None:
    write_features(retrieval, tmp_path / "found.csv")

    found = pl.read_csv(tmp_path / "found.csv")
    assert found.columns == retrieval.names
    assert found["spend__as_of"].to_list() == ["2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", None]
    assert found["by_channel__orders_3d__status"].to_list() == ["PRESENT", "NOT_FOUND", "NOT_FOUND"]


def test_a_spine_without_rows_is_a_file_without_rows(tmp_path: Path) -> None:
    retrieval = retrieval_for(tmp_path, _SPINE.clear())

    assert write_features(retrieval, tmp_path / "found.parquet") == 0

    assert pl.read_parquet(tmp_path / "found.parquet").columns == retrieval.names


def test_what_cannot_be_written_leaves_what_was_there(retrieval: Retrieval, tmp_path: Path) -> None:
    out = tmp_path / "out" / "found.parquet"
    out.parent.mkdir()
    out.write_text("before")

    with (
        patch.object(Path, "replace", side_effect=OSError(28, "No space left on device")),
        pytest.raises(LakeError, match=r"Cannot write .*found\.parquet: No space left on device\. Nothing was left"),
    ):
        write_features(retrieval, out)

    assert {path.name: path.read_text() for path in out.parent.iterdir()} == {"found.parquet": "before"}


def test_an_answer_goes_to_a_file_of_its_own(tmp_path: Path) -> None:
    spine = tmp_path / "spine.csv"
    spine.write_text("a\n")
    (tmp_path / "link.csv").symlink_to(spine)
    (tmp_path / "folder.csv").mkdir()

    for name, said in {
        "spine.csv": "is the spine itself",
        "link.csv": "is the spine itself",
        "folder.csv": "is a folder",
        "out.xlsx": "is neither .parquet nor .csv",
        "no/out.csv": "There is no folder",
    }.items():
        with pytest.raises(RetrievalError, match=said):
            expect_target(tmp_path / name, spine)
    expect_target(tmp_path / "out.csv", spine)
