"""How fresh each kind of table is, by the partitions that lie in the lake."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from mlpipe_assets.catalog.declarations import FeatureView, Model, Monitor, Source, is_snapshot
from mlpipe_assets.freshness.rules import TableFreshness, judge_daily, judge_deliveries, judge_newest
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import acceptances
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.plan import plan_training_set
from mlpipe_assets.training.versions import versions


def judge_events(source: Source, fresh_within: timedelta, lake: Lake, now: datetime) -> TableFreshness:
    """The events of a source: what must come each day, or else the newest delivery."""
    table = f"raw/{source.name}"
    if _comes_daily(source):
        return judge_daily(table, _came(lake, source), fresh_within, now)
    return judge_deliveries(table, _known(lake, source), fresh_within, now)


def judge_clean(source: Source, fresh_within: timedelta, lake: Lake, now: datetime) -> TableFreshness:
    """The clean table of a source, as far as something came."""
    table, clean = f"interim/{source.name}", SourceDays(lake=lake, source=source).present
    if _comes_daily(source):
        newest = max(_came(lake, source), default=date.min)
        return judge_daily(table, {day for day in clean if day <= newest}, fresh_within, now)
    made = {day: moment for day, moment in _known(lake, source).items() if day in clean}
    return judge_deliveries(table, made, fresh_within, now)


def judge_features(view: FeatureView, lake: Lake, now: datetime) -> TableFreshness:
    """A feature view: each day that is over."""
    return judge_daily(f"features/{view.name}", _present(lake, "features", view.name), view.fresh_within, now)


def judge_training_set(model: Model, lake: Lake, now: datetime) -> TableFreshness:
    """The training sets of a model, from the day the history is long enough for one."""
    trained = lake.days("processed", model.name, keys.TRAIN)
    return judge_newest(f"processed/{model.name}", trained, model.fresh_within, now, _first_training_day(lake, model))


def judge_model(model: Model, lake: Lake, now: datetime) -> TableFreshness:
    """The versions of a model, from the day the history is long enough for one."""
    fitted = {row["as_of"] for row in versions(lake, model.name)}
    return judge_newest(f"models/{model.name}", fitted, model.fresh_within, now, _first_training_day(lake, model))


def judge_predictions(model: Model, lake: Lake, now: datetime) -> TableFreshness:
    """The predictions of a model, each day from that of its champion on: days before it are not predicted any more."""
    used = champion(lake, model.name)
    begun = used.as_of if used else date.max
    made = {day for day in _present(lake, "predictions", model.name) if day >= begun}
    verdict = judge_daily(f"predictions/{model.name}", made, model.view.fresh_within, now, first=begun)
    return replace(verdict, newest=max(lake.days("predictions", model.name), default=None))


def judge_measurements(monitor: Monitor, lake: Lake, now: datetime) -> TableFreshness:
    """What is measured of a monitored table, each day from its first on."""
    first = min(lake.days(monitor.stage, monitor.name), default=date.max)
    made = lake.days(DRIFT, monitor.folder)
    return judge_daily(f"monitoring/{monitor.name}", made, monitor.fresh_within, now, first=first)


def is_long_enough(lake: Lake, model: Model, day: date) -> bool:
    """Whether the features up to a day fill every split of a training set."""
    days = lake.days("features", model.view.name)
    return bool(days) and _fills(model, day, days[0])


def _comes_daily(source: Source) -> bool:
    return not source.empty_days and not is_snapshot(source)


def _came(lake: Lake, source: Source) -> list[date]:
    """Days that rows came for, and those accepted without any."""
    accepted = [day for day in acceptances(lake, source.name) if day >= START_DATE]
    return [*SourceDays(lake=lake, source=source).arrived, *accepted]


def _known(lake: Lake, source: Source) -> dict[date, datetime]:
    """When the newest delivery of each day was known; what repeats the state has come all the same."""
    ledger = Ledger.load(lake, source.name)
    known: dict[date, datetime] = {}
    for delivery in ledger.deliveries.values():
        holder = ledger.deliveries.get(delivery.copy_of or "", delivery)
        for day in holder.events:
            known[day] = max(delivery.known_at, known.get(day, delivery.known_at))
    return known


def _present(lake: Lake, stage: str, name: str) -> set[date]:
    """Days with a partition that was not refused since."""
    state = lake.state(stage, name)
    return set(state.days()) - set(state.refused)


def _first_training_day(lake: Lake, model: Model) -> date | None:
    """The first day the history is long enough to train; None while it is not."""
    days = lake.days("features", model.view.name)
    return next((day for day in days if _fills(model, day, days[0])), None)


def _fills(model: Model, day: date, first: date) -> bool:
    """Whether features from the first day up to a day fill every split of a training set."""
    return all(plan_training_set(model, day, first).splits.values())
