"""Profiles on disk: made again when they cannot be read; a frozen reference is not."""

import json
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.monitoring.profiles import ProfileStore
from mlpipe_assets.monitoring.references import ProfiledColumns, Reference, freeze, read_reference, write_reference
from mlpipe_assets.monitoring.table_days import TableDays
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5

PROFILED = ProfiledColumns(kinds={"amount": "number"}, unseen=frozenset(), thresholds={"amount": 0.1})


@pytest.fixture
def rows(lake: Lake) -> Path:
    target = lake.path("interim", "orders", JAN_5)
    lake.commit(lake.stage(target, pl.DataFrame({"amount": [1.0, 2.0, 3.0]}), {"fingerprint": "abc"}))
    return target


@pytest.fixture
def reference(rows: Path) -> Reference:
    return freeze(PROFILED, [rows], days=[JAN_5], origin="")


def _store(lake: Lake, reference: Reference) -> ProfileStore:
    table = TableDays(lake=lake, stage="interim", name="orders")
    return ProfileStore(lake=lake, name="interim.orders", reference=reference, table=table)


@pytest.mark.parametrize("kept", [0, 10, 40, 70, 90, -3])
def test_a_profile_cut_short_is_told_and_made_again_from_its_rows(
    lake: Lake, reference: Reference, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = _store(lake, reference)
    assert made.prepare([JAN_5]) == [JAN_5]
    before = made.path(JAN_5).read_bytes()
    made.path(JAN_5).write_bytes(before[:kept])

    assert _store(lake, reference).stored_window([JAN_5]).rows == 0
    assert "profile.json cannot be read" in caplog.text
    assert _store(lake, reference).prepare([JAN_5]) == [JAN_5]

    assert made.path(JAN_5).read_bytes() == before
    assert _store(lake, reference).prepare([JAN_5]) == []


def test_a_profile_of_another_shape_is_made_again_too(lake: Lake, reference: Reference) -> None:
    made = _store(lake, reference)
    made.prepare([JAN_5])
    head = made.path(JAN_5).read_text().partition(', "profile": ')[0]
    made.path(JAN_5).write_text(f'{head}, "profile": []}}\n')

    assert _store(lake, reference).prepare([JAN_5]) == [JAN_5]


def test_a_reference_of_an_earlier_version_of_the_code_is_frozen_anew_and_no_error(
    lake: Lake, reference: Reference
) -> None:
    path = lake.root / "monitoring" / "reference" / "interim.orders.json"
    write_reference(lake, "interim.orders", reference)
    stored = json.loads(path.read_text())
    del stored["laid_out"]
    for column in stored["columns"].values():
        del column["rows_of_a_day"]  # which it did not know yet
    lake.commit(lake.stage_bytes(path, json.dumps(stored).encode()))

    assert read_reference(lake, "interim.orders") is None


@pytest.mark.parametrize("content", ['{"bins": {"amo', "[]", "{}", '{"bins": [], "days": []}'])
def test_a_reference_that_cannot_be_read_is_named_with_what_deleting_it_does(
    lake: Lake, reference: Reference, content: str
) -> None:
    path = lake.root / "monitoring" / "reference" / "interim.orders.json"
    assert read_reference(lake, "interim.orders") is None
    write_reference(lake, "interim.orders", reference)
    assert read_reference(lake, "interim.orders") == reference
    path.write_text(content)

    with pytest.raises(
        LakeError,
        match=r"interim\.orders\.json has [\d,]+ bytes where [\d,]+ were written\. .*delete it and run again: the baseline is frozen anew",
    ):
        read_reference(lake, "interim.orders")
    (lake.root / "meta" / "digests" / "monitoring.reference.log").unlink()  # a lake of before
    with pytest.raises(LakeError, match=r"interim\.orders\.json cannot be read: .+\. .*delete it and run again"):
        read_reference(lake, "interim.orders")
    with pytest.raises(LakeError, match=r"cannot be read: .+\. Make it anew\.$"):
        read_reference(lake, "interim.orders", cure="Make it anew.")
