"""Whether the online snapshot is of what the features hold now, and where it is kept."""

from dataclasses import replace
from datetime import UTC, date, datetime

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.freshness.rules import TableFreshness, judge_daily
from mlpipe_assets.partitions import ONE_DAY, START_DATE, last_partition
from mlpipe_assets.serving.snapshots.addresses import open_store
from mlpipe_assets.serving.snapshots.online_store import OnlineStore
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.snapshot import Generation
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.flow_table import Holding
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.lake import Lake

ONLINE = "features"


def store_of(lake: Lake) -> OnlineStore:
    """The online store of a lake: that of MLPIPE_ONLINE_URL for the data folder, files of its own for any other lake.

    Raises: SettingsError for an address that no store knows.
    """
    settings = read_settings()
    return open_store(lake, settings.online_url if lake.root == settings.data_dir else "")


@or_unreadable(lambda _: f"online/{ONLINE}")
def online_work(lake: Lake, catalog: Catalog, _: Wanted) -> Work:
    """A snapshot of today, when the features are not those that were published, or taken back."""
    table = f"online/{ONLINE}"
    plan = plan_snapshot(lake, catalog, datetime.now(tz=UTC))
    if plan.obstacles:
        return Work(table=table, blocked=plan.obstacles)
    line = store_of(lake).line()
    if plan.views and line.lost and line.is_published(plan.inputs):
        return Work(
            table=table, blocked=((last_partition(), f"what the features hold now was taken back. {line.silence}"),)
        )
    if not plan.views or line.is_published(plan.inputs):
        return Work(table=table)
    return Work(table=table, days=(last_partition(),))


def inputs_of_snapshot(lake: Lake, catalog: Catalog) -> str:
    """Digest of what a snapshot would be made of now."""
    return plan_snapshot(lake, catalog, datetime.now(tz=UTC)).inputs


def snapshot_held(lake: Lake) -> Holding | None:
    """What answers now: all of it is at least of the day that is given. None where nothing is published, or no store answers."""
    try:
        present = store_of(lake).line().present
    except MlpipeError:  # `online_work` says so
        return None
    if present is None or not present.views:
        return None
    views = present.views.values()
    return Holding(
        day=min(_day_of(view.as_of) for view in views), rows=sum(view.rows for view in views), digest=present.inputs
    )


def judge_snapshot(catalog: Catalog, lake: Lake, now: datetime) -> TableFreshness:
    """The snapshot that answers: of each view it must have the newest day that is due. It is as late as the latest of them.

    A store that does not answer is late, since nobody knows what it would say.
    """
    try:
        present = store_of(lake).line().present
    except MlpipeError:
        return _judge(catalog, lake, now, {}, known=False)
    return _judge(catalog, lake, now, _newest_days(catalog, lake, now, present), known=True)


def _judge(catalog: Catalog, lake: Lake, now: datetime, newest: dict[str, date], *, known: bool) -> TableFreshness:
    verdicts = []
    for view in catalog.online_views:
        begun = min(lake.days("features", view.name), default=START_DATE)
        days = {newest[view.name]} if view.name in newest else set()
        verdicts.append(judge_daily(f"online/{ONLINE}", days, view.fresh_within, now, first=begun))
    late = [verdict for verdict in verdicts if verdict.late_since]
    found = min(late, key=lambda verdict: verdict.late_since or now) if late else verdicts[0]
    oldest = min(newest.values(), default=None)
    state = found.state if known or found.state == "fresh" else "late"
    return replace(found, state=state, newest=oldest, lacking=None)


def _newest_days(catalog: Catalog, lake: Lake, now: datetime, present: Generation | None) -> dict[str, date]:
    """Of each view the newest day in the snapshot: that of its newest row, or of the newest features where it is made of these."""
    if present is None:
        return {}
    days = {name: _day_of(view.as_of) for name, view in present.views.items()}
    plan = plan_snapshot(lake, catalog, now)
    if plan.inputs == present.inputs:  # a day without a row is in it all the same
        days |= {view.view.name: view.days[-1] for view in plan.views}
    declared = {view.name for view in catalog.online_views}
    return {name: day for name, day in days.items() if name in declared}


def _day_of(as_of: str) -> date:
    """The day at whose end something was so."""
    return datetime.fromisoformat(as_of).astimezone(UTC).date() - ONE_DAY
