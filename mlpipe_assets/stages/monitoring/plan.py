"""Which days of a monitored table are to be measured, and whether the report is of what was measured."""

from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.errors import LakeError
from mlpipe_assets.monitoring.building import REPORT
from mlpipe_assets.monitoring.monitored_table import MonitoredTable, days_of_windows
from mlpipe_assets.monitoring.read_back import inputs_of_report
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import changed
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record


@or_unreadable(lambda monitor: f"monitoring/{monitor.name}")
def monitor_work(lake: Lake, catalog: Catalog, monitor: Monitor, wanted: Wanted) -> Work:
    """Days of a monitored table whose windows, or the code, have left their measurements behind."""
    monitored = MonitoredTable(lake=lake, catalog=catalog, monitor=monitor)
    name = monitor.folder
    lacking = _windows_without_profile(monitored)
    measured = lake.state(DRIFT, name)
    days = [
        day
        for day in monitored.table.present
        if wanted(day) and (day in lacking or (measured.facts(day) or {}).get("inputs") != monitored.inputs(day))
    ]
    return Work(table=f"monitoring/{monitor.name}", days=tuple(days))


def _windows_without_profile(monitored: MonitoredTable) -> set[date]:
    """The newest day of those whose windows hold a damaged profile, for each: it is made again when that day is measured."""
    store, monitor = monitored.store(), monitored.monitor
    if store is None:
        return set()
    present = monitored.table.present
    found: set[date] = set()
    profiles = store.state()
    damaged_days = [d for d in present if profiles.has(d, keys.PROFILE) and profiles.facts(d, keys.PROFILE) is None]
    for damaged in damaged_days:
        over = [d for d in present if damaged in days_of_windows(monitor, [d]) and not monitored.state(d)]
        found |= set(over[-1:])
    return found


def report_work(lake: Lake, catalog: Catalog, _: Wanted) -> Work:
    """The report, as of the newest day, when there are measurements that it was not made of."""
    days = (last_partition(),) if report_is_behind(lake, catalog) else ()
    return Work(table=f"monitoring/{REPORT}", days=days)


def report_is_behind(lake: Lake, catalog: Catalog) -> bool:
    """Whether there are measurements that the report was not made of, or there is no report of any."""
    made_of = recall_report(lake)
    if not any(lake.days(DRIFT, monitor.folder) for monitor in catalog.monitors):
        return False
    return made_of is None or made_of != inputs_of_report(lake, catalog)


def recall_report(lake: Lake) -> str | None:
    """The digest of what the report was made of; None where it is not there as it was written, or nobody can tell."""
    pages = (lake.root / keys.REPORT_PAGE, lake.root / keys.DRIFT_SUMMARY)
    if any(not path.exists() or changed(lake.root, path) for path in pages):
        return None
    try:
        return record_of_report(lake).read()
    except LakeError:
        return None


def record_of_report(lake: Lake) -> Record[str]:
    """The record of what the report was made of."""
    return Record(objects=lake.objects, key=keys.REPORT_INPUTS, parse=lambda found: str(found["inputs"]))
