"""Whether the day's build says what was answered while the day was open, of entities that rows were pushed of."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.sample import read_entities
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.push.pushed_sample import Kept, digest_inputs
from mlpipe_assets.serving.snapshots.rows import read_column, spell_keys, spell_rows
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_KEPT = timedelta(days=7)  # how long a sample waits for its day to be built
_ROUNDING = 1e-9  # floats are added in another order


@dataclass(kw_only=True)
class Compared:
    """What became of the samples of days that are built.

    Attributes:
        asked: Rows that were compared.
        others: Rows of entities whose day was built with other rows too: of files, late ones, or corrections.
        wrong: By view and day how many rows differ in which features.
        files: Keys of samples that need not be kept any longer.
    """

    asked: int = 0
    others: int = 0
    wrong: dict[str, Counter[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def spell(self) -> str:
        """In a sentence."""
        if not self.asked and not self.others:
            return "No row was pushed of a day that was built since."
        if not self.wrong:
            return (
                f"{spell_count(self.asked, 'row', 'rows')} answered while the day was open: what it was built with. "
                f"{self.others:,} were made of other rows than the day."
            )
        found = [
            f"features/{name}: {shorten([f'{feature} of {count:,}' for feature, count in sorted(names.items())])}"
            for name, names in self.wrong.items()
        ]
        return (
            f"What was answered of pushed rows differs from what the day was built with, of {self.asked:,} rows compared, in "
            f"{shorten(found)}. Nothing was published, the snapshot before goes on answering. Run `mlpipe verify`; if that finds "
            f"nothing, report it. To publish all the same, delete {keys.PUSHED} in the data folder."
        )


def compare_pushed(lake: Lake, catalog: Catalog, now: datetime) -> Compared:
    """Hold what servers answered of pushed rows to the days that were built since.

    Only rows count that are made of the same rows of every input. A day that is not built, or whose view changed, is passed over.

    Raises: LakeError when a sample or a table cannot be read.
    """
    compared = Compared()
    views = {view.name: view for view in catalog.feature_views}
    for head in lake.objects.list(keys.PUSHED):
        kept = Record(objects=lake.objects, key=head.key, parse=_parse, cure="Delete it: it is only compared.").read()
        if kept is None:
            continue
        view = views.get(kept.view)
        if datetime.combine(kept.day + ONE_DAY, time(), tzinfo=UTC) > now:
            continue
        if view is None or kept.version != view_version(catalog, view) or now.date() - kept.day > _KEPT:
            compared.files.append(head.key)
            continue
        if _compare(Inputs(lake=lake, catalog=catalog, view=view), kept, compared):
            compared.files.append(head.key)
    return compared


def forget_pushed(lake: Lake, compared: Compared) -> None:
    """Take samples away that were compared."""
    for key in compared.files:
        lake.objects.delete(key)


def _compare(inputs: Inputs, kept: Kept, compared: Compared) -> bool:
    """Compare one sample; whether its day was built."""
    facts = inputs.made.facts(kept.day)
    if kept.day in inputs.made.refused or facts is None or facts.get("inputs") != inputs.digest(kept.day):
        return False
    entities = _entities(inputs.view, kept)
    digests = digest_inputs(inputs, entities, kept.day)
    same = {key for key, digest in digests.items() if kept.digests.get(key) == digest}
    built = _built(inputs, entities, kept.day)
    wrong: Counter[str] = Counter()
    for key in same:
        wrong.update(_differences(inputs.view, json.loads(kept.rows[key]), built.get(key)))
    compared.asked += len(same)
    compared.others += len(digests) - len(same)
    if wrong:
        compared.wrong[f"{kept.view} [{kept.day}]"] = wrong
    return True


def _differences(view: FeatureView, answered: Sequence[object], built: Sequence[object] | None) -> list[str]:
    """Names of the features of a row that differ; the row itself where it was not built."""
    if built is None:
        return ["the whole row"]
    pairs = zip(_features(view), answered[1:], built[1:], strict=True)
    return [name for name, one, other in pairs if not _alike(one, other)]


def _alike(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return one == other


def _built(inputs: Inputs, entities: pl.DataFrame, day: date) -> dict[str, Sequence[object]]:
    """By the text of its key the row of each entity as it would be answered."""
    frame = read_entities(inputs.made.files([day]), entities, None)
    texts = spell_keys(frame, inputs.view.entity.join_keys).to_list()
    rows = [json.loads(row) for row in spell_rows(frame, _features(inputs.view))]
    return dict(zip(texts, rows, strict=True))


def _features(view: FeatureView) -> list[str]:
    own = {*view.entity.join_keys, "as_of"}
    return [column.name for column in columns(view.contract) if column.name not in own]


def _entities(view: FeatureView, kept: Kept) -> pl.DataFrame:
    types = {column.name: column.dtype for column in columns(view.contract)}
    return pl.DataFrame(
        [read_column(kept.entities[name], _instance(types[name]), name) for name in view.entity.join_keys]
    )


def _instance(dtype: pl.DataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _parse(document: dict[str, object]) -> Kept:
    return Kept(**{**document, "day": date.fromisoformat(f"{document['day']}")})  # type: ignore[arg-type]  # checked as it is used
