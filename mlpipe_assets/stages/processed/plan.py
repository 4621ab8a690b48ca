"""What a training set is made of, why it cannot be made, and whether the newest one is behind."""

from collections.abc import Sequence
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.lineage import columns_read
from mlpipe_assets.catalog.versions import model_version, view_version
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.plan import TrainingPlan, plan_training_set


@or_unreadable(lambda model: f"processed/{model.name}")
def training_work(lake: Lake, catalog: Catalog, model: Model, wanted: Wanted) -> Work:
    """The newest training set, when it is `every` days old, or no longer what its inputs and the code make.

    A model's training set is built once a spine interval, not daily: between two feature days nothing new can enter it.
    """
    table = f"processed/{model.name}"
    features = [day for day in lake.days("features", model.view.name) if wanted(day)]
    if not features:
        return Work(table=table)
    sets = lake.state("processed", model.name)
    built = [day for day in sets.days(keys.TRAIN) if day <= features[-1] and wanted(day)]
    newest = built[-1] if built else None
    as_of = features[-1] if newest is None or features[-1] - newest >= model.every else newest
    plan = plan_training_set(model, as_of, lake.days("features", model.view.name)[0])
    obstacle = find_obstacle(lake, catalog, plan)
    if obstacle:
        return Work(table=table, blocked=((as_of, obstacle),))
    facts = sets.facts(as_of, keys.TRAIN)
    fresh = facts is not None and facts["inputs"] == inputs_digest(lake, catalog, plan)
    return Work(table=table, days=() if fresh else (as_of,))


def find_obstacle(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> str | None:
    """Why a training set cannot be built: no spine, feature days missing or of another version, labels not there."""
    model = plan.model
    if not plan.used:
        return spell_too_early(plan, [plan.as_of])
    problems: list[str] = []
    features = lake.state("features", model.view.name)
    facts = {day: features.facts(day) for day in plan.used}
    absent = [day for day, fact in facts.items() if fact is None]
    version = view_version(catalog, model.view)
    other = [day for day, fact in facts.items() if fact is not None and fact.get("code_version") != version]
    if absent:
        problems.append(f"features/{model.view.name} has no {spell_days(absent)}")
    if other:
        problems.append(f"features/{model.view.name} {spell_days(other)} were made by another version than {version}")
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        gaps = [day for day in plan.label_days() if day not in source.present]
        if gaps:
            problems.append(f"the labels need interim/{name} of {spell_days(gaps)}, which are missing or refused")
    return "; ".join(problems) or None


def spell_too_early(plan: TrainingPlan, days: Sequence[date]) -> str:
    """Why there is nothing to make a training set of yet."""
    model = plan.model
    if days and plan.as_of > days[-1]:
        return f"no features of that day yet; the newest are of {days[-1]}"
    history = model.every.days + model.horizon.days
    return f"no feature day has a complete label by {plan.as_of}: it takes {history} days of history"


def inputs_digest(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> str:
    """Digest of all a training set is made of: the code, its feature days and the days its labels look at."""
    model = plan.model
    read: list[object] = [model_version(catalog, model)]
    features = lake.state("features", model.view.name)
    made = {day: features.facts(day) or {} for day in plan.used}
    read += [[f"{day}", facts.get("fingerprint")] for day, facts in made.items()]
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        names = columns_read(catalog.read_sql(model.sql), name)
        days = [day for day in plan.label_days() if day in source.present]
        read.append([name, [[f"{day}", _content(source, day, names)] for day in days]])
    return digest(read)


def made_of_days(lake: Lake, catalog: Catalog, plan: TrainingPlan) -> dict[date, str]:
    """By feature day a digest of all that its rows are made of: the code, its features and the days its labels look at."""
    model = plan.model
    version = model_version(catalog, model)
    features = lake.state("features", model.view.name)
    seen: dict[str, dict[date, object]] = {}
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        names = columns_read(catalog.read_sql(model.sql), name)
        seen[name] = {day: _content(source, day, names) for day in plan.label_days() if day in source.present}
    return {
        day: digest(
            [
                version,
                (features.facts(day) or {}).get("fingerprint"),
                [[name, [[f"{d}", of[d]] for d in plan.label_days([day]) if d in of]] for name, of in seen.items()],
            ]
        )[:16]
        for day in plan.used
    }


def _content(source: SourceDays, day: date, names: frozenset[str] | None) -> object:
    """What of a partition the labels can see: a correction of any other column leaves the training set as it is."""
    columns = source.fact(day, "columns")
    if names is None or not isinstance(columns, dict):
        return source.fact(day, "fingerprint")
    return {name: columns[name] for name in sorted({*names, *source.source.key}) if name in columns}
