"""What predictions are made of, what speaks against a day, and which days are due."""

from collections.abc import Iterable, Sequence
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.versions import learner_version, view_version
from mlpipe_assets.errors import SettingsError, shorten
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import Contract, digest
from mlpipe_assets.serving.parity_gate import find_barred
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion, champion_of, champions
from mlpipe_assets.training.versions import ModelVersion, damage


@or_unreadable(lambda model: f"predictions/{model.name}")
def prediction_work(lake: Lake, catalog: Catalog, model: Model, wanted: Wanted) -> Work:
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
    predicted = lake.state("predictions", model.name)
    made = {day for day in predicted.days() if predicted.facts(day) is not None}
    due = [day for day in days if day not in made]
    before = [day for day in described if day < used.as_of and day not in made]
    missed, unanswered = _missed(lake, catalog, model, used, before)
    due += missed
    if days and days[-1] in made:
        facts = predicted.facts(days[-1]) or {}
        due += [days[-1]] if facts.get("inputs") != inputs_digest(lake, model, used.version, days[-1]) else []
    barred = list_objections(lake, catalog, model, due)
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
    asked = list_objections(lake, catalog, model, [day for day in days if day >= first])
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


def declared(model: Model) -> tuple[Learner, Contract]:
    """How a model learns, and what its predictions promise.

    Raises: SettingsError for a model that is a training set only.
    """
    if model.learner is None or model.predictions is None:
        raise SettingsError(f"{model.name} declares no learner, so it has no model and no predictions.")
    return model.learner, model.predictions


def prediction_version(catalog: Catalog, model: Model) -> str:
    """Code version of predictions, whichever champion makes them."""
    return digest([view_version(catalog, model.view), learner_version(model)])[:16]


def inputs_digest(lake: Lake, model: Model, version: str, day: date) -> str:
    """Digest of all a day's predictions are made of: the version of the model and the features it is given."""
    facts = lake.facts("features", model.view.name, day) or {}
    return digest([version, facts.get("fingerprint")])


def list_objections(lake: Lake, catalog: Catalog, model: Model, days: Iterable[date]) -> dict[date, list[str]]:
    """Why the champion must not answer for each day, as things stand on disk now, whatever run left them so."""
    inputs = Inputs(lake=lake, catalog=catalog, view=model.view)
    barred = find_barred(lake, catalog).get(model.view.name)
    found = {day: _objections_of(lake, model, inputs, champion_of(lake, model.name, day), day) for day in days}
    return {day: [*why, barred] if barred else why for day, why in found.items()}


def _objections_of(lake: Lake, model: Model, inputs: Inputs, used: ModelVersion | None, day: date) -> list[str]:
    view = model.view
    table = f"features/{view.name}"
    found: list[str] = []
    refusal = inputs.made.refused.get(day)
    facts = inputs.made.facts(day)
    if refusal:
        found.append(f"{table} [{day}] failed its blocking check: {refusal['problem']}")
    elif facts is None:
        found.append(f"{table} has no partition of {day}")
    else:
        obstacle = inputs.find_obstacle(day)
        found += [f"{table} [{day}]: {obstacle}"] if obstacle else []
    if used is None:
        return [*found, f"models/{model.name} has no champion yet; train one with training_job"]
    if used.as_of > day:
        found.append(
            f"the champion {used.version} learnt from labels up to {used.as_of}: of {day} it would know the future"
        )
    if facts is not None and facts.get("code_version") != used.feature_version:
        found.append(
            f"{table} [{day}] is of version {facts.get('code_version')}, the champion {used.version} was trained on "
            f"{used.feature_version}; train a model on the new features, or build the day with the old ones"
        )
    name = model.golden
    for failed, known in lake.state("validation", name).refused.items():
        if failed <= day and known.get("champion") == used.version:
            found.append(f"validation/{name} [{failed}] failed for the champion: {known.get('problem')}")
    return found
