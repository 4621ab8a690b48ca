"""What came of something bad: what to build again, which models to train again, which predictions to withdraw."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.errors import spell_count
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import FILE, MODEL_VERSION, TAG, Artifact
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champions
from mlpipe_assets.training.versions import versions


@dataclass(frozen=True, kw_only=True)
class Tainted:
    """What came of it of one table.

    Attributes:
        days: Partitions that the table holds now, in order.
        replaced: Partitions that came of it and were replaced since, or taken away.
        doubtful: How many of all these were recorded after what they were made of had changed.
    """

    table: str
    days: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    doubtful: int = 0


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A version of a model that learnt from it.

    Attributes:
        status: `champion`, `retired`, `rolled_back`, `challenger_kept` or `built`.
    """

    model: str
    version: str
    status: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Predictions that rest on it: by their features, or by the version that gave them.

    Attributes:
        days: Days that are held now.
        replaced: How many of its days were replaced since.
        rows: Predictions on the days held now that rest on it.
    """

    table: str
    days: tuple[str, ...]
    replaced: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Blame:
    """What came of some artifacts.

    Attributes:
        of: What is asked about.
        others: What else its name has stood for, or stands for now.
        tables: Of each table in flow order that is to be built again, or was; models and predictions have their own lists.
        online: Whether the snapshot that answers now has it in it.
        tags: Tags that pin something of it.
        to_do: What a person does, one line each; empty when nothing in force came of it.
        found: Every artifact that came of it.
    """

    of: Sequence[Artifact]
    others: Sequence[Artifact]
    tables: Sequence[Tainted]
    models: Sequence[Learnt]
    answered: Sequence[Answered]
    online: bool
    tags: Mapping[str, int]
    to_do: Sequence[str]
    found: Sequence[Artifact] = field(repr=False)


def blame(lake: Lake, catalog: Catalog, records: Records, of: Sequence[Artifact], order: Sequence[str]) -> Blame:
    """What came of some artifacts, and what to do about it.

    Args:
        lake: Where predictions are counted.
        catalog: What exists.
        records: What is on record.
        of: What is bad.
        order: The tables in flow order.

    Raises: LakeError when predictions cannot be read.
    """
    found = records.came_of(of)
    doubtful = {made.id for execution, made in records.makers(found) if execution.properties.get("inputs")}
    kinds: dict[str, list[Artifact]] = {}
    for one in found:
        kinds.setdefault(one.key.table, []).append(one)
    place = {name: number for number, name in enumerate(order)}
    tables = sorted(kinds, key=lambda name: (place.get(name, len(place)), name))
    models = list(_learnt(lake, found))
    answered = [
        _answered(lake, catalog, name, kinds[name], found) for name in tables if name.startswith("predictions/")
    ]
    others = [name for name in tables if not name.startswith(("predictions/", "models/", "online/"))]
    told = [_tainted(name, kinds[name], doubtful) for name in others]
    online = any(one.is_held for name in tables if name.startswith("online/") for one in kinds[name])
    tags = records.contexts_of([*of, *found], TAG)
    rebuilt = [*told, *(_tainted(one.key.table, [one], ()) for one in of if one.type not in (FILE, MODEL_VERSION))]
    return Blame(
        of=of,
        others=records.others(of),
        tables=told,
        models=models,
        answered=answered,
        online=online,
        tags=tags,
        to_do=_to_do(of, rebuilt, models, answered, tags, _sound(lake, models), online=online),
        found=found,
    )


def _tainted(table: str, found: Collection[Artifact], doubtful: Collection[int]) -> Tainted:
    held = {one.key.partition for one in found if one.is_held}
    return Tainted(
        table=table,
        days=tuple(sorted(held)),
        replaced=tuple(sorted({one.key.partition for one in found if not one.is_held})),
        doubtful=sum(1 for one in found if one.id in doubtful),
    )


def _learnt(lake: Lake, found: Iterable[Artifact]) -> Iterable[Learnt]:
    """Versions that learnt from it, those that lead first."""
    named = sorted(
        {(one.key.table.removeprefix("models/"), one.key.partition) for one in found if one.type == MODEL_VERSION}
    )
    status = {model: {row["version"]: row["status"] for row in versions(lake, model)} for model, _ in named}
    told = [Learnt(model=m, version=v, status=status[m].get(v, "not in the registry any more")) for m, v in named]
    return sorted(told, key=lambda one: (one.model, one.status != "champion", one.version))


def _sound(lake: Lake, models: Sequence[Learnt]) -> dict[str, str]:
    """Of each model whose champion learnt from it the one before, where a rollback leads to it and it did not."""
    found: dict[str, str] = {}
    for one in (one for one in models if one.status == "champion"):
        line = [version.version for version in champions(lake, one.model)]
        if len(line) > 1 and line[-2] not in {other.version for other in models if other.model == one.model}:
            found[one.model] = line[-2]
    return found


def _answered(
    lake: Lake, catalog: Catalog, table: str, own: Collection[Artifact], found: Collection[Artifact]
) -> Answered:
    held = sorted(one.key.partition for one in own if one.is_held)
    name = table.removeprefix("predictions/")
    model = next((one for one in catalog.models if name in (one.name, one.served)), None)
    rows = sum(_rows(lake, model, name, date.fromisoformat(day), found) for day in held) if model else 0
    return Answered(table=table, days=tuple(held), replaced=sum(1 for one in own if not one.is_held), rows=rows)


def _rows(lake: Lake, model: Model, name: str, day: date, found: Collection[Artifact]) -> int:
    """Predictions of a day whose version learnt from it, or whose features came of it."""
    learnt = [one.key.partition for one in found if one.key.table == f"models/{model.name}"]
    features = [one.key.partition for one in found if one.key.table == f"features/{model.view.name}"]
    if not lake.has("predictions", name, day):
        return 0
    rows = lake.read("predictions", name, day, ["model_version", "as_of"])
    own = (
        pl.lit(value=f"{day}" in features)
        if name == model.name
        else ((pl.col("as_of").dt.date() - ONE_DAY).cast(pl.String).is_in(features))
    )
    return rows.filter(pl.col("model_version").is_in(learnt) | own).height


def _to_do(
    of: Sequence[Artifact],
    tables: Sequence[Tainted],
    models: Sequence[Learnt],
    answered: Sequence[Answered],
    tags: Mapping[str, int],
    sound: Mapping[str, str],
    *,
    online: bool,
) -> list[str]:
    found: list[str] = []
    held = [one for one in tables if one.days]
    if held:
        files = [one for one in of if one.type == FILE and one.is_held]
        first = (
            "Deliver the file again, corrected, under the same name, then" if files else "Correct what is wrong, then"
        )
        count = spell_count(sum(len(one.days) for one in held), "partition")
        found.append(f"{first} `mlpipe run`: it builds {count} of {spell_count(len(held), 'table')} again.")
    for one in (one for one in models if one.status == "champion"):
        told = f"Train {one.model} again once its training set is sound: {one.version} leads, and learnt from it."
        found.append(f"{told} {_spell_way_back(one.model, sound.get(one.model))}")
    found += [
        f"Withdraw {spell_count(one.rows, 'prediction')} of {one.table} ({spell_count(len(one.days), 'day')}) from whoever uses them."
        for one in answered
        if one.rows
    ]
    if online:
        found.append("`mlpipe online rollback` lets the snapshot before answer until the features are built again.")
    if tags:
        found.append(f"Tags pin some of it: {', '.join(tags)}. What they pin stays as it was.")
    return found


def _spell_way_back(model: str, version: str | None) -> str:
    """What answers in the meantime."""
    if version is None:
        return "No champion before it did without."
    return f"{version}, which led before, did not: `mlpipe rollback {model} --reason …`."
