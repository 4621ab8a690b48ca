"""predictions: what the champion says of each entity at the end of a day, behind a gate that is read when it runs."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.gate import judge
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.rules import columns, first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.predictions.plan import declared, inputs_digest, list_objections, prediction_version
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion, champion_of
from mlpipe_assets.training.versions import ModelVersion, load_as_declared
from mlpipe_assets.transforms.spreadsheets import write_csv

if TYPE_CHECKING:
    from mlpipe_assets.learning.fitting import FittedModel

_log = logging.getLogger("mlpipe")
CSV = "part.csv"


def prediction_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset of a model's batch predictions of each day."""
    key = dg.AssetKey(["predictions", model.name])
    learner, contract = declared(model)
    checks = (
        check(key, "contract_holds", f"Every row of {contract.__name__} holds.", blocking=True),
        check(
            key,
            "inputs_are_sound",
            "The features are there, passed their checks, and are of the version the champion was trained on.",
            blocking=True,
        ),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(contract),
            owners=model.owners,
            kinds={"scikitlearn", "parquet"},
            code_version=prediction_version(catalog, model),
            contract=contract,
            checks=checks,
            deps=[
                dg.AssetDep(dg.AssetKey(["features", model.view.name])),
                dg.AssetDep(dg.AssetKey(["models", model.name])),
                dg.AssetDep(dg.AssetKey(["validation", model.golden])),
            ],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_predictions(lake, catalog, model, days)
        used = champion(lake, model.name)
        facts = {"champion": used.version if used else "none", **task_of(model).facts(learner)}
        yield from tell(
            context, lake, key, outcomes, metadata=facts, extra_checks=[_gate_check(outcomes)], balanced=False
        )

    return build


def build_predictions(lake: Lake, catalog: Catalog, model: Model, days: Sequence[date]) -> list[Outcome]:
    """Predict each day with its champion; a day there is an objection to stays as it was, and is named."""
    barred = list_objections(lake, catalog, model, days)
    outcomes = [Outcome(day=day, refused=shorten(reasons)) for day, reasons in barred.items() if reasons]
    sound = [day for day in days if not barred[day]]
    fitted: dict[str, FittedModel] = {}
    change = lake.change("predictions", model.name)
    for day in sound:
        used = champion_of(lake, model.name, day)
        if used is None:
            continue
        if used.version not in fitted:
            fitted[used.version] = load_as_declared(lake, model, used.version)
        _log.info("predictions/%s: %s", model.name, day)
        outcomes.append(predict_day(lake, change, catalog, model, used, fitted[used.version], day))
    change.publish()
    return sorted(outcomes, key=lambda o: o.day)


def predict_day(
    lake: Lake,
    change: TableChange,
    catalog: Catalog,
    model: Model,
    used: ModelVersion,
    fitted: "FittedModel",
    day: date,
) -> Outcome:
    """One day of predictions with its export, visible when the change is published, or refused.

    Args:
        lake: Has the features.
        change: What it is added to.
        catalog: What exists.
        model: As declared.
        used: The version that is asked.
        fitted: The same, loaded.
        day: The day.
    """
    from mlpipe_assets.learning.fitting import predict  # noqa: PLC0415 (scikit-learn takes seconds to import)

    learner, contract = declared(model)
    features = lake.read("features", model.view.name, day)
    served = judge(features, model.contract, environment="serving")
    if not served.holds:
        return Outcome(
            day=day, counts={"rows": 0}, breaches=served.errors(), refused="its features break the serving contract"
        )
    keys = model.view.entity.join_keys
    given = features.select(fitted.features)
    rows = features.select(
        *keys,
        "as_of",
        model_version=pl.lit(used.version),
        feature_version=pl.lit(used.feature_version),
    )
    wanted = {column.name: column.dtype for column in columns(contract)}
    answers = task_of(model).predictions(predict(fitted, given), learner, wanted)
    rows = pl.concat([rows, answers], how="horizontal").select([*wanted]).sort(model.view.row_key)
    judgement = judge(rows, contract)
    counts = {"rows": rows.height}
    if not judgement.holds:
        return Outcome(day=day, counts=counts, breaches=judgement.errors(), refused="breaks its contract")
    inputs = inputs_digest(lake, model, used.version, day)
    facts = {
        "table": f"predictions/{model.name}",
        "date": f"{day}",
        "code_version": prediction_version(catalog, model),
        "champion": used.version,
        "feature_version": used.feature_version,
        "inputs": inputs,
        "fingerprint": inputs,
        **counts,
    }
    written = change.table.stage(day, rows, facts)
    change.put(written, change.table.stage_bytes(day, write_csv(rows), CSV))
    return Outcome(day=day, counts=counts, written=written, facts=facts)


def _gate_check(outcomes: Sequence[Outcome]) -> CheckResult:
    barred = [f"[{o.day}] {o.refused}" for o in outcomes if o.refused and not o.counts]
    return CheckResult(
        check_name="inputs_are_sound",
        passed=not barred,
        description=shorten(barred) or f"{spell_count(len(outcomes), 'day was', 'days were')} let through.",
        metadata={"objections": barred[:50]},
    )
