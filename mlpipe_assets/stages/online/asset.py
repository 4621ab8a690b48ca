"""online: the newest features of every entity, published so that a service reads them in microseconds; all views at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.serving.parity_gate import ONLINE_PARITY
from mlpipe_assets.serving.push.pushed_parity import compare_pushed, forget_pushed
from mlpipe_assets.serving.snapshots.days import note_days
from mlpipe_assets.serving.snapshots.newest import forget_others, keep
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.parity import ParityError, expect_parity
from mlpipe_assets.serving.snapshots.selection import Plan, plan_snapshot
from mlpipe_assets.serving.snapshots.snapshot import Generation, OnlineError
from mlpipe_assets.stages.daily import check
from mlpipe_assets.stages.features.pages import page_of_online, published_table
from mlpipe_assets.stages.online.plan import ONLINE, store_of
from mlpipe_assets.store.lake import Lake

_SOUND, _PARITY = "features_are_sound", "online_equals_offline"
_PUSHED = "pushed_rows_equal_the_build"


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
        owners=sorted({owner for view in catalog.online_views for owner in view.owners}),
        kinds={"table"},
        metadata=page_of_online(catalog),
        deps=[
            *(dg.AssetKey(["features", view.name]) for view in catalog.online_views),
            *([dg.AssetKey(["validation", ONLINE_PARITY])] if find_serving_log(catalog) else []),
        ],
        check_specs=[
            check(key, _SOUND, "The newest day of every view is there and passed its checks.", blocking=True),
            check(key, _PARITY, "Entities asked online have what a join of the same moment finds.", blocking=True),
            check(key, _PUSHED, "What was answered while a day was open is what it was built with.", blocking=True),
        ],
    )
    def build(lake: dg.ResourceParam[Lake]) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        plan = plan_snapshot(lake, catalog, datetime.now(tz=UTC))
        yield _judge(plan)
        if plan.obstacles:
            raise dg.Failure(
                description=f"online/{ONLINE}: not published, the snapshot before goes on answering. {_spell(plan)}",
                allow_retries=False,
            )
        pushed = compare_pushed(lake, catalog, datetime.now(tz=UTC))
        yield dg.AssetCheckResult(
            check_name=_PUSHED,
            passed=not pushed.wrong,
            description=pushed.spell(),
            metadata={"compared": pushed.asked, "made_of_other_rows": pushed.others},
        )
        if pushed.wrong:
            raise dg.Failure(description=f"online/{ONLINE}: {pushed.spell()}", allow_retries=False)
        try:
            published = publish_features(lake, catalog, plan)
        except ParityError as error:
            yield dg.AssetCheckResult(check_name=_PARITY, passed=False, description=f"{error}")
            raise dg.Failure(description=f"online/{ONLINE}: {error}", allow_retries=False) from error
        told = f"{spell_count(published.asked, 'entity', 'entities')} asked online and by a join: the same."
        yield dg.AssetCheckResult(
            check_name=_PARITY, passed=True, description=told, metadata={"asked": published.asked}
        )
        forget_pushed(lake, pushed)
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(published.generation))

    return build


@dataclass(frozen=True, kw_only=True)
class Published:
    """The snapshot that answers, and how many of its entities were asked both ways; none where it answered already."""

    generation: Generation
    asked: int = 0


def publish_features(lake: Lake, catalog: Catalog, plan: Plan) -> Published:
    """Publish what a plan names, unless it was published, or taken back, already.

    Some of its entities are asked online and by a join before anybody sees them.

    Raises: ParityError when the two differ; OnlineError when the store does not do it, or the plan has obstacles. The snapshot
        before answers then.
    """
    store = store_of(lake)
    line = store.line()
    if line.present and line.is_published(plan.inputs):
        return Published(generation=line.present)
    asked = 0

    def expect(reader: Reader) -> None:
        nonlocal asked
        now = datetime.now(tz=UTC)
        try:
            asked = expect_parity(lake, catalog, reader, now)
        except ParityError:
            if plan_snapshot(lake, catalog, now).inputs != plan.inputs:
                raise OnlineError("The features changed while they were published. Run again.") from None
            raise

    snapshot = plan.read()
    note_days(lake, plan)
    generation = store.publish(snapshot, expect)
    for view, rows in zip(plan.views, snapshot.views, strict=True):
        keep(lake.objects, view.view.name, view.version, view.digests, rows.frame)
    forget_others(lake.objects, [view.view.name for view in plan.views])
    return Published(generation=generation, asked=asked)


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
    views = [*generation.views.values()]
    return {
        "snapshot": generation.id,
        "entities": sum(view.rows for view in views),
        "as_of": max((view.as_of for view in views), default="none"),
        "published": published_table(views),
    }
