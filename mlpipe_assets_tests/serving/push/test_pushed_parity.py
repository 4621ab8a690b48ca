"""What was answered while a day was open is held to what the day is built with, before anything is published."""

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.serving.push.pushed_parity import compare_pushed
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.online.asset import online_asset
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.serving.pushing import (
    TODAY,
    YESTERDAY,
    Pushed,
    build,
    copied,
    drop,
    event,
    open_lake,
    pushed_to,
    some_events,
)

NOON = datetime.combine(YESTERDAY, time(12), tzinfo=UTC)
ROWS = [event("x", "ann", YESTERDAY, money="1.00"), event("y", "bob", YESTERDAY, money="2.00")]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    """A server on the day that is yesterday now, when the day before is published; rows were pushed of ann and bob."""
    lake, catalog = open_lake(tmp_path_factory.mktemp("before"), last=YESTERDAY - timedelta(days=1))
    asked = pushed_to(lake, catalog, now=lambda: NOON)
    assert asked.push(*ROWS).json() == {"rows": 2, "late": 0}
    asked.pushes.close()
    return asked


@pytest.fixture
def lake(before: Pushed, tmp_path: Path) -> Lake:
    """The lake of one test, the rows handed over and not yet ingested."""
    return copied(before.pushes.lake, tmp_path)


def samples(lake: Lake) -> list[Path]:
    return sorted((lake.root / "meta/pushed").rglob("*.json"))


def run(lake: Lake, asked: Pushed) -> dict[str, tuple[bool, str]]:
    """Each check of the asset that publishes, in one run of it."""
    result = dg.materialize(
        [online_asset(asked.catalog)],
        selection="online/features",
        resources={"lake": LakeResource(data_dir=str(lake.root))},
        raise_on_error=False,
    )
    return {str(one.check_name): (one.passed, str(one.description)) for one in result.get_asset_check_evaluations()}


def test_a_day_is_published_when_it_is_what_was_answered(before: Pushed, lake: Lake) -> None:
    assert [path.parent.name for path in samples(lake)] == ["known", "pairs", "totals", "written"]
    build(lake, before.catalog, YESTERDAY)

    passed, told = run(lake, before)["pushed_rows_equal_the_build"]

    # Rows came after the time to settle, so views of rows as they were known were built without them.
    assert (passed, told) == (
        True,
        "4 rows answered while the day was open: what it was built with. 4 were made of other rows than the day.",
    )
    assert samples(lake) == []
    assert _views_of_the_present(lake) == {YESTERDAY + timedelta(days=1)}


def _views_of_the_present(lake: Lake) -> set[Any]:
    present = SqliteStore(lake=lake).line().present
    assert present
    return {datetime.fromisoformat(view.as_of).date() for view in present.views.values()}


def test_a_row_that_was_answered_otherwise_keeps_the_day_from_being_published(before: Pushed, lake: Lake) -> None:
    build(lake, before.catalog, YESTERDAY)
    [path] = [path for path in samples(lake) if path.parent.name == "totals"]
    document = json.loads(path.read_text())
    document["rows"]["ann"] = document["rows"]["ann"].replace("[", "[1", 1).replace(",1,", ",7,", 1)
    assert document["rows"] != json.loads(path.read_text())["rows"]
    path.write_text(json.dumps(document))

    checks = run(lake, before)

    passed, told = checks["pushed_rows_equal_the_build"]
    assert not passed
    assert f"features/totals [{YESTERDAY}]: rows_2d of 1" in told
    assert "of 4 rows compared" in told
    assert "online_equals_offline" not in checks
    assert _views_of_the_present(lake) == {YESTERDAY}
    assert samples(lake)  # the next run compares again


def test_an_entity_with_other_rows_of_the_day_is_passed_over(before: Pushed, lake: Lake) -> None:
    drop(lake, "others.jsonl", [event("z", "bob", YESTERDAY, money="9.00")])
    build(lake, before.catalog, YESTERDAY)

    found = compare_pushed(lake, before.catalog, datetime.now(tz=UTC))

    assert (found.wrong, found.asked, found.others) == ({}, 2, 6)


def test_a_correction_of_an_older_day_is_no_difference(before: Pushed, lake: Lake) -> None:
    older = [
        row for row in some_events(YESTERDAY - timedelta(days=6), YESTERDAY - timedelta(days=1)) if row["who"] == "ann"
    ]
    drop(lake, "corrected.jsonl", [{**older[-1], "money": "77.00"}])
    build(lake, before.catalog, YESTERDAY)

    found = compare_pushed(lake, before.catalog, datetime.now(tz=UTC))

    assert found.wrong == {}
    assert found.others >= 4


def test_a_day_that_is_open_or_not_built_waits_and_one_of_another_version_is_let_go(before: Pushed, lake: Lake) -> None:
    assert compare_pushed(lake, before.catalog, NOON).files == []
    assert compare_pushed(lake, before.catalog, datetime.now(tz=UTC)).files == []

    assert len(compare_pushed(lake, before.catalog, NOON + timedelta(days=30)).files) == 4
    for path in samples(lake):
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": "other"}))
    found = compare_pushed(lake, before.catalog, datetime.now(tz=UTC))
    assert (found.asked, len(found.files)) == (0, 4)


@pytest.mark.long
def test_as_known_rows_in_time_are_compared_too(tmp_path: Path) -> None:
    lake, catalog = open_lake(tmp_path)
    asked = pushed_to(lake, catalog)
    asked.push(event("x", "ann", money="1.00"))
    asked.push(event("y", "ann", money="2.00"))  # what is kept is of both
    asked.pushes.close()
    build(lake, catalog, TODAY)

    found = compare_pushed(lake, catalog, datetime.combine(TODAY + timedelta(days=1), time(1), tzinfo=UTC))

    assert (found.wrong, found.asked, found.others) == ({}, 4, 0)
