"""What a champion says of entities online: of the same rows, by the same code, and behind the same gate as its batch predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.learning.tasks.task import Task
from mlpipe_assets.point_in_time.statuses import Status, status_of
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.answers import find_keys
from mlpipe_assets.serving.parity_gate import find_barred
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.rows import parse_rows, read_column, spell_time
from mlpipe_assets.serving.snapshots.snapshot import Generation, OnlineError, PublishedView
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion
from mlpipe_assets.training.versions import ModelVersion, load_as_declared

if TYPE_CHECKING:
    from mlpipe_assets.learning.fitting import FittedModel


class BarredError(OnlineError):
    """The champion of a model must not answer, or there is none."""


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A champion that is ready to answer.

    Attributes:
        version: What the registry has of it.
        view: The view it takes its features from, as the snapshot has it.
        types: The type of each feature column.
        learner: How it was declared to learn, and to decide.
        columns: Name and type of the columns of its predictions, as batch writes them.
    """

    model: Model
    version: ModelVersion
    fitted: "FittedModel"
    view: PublishedView
    types: Mapping[str, pl.DataType]
    learner: Learner
    columns: Mapping[str, pl.DataType]

    @property
    def task(self) -> Task:
        """What its answers are."""
        return task_of(self.model)

    @property
    def answered(self) -> list[str]:
        """The columns of its predictions that are answers."""
        known = {*self.view.join_keys, "as_of", "model_version", "feature_version"}
        return [name for name in self.columns if name not in known]

    def answer(
        self, reader: Reader, entities: Mapping[str, Sequence[object]], now: datetime, request_id: str
    ) -> dict[str, Any]:
        """Its answers, one an entity in the order of the request; null for one without a row, or with one that is too old.

        Raises: BadRequestError for keys that are lacking or of another type; what a reader raises.
        """
        rows = parse_rows(reader.read({self.view.name: find_keys(self.view, entities)})[self.view.name])
        times = [datetime.fromtimestamp(row[0], tz=UTC) if row and isinstance(row[0], int) else None for row in rows]
        statuses = [status_of(as_of=time, at=now, is_null=False, ttl=self.view.ttl) for time in times]
        asked = [row[1:] for row, status in zip(rows, statuses, strict=True) if row and status is Status.PRESENT]
        given, nothing = iter(self.say(asked)), dict.fromkeys(self.answered)
        results = []
        for number, (time, status) in enumerate(zip(times, statuses, strict=True)):
            answer = next(given) if status is Status.PRESENT else nothing
            results.append(
                {
                    "entity": {name: entities[name][number] for name in self.view.join_keys},
                    "status": status,
                    "as_of": spell_time(int(time.timestamp())) if time else None,
                    **{name: answer[name] for name in nothing},
                }
            )
        return {"metadata": {**self.metadata(), "request_id": request_id}, "results": results}

    def say(self, rows: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
        """What it says of feature rows, whose values are in the order of the view."""
        from mlpipe_assets.learning.fitting import predict  # noqa: PLC0415 (scikit-learn takes seconds to import)

        if not rows:
            return []
        answers = predict(self.fitted, self._frame(rows))
        return self.task.predictions(answers, self.learner, self.columns).to_dicts()

    def metadata(self) -> dict[str, Any]:
        """What its answers rest on."""
        return {
            "model": self.model.name,
            "model_version": self.version.version,
            "feature_version": self.version.feature_version,
            **self.task.facts(self.learner),
        }

    def _frame(self, rows: Sequence[Sequence[object]]) -> pl.DataFrame:
        """The columns the model takes, with the types they had when it learnt."""
        places = {name: number for number, name in enumerate(self.view.features)}
        return pl.DataFrame(
            [read_column([row[places[name]] for row in rows], self.types[name], name) for name in self.fitted.features]
        )


def load_champion(lake: Lake, catalog: Catalog, model: Model, generation: Generation) -> Champion:
    """The champion of a model, ready to answer on a snapshot.

    Raises: BarredError when there is none, or it must not answer; ModelError, StoredModelError for a damaged file.
    """
    used = champion(lake, model.name)
    if used is None or model.learner is None or model.predictions is None:
        raise BarredError(f"{model.name} has no champion yet. Next: train one with training_job.")
    if model.view.moments:
        raise BarredError(
            f"{model.name} predicts the moments of its spine, and no snapshot has those: it answers in batch, in predictions.{model.name}. "
            'A model with spine_at="day_end" answers online, too.'
        )
    view = generation.views.get(model.view.name)
    if view is None:
        raise BarredError(f"The snapshot {generation.id} has no view {model.view.name}, which {model.name} needs.")
    if view.version != used.feature_version:
        raise BarredError(
            f"The features of {view.name} in the snapshot are of version {view.version}, and the champion {used.version} of "
            f"{model.name} was trained on {used.feature_version}. Train a model on the new features, or go back to the old ones."
        )
    for day, known in lake.state("validation", model.golden).refused.items():
        if known.get("champion") == used.version:
            raise BarredError(
                f"validation/{model.golden} [{day}] failed for the champion {used.version}, so it must not answer: {known.get('problem')}"
            )
    if refusal := find_barred(lake, catalog).get(view.name):
        raise BarredError(f"The champion {used.version} of {model.name} must not answer. {refusal}.")
    return make_ready(lake, model, used, view)


def make_ready(lake: Lake, model: Model, version: ModelVersion, view: PublishedView) -> Champion:
    """A version of a model, ready to answer on a view.

    Raises: BarredError for a model without predictions; ModelError, StoredModelError for a damaged file.
    """
    if model.learner is None or model.predictions is None:
        raise BarredError(f"{model.name} declares no learner, so it has no model and no predictions.")
    return Champion(
        model=model,
        version=version,
        fitted=load_as_declared(lake, model, version.version),
        view=view,
        types={column.name: _instance(column.dtype) for column in columns(model.view.contract)},
        learner=model.learner,
        columns={column.name: _instance(column.dtype) for column in columns(model.predictions)},
    )


def load_champions(lake: Lake, catalog: Catalog, generation: Generation) -> dict[str, "Champion | str"]:
    """The champion of each model that learns, or why it must not answer."""
    found: dict[str, Champion | str] = {}
    for model in catalog.models:
        if model.learner is None:
            continue
        try:
            found[model.name] = load_champion(lake, catalog, model, generation)
        except MlpipeError as error:
            found[model.name] = f"{error}"
    return found


def _instance(dtype: pl.DataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype
