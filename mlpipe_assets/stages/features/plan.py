"""Which days of a feature view are behind: those that their window or the code has left."""

from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.lake import Lake


@or_unreadable(lambda view: f"features/{view.name}")
def feature_work(lake: Lake, catalog: Catalog, view: FeatureView, wanted: Wanted) -> Work:
    """Days of a view that its window or the code has left behind, and those whose window has a hole."""
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    first, last = inputs.first_day(), inputs.last_day()
    days: list[date] = sorted(filter(wanted, inputs.strays()))
    blocked: list[tuple[date, str]] = []
    if first is None or last is None:
        return Work(table=f"features/{view.name}", days=tuple(days))
    for day in filter(wanted, days_between(first, last)):
        obstacle = inputs.find_obstacle(day)
        if obstacle:
            blocked.append((day, obstacle))
            continue
        facts = inputs.made.facts(day)
        refusal = inputs.made.refused.get(day)
        if refusal and refusal["inputs"] == inputs.digest(day):
            blocked.append((day, str(refusal["problem"])))
        elif refusal or not facts or facts["inputs"] != inputs.digest(day):
            days.append(day)
    return Work(table=f"features/{view.name}", days=tuple(sorted(days)), blocked=tuple(blocked))
