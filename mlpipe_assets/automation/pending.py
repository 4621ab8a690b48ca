"""What is behind in every table of a catalog, in the order data flows; nothing is built."""

from collections.abc import Callable
from datetime import date

from mlpipe_assets.automation.loop_plan import golden_work, model_work, monitor_work, prediction_work
from mlpipe_assets.automation.plan import Work, feature_work, interim_work, training_work
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.resources.lake import Lake


def pending(lake: Lake, catalog: Catalog, wanted: Callable[[date], bool], *, everything: bool = False) -> list[Work]:
    """Days to build and days that cannot be, per table, as things are now: what new files would add is not known yet.

    Args:
        lake: The lake.
        catalog: What exists.
        wanted: Which days may be built.
        everything: Training sets and monitoring too, which follow by themselves from what is behind before them.
    """
    works = [interim_work(lake, source, wanted) for source in catalog.sources]
    works += [feature_work(lake, catalog, view, wanted) for view in catalog.feature_views]
    if everything:
        works += [training_work(lake, catalog, model, wanted) for model in catalog.models]
    for model in (m for m in catalog.models if m.learner):
        works += [look(lake, catalog, model, wanted) for look in (model_work, golden_work, prediction_work)]
    if everything:
        works += [monitor_work(lake, catalog, monitor, wanted) for monitor in catalog.monitors]
    return works
