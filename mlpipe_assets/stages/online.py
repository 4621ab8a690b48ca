"""online: the newest features of every entity, published so that a service reads them in microseconds; all views at once."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.serving.selection import Plan, plan_snapshot
from mlpipe_assets.serving.snapshot import Generation
from mlpipe_assets.stages.daily import check
from mlpipe_assets.stages.online_plan import ONLINE, store_of
from mlpipe_assets.store.lake import Lake

_SOUND = "features_are_sound"


def online_asset(catalog: Catalog) -> dg.AssetsDefinition:
    """The asset of the online snapshot: one of all views, always of the newest days.

    Whether a day may be published is read when it runs, whatever run left things so. Otherwise the snapshot before goes on
    answering, and the check says why.
    """
    key = dg.AssetKey(["online", ONLINE])

    @dg.asset(
        key=key,
        backfill_policy=dg.BackfillPolicy.single_run(),  # one snapshot, but the command line asks it of all that a range selects
        group_name="online",
        description="The latest row of every entity of every feature view, as online answers are read. All views change at once.",
        owners=sorted({owner for view in catalog.feature_views for owner in view.owners}),
        kinds={"table"},
        deps=[dg.AssetKey(["features", view.name]) for view in catalog.feature_views],
        check_specs=[check(key, _SOUND, "The newest day of every view is there and passed its checks.", blocking=True)],
    )
    def build(lake: dg.ResourceParam[Lake]) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        plan = plan_snapshot(lake, catalog, datetime.now(tz=UTC))
        yield _judge(plan)
        if plan.obstacles:
            raise dg.Failure(
                description=f"online/{ONLINE}: not published, the snapshot before goes on answering. {_spell(plan)}",
                allow_retries=False,
            )
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(publish_features(lake, plan)))

    return build


def publish_features(lake: Lake, plan: Plan) -> Generation:
    """Publish what a plan names, unless it was published, or taken back, already; gives the snapshot that answers.

    Raises: OnlineError when the store does not do it, or the plan has obstacles; the snapshot before answers then.
    """
    store = store_of(lake)
    line = store.line()
    return line.present if line.present and line.is_published(plan.inputs) else store.publish(plan.read())


def _judge(plan: Plan) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=_SOUND,
        passed=not plan.obstacles,
        description=_spell(plan)
        if plan.obstacles
        else f"{spell_count(len(plan.views), 'view is', 'views are')} sound.",
        metadata={"obstacles": [reason for _, reason in plan.obstacles][:50]},
    )


def _spell(plan: Plan) -> str:
    return shorten([reason for _, reason in plan.obstacles])


def _metadata(generation: Generation) -> dict[str, dg.MetadataValue | str | int]:
    views = generation.views.values()
    return {
        "snapshot": generation.id,
        "entities": sum(view.rows for view in views),
        "as_of": max((view.as_of for view in views), default="none"),
        "views": dg.MetadataValue.json({view.name: {"rows": view.rows, "as_of": view.as_of} for view in views}),
    }
