"""Models of a day: stored whole, judged once, and champion only when they may be."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.versions import learner_version, model_version, view_version
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.learning.errors import StoredModelError
from mlpipe_assets.learning.fitting import predict
from mlpipe_assets.learning.golden import golden_version
from mlpipe_assets.partitions import START_DATE, days_between
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.rules import contract_digest
from mlpipe_assets.sample import write_sample
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.models import asset as stage
from mlpipe_assets.stages.models import versions as model_versions
from mlpipe_assets.stages.models.asset import Built, build_model, model_asset
from mlpipe_assets.stages.models.plan import inputs_digest, libraries
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_record import read_decisions
from mlpipe_assets.training.champions import champion, champion_history, read_golden
from mlpipe_assets.training.model_files import ModelError
from mlpipe_assets.training.versions import find_version, load, register_version, versions
from mlpipe_assets_tests.frames import build_training_set, file_digests
from mlpipe_assets_tests.planted_models import APRIL_16, APRIL_23, APRIL_30, plant_training_set, replace_split

NAME = repeat_purchase.name
MODEL = replace(repeat_purchase, learner=replace(stage.declared_learner(repeat_purchase), rounds=15))
EASY = replace(MODEL, promotion=Promotion(min_roc_auc=0.0, max_log_loss_ratio=100.0, tolerance=0.01))


def of_catalog(model: Model) -> Catalog:
    return replace(CATALOG, models=(model,), monitors=())


def build(lake: Lake, day: date, model: Model = MODEL) -> Built:
    with lake.writing("models", model.name):
        return build_model(lake, DuckDBEngine(), of_catalog(model), model, day)


def failed(built: Built) -> dict[str, str]:
    return {str(one.check_name): str(one.description) for one in built.checks if not one.passed}


def tree(lake: Lake) -> dict[str, str]:
    """Every file but locks, and what holds times: the log of digests, and the record of decisions, which is as it says."""
    files = file_digests(lake.root, ".").items()
    apart = ("meta/digests/", "meta/champions/")
    found = {path: digest for path, digest in files if not path.endswith(".lock") and not any(a in path for a in apart)}
    return found | {"decisions": f"{[replace(one, at=None) for one in read_decisions(lake, NAME)]}"}


def test_the_first_model_is_stored_whole_on_record_and_champion(lake: Lake) -> None:
    splits = plant_training_set(lake, APRIL_30)

    built = build(lake, APRIL_30)

    assert built.outcome.refused is None
    assert failed(built) == {}
    inputs = inputs_digest(lake, MODEL, APRIL_30)
    version = f"2026-04-30-{inputs[:8]}"
    folder = lake.folder("models", NAME) / version
    assert {path.name for path in folder.iterdir()} == {
        "model.skops",
        "card.md",
        "card.json",
        "metrics.json",
        "golden.parquet",
    }
    row = pl.read_parquet(lake.root / "meta" / "model_registry.parquet").to_dicts()
    assert len(row) == 1
    metrics = {name: row[0].pop(name) for name in list(row[0]) if name.startswith(("test_", "validation_"))}
    assert row[0] == {
        "model": NAME,
        "version": version,
        "as_of": APRIL_30,
        "training_digest": (lake.facts("processed", NAME, APRIL_30, "train.parquet") or {})["fingerprint"],
        "feature_version": view_version(of_catalog(MODEL), MODEL.view),
        "learner_version": learner_version(MODEL),
        "code_version": model_version(of_catalog(MODEL), MODEL),
        "contract_digest": contract_digest(MODEL.contract),
        "file_digest": hashlib.sha256((folder / "model.skops").read_bytes()).hexdigest(),
        "first_day": date(2026, 1, 7),
        "last_day": date(2026, 2, 4),
        "last_seen_day": date(2026, 3, 4),
        "rows": splits["train"].height,
        "libraries": libraries(),
    }
    names = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error", "prevalence", "rows")
    assert sorted(metrics) == sorted(f"{split}_{name}" for split in ("test", "validation") for name in names)
    assert metrics["test_roc_auc"] > 0.75
    facts = lake.facts("models", NAME, APRIL_30) or {}
    assert (facts["version"], facts["inputs"], facts["code_version"]) == (version, inputs, learner_version(MODEL))
    assert lake.days("models", NAME) == [APRIL_30]
    leading = champion(lake, NAME)
    assert leading is not None
    assert (leading.version, leading.reason) == (version, "the first model to hold every threshold")


def test_the_golden_rows_are_of_test_with_the_champions_answers(lake: Lake) -> None:
    splits = plant_training_set(lake, APRIL_30)
    built = build(lake, APRIL_30)

    golden = read_golden(lake, NAME)

    assert golden is not None
    assert built.version is not None
    fitted = load(lake, NAME, built.version.version)
    rows = golden.rows.drop("probability")
    assert_frame_equal(
        rows,
        splits["test"]
        .select(rows.columns)
        .join(rows, on=["customer_id", "as_of"], how="semi")
        .sort("as_of", "customer_id"),
    )
    assert golden.rows["probability"].equals(predict(fitted, rows.select(fitted.features)).alias("probability"))
    assert (golden.version, golden.champion) == (golden_version(rows), built.version.version)
    assert golden.days == {"2026-04-01": "features of 2026-04-01"}


def test_the_same_training_set_again_touches_nothing(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30)
    build(lake, APRIL_30)
    before, decided = tree(lake), read_decisions(lake, NAME)

    again = build(lake, APRIL_30)

    assert tree(lake) == before
    assert read_decisions(lake, NAME) == decided  # their moments too
    checks = {str(one.check_name): one.description for one in again.checks}
    assert failed(again) == {}
    assert checks["model_is_reproducible"] == "Fitted again, it is the same byte for byte."


def test_the_same_training_set_gives_the_same_files_in_another_lake(tmp_path: Path) -> None:
    lakes = [Lake(data_dir=str(tmp_path / name)) for name in ("one", "two")]
    for lake in lakes:
        plant_training_set(lake, APRIL_30)
        build(lake, APRIL_30)

    assert tree(lakes[0]) == tree(lakes[1])


def test_a_newer_model_that_does_not_lose_takes_over_and_the_golden_rows_stay(lake: Lake) -> None:
    plant_training_set(lake, APRIL_23)
    plant_training_set(lake, APRIL_30)
    first = build(lake, APRIL_23)
    before = read_golden(lake, NAME)

    second = build(lake, APRIL_30)

    after = read_golden(lake, NAME)
    assert first.version is not None
    assert second.version is not None
    assert second.reason.startswith(f"does not lose to {first.version.version}: ROC AUC ")
    assert "95 % interval" in second.reason
    assert before is not None
    assert after is not None
    assert_frame_equal(after.rows.drop("probability"), before.rows.drop("probability"))
    assert (after.version, after.champion) == (before.version, second.version.version)
    assert [(v["version"], v["status"]) for v in versions(lake, NAME)] == [
        (first.version.version, "retired"),
        (second.version.version, "champion"),
    ]


def test_a_challenger_that_loses_is_kept_and_the_champion_stays(lake: Lake) -> None:
    plant_training_set(lake, APRIL_23)
    first = build(lake, APRIL_23, EASY)
    plant_training_set(lake, APRIL_30, mislabelled=True)

    second = build(lake, APRIL_30, EASY)

    assert second.outcome.refused is None
    leading = champion(lake, NAME)
    assert leading is not None
    assert leading == first.version
    assert second.version is not None
    assert second.version.status == "challenger_kept"
    assert "below the champion's on the same 60 rows" in failed(second)["challenger_does_not_lose"]
    assert second.reason.startswith("kept, not promoted: ROC AUC")
    assert (lake.folder("models", NAME) / second.version.version / "model.skops").exists()


def test_rows_the_champion_has_seen_do_not_count_and_without_others_nobody_is_promoted(lake: Lake) -> None:
    plant_training_set(lake, APRIL_23)
    first = build(lake, APRIL_23, EASY)
    assert first.version is not None
    seen = replace(first.version, last_seen_day=date(2026, 4, 1))  # the one day of the next test split
    register_version(lake, seen)
    plant_training_set(lake, APRIL_30)

    second = build(lake, APRIL_30, EASY)

    assert champion(lake, NAME) == seen
    assert second.reason == (
        "kept, not promoted: it cannot be compared with the champion: 0 test rows lie after all the champion has seen"
    )


def test_a_model_below_the_thresholds_is_kept_and_there_is_no_champion(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30, mislabelled=True)

    built = build(lake, APRIL_30)

    assert champion(lake, NAME) is None
    assert read_golden(lake, NAME) is None
    assert set(failed(built)) == {"thresholds_hold", "beats_baselines"}
    assert built.version is not None
    assert built.version.status == "challenger_kept"


def test_an_older_day_does_not_replace_a_newer_champion(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30)
    newest = build(lake, APRIL_30)
    plant_training_set(lake, APRIL_16)

    older = build(lake, APRIL_16)

    assert champion(lake, NAME) == newest.version
    assert "learnt from a later training set" in older.reason


def test_a_champion_of_other_features_makes_way_and_so_do_its_golden_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_training_set(lake, APRIL_23)
    with monkeypatch.context() as earlier:
        earlier.setattr(model_versions, "view_version", lambda *_: "an earlier version")
        build(lake, APRIL_23)
    before = read_golden(lake, NAME)
    plant_training_set(lake, APRIL_30)

    second = build(lake, APRIL_30)

    after = read_golden(lake, NAME)
    assert champion(lake, NAME) == second.version
    assert second.reason.endswith("it learnt from features of version an earlier version")
    assert before is not None
    assert after is not None
    assert before.version != after.version


def test_a_run_killed_before_the_decision_is_taken_up_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_training_set(lake, APRIL_30)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(stage, "promote", killed)
        with pytest.raises(KeyboardInterrupt):
            build(lake, APRIL_30)
    assert champion(lake, NAME) is None

    assert build(lake, APRIL_30).version == champion(lake, NAME)
    assert champion(lake, NAME) is not None


def test_a_registry_that_was_lost_is_filled_again_and_what_was_decided_stands(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30)
    first = build(lake, APRIL_30)
    decided = read_decisions(lake, NAME)
    (lake.root / "meta" / "model_registry.parquet").unlink()
    with pytest.raises(ModelError, match="materialize models/repeat_purchase as of its day again"):
        champion(lake, NAME)

    stricter = replace(MODEL, promotion=Promotion(min_roc_auc=1.0))
    again = build(lake, APRIL_30, stricter)

    assert again.version == first.version == champion(lake, NAME)
    assert read_decisions(lake, NAME) == decided


def test_a_model_file_that_was_changed_is_refused_and_made_again(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30)
    built = build(lake, APRIL_30)
    assert built.version is not None
    path = lake.folder("models", NAME) / built.version.version / "model.skops"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(StoredModelError, match="was changed since it was registered"):
        load(lake, NAME, built.version.version)
    build(lake, APRIL_30)

    assert path.read_bytes() == content


def plant_nothing(lake: Lake) -> None:
    """There is no training set at all."""


def plant_other_code(lake: Lake) -> None:
    other = replace(MODEL, split=(0.5, 0.25, 0.25))
    plant_training_set(lake, APRIL_30, catalog=of_catalog(other), model=other)


def plant_mixture(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30, mislabelled=True)
    target = lake.path("processed", NAME, APRIL_30, "test.parquet")
    kept, facts = target.read_bytes(), lake.facts("processed", NAME, APRIL_30, "test.parquet")
    plant_training_set(lake, APRIL_30)
    replace_split(lake, APRIL_30, "test", kept, facts or {}, MODEL)


def test_a_history_too_short_for_a_test_split_is_no_fault_and_gives_no_model(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30, without=["validation", "test"])

    built = build(lake, APRIL_30)

    assert built.outcome.refused is None
    assert str(built.outcome.missing).startswith("test of processed/repeat_purchase [2026-04-30] is empty: too little")
    assert versions(lake, NAME) == []


def test_a_history_too_short_for_validation_gives_a_model_that_says_so(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30, without=["validation"])

    built = build(lake, APRIL_30)

    assert built.outcome.refused is None
    assert built.version is not None
    assert built.version.metrics["test_roc_auc"] is not None
    card = (lake.root / keys.version(NAME, built.version.version) / "card.md").read_text()
    assert "too short for a validation split" in card


@pytest.mark.parametrize(
    ("plant", "problem"),
    [
        (plant_nothing, "processed/repeat_purchase has no train, validation, test of 2026-04-30; materialize it first"),
        (plant_other_code, "was made by another version than"),
        (plant_mixture, "holds splits of different training sets"),
    ],
)
def test_a_training_set_that_will_not_do_is_refused(lake: Lake, plant: Callable[[Lake], object], problem: str) -> None:
    plant(lake)

    built = build(lake, APRIL_30)

    assert problem in str(built.outcome.refused)
    assert versions(lake, NAME) == []
    assert lake.days("models", NAME) == []


def test_labels_of_one_kind_are_refused(lake: Lake) -> None:
    splits = plant_training_set(lake, APRIL_30)
    facts = lake.facts("processed", NAME, APRIL_30, "train.parquet") or {}
    same = splits["train"].with_columns(label=pl.lit(value=True))
    content = BytesIO()
    same.write_parquet(content)
    replace_split(lake, APRIL_30, "train", content.getvalue(), facts, MODEL)

    assert "label is the same on all of them" in str(build(lake, APRIL_30).outcome.refused)


def test_slices_add_up_and_come_from_orders_up_to_the_day(lake: Lake) -> None:
    plant_training_set(lake, APRIL_30)
    built = build(lake, APRIL_30)

    assert built.version is not None
    found = json.loads((lake.folder("models", NAME) / built.version.version / "metrics.json").read_text())

    slices = found["slices"]["test"]
    counts = {name: {value: m["rows"] for value, m in values.items()} for name, values in slices.items()}
    assert counts["channel"] == {"app": 30, "web": 20, "unknown": 10}  # ten never ordered
    assert counts["customer"] == {"new": 21, "old": 33, "unknown": 6}
    assert sum(counts["region"].values()) == 60
    assert counts["region"]["unknown"] == 3
    assert set(found["baselines"]) == {"prevalence", "recency"}
    assert found["model"]["test"]["rows"] == 60


def test_under_dagster_a_losing_challenger_is_a_warning_and_the_card_is_shown(lake: Lake) -> None:
    plant_training_set(lake, APRIL_23)
    plant_training_set(lake, APRIL_30, mislabelled=True)
    asset = model_asset(of_catalog(EASY), EASY)

    def run(day: date) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [asset],
            resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS},
            partition_key=f"{day}",
        )

    run(APRIL_23)
    result = run(APRIL_30)

    assert result.success
    checks = {one.check_name: (one.passed, one.severity) for one in result.get_asset_check_evaluations()}
    assert checks.pop("challenger_does_not_lose") == (False, dg.AssetCheckSeverity.WARN)
    assert checks.pop("beats_baselines") == (False, dg.AssetCheckSeverity.WARN)
    assert all(passed for passed, _ in checks.values())
    assert set(checks) == {"contract_holds", "model_loads_and_answers", "model_is_reproducible", "thresholds_hold"}
    metadata = result.asset_materializations_for_node("models__repeat_purchase")[0].metadata
    card = str(metadata["card"].value)
    assert card.count("](data:image/svg+xml;base64,") == 2
    assert metadata["status"].value == "challenger_kept"
    assert "| test, rows | 60 |" in str(metadata["metrics"].value)
    assert [one.action for one in champion_history(lake, NAME)] == ["promoted"]
    kept = find_version(lake, NAME, str(metadata["version"].value))
    assert kept is not None


def test_under_dagster_a_missing_training_set_fails_the_run_and_says_what_to_do(lake: Lake) -> None:
    result = dg.materialize(
        [model_asset(of_catalog(MODEL), MODEL)],
        resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS},
        partition_key="2026-04-30",
        raise_on_error=False,
    )

    assert not result.success
    failure = result.failure_data_for_node("models__repeat_purchase")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "materialize it first (training_job does)" in str(failure.user_failure_data.description)


@pytest.mark.slow
@pytest.mark.long
def test_a_model_of_the_sample_beats_prevalence_by_far_and_says_where_it_does_not_shine(lake: Lake) -> None:
    write_sample(lake.root, days=120, orders_per_day=60, customers=300)
    for source in CATALOG.sources:
        ledger = Ledger.load(lake, source.name)
        ingest(lake, source, ledger)
        build_interim(lake, DuckDBEngine(), source, [day for day in ledger.days() if START_DATE <= day <= APRIL_30])
    catalog = of_catalog(MODEL)
    build_features(lake, DuckDBEngine(), catalog, MODEL.view, days_between(START_DATE, APRIL_30))
    outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, MODEL, APRIL_30)
    assert outcome.refused is None

    built = build(lake, APRIL_30)

    assert built.version is not None
    metrics = built.version.metrics
    assert 0.65 < (metrics["test_roc_auc"] or 0) < 0.95
    assert (metrics["test_log_loss"] or 1) < 0.65
    card = json.loads((lake.folder("models", NAME) / built.version.version / "card.json").read_text())
    assert (metrics["test_log_loss"] or 1) < card["metrics"]["baselines"]["prevalence"]["test"]["log_loss"]
    assert any("Too few rows to judge by region" in line for line in card["limits"])


def test_neither_what_learns_nor_a_database_is_imported_before_there_is_work() -> None:
    code = (
        "import sys, mlpipe_assets.stages.models.asset, mlpipe_assets.training.champions, mlpipe_assets.commands.run\n"
        "print(sorted({'sklearn', 'skops', 'scipy', 'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
