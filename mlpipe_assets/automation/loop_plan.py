"""What is out of date after the training set: models, golden answers, predictions, monitoring, the report."""

from collections.abc import Callable, Sequence
from datetime import date

from mlpipe_assets.automation.plan import Work, or_unreadable
from mlpipe_assets.catalog.declarations import Catalog, Model, Monitor
from mlpipe_assets.errors import shorten
from mlpipe_assets.monitoring.building import REPORT
from mlpipe_assets.monitoring.read_back import inputs_of_report
from mlpipe_assets.monitoring.watching import Watching, days_of_windows
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.resources.champions import champion, champion_of, champions, read_golden
from mlpipe_assets.resources.models import ModelVersion, damage
from mlpipe_assets.stages.models import holes, too_little_history
from mlpipe_assets.stages.models import inputs_digest as model_inputs
from mlpipe_assets.stages.monitoring import recall_report
from mlpipe_assets.stages.predictions import inputs_digest, objections
from mlpipe_assets.stages.validation import golden_inputs
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import changed, changed_beside
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.refusals import refusal_of, refused_days


@or_unreadable(lambda model: f"models/{model.name}")
def model_work(lake: Lake, catalog: Catalog, model: Model, wanted: Callable[[date], bool]) -> Work:
    """The newest training set, when nothing was fitted on it as it is and as the learner is declared now."""
    table = f"models/{model.name}"
    days = [day for day in lake.days("processed", model.name, keys.TRAIN) if wanted(day)]
    if not days:
        return Work(table=table)
    newest = days[-1]
    inputs = model_inputs(lake, model, newest)
    problem = holes(lake, catalog, model, newest) or too_little_history(lake, model, newest)
    if problem:
        return Work(table=table, blocked=((newest, problem),))
    made = lake.facts("models", model.name, newest)
    return Work(table=table, days=() if made and made["inputs"] == inputs else (newest,))


@or_unreadable(lambda model: f"validation/{model.golden}")
def golden_work(lake: Lake, catalog: Catalog, model: Model, wanted: Callable[[date], bool]) -> Work:
    """The newest feature day, when the champion was not asked its golden rows since anything they rest on changed."""
    name = model.golden
    table = f"validation/{name}"
    used, golden = champion(lake, model.name), read_golden(lake, model.name)
    if used is None or golden is None:
        return Work(table=table)
    days = [day for day in lake.days("features", model.view.name) if wanted(day) and day >= used.as_of]
    if not days:
        return Work(table=table)
    inputs = golden_inputs(lake, catalog, model, golden)
    for day in sorted(refused_days(lake, "validation", name), reverse=True):
        refusal = refusal_of(lake, "validation", name, day) or {}
        if refusal.get("inputs") == inputs:
            return Work(table=table, blocked=((day, str(refusal["problem"])),))
    asked = lake.days("validation", name)
    same = bool(asked) and (lake.facts("validation", name, asked[-1]) or {}).get("inputs") == inputs
    return Work(table=table, days=() if same else (days[-1],))


@or_unreadable(lambda model: f"predictions/{model.name}")
def prediction_work(lake: Lake, catalog: Catalog, model: Model, wanted: Callable[[date], bool]) -> Work:
    """Feature days since the first champion without predictions, and the newest day if its inputs changed.

    Predictions of older days stay as they were made: they are what was decided on. A day that was due when a new champion
    was crowned is still asked of the one that had led until then; one that it cannot answer any more is named. Damaged
    predictions are as good as none.
    """
    table = f"predictions/{model.name}"
    used = champion(lake, model.name)
    if used is None:
        return Work(table=table)
    described = [day for day in lake.days("features", model.view.name) if wanted(day)]
    days = [day for day in described if day >= used.as_of]
    if days and (wrong := damage(lake, used)):  # known before a day is due, while there is time to mend it
        return Work(table=table, blocked=((days[-1], wrong),))
    there = lake.days("predictions", model.name)
    made = {day for day in there if not changed_beside(lake.root, lake.path("predictions", model.name, day))}
    due = [day for day in days if day not in made]
    before = [day for day in described if day < used.as_of and day not in made]
    missed, unanswered = _missed(lake, catalog, model, used, before)
    due += missed
    if days and days[-1] in made:
        facts = lake.facts("predictions", model.name, days[-1]) or {}
        due += [days[-1]] if facts.get("inputs") != inputs_digest(lake, model, used.version, days[-1]) else []
    barred = objections(lake, catalog, model, due)
    return Work(
        table=table,
        days=tuple(day for day in sorted(due) if not barred[day]),
        blocked=(*unanswered, *((day, shorten(reasons)) for day, reasons in barred.items() if reasons)),
    )


def _missed(
    lake: Lake, catalog: Catalog, model: Model, used: ModelVersion, days: Sequence[date]
) -> tuple[list[date], list[tuple[date, str]]]:
    """Days a champion before the present one was still to answer for, and those it cannot answer any more, with the reason."""
    before = [one for one in champions(lake, model.name) if one.version != used.version] if days else []
    first = min((one.as_of for one in before), default=used.as_of)
    asked = objections(lake, catalog, model, [day for day in days if day >= first])
    wrong = {one.version: damage(lake, one) for one in before} if asked else {}
    found: list[date] = []
    unanswered: list[tuple[date, str]] = []
    for day, reasons in asked.items():
        led = champion_of(lake, model.name, day)
        reason = shorten(reasons) or (wrong.get(led.version) if led else None)
        if led is None or led.version not in wrong:  # rolled back since: nobody who led then is left to ask
            continue
        if reason:
            unanswered.append((day, _spell_unanswered(led, used, reason)))
        else:
            found.append(day)
    return found, unanswered


def _spell_unanswered(led: ModelVersion, used: ModelVersion, reason: str) -> str:
    return (
        f"due when {led.version} led, which cannot answer any more: {reason}. Mend that and run again; {used.version} must not answer, "
        f"for it learnt from labels up to {used.as_of}. `mlpipe run --from {used.as_of}` leaves these days without predictions"
    )


@or_unreadable(lambda monitor: f"monitoring/{monitor.name}")
def monitor_work(lake: Lake, catalog: Catalog, monitor: Monitor, wanted: Callable[[date], bool]) -> Work:
    """Days of a watched table whose windows, or the code, have left their measurements behind."""
    watching = Watching(lake=lake, catalog=catalog, monitor=monitor)
    name = monitor.folder
    lacking = _windows_without_profile(watching)
    days = [
        day
        for day in watching.table.present
        if wanted(day)
        and (day in lacking or (lake.facts(DRIFT, name, day) or {}).get("inputs") != watching.inputs(day))
    ]
    return Work(table=f"monitoring/{monitor.name}", days=tuple(days))


def _windows_without_profile(watching: Watching) -> set[date]:
    """The newest day of those whose windows hold a damaged profile, for each: it is made again when that day is measured."""
    store, monitor = watching.store(), watching.monitor
    if store is None:
        return set()
    present = watching.table.present
    found: set[date] = set()
    for damaged in (day for day in present if changed(watching.lake.root, store.path(day))):
        over = [d for d in present if damaged in days_of_windows(monitor, [d]) and not watching.state(d)]
        found |= set(over[-1:])
    return found


def report_work(lake: Lake, catalog: Catalog, _: Callable[[date], bool]) -> Work:
    """The report, as of the newest day, when there are measurements that it was not made of."""
    days = (last_partition(),) if report_is_behind(lake, catalog) else ()
    return Work(table=f"monitoring/{REPORT}", days=days)


def report_is_behind(lake: Lake, catalog: Catalog) -> bool:
    """Whether there are measurements that the report was not made of, or there is no report of any."""
    made_of = recall_report(lake)
    if not any(lake.days(DRIFT, monitor.folder) for monitor in catalog.monitors):
        return False
    return made_of is None or made_of != inputs_of_report(lake, catalog)
