"""Whether the report of monitoring is behind is decided by what it was made of, never by the times of files."""

import os
from datetime import date

import polars as pl

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.stages.monitoring.asset import write_report
from mlpipe_assets.stages.monitoring.plan import report_is_behind
from mlpipe_assets.store import keys
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day


def measure(lake: Lake, on: date, inputs: str) -> None:
    """A day of measurements of orders."""
    facts = {"inputs": inputs, "drift_score": 0.0, "bad": False, "drifting": False, "state": "", "reference": "v1"}
    lake.commit(lake.stage(lake.path(DRIFT, "interim.orders", on), pl.DataFrame(schema=SCHEMA), facts))


def test_copied_and_restored_files_of_any_time_leave_the_report_up_to_date(lake: Lake) -> None:
    measure(lake, day(5), "a")
    write_report(lake, CATALOG)

    os.utime(lake.path(DRIFT, "interim.orders", day(5)), (4e9, 4e9))
    os.utime(lake.root / keys.REPORT_PAGE, (0, 0))

    assert not report_is_behind(lake, CATALOG)


def test_measurements_of_other_inputs_or_days_leave_it_behind_however_old_their_files(lake: Lake) -> None:
    assert not report_is_behind(lake, CATALOG)  # nothing to report
    measure(lake, day(5), "a")
    assert report_is_behind(lake, CATALOG)
    write_report(lake, CATALOG)
    assert not report_is_behind(lake, CATALOG)

    measure(lake, day(5), "b")
    os.utime(lake.path(DRIFT, "interim.orders", day(5)), (0, 0))
    assert report_is_behind(lake, CATALOG)

    write_report(lake, CATALOG)
    measure(lake, day(6), "a")
    assert report_is_behind(lake, CATALOG)

    write_report(lake, CATALOG)
    (lake.root / keys.REPORT_PAGE).unlink()
    assert report_is_behind(lake, CATALOG)
