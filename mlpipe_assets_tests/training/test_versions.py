"""The registry of models, and the record of what was decided about them."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from mlpipe_assets.catalog.models import repeat_purchase, spend_28d
from mlpipe_assets.errors import LakeError
from mlpipe_assets.learning.errors import StoredModelError
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.golden import choose_golden_rows, golden_version
from mlpipe_assets.learning.store import dump_model
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_record import PROMOTED, Decided, lost_record, read_decisions, write_decisions
from mlpipe_assets.training.champions import (
    champion,
    champion_history,
    keep,
    promote,
    read_golden,
    roll_back,
)
from mlpipe_assets.training.model_files import Golden, ModelError
from mlpipe_assets.training.versions import (
    ModelVersion,
    damage,
    find_version,
    load,
    load_as_declared,
    store_version,
    versions,
)
from mlpipe_assets_tests.learning.rows import BOOSTED, training_rows

NAME = "returning"
MODELS = [fit(replace(BOOSTED, seed=n), training_rows(seed=n), training_rows(80, seed=9), "label") for n in (1, 2, 3)]
ROWS = choose_golden_rows(training_rows(60, seed=5), ["customer_id"], MODELS[0].features, most=10)


def stored(lake: Lake, number: int, *, model: str = NAME, **changes: object) -> ModelVersion:
    """The n-th model, stored and on record."""
    content = dump_model(MODELS[number - 1])
    values: dict[str, object] = {
        "model": model,
        "version": f"2026-02-0{number}-abc",
        "as_of": date(2026, 2, number),
        "file_digest": hashlib.sha256(content).hexdigest(),
        "first_day": date(2026, 1, 1),
        "last_day": date(2026, 1, 10),
        "last_seen_day": date(2026, 1, 20),
        "rows": 200,
        "metrics": {"test_roc_auc": 0.5 + number / 10},
        "status": "built",
        "reason": "not judged yet",
    }
    digests = ("training_digest", "feature_version", "learner_version", "code_version", "contract_digest", "libraries")
    version = ModelVersion(**{**dict.fromkeys(digests, "x"), **values, **changes})  # type: ignore[arg-type]
    store_version(lake, version, {"model.skops": content, "card.md": b"card"})
    return version


def golden_of(version: ModelVersion, number: int) -> Golden:
    answers = predict(MODELS[number - 1], ROWS.select(MODELS[0].features))
    rows = ROWS.with_columns(answers.alias("probability"))
    days = {"2026-01-01": "f"}
    return Golden(rows=rows, version=golden_version(rows), champion=version.version, feature_version="x", days=days)


def promoted(lake: Lake, *numbers: int) -> list[ModelVersion]:
    found = []
    for number in numbers:
        version = stored(lake, number)
        found.append(promote(lake, version, golden_of(version, number), f"better {number}"))
    return found


def statuses(lake: Lake) -> dict[str, tuple[str, str]]:
    return {row["version"][:10]: (row["status"], row["reason"]) for row in versions(lake, NAME)}


def test_without_models_there_is_no_champion_and_nothing_to_roll_back_to(lake: Lake) -> None:
    assert (champion(lake, NAME), versions(lake, NAME), champion_history(lake, NAME)) == (None, [], [])
    assert read_golden(lake, NAME) is None
    with pytest.raises(ModelError, match="nothing to roll back to; there is no champion"):
        roll_back(lake, NAME, "because")


def test_a_promoted_version_leads_with_its_golden_answers(lake: Lake) -> None:
    (version,) = promoted(lake, 1)

    assert champion(lake, NAME) == version
    assert version == find_version(lake, NAME, version.version)
    assert (version.status, version.reason, version.metrics) == ("champion", "better 1", {"test_roc_auc": 0.6})
    golden = read_golden(lake, NAME)
    assert golden is not None
    assert golden.rows.equals(golden_of(version, 1).rows)
    assert (golden.champion, golden.version, golden.days) == (
        version.version,
        golden_version(ROWS),
        {"2026-01-01": "f"},
    )
    loaded = load(lake, NAME, version.version)
    assert predict(loaded, ROWS.select(loaded.features)).equals(golden.rows["probability"])


def test_rolling_back_goes_to_the_champion_before_with_its_answers_and_reasons_on_record(lake: Lake) -> None:
    first, second, third = promoted(lake, 1, 2, 3)

    back = roll_back(lake, NAME, "third answers nonsense")

    assert (back.version, back.status) == (second.version, "champion")
    assert champion(lake, NAME) == back
    golden = read_golden(lake, NAME)
    assert golden is not None
    assert golden.rows.equals(golden_of(second, 2).rows)
    assert statuses(lake) == {
        "2026-02-01": ("retired", f"replaced by {second.version}"),
        "2026-02-02": ("champion", "third answers nonsense"),
        "2026-02-03": ("rolled_back", "third answers nonsense"),
    }
    assert [(one.action, one.version, one.reason) for one in champion_history(lake, NAME)] == [
        ("promoted", first.version, "better 1"),
        ("promoted", second.version, "better 2"),
        ("promoted", third.version, "better 3"),
        ("rolled_back", second.version, "third answers nonsense"),
    ]


def test_rolling_back_twice_reaches_the_first_and_then_ends(lake: Lake) -> None:
    first, *_ = promoted(lake, 1, 2, 3)

    roll_back(lake, NAME, "one")
    assert roll_back(lake, NAME, "two").version == first.version
    with pytest.raises(ModelError, match=f"{first.version} is the only champion left"):
        roll_back(lake, NAME, "three")


def test_a_model_promoted_after_a_rollback_is_rolled_back_past_the_one_taken_back(lake: Lake) -> None:
    first, _ = promoted(lake, 1, 2)
    roll_back(lake, NAME, "second is bad")
    promoted(lake, 3)

    assert roll_back(lake, NAME, "third too").version == first.version


def test_a_rollback_to_a_model_that_was_changed_is_refused_and_changes_nothing(lake: Lake) -> None:
    first, second = promoted(lake, 1, 2)
    (lake.root / keys.version(NAME, first.version) / "model.skops").write_bytes(b"something else")

    with pytest.raises(StoredModelError, match=f"models/{NAME}/{first.version}/model.skops was changed"):
        roll_back(lake, NAME, "second is bad")

    assert champion(lake, NAME) == second


def test_a_rollback_without_the_golden_rows_of_before_is_refused(lake: Lake) -> None:
    first, second = promoted(lake, 1, 2)
    (lake.root / keys.version(NAME, first.version) / "golden.parquet").unlink()

    with pytest.raises(ModelError, match=r"golden\.parquet is gone"):
        roll_back(lake, NAME, "second is bad")

    assert champion(lake, NAME) == second


def test_a_run_killed_between_the_golden_rows_and_the_decision_leaves_the_champion_of_before(lake: Lake) -> None:
    first, second = promoted(lake, 1, 2)
    write_decisions(lake, NAME, read_decisions(lake, NAME)[:1])  # the golden rows of the second are published

    assert champion(lake, NAME) == first
    assert {name: status for name, (status, _) in statuses(lake).items()} == {
        "2026-02-01": "champion",
        "2026-02-02": "built",  # judged again by the next run
    }
    golden = read_golden(lake, NAME)
    assert golden is not None
    assert golden.champion == first.version  # the published ones still hold the answers of the second
    assert second.version != first.version


def test_every_decision_is_on_record_once_with_its_moment_and_the_registry_repeats_none(lake: Lake) -> None:
    before = datetime.now(tz=UTC).replace(microsecond=0)
    first, second = promoted(lake, 1, 2)
    keep(lake, stored(lake, 3), "loses")
    roll_back(lake, NAME, "second is bad")

    document = json.loads((lake.root / "meta" / "champions" / f"{NAME}.json").read_text())
    moments = [datetime.fromisoformat(one.pop("at")) for one in document["decisions"]]
    assert document == {
        "decisions": [
            {"action": "promoted", "version": first.version, "as_of": "2026-02-01", "reason": "better 1"},
            {"action": "promoted", "version": second.version, "as_of": "2026-02-02", "reason": "better 2"},
            {"action": "kept", "version": "2026-02-03-abc", "as_of": "2026-02-03", "reason": "loses"},
            {"action": "rolled_back", "version": first.version, "as_of": "2026-02-01", "reason": "second is bad"},
        ]
    }
    assert before <= moments[0] <= moments[1] <= moments[2] <= moments[3] <= datetime.now(tz=UTC)
    registry = pl.read_parquet(lake.root / "meta" / "model_registry.parquet")
    assert not {"status", "reason"} & set(registry.columns)
    assert statuses(lake) == {
        "2026-02-01": ("champion", "second is bad"),
        "2026-02-02": ("rolled_back", "second is bad"),
        "2026-02-03": ("challenger_kept", "loses"),
    }


def test_loading_says_what_is_missing(lake: Lake) -> None:
    (version,) = promoted(lake, 1)

    with pytest.raises(ModelError, match=f"has no version v9; there are {version.version}"):
        load(lake, NAME, "v9")
    (lake.root / keys.version(NAME, version.version) / "model.skops").unlink()
    with pytest.raises(ModelError, match=r"model.skops cannot be read \(No such file or directory\). Restore it"):
        load(lake, NAME, version.version)


def test_a_record_that_names_nothing_or_cannot_be_read_while_nothing_leads_is_said_so(lake: Lake) -> None:
    record = lake.root / "meta" / "champions" / f"{NAME}.json"
    write_decisions(lake, NAME, [Decided(action=PROMOTED, version="gone", as_of=date(2026, 1, 1), reason="it was")])
    with pytest.raises(ModelError, match=r"the champion gone is not in meta/model_registry\.parquet"):
        champion(lake, NAME)

    record.write_text("{")
    with pytest.raises(
        LakeError, match="No golden rows know a champion of returning either: restore the file, or delete"
    ):
        champion(lake, NAME)


@pytest.mark.parametrize("left", [None, "", '{"decisions":', "[]", "{}"])
def test_a_record_that_was_lost_is_taken_from_the_snapshot_in_golden_rows_and_told(
    left: str | None, lake: Lake
) -> None:
    first, second = promoted(lake, 1, 2)
    record = lake.root / "meta" / "champions" / f"{NAME}.json"
    assert lost_record(lake, NAME) is None
    record.unlink()
    if left is not None:
        record.write_text(left)

    assert champion(lake, NAME) == second
    assert f"By the snapshot that is left {second.version} is champion" in str(lost_record(lake, NAME))
    assert roll_back(lake, NAME, "second is bad").version == first.version
    assert json.loads(record.read_text())["decisions"][-1]["version"] == first.version
    assert lost_record(lake, NAME) is None


def test_a_version_that_was_rolled_back_does_not_lead_again_when_the_record_is_lost(lake: Lake) -> None:
    promoted(lake, 1, 2)
    first = roll_back(lake, NAME, "second is bad")
    (lake.root / "meta" / "champions" / f"{NAME}.json").unlink()
    (lake.root / keys.golden(NAME)).unlink()

    assert champion(lake, NAME) == first


def test_a_registry_that_cannot_be_read_is_named_with_what_to_do(lake: Lake) -> None:
    promoted(lake, 1)
    (lake.root / "meta" / "model_registry.parquet").write_text("half")

    with pytest.raises(LakeError, match="delete it and materialize the models again"):
        champion(lake, NAME)


@pytest.mark.parametrize(
    ("left", "said"), [(None, "cannot be read"), (b"other", "was changed since it was registered")]
)
def test_what_is_wrong_with_a_model_file_is_known_without_loading_it(left: bytes | None, said: str, lake: Lake) -> None:
    (version,) = promoted(lake, 1)
    assert damage(lake, version) is None
    path = lake.root / keys.version(NAME, version.version) / "model.skops"
    path.unlink()
    if left is not None:
        path.write_bytes(left)

    wrong = damage(lake, version)
    assert wrong
    assert said in wrong
    assert f"materialize models/{NAME} [{version.as_of}] again" in wrong


def test_golden_rows_come_from_the_champions_folder_when_the_published_ones_are_gone(lake: Lake) -> None:
    (version,) = promoted(lake, 1)
    (lake.root / keys.golden(NAME)).unlink()

    golden = read_golden(lake, NAME)
    assert golden is not None
    assert golden.champion == version.version

    (lake.root / keys.version(NAME, version.version) / "golden.parquet").unlink()
    with pytest.raises(ModelError, match="is missing, and so are the golden rows"):
        read_golden(lake, NAME)


def test_models_share_a_registry_without_sharing_metrics_or_champions(lake: Lake) -> None:
    (ours,) = promoted(lake, 1)
    other = stored(lake, 2, model="other", metrics={"test_brier": 0.2})

    assert champion(lake, "other") is None
    assert champion(lake, NAME) is not None
    found = find_version(lake, "other", other.version)
    assert found is not None
    assert found.metrics == {"test_brier": 0.2, "test_roc_auc": None}
    registry = pl.read_parquet(lake.root / "meta" / "model_registry.parquet")
    assert registry.select("model", "version").rows() == [("other", other.version), (NAME, ours.version)]


def test_a_version_of_another_task_does_not_answer_for_a_model_of_its_name(lake: Lake) -> None:
    stored(lake, 1)

    assert load_as_declared(lake, replace(repeat_purchase, name=NAME), "2026-02-01-abc").task == "binary"
    with pytest.raises(ModelError, match="was fitted as a binary model, and the catalog says regression"):
        load_as_declared(lake, replace(spend_28d, name=NAME), "2026-02-01-abc")
