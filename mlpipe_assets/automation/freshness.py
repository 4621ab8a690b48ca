"""Which tables lack their newest expected partition, since when, and which upstream made them late."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

from mlpipe_assets.automation.freshness_rules import TableFreshness, judge_daily, judge_deliveries, judge_newest
from mlpipe_assets.catalog.declarations import Catalog, Model, Source, is_snapshot
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.resources.acceptances import acceptances
from mlpipe_assets.resources.champions import champion
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.resources.models import versions
from mlpipe_assets.resources.refusals import refused_days
from mlpipe_assets.store import keys
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.training_plan import plan_training_set
from mlpipe_assets.windows import SourceDays


def freshness_of(lake: Lake, catalog: Catalog, now: datetime) -> list[TableFreshness]:
    """Every daily table in flow order, judged by the partitions that lie in the lake.

    Dagster's own policy looks at the time of the last materialization, so that backfilling old days turns it green. Here
    only the newest day counts: day D must be there `fresh_within` after it ended.
    """
    verdicts = {verdict.table: verdict for verdict in _judge_all(lake, catalog, now)}
    found: list[TableFreshness] = []
    for table, upstream in upstream_of(catalog).items():
        verdict = verdicts[table]
        causes = [verdicts[name].cause for name in upstream if verdicts[name].state != "fresh"]
        verdicts[table] = replace(verdict, cause=None if verdict.state == "fresh" else causes[0] if causes else table)
        found.append(verdicts[table])
    return found


def upstream_of(catalog: Catalog) -> dict[str, list[str]]:
    """Every daily table in flow order, with the tables it is made of."""
    tables: dict[str, list[str]] = {}
    for source in catalog.sources:
        tables |= {f"raw/{source.name}": [], f"interim/{source.name}": [f"raw/{source.name}"]}
    for view in catalog.feature_views:
        tables[f"features/{view.name}"] = [f"interim/{name}" for name in view.inputs]
    for model in catalog.models:
        tables[f"processed/{model.name}"] = [f"features/{model.view.name}", *(f"interim/{n}" for n in model.inputs)]
    for model in (m for m in catalog.models if m.learner):
        tables[f"models/{model.name}"] = [f"processed/{model.name}"]
        tables[f"predictions/{model.name}"] = [f"features/{model.view.name}", f"models/{model.name}"]
    for monitor in catalog.monitors:
        tables[f"monitoring/{monitor.table.partition('/')[2]}"] = [monitor.table]
    return tables


def _judge_all(lake: Lake, catalog: Catalog, now: datetime) -> Iterator[TableFreshness]:
    for source in catalog.sources:
        yield from _judge_source(lake, source, now)
    for view in catalog.feature_views:
        yield judge_daily(f"features/{view.name}", _present(lake, "features", view.name), view.fresh_within, now)
    for model in catalog.models:
        yield from _judge_model(lake, model, now)
    for monitor in catalog.monitors:
        watched = min(lake.days(monitor.stage, monitor.name), default=date.max)
        made = lake.days(DRIFT, monitor.folder)
        yield judge_daily(f"monitoring/{monitor.name}", made, monitor.fresh_within, now, first=watched)


def _judge_model(lake: Lake, model: Model, now: datetime) -> Iterator[TableFreshness]:
    """The training set of a model, its newest version and, from the day there is a champion, its predictions."""
    first = _first_training_day(lake, model)
    trained = lake.days("processed", model.name, keys.TRAIN)
    yield judge_newest(f"processed/{model.name}", trained, model.fresh_within, now, first)
    if model.learner is None:
        return
    fitted = {row["as_of"] for row in versions(lake, model.name)}
    yield judge_newest(f"models/{model.name}", fitted, model.fresh_within, now, first)
    used = champion(lake, model.name)
    begun = used.as_of if used else date.max  # days before the champion's are not predicted any more
    made = {day for day in _present(lake, "predictions", model.name) if day >= begun}
    verdict = judge_daily(f"predictions/{model.name}", made, model.view.fresh_within, now, first=begun)
    yield replace(verdict, newest=max(lake.days("predictions", model.name), default=None))


def _judge_source(lake: Lake, source: Source, now: datetime) -> Iterator[TableFreshness]:
    """The events of a source, and its clean table."""
    ledger, days = Ledger.load(lake, source.name), SourceDays(lake=lake, source=source)
    clean = days.present
    raw, interim = f"raw/{source.name}", f"interim/{source.name}"
    if not source.empty_days and not is_snapshot(source):
        came = [*days.arrived, *(day for day in acceptances(lake, source.name) if day >= START_DATE)]
        yield judge_daily(raw, came, source.fresh_within, now)
        newest = max(came, default=date.min)
        yield judge_daily(interim, {day for day in clean if day <= newest}, source.fresh_within, now)
        return
    known: dict[date, datetime] = {}
    for delivery in ledger.deliveries.values():
        holder = ledger.deliveries.get(delivery.copy_of or "", delivery)  # what repeats the state has come all the same
        for day in holder.events:
            known[day] = max(delivery.known_at, known.get(day, delivery.known_at))
    yield judge_deliveries(raw, known, source.fresh_within, now)
    made = {day: moment for day, moment in known.items() if day in clean}
    yield judge_deliveries(interim, made, source.fresh_within, now)


def _present(lake: Lake, stage: str, name: str) -> set[date]:
    """Days with a partition that was not refused since."""
    return set(lake.days(stage, name)) - refused_days(lake, stage, name)


def _first_training_day(lake: Lake, model: Model) -> date | None:
    """The first day the history is long enough to train; None while it is not."""
    return next((day for day in lake.days("features", model.view.name) if is_long_enough(lake, model, day)), None)


def is_long_enough(lake: Lake, model: Model, day: date) -> bool:
    """Whether the features up to a day fill every split of a training set."""
    days = lake.days("features", model.view.name)
    return bool(days) and all(plan_training_set(model, day, days[0]).splits.values())
