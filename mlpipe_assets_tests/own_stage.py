"""A stage as a user adds one: how many customers each feature view describes, day by day; a crowd is refused."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial

import dagster as dg
import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.freshness.rules import TableFreshness, judge_daily
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.stages.work import Work
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake

CROWD = 3


class Sizes(pa.DataFrameModel):
    """One row a day: entities described. Grain: the day."""

    entities: pl.Int64


def sizes(catalog: Catalog) -> Iterator[Table]:
    """A table of sizes for each feature view."""
    for view in catalog.feature_views:
        yield Table(
            stage="sizes",
            name=view.name,
            make=partial(sizes_asset, view),
            jobs=("daily_job",),
            upstream=(f"features/{view.name}",),
            behind=partial(days_behind, view),
            fresh=partial(judge, view),
            each_day=True,
            to_do="send some of them away",
            schema="sizes",
        )


def sizes_asset(view: FeatureView) -> dg.AssetsDefinition:
    """The asset of the sizes of one view."""
    key = dg.AssetKey(["sizes", view.name])

    @dg.asset(
        **daily(
            key,
            description="Entities described.",
            owners=view.owners,
            kinds={"polars"},
            code_version="1",
            contract=Sizes,
            checks=[check(key, "contract_holds", "There is one row.", blocking=True)],
            deps=[dg.AssetDep(dg.AssetKey(["features", view.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            change = lake.change("sizes", view.name)
            outcomes = [_count(lake, change, view, day) for day in days]
            change.publish()
        yield from tell(context, lake, key, outcomes, balanced=False)

    return build


def _count(lake: Lake, change: TableChange, view: FeatureView, day: date) -> Outcome:
    count, inputs = lake.read("features", view.name, day).height, _inputs(lake, view, day)
    if count >= CROWD:
        change.refuse(day, problem=f"{count} are a crowd", inputs=inputs)
        return Outcome(day=day, refused=f"{count} are a crowd")
    change.clear(day)
    rows, facts = pl.DataFrame({"entities": [count]}), {"inputs": inputs, "rows": 1}
    staged = lake.stage(lake.path("sizes", view.name, day), rows, facts)
    change.put(staged)
    return Outcome(day=day, counts={"rows": 1}, written=staged, facts=facts)


def _inputs(lake: Lake, view: FeatureView, day: date) -> str:
    return digest((lake.facts("features", view.name, day) or {}).get("fingerprint"))


def days_behind(view: FeatureView, lake: Lake, wanted: Callable[[date], bool]) -> Work:
    """Feature days that were not counted as they are."""
    made = {day: (lake.facts("sizes", view.name, day) or {}).get("inputs") for day in lake.days("sizes", view.name)}
    there = filter(wanted, lake.days("features", view.name))
    return Work(
        table=f"sizes/{view.name}", days=tuple(day for day in there if made.get(day) != _inputs(lake, view, day))
    )


def judge(view: FeatureView, lake: Lake, now: datetime) -> TableFreshness:
    """Each day that is over must be counted in the time that its features have."""
    return judge_daily(f"sizes/{view.name}", lake.days("sizes", view.name), view.fresh_within, now)
