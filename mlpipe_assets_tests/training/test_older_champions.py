"""A lake from before each model had one record of its decisions goes on as it was."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_record import lost_record
from mlpipe_assets.training.champions import champion, champion_history, champions, keep, read_golden, roll_back
from mlpipe_assets.training.versions import register_version, versions
from mlpipe_assets_tests.training.older_lakes import make_older
from mlpipe_assets_tests.training.test_versions import NAME, promoted, statuses, stored

STATUSES = {
    "2026-02-01": ("champion", "second is bad"),
    "2026-02-02": ("rolled_back", "second is bad"),
    "2026-02-03": ("challenger_kept", "loses"),
}


@pytest.fixture
def older(lake: Lake) -> Lake:
    """The first model leads again after a rollback, the third was kept, and so was the only version of another model."""
    promoted(lake, 1, 2)
    roll_back(lake, NAME, "second is bad")
    keep(lake, stored(lake, 3), "loses")
    keep(lake, stored(lake, 1, model="other"), "misses a threshold")
    make_older(lake, NAME, "other")
    return lake


def record_of(lake: Lake, model: str = NAME) -> Path:
    return lake.root / "meta" / "champions" / f"{model}.json"


def test_an_older_lake_has_the_champion_history_and_statuses_it_had(older: Lake) -> None:
    assert set(json.loads(record_of(older).read_text())) == {"version", "as_of", "history"}

    leading = champion(older, NAME)

    assert leading is not None
    assert leading.version == "2026-02-01-abc"
    assert statuses(older) == STATUSES
    assert [(one.action, one.version, one.at) for one in champion_history(older, NAME)] == [
        ("promoted", "2026-02-01-abc", None),
        ("promoted", "2026-02-02-abc", None),
        ("rolled_back", "2026-02-01-abc", None),
    ]
    assert lost_record(older, NAME) is None
    golden = read_golden(older, NAME)
    assert golden is not None
    assert golden.champion == leading.version


def test_the_next_training_of_any_model_writes_records_of_today_and_loses_nothing(older: Lake) -> None:
    first = champion(older, NAME)
    assert first is not None

    register_version(older, replace(first, version="2026-02-09-abc", model="third"))

    assert not {"status", "reason"} & set(pl.read_parquet(older.root / "meta" / "model_registry.parquet").columns)
    assert [set(json.loads(record_of(older, model).read_text())) for model in (NAME, "other")] == [{"decisions"}] * 2
    assert champion(older, NAME) == first
    assert statuses(older) == STATUSES
    assert [(row["status"], row["reason"]) for row in versions(older, "other")] == [
        ("challenger_kept", "misses a threshold")
    ]
    assert [row["status"] for row in versions(older, "third")] == ["built"]


def test_a_champion_that_was_put_into_an_older_record_by_hand_leads(older: Lake) -> None:
    record_of(older).write_text(
        json.dumps({**json.loads(record_of(older).read_text()), "version": "2026-02-03-abc", "as_of": "2026-02-03"})
    )

    leading = champion(older, NAME)

    assert leading is not None
    assert (leading.version, leading.reason) == ("2026-02-03-abc", "named by hand")
    assert [one.version for one in champions(older, NAME)] == ["2026-02-01-abc", "2026-02-03-abc"]


def test_an_older_lake_that_lost_its_record_is_led_by_whom_its_registry_named(older: Lake) -> None:
    record_of(older).unlink()

    leading = champion(older, NAME)

    assert leading is not None
    assert leading.version == "2026-02-01-abc"
    assert f"{leading.version} is champion, and is taken for it" in str(lost_record(older, NAME))


def test_golden_rows_of_an_older_lake_stand_in_for_a_record_that_was_lost_later(older: Lake) -> None:
    register_version(older, replace(stored(older, 1, model="third")))  # from now on the registry has no statuses
    record_of(older).unlink()

    leading = champion(older, NAME)

    assert leading is not None
    assert (leading.version, leading.reason) == ("2026-02-01-abc", "named by its golden rows")
