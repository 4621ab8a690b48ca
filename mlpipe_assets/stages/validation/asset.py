"""validation: the champion held to its golden answers; what moves one (code, features, a library) is found before it predicts."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from mlpipe_assets import rules
from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.catalog.versions import learner_version, view_version
from mlpipe_assets.errors import shorten
from mlpipe_assets.gate import judge
from mlpipe_assets.join_keys import spell_entity
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.quoting import may_quote, name_entity
from mlpipe_assets.row_times import day_of_row, spell_moment
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.predictions.plan import declared
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.stages.validation.plan import facts_of_features, golden_inputs
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion, read_golden
from mlpipe_assets.training.model_files import Golden
from mlpipe_assets.training.versions import load_as_declared
from mlpipe_assets.transforms.splits import feature_days

if TYPE_CHECKING:
    from mlpipe_assets.learning.fitting import FittedModel

_log = logging.getLogger("mlpipe")


def golden_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset that asks the champion its golden rows again, as of each day."""
    key, contract = dg.AssetKey(["validation", model.golden]), TASKS[model.task].golden
    checks = (
        check(key, "contract_holds", f"Every row of {contract.__name__} holds.", blocking=True),
        check(
            key,
            "answers_are_the_same",
            f"No golden answer of the champion moved by more than {model.promotion.answers_within}.",
            blocking=True,
        ),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(contract),
            owners=model.owners,
            kinds={"scikitlearn", "parquet"},
            code_version=rules.digest([view_version(catalog, model.view), learner_version(model)])[:16],
            contract=contract,
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["models", model.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = ask_again(lake, catalog, model, days)
        yield from tell(context, lake, key, outcomes, extra_checks=[_answers_check(outcomes, model)], balanced=False)

    return build


def ask_again(lake: Lake, catalog: Catalog, model: Model, days: Sequence[date]) -> list[Outcome]:
    """Ask the champion its golden rows, once for all days: the answers do not depend on the day they are asked on."""
    declared(model)
    used = champion(lake, model.name)
    golden = read_golden(lake, model.name)
    if used is None or golden is None:
        return [Outcome(day=day, missing="there is no champion yet, so there is nothing to ask") for day in days]
    early = [Outcome(day=d, missing=f"the champion is of {used.as_of}, after this day") for d in days if d < used.as_of]
    due = [day for day in days if day >= used.as_of]
    if not due:
        return early
    _log.info("validation/%s: %s golden rows", model.golden, golden.rows.height)
    rows, corrected, silence = _asked(lake, catalog, model, golden)
    moved = rows.filter("moved")
    problem = _named(moved, model, silence) if moved.height else None
    change = lake.change("validation", model.golden)
    outcomes = [_settle(lake, change, catalog, model, golden, rows, problem, corrected, day) for day in due]
    change.publish()
    return sorted([*early, *outcomes], key=lambda o: o.day)


def _asked(lake: Lake, catalog: Catalog, model: Model, golden: Golden) -> tuple[pl.DataFrame, list[date], str]:
    """Golden rows with the kept answer, the answer now, and the one from the features of today's code.

    Beside them, days corrected since (a feature row that changed because its data were corrected is no fault of the code),
    and why there are no answers now, if there are none.
    """
    keys_of = model.view.entity.join_keys
    fitted, task = load_as_declared(lake, model, golden.champion), task_of(model)
    kept = task.from_columns(golden.rows.select(name for name in golden.rows.columns if task.is_answer(name)))
    columns = list(fitted.types)
    parts: list[pl.DataFrame] = []
    corrected: list[date] = []
    for day in feature_days(golden.rows, moments=model.view.moments):
        facts = facts_of_features(lake, model, f"{day}")
        code = view_version(catalog, model.view)
        if facts is None or facts["fingerprint"] == golden.days.get(f"{day}"):
            continue  # the rows the champion answered for, or rows that retention took away
        if facts["code_version"] == golden.feature_version == code:
            corrected.append(day)
            continue
        features = lake.read("features", model.view.name, day)
        if all(str(features.schema.get(name)) == dtype for name, dtype in fitted.types.items()):
            answers, _ = _answers(fitted, features.select(columns), kept.dtype)
            parts.append(features.select(*keys_of, "as_of", from_features=answers))
        else:
            parts.append(features.select(*keys_of, "as_of", from_features=pl.lit(None, dtype=kept.dtype)))
    answers, silence = _answers(fitted, golden.rows.select(columns), kept.dtype)
    if not all(may_quote(column) for column in rules.columns(model.contract)):
        silence = silence.partition(":")[0]  # what a library says of a row may hold its values
    answered = golden.rows.select(spell_entity(keys_of).alias("key"), "as_of", expected=kept, answered=answers)
    rebuilt = (
        pl.concat(parts).with_columns(spell_entity(keys_of).alias("key"))
        if parts
        else pl.DataFrame(schema={"key": pl.String, "as_of": golden.rows.schema["as_of"], "from_features": kept.dtype})
    )
    changed_days = rebuilt.select(day_of_row(moments=model.view.moments).unique()).to_series()
    joined = answered.join(rebuilt.select("key", "as_of", "from_features"), on=["key", "as_of"], how="left")
    within = model.promotion.answers_within
    far = task.moved(joined["expected"], joined["answered"]) > within
    other = (task.moved(joined["expected"], joined["from_features"]) > within) | joined["from_features"].is_null()
    moved = far | (
        joined.select(day_of_row(moments=model.view.moments)).to_series().is_in(changed_days.implode()) & other
    )
    shown = task.show_golden(joined.with_columns(moved=moved.fill_null(value=True)))
    return shown.sort("as_of", "key"), corrected, silence


def _answers(fitted: "FittedModel", rows: pl.DataFrame, dtype: pl.DataType) -> tuple[pl.Series, str]:
    """What a model says of rows; nulls and the reason where it says nothing, as after a change of library it may."""
    from mlpipe_assets.learning.fitting import predict  # noqa: PLC0415 (scikit-learn takes seconds to import)

    try:
        return predict(fitted, rows), ""
    except Exception as error:  # noqa: BLE001  # whatever a library raises, the answer is not the one that was kept
        return pl.Series([None] * rows.height, dtype=dtype), f"{type(error).__name__}: {error}"[:300]


def _settle(
    lake: Lake,
    change: TableChange,
    catalog: Catalog,
    model: Model,
    golden: Golden,
    rows: pl.DataFrame,
    problem: str | None,
    corrected: list[date],
    day: date,
) -> Outcome:
    """Write the day, or put on record that the champion is not to be asked; visible when the change is published."""
    name = model.golden
    counts = {"rows": rows.height, "moved": int(rows["moved"].sum())}
    inputs = golden_inputs(lake, catalog, model, golden)
    if problem:
        change.refuse(day, problem=problem, inputs=inputs, champion=golden.champion)
        return Outcome(day=day, counts=counts, breaches=[problem], refused="golden answers moved")
    contract = TASKS[model.task].golden
    judgement = judge(rows.select(column.name for column in rules.columns(contract)), contract)
    if not judgement.holds:
        return Outcome(day=day, counts=counts, breaches=judgement.errors(), refused="breaks its contract")
    facts = {
        "table": f"validation/{name}",
        "date": f"{day}",
        "champion": golden.champion,
        "golden_version": golden.version,
        "corrected_days": [f"{d}" for d in corrected],
        "inputs": inputs,
        "fingerprint": inputs,
        **counts,
    }
    staged = change.table.stage(day, rows.select(column.name for column in rules.columns(contract)), facts)
    change.put(staged)
    for earlier in lake.state("validation", name).refused:
        change.clear(earlier)
    return Outcome(day=day, counts=counts, written=staged, facts=facts)


def _named(moved: pl.DataFrame, model: Model, silence: str) -> str:
    lines = [
        f"{name_entity(model.view.contract, model.view.entity.join_keys, row['key'])} as of {spell_moment(row['as_of'])}: "
        f"{row['expected']:.6f}, now {_now(row, silence)}"
        for row in moved.head(5).to_dicts()
    ]
    return f"{moved.height:,} golden answers moved ({shorten(lines)})"


def _now(row: dict[str, float | None], silence: str) -> str:
    if silence:
        return f"no answer: {silence}"
    known = [row["answered"], row["from_features"]]
    told = [v for v in known if v is not None and v != row["expected"]]
    return f"{told[0]:.6f}" if told else "no answer: the features no longer give its columns"


def _answers_check(outcomes: Sequence[Outcome], model: Model) -> CheckResult:
    broken = [line for o in outcomes for line in o.breaches if o.refused]
    asked = max((o.counts.get("rows", 0) for o in outcomes), default=0)
    return CheckResult(
        check_name="answers_are_the_same",
        passed=not broken and asked > 0,
        warns=not broken,
        description=broken[0]
        if broken
        else f"{asked:,} golden answers are within {model.promotion.answers_within} of what was kept."
        if asked
        else "There is no champion to ask yet.",
        metadata={"rows": asked, "moved": max((o.counts.get("moved", 0) for o in outcomes), default=0)},
    )
