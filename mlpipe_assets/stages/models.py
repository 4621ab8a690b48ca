"""models: what was learnt from the training set of a day, with its card, and whether it becomes champion.

scikit-learn takes seconds to import, so everything that learns is imported where it runs.
"""
# ruff: noqa: PLC0415

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from importlib.metadata import version as library_version
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Learner, Model
from mlpipe_assets.catalog.versions import learner_version, model_version, view_version
from mlpipe_assets.errors import MlpipeError, SettingsError, shorten
from mlpipe_assets.outcome import Outcome, tell
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.resources.models import (
    CARD,
    CARD_JSON,
    METRICS,
    MODEL_FILE,
    Golden,
    ModelError,
    ModelVersion,
    champion,
    find_version,
    load,
    promote,
    read_golden,
    record_status,
    store_version,
    version_folder,
)
from mlpipe_assets.rules import contract_digest, digest
from mlpipe_assets.stages.daily import at_work, check, daily, first_sentence
from mlpipe_assets.transforms.splits import SPLITS
from mlpipe_assets.windows import SourceDays

if TYPE_CHECKING:
    from mlpipe_assets.learning.comparison import Difference
    from mlpipe_assets.learning.evaluation import Evaluation
    from mlpipe_assets.learning.fitting import FittedModel
    from mlpipe_assets.learning.promotion import Decision

_log = logging.getLogger("mlpipe")
_LIBRARIES = ("numpy", "scikit-learn", "skops")
_MAIN = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error", "prevalence", "rows")
_SAME = 1e-12  # how far apart two answers of one model may be
_CHECKS = {
    "model_loads_and_answers": "Read back from disk, the model gives the answers it gave when it was fitted.",
    "model_is_reproducible": "Fitted again on the same training set, the model is the same, byte for byte.",
    "beats_baselines": "On test its loss is below that of every baseline, and none ranks better beyond chance.",
    "thresholds_hold": "The declared thresholds hold on test.",
    "challenger_does_not_lose": "It does not rank worse than the champion on the same rows, beyond tolerance and chance.",
}


@dataclass(frozen=True, kw_only=True)
class Built:
    """What became of one model partition.

    Attributes:
        version: The version fitted, as the registry has it now; None when it was refused.
        reason: Why it was promoted, or kept.
        metadata: What people see of it.
    """

    outcome: Outcome
    checks: Sequence[dg.AssetCheckResult]
    version: ModelVersion | None = None
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def model_asset(catalog: Catalog, model: Model) -> dg.AssetsDefinition:
    """The asset of a model as of each day."""
    key = dg.AssetKey(["models", model.name])
    checks = [check(key, "contract_holds", "The training set is there, whole and made by this code.", blocking=True)]
    checks += [check(key, name, text, blocking=name == "model_loads_and_answers") for name, text in _CHECKS.items()]

    @dg.asset(
        **daily(
            key,
            description=f"A classifier of {model.label}, fitted on the training set of the day. {first_sentence(model.contract)}",
            owners=model.owners,
            kinds={"scikitlearn"},
            fresh_within=model.fresh_within,
            code_version=learner_version(model),
            schema=dg.TableSchema([dg.TableColumn(name, "String") for name in ("version", "file_digest")]),
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["processed", model.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: Lake, engine: Engine
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        built: list[Built] = []
        with at_work(context, lake, key) as days:
            for day in days:  # in order: each is held against the champion of the day before
                built.append(build_model(lake, engine, catalog, model, day))  # noqa: PERF401 (a comprehension hides the order)
        outcomes = [one.outcome for one in built]
        for one in built:
            if one.metadata and not any(o.refused for o in outcomes):
                context.add_asset_metadata(dict(one.metadata), asset_key=key, partition_key=f"{one.outcome.day}")
        yield from tell(context, lake, key, outcomes, extra_checks=_worst(built), balanced=False)

    return build


def inputs_digest(lake: Lake, model: Model, as_of: date) -> str:
    """Digest of all a model is made of: its training set, how it is fitted, and the libraries that fit it."""
    facts = lake.facts("processed", model.name, as_of, "train.parquet") or {}
    return digest([facts.get("fingerprint"), learner_version(model), libraries()])


def libraries() -> str:
    """The libraries a model's bytes depend on, with their versions."""
    return ", ".join(f"{name} {library_version(name)}" for name in _LIBRARIES)


def holes(lake: Lake, catalog: Catalog, model: Model, as_of: date) -> str | None:
    """Why no model can be fitted as of a day: the training set is missing, of another version, or has an empty split."""
    facts = {name: lake.facts("processed", model.name, as_of, f"{name}.parquet") for name in SPLITS}
    absent = [name for name, fact in facts.items() if fact is None]
    if absent:
        return f"processed/{model.name} has no {', '.join(absent)} of {as_of}; materialize it first (training_job does)"
    there = {name: fact for name, fact in facts.items() if fact is not None}
    wanted = model_version(catalog, model)
    if any(fact.get("code_version") != wanted for fact in there.values()):
        return f"processed/{model.name} [{as_of}] was made by another version than {wanted}; materialize it again"
    if len({fact.get("fingerprint") for fact in there.values()}) > 1:
        return f"processed/{model.name} [{as_of}] holds splits of different training sets; materialize it again"
    empty = [name for name, fact in there.items() if name != "validation" and not fact.get("rows")]
    if empty:
        return (
            f"{', '.join(empty)} of processed/{model.name} [{as_of}] {'is' if len(empty) == 1 else 'are'} empty: too little "
            "history to fit and judge a model; wait for more days, or declare a shorter embargo"
        )
    return None


def build_model(lake: Lake, engine: Engine, catalog: Catalog, model: Model, as_of: date) -> Built:
    """Fit the model of a day, store it under its version, judge it once, and make it champion if it may be.

    The same training set gives the same version and touches nothing that is there. The caller holds
    `lake.writing("models", model.name)`.
    """
    from mlpipe_assets.learning.errors import LearningError
    from mlpipe_assets.learning.evaluation import evaluate
    from mlpipe_assets.learning.fitting import fit

    learner = declared_learner(model)
    problem = holes(lake, catalog, model, as_of)
    if problem:
        return _refused(as_of, problem)
    _log.info("models/%s: as of %s", model.name, as_of)
    splits = {name: lake.read("processed", model.name, as_of, file=f"{name}.parquet") for name in SPLITS}
    try:
        fitted = fit(learner, splits["train"], splits["validation"], model.label)
    except LearningError as error:
        return _refused(as_of, f"{error}")
    slices = _slices(
        lake, engine, catalog, model, {name: splits[name] for name in ("validation", "test") if splits[name].height}
    )
    evaluation = evaluate(fitted, learner, splits, model.label, slices)
    return _store_and_judge(lake, catalog, model, as_of, splits, fitted, evaluation)


def declared_learner(model: Model) -> Learner:
    """How a model learns.

    Raises: SettingsError for a model that is a training set only.
    """
    if model.learner is None:
        raise SettingsError(f"{model.name} declares no learner, so there is no model of it.")
    return model.learner


def _store_and_judge(
    lake: Lake,
    catalog: Catalog,
    model: Model,
    as_of: date,
    splits: Mapping[str, pl.DataFrame],
    fitted: "FittedModel",
    evaluation: "Evaluation",
) -> Built:
    import hashlib

    from mlpipe_assets.learning.card import limits, pictures, render_card
    from mlpipe_assets.learning.promotion import lost_to, missed_thresholds
    from mlpipe_assets.learning.store import dump_model

    content = dump_model(fitted)
    fresh = _describe(lake, catalog, model, as_of, splits, evaluation, hashlib.sha256(content).hexdigest())
    known = find_version(lake, model.name, fresh.version)
    facts = _card_facts(model, fresh, splits, fitted, limits(evaluation))
    svgs = pictures(evaluation, {name: splits[name][model.label] for name in evaluation.answers})
    card = render_card(facts, evaluation, svgs)
    files = {
        CARD: card.encode(),
        CARD_JSON: _as_json({**facts, "metrics": _numbers(evaluation)}),
        METRICS: _as_json(_numbers(evaluation)),
        MODEL_FILE: content,
    }
    reproduced = _reproduced(known, fresh)
    if known is None:
        store_version(lake, fresh, files)
    elif not _intact(lake, known):
        store_version(lake, _same_but(known, file_digest=fresh.file_digest), files)
    missed = missed_thresholds(model.promotion, evaluation.model["test"], evaluation.baselines["prevalence"]["test"])
    leading = champion(lake, model.name)
    difference, outdated = _against(lake, model, splits["test"], evaluation, leading, fresh)
    lost = lost_to(model.promotion, difference) if difference is not None else None
    broken = _reload_problem(lake, model, fresh, splits["test"], evaluation.answers["test"])
    golden, golden_problem = (None, broken) if broken else _golden(lake, model, fresh, splits["test"])
    reason = known.reason if known else ""
    if known is None or known.status == "built":
        decision = _decide(missed, golden_problem, leading, outdated, lost, difference, fresh)
        reason = decision.reason
        if decision.promoted and golden is not None:
            promote(lake, fresh, golden, reason)
        else:
            record_status(lake, _same_but(fresh, status="challenger_kept", reason=reason))
    written = _write_marker(lake, model, fresh)
    now = find_version(lake, model.name, fresh.version) or fresh
    checks = [
        _result("model_loads_and_answers", broken or golden_problem, "It gives the same answers.", error=True),
        reproduced,
        _result("beats_baselines", _beaten(model, splits["test"], evaluation), "Its loss is below every baseline's."),
        _result("thresholds_hold", "; ".join(missed) or None, "Every declared threshold holds on test."),
        _challenge(now, leading, outdated, lost, difference),
    ]
    counts = {"rows": sum(frame.height for frame in splits.values())}
    return Built(
        outcome=Outcome(day=as_of, counts=counts, written=written),
        checks=checks,
        version=now,
        reason=reason,
        metadata=_metadata(now, card, evaluation),
    )


def _describe(
    lake: Lake,
    catalog: Catalog,
    model: Model,
    as_of: date,
    splits: Mapping[str, pl.DataFrame],
    evaluation: "Evaluation",
    file_digest: str,
) -> ModelVersion:
    from mlpipe_assets.learning.metrics import flat

    facts = lake.facts("processed", model.name, as_of, "train.parquet") or {}
    train, validation = _days(splits["train"]), _days(splits["validation"])
    return ModelVersion(
        model=model.name,
        version=f"{as_of}-{inputs_digest(lake, model, as_of)[:8]}",
        as_of=as_of,
        training_digest=str(facts.get("fingerprint")),
        feature_version=view_version(catalog, model.view),
        learner_version=learner_version(model),
        code_version=model_version(catalog, model),
        contract_digest=contract_digest(model.contract),
        file_digest=file_digest,
        first_day=train[0],
        last_day=train[-1],
        last_seen_day=max([*train, *validation]),
        rows=splits["train"].height,
        metrics=flat(evaluation.model, _MAIN),
        status="built",
        reason="not judged yet",
        libraries=libraries(),
    )


def _days(frame: pl.DataFrame) -> list[date]:
    """Feature days of the rows of a split, in order."""
    return sorted(day - ONE_DAY for day in frame["as_of"].dt.date().unique())


def _slices(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, splits: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The slice columns of the rows of each split, in their order; none where nothing is declared."""
    if model.slices is None:
        return {}
    days = sorted({day for frame in splits.values() for day in _days(frame)})
    there = [day for day in days if lake.path("features", model.view.name, day).exists()]
    if not there:
        return {}
    window = days_between(there[0] - model.view.lookback + ONE_DAY, there[-1])
    tables = {"features": [lake.path("features", model.view.name, day) for day in there]}
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        tables[name] = source.paths(day for day in window if day in source.present)
    found = engine.select(catalog.read_sql(model.slices), tables, {})
    key = [model.view.entity.join_key, "as_of"]
    return {
        name: frame.select(key)
        .join(found, on=key, how="left", maintain_order="left")
        .drop(key)
        .select(pl.all().cast(pl.String).fill_null("unknown"))
        for name, frame in splits.items()
    }


def _against(
    lake: Lake,
    model: Model,
    test: pl.DataFrame,
    evaluation: "Evaluation",
    leading: ModelVersion | None,
    fresh: ModelVersion,
) -> tuple["Difference | None", str | None]:
    """How the model ranks next to the champion on rows new to both, or why the champion cannot be asked."""
    from mlpipe_assets.learning.comparison import compare
    from mlpipe_assets.learning.fitting import predict

    if leading is None or leading.version == fresh.version:
        return None, None
    if leading.feature_version != fresh.feature_version:
        return None, f"it learnt from features of version {leading.feature_version}"
    try:
        theirs = load(lake, model.name, leading.version)
    except MlpipeError as error:
        return None, f"it cannot be loaded: {error}"
    rows = test.with_columns(_ours=evaluation.answers["test"]).filter(
        pl.col("as_of").dt.date() > leading.last_seen_day + ONE_DAY
    )
    absent = [name for name in theirs.features if name not in test.columns]
    if absent:
        return None, f"it takes {', '.join(absent)}, which the training set no longer has"
    answers = predict(theirs, rows.select(theirs.features))
    seed = declared_learner(model).seed
    key = rows[model.view.entity.join_key]
    return compare(rows[model.label], rows["_ours"], answers, key, seed=seed), None


def _golden(lake: Lake, model: Model, fresh: ModelVersion, test: pl.DataFrame) -> tuple[Golden | None, str | None]:
    """The golden rows with the answers of a version, and why it cannot answer.

    The rows stay as long as the features do. Rows of another feature version, or without a column the model takes, make
    way for new ones.
    """
    from mlpipe_assets.learning.errors import LearningError
    from mlpipe_assets.learning.fitting import predict
    from mlpipe_assets.learning.golden import ANSWER, choose_golden_rows, golden_days, golden_version

    fitted = load(lake, model.name, fresh.version)
    key = model.view.entity.join_key
    try:
        old = read_golden(lake, model.name)
    except ModelError as error:
        _log.warning("%s New golden rows are chosen.", error)
        old = None
    if (
        old is not None
        and old.feature_version == fresh.feature_version
        and set(old.rows.columns) == {key, "as_of", *fitted.features, ANSWER}
    ):
        rows, days = old.rows.drop(ANSWER), dict(old.days)
    else:
        rows = choose_golden_rows(test, key, fitted.features)
        facts = {day: lake.facts("features", model.view.name, day) or {} for day in golden_days(rows)}
        days = {f"{day}": fact.get("fingerprint") for day, fact in facts.items()}
    try:
        answers = predict(fitted, rows.select(fitted.features))
    except LearningError as error:
        return None, f"it does not answer on the golden rows: {error}"
    if not answers.is_between(0, 1).all() or answers.is_nan().any():
        return None, "some of its answers on the golden rows are no probabilities"
    golden = Golden(
        rows=rows.with_columns(answers.alias(ANSWER)),
        version=golden_version(rows),
        champion=fresh.version,
        feature_version=fresh.feature_version,
        days=days,
    )
    return golden, None


def _decide(
    missed: Sequence[str],
    golden_problem: str | None,
    leading: ModelVersion | None,
    outdated: str | None,
    lost: str | None,
    difference: "Difference | None",
    fresh: ModelVersion,
) -> "Decision":
    from mlpipe_assets.learning.promotion import decide

    return decide(
        missed=missed,
        golden_problem=golden_problem,
        newer_champion=leading.version if leading and leading.as_of > fresh.as_of else None,
        champion=leading.version if leading else None,
        champion_outdated=outdated,
        lost=lost,
        difference=difference,
    )


def _reload_problem(
    lake: Lake, model: Model, fresh: ModelVersion, test: pl.DataFrame, answers: pl.Series
) -> str | None:
    """Why the stored model does not give the answers it gave when it was fitted."""
    from mlpipe_assets.learning.fitting import predict

    try:
        again = load(lake, model.name, fresh.version)
        moved = (predict(again, test.select(again.features)) - answers).abs()
    except MlpipeError as error:
        return f"{error}"
    far = moved.filter(moved > _SAME).to_list()
    return f"{len(far):,} of {test.height:,} answers on test moved, by up to {max(far):g}" if far else None


def _reproduced(known: ModelVersion | None, fresh: ModelVersion) -> dg.AssetCheckResult:
    if known is None:
        return _result("model_is_reproducible", None, "The first fit of this version; materialize it again to compare.")
    problem = (
        f"fitted again, {fresh.version} has the digest {fresh.file_digest[:12]}…, the registry has {known.file_digest[:12]}…; "
        "the one that was registered is kept"
        if fresh.file_digest != known.file_digest
        else None
    )
    return _result("model_is_reproducible", problem, "Fitted again, it is the same byte for byte.")


def _intact(lake: Lake, known: ModelVersion) -> bool:
    """Whether the files of a version are there and the model is the one registered."""
    import hashlib

    folder = version_folder(lake, known.model, known.version)
    if not all((folder / name).exists() for name in (MODEL_FILE, CARD, CARD_JSON, METRICS)):
        return False
    return hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest() == known.file_digest


def _beaten(model: Model, test: pl.DataFrame, evaluation: "Evaluation") -> str | None:
    """Which baseline has the smaller loss on test, or ranks better beyond what chance explains."""
    from mlpipe_assets.learning.comparison import compare

    ours = evaluation.model["test"]
    problems: list[str] = []
    for name, found in evaluation.baselines.items():
        theirs = found["test"]
        if ours.log_loss is not None and theirs.log_loss is not None and ours.log_loss >= theirs.log_loss:
            problems.append(f"log loss {ours.log_loss:.4f} is not below {theirs.log_loss:.4f} of {name}")
        if ours.roc_auc is None or theirs.roc_auc is None or ours.roc_auc >= theirs.roc_auc:
            continue
        difference = compare(
            test[model.label],
            evaluation.answers["test"],
            evaluation.baseline_answers[name]["test"],
            test[model.view.entity.join_key],
            seed=declared_learner(model).seed,
        )
        if difference.high is not None and difference.high < 0:
            problems.append(f"{name} ranks better: ROC AUC {theirs.roc_auc:.4f} against {ours.roc_auc:.4f}")
    return "; ".join(problems) or None


def _challenge(
    now: ModelVersion,
    leading: ModelVersion | None,
    outdated: str | None,
    lost: str | None,
    difference: "Difference | None",
) -> dg.AssetCheckResult:
    fine = (
        "There was no other champion to compare with." if leading is None else f"It is held against {leading.version}."
    )
    if leading is not None and leading.version == now.version:
        fine = "It is the champion."
    if outdated:
        fine = f"Not compared with {leading.version if leading else 'the champion'}: {outdated}."
    result = _result("challenger_does_not_lose", lost, fine)
    numbers = {name: value for name, value in difference.to_dict().items() if value is not None} if difference else {}
    evidence: dict[str, Any] = {"status": now.status, "reason": now.reason, **numbers}
    return result._replace(metadata=evidence)


def _result(name: str, problem: str | None, fine: str, *, error: bool = False) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=problem is None,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=shorten([problem]) if problem else fine,
    )


def _refused(as_of: date, problem: str) -> Built:
    checks = [_result(name, "No model could be fitted, so there was nothing to judge.", "") for name in _CHECKS]
    return Built(outcome=Outcome(day=as_of, refused=problem), checks=checks)


def _worst(built: Sequence[Built]) -> list[dg.AssetCheckResult]:
    """Of each check the result that failed, or the newest."""
    worst: dict[str, dg.AssetCheckResult] = {}
    for one in (result for each in built for result in each.checks):
        old = worst.get(str(one.check_name))
        worst[str(one.check_name)] = old if old is not None and not old.passed else one
    return list(worst.values())


def _write_marker(lake: Lake, model: Model, fresh: ModelVersion) -> Staged:
    """The partition that says which version stands for the day."""
    inputs = inputs_digest(lake, model, fresh.as_of)
    facts = {
        "table": f"models/{model.name}",
        "date": f"{fresh.as_of}",
        "code_version": fresh.learner_version,
        "inputs": inputs,
        "fingerprint": inputs,
        "version": fresh.version,
        "rows": 1,
    }
    rows = pl.DataFrame({"version": [fresh.version], "file_digest": [fresh.file_digest]})
    staged = lake.stage(lake.path("models", model.name, fresh.as_of), rows, facts)
    lake.commit(staged)
    return staged


def _card_facts(
    model: Model,
    fresh: ModelVersion,
    splits: Mapping[str, pl.DataFrame],
    fitted: "FittedModel",
    limits: list[str],
) -> dict[str, Any]:
    learner = declared_learner(model)
    days = {name: _days(frame) for name, frame in splits.items()}
    return {
        "model": model.name,
        "version": fresh.version,
        "as_of": f"{fresh.as_of}",
        "what": f"A classifier of `{model.label}`. {first_sentence(model.contract)}",
        "owners": list(model.owners),
        "label": model.label,
        "horizon_days": model.horizon // timedelta(days=1),
        "learner": asdict(learner),
        "prepared": list(fitted.prepared),
        "left_out": list(fitted.left_out),
        "rounds": fitted.rounds,
        "splits": {
            name: {
                "first_day": f"{days[name][0]}",
                "last_day": f"{days[name][-1]}",
                "days": len(days[name]),
                "rows": frame.height,
                "positives": int(frame[model.label].sum()),
            }
            for name, frame in splits.items()
            if frame.height
        },
        "limits": limits,
        "versions": {
            "training set": fresh.training_digest,
            "features": fresh.feature_version,
            "learner": fresh.learner_version,
            "training set code": fresh.code_version,
            "contract": fresh.contract_digest,
            "model.skops, SHA-256": fresh.file_digest,
            "libraries": fresh.libraries,
        },
    }


def _numbers(evaluation: "Evaluation") -> dict[str, Any]:
    return {
        "model": {split: metrics.to_dict() for split, metrics in evaluation.model.items()},
        "baselines": {
            name: {split: metrics.to_dict() for split, metrics in found.items()}
            for name, found in evaluation.baselines.items()
        },
        "slices": {
            split: {
                name: {value: metrics.to_dict() for value, metrics in values.items()} for name, values in found.items()
            }
            for split, found in evaluation.slices.items()
        },
    }


def _metadata(now: ModelVersion, card: str, evaluation: "Evaluation") -> dict[str, Any]:
    from mlpipe_assets.learning.card import metrics_table

    test = evaluation.model["test"]
    numbers = {f"test_{name}": value for name, value in test.to_dict().items() if value is not None and name in _MAIN}
    return {
        "version": now.version,
        "status": now.status,
        "promoted_or_why_not": now.reason,
        "metrics": dg.MetadataValue.md(metrics_table(evaluation)),
        "card": dg.MetadataValue.md(card),
        **numbers,
    }


def _same_but(version: ModelVersion, **changes: str) -> ModelVersion:
    from dataclasses import replace

    return replace(version, **changes)  # type: ignore[arg-type]


def _as_json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, default=str).encode() + b"\n"
