"""Predictions: what the champion says, and every reason for which it is not asked."""

import json
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.stages.features.asset import feature_asset
from mlpipe_assets.stages.predictions.asset import build_predictions, prediction_asset
from mlpipe_assets.stages.predictions.plan import list_objections, prediction_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.recovery import FACTS
from mlpipe_assets.training.champions import roll_back
from mlpipe_assets.training.versions import ModelVersion
from mlpipe_assets_tests.champions import crown, crowned_lake, learning_catalog, learning_lake
from mlpipe_assets_tests.frames import clear, refuse
from mlpipe_assets_tests.planted import SPEND_SQL, day, failed_checks, materialize, written_days


def test_each_customer_of_the_day_gets_a_probability_of_the_champion(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)

    result = materialize(prediction_asset(catalog, catalog.models[0]), lake, day(6))

    assert result.success
    rows = lake.read("predictions", "returning", day(6))
    features = lake.read("features", "spend", day(6))
    assert rows["customer_id"].to_list() == features["customer_id"].to_list() == ["ann", "bob"]
    assert rows["model_version"].unique().to_list() == [used.version]
    assert rows["probability"].is_between(0, 1).all()
    assert rows["decision"].to_list() == (rows["probability"] >= 0.5).to_list()
    assert "label" not in rows.columns


def test_the_export_for_audit_holds_the_same_rows(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)

    build_predictions(lake, catalog, catalog.models[0], [day(6)])

    export = pl.read_csv(lake.path("predictions", "returning", day(6), "part.csv"), try_parse_dates=True)
    rows = lake.read("predictions", "returning", day(6))
    assert export["probability"].to_list() == rows["probability"].to_list()
    assert export["customer_id"].to_list() == rows["customer_id"].to_list()


def test_the_same_champion_and_features_give_the_same_bytes(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)

    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    first = lake.path("predictions", "returning", day(6)).read_bytes()
    build_predictions(lake, catalog, catalog.models[0], [day(5), day(6)])

    assert lake.path("predictions", "returning", day(6)).read_bytes() == first


def test_without_a_champion_nothing_is_predicted(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, 3)

    result = materialize(prediction_asset(catalog, catalog.models[0]), lake, day(3))

    assert not result.success
    assert "has no champion yet" in failed_checks(result)["inputs_are_sound"]
    assert lake.days("predictions", "returning") == []


def test_a_champion_whose_file_is_gone_is_told_before_a_day_is_due(tmp_path: Path) -> None:
    catalog, lake, version = crowned_lake(tmp_path)
    materialize(prediction_asset(catalog, catalog.models[0]), lake, day(5), day(6))
    (lake.root / "models" / "returning" / version.version / "model.skops").unlink()

    work = prediction_work(lake, catalog, catalog.models[0], lambda _: True)

    assert work.days == ()
    [(on, why)] = work.blocked
    assert on == day(6)
    assert "model.skops cannot be read (No such file or directory). Restore it" in why


def test_a_missing_feature_day_is_not_predicted_and_the_others_are(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, 7)
    crown(lake, catalog, day(4))
    lake.path("features", "spend", day(6)).unlink()

    result = materialize(prediction_asset(catalog, catalog.models[0]), lake, day(5), day(7))

    assert not result.success
    assert written_days(result) == [day(5), day(7)]
    assert "features/spend has no partition of 2026-01-06" in failed_checks(result)["inputs_are_sound"]


def test_a_blocking_check_that_failed_in_an_earlier_run_stops_predictions_although_the_old_partition_is_there(
    tmp_path: Path,
) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    leaking = SPEND_SQL.replace("o.date <= d.day", "o.date <= d.day + 1")
    broken = learning_catalog(tmp_path / "leaking", spend_sql=leaking)

    earlier = materialize(feature_asset(broken, broken.feature_views[0]), lake, day(4), day(5))
    later = materialize(prediction_asset(catalog, catalog.models[0]), lake, day(5))

    assert "features_ignore_the_future" in failed_checks(earlier)
    assert lake.path("features", "spend", day(5)).exists()
    assert not later.success
    assert "features/spend [2026-01-05] failed its blocking check" in failed_checks(later)["inputs_are_sound"]
    assert lake.days("predictions", "returning") == []


def test_features_of_another_version_than_the_champion_learnt_from_are_refused(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, 6)
    crown(lake, catalog, day(5), feature_version="another")

    reasons = list_objections(lake, catalog, catalog.models[0], [day(6)])[day(6)]

    assert len(reasons) == 1
    assert "was trained on another; train a model on the new features" in reasons[0]


def test_a_champion_is_not_asked_of_days_before_its_labels(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)

    reasons = list_objections(lake, catalog, catalog.models[0], [day(4)])[day(4)]

    assert reasons == [
        "the champion 2026-01-05-1 learnt from labels up to 2026-01-05: of 2026-01-04 it would know the future"
    ]


def test_a_hole_that_opened_in_the_window_since_stops_predictions(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    refuse(lake, "interim", "orders", day(5), problem="beyond tolerance", inputs="x")

    reasons = list_objections(lake, catalog, catalog.models[0], [day(6)])[day(6)]

    assert reasons == [
        "features/spend [2026-01-06]: its window over interim/orders has holes: 2026-01-05 refused",
    ]


def test_golden_answers_that_moved_stop_the_champion_they_are_of_and_no_other(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    refuse(lake, "validation", "returning_golden", day(6), problem="3 moved", inputs="x", champion=used.version)
    of_this = list_objections(lake, catalog, catalog.models[0], [day(6)])[day(6)]
    clear(lake, "validation", "returning_golden", day(6))
    refuse(lake, "validation", "returning_golden", day(6), problem="3 moved", inputs="x", champion="another")

    assert of_this == ["validation/returning_golden [2026-01-06] failed for the champion: 3 moved"]
    assert list_objections(lake, catalog, catalog.models[0], [day(6)])[day(6)] == []


def test_a_label_among_the_features_served_is_refused(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    path = lake.path("features", "spend", day(6))
    facts = json.loads(pl.read_parquet_metadata(path)[FACTS])
    served = lake.read("features", "spend", day(6)).with_columns(label=pl.lit(value=True))
    lake.commit(lake.stage(path, served, facts))

    result = materialize(prediction_asset(catalog, catalog.models[0]), lake, day(6))

    assert not result.success
    assert "label: belongs to training, it must not be here in serving" in failed_checks(result)["contract_holds"]


def crowned_twice(root: Path) -> tuple[Catalog, Lake, tuple[ModelVersion, ModelVersion]]:
    """Features of nine days; champions crowned as of the third and of the eighth, no predictions in between."""
    catalog, lake = learning_lake(root, 9)
    return catalog, lake, (crown(lake, catalog, day(3)), crown(lake, catalog, day(8)))


def test_days_that_were_due_when_a_new_champion_was_crowned_are_answered_by_the_one_before(tmp_path: Path) -> None:
    catalog, lake, (old, new) = crowned_twice(tmp_path)

    work = prediction_work(lake, catalog, catalog.models[0], lambda _: True)
    result = materialize(prediction_asset(catalog, catalog.models[0]), lake, work.days[0], work.days[-1])

    assert result.success
    answered = {d.day: lake.read("predictions", "returning", d)["model_version"][0] for d in work.days}
    assert answered == {**dict.fromkeys(range(3, 8), old.version), 8: new.version, 9: new.version}
    assert prediction_work(lake, catalog, catalog.models[0], lambda _: True).days == ()


def test_what_an_old_champion_can_no_longer_answer_is_named_and_not_asked_of_the_new(tmp_path: Path) -> None:
    catalog, lake, (old, _) = crowned_twice(tmp_path)
    (lake.root / "models" / "returning" / old.version / "model.skops").unlink()

    work = prediction_work(lake, catalog, catalog.models[0], lambda _: True)

    assert work.days == (day(8), day(9))
    assert [on for on, _ in work.blocked] == [day(n) for n in range(3, 8)]
    assert all(f"due when {old.version} led" in reason for _, reason in work.blocked)


def test_a_champion_that_was_rolled_back_answers_for_no_day(tmp_path: Path) -> None:
    catalog, lake, (old, _) = crowned_twice(tmp_path)
    roll_back(lake, "returning", "wrong answers")

    work = prediction_work(lake, catalog, catalog.models[0], lambda _: True)
    build_predictions(lake, catalog, catalog.models[0], work.days)

    assert {lake.read("predictions", "returning", d)["model_version"][0] for d in work.days} == {old.version}
    assert work.days == tuple(day(n) for n in range(3, 10))


@pytest.mark.parametrize("damage", [b"", b"not a model"])
def test_a_model_file_that_was_changed_is_not_asked(tmp_path: Path, damage: bytes) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    (lake.folder("models", "returning") / used.version / "model.skops").write_bytes(damage)

    with pytest.raises(Exception, match="was changed since it was registered"):
        build_predictions(lake, catalog, catalog.models[0], [day(6)])

    assert lake.days("predictions", "returning") == []
