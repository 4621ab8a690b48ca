"""Publishing after the features: all views at once, never what failed its checks, and never again what was taken back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlpipe_assets.automation.pending import pending
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.serving.snapshots.rows import parse_rows, spell_rows
from mlpipe_assets.serving.snapshots.selection import ViewDays, plan_snapshot
from mlpipe_assets.serving.snapshots.snapshot import OnlineError, Snapshot
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.online.asset import online_asset
from mlpipe_assets.stages.online.plan import judge_snapshot, online_work, snapshot_held, store_of
from mlpipe_assets.status import partitions
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.feature_lake import two_views, write_days
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.planted import day, one_a_day, planted_catalog, planted_lake, spend
from mlpipe_assets_tests.serving.asking import serving


@pytest.fixture
def built(tmp_path: Path) -> tuple[Lake, Catalog]:
    """Three days of orders of ann, and features of the first two."""
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3))
    build(lake, catalog, 1, 2)
    return lake, catalog


def build(lake: Lake, catalog: Catalog, first: int, last: int) -> None:
    build_features(lake, DuckDBEngine(), catalog, spend, [day(n) for n in range(first, last + 1)])


def run(lake: Lake, catalog: Catalog) -> dg.ExecuteInProcessResult:
    """The asset as a run builds it."""
    return dg.materialize(
        [online_asset(catalog)],
        selection="online/features",
        resources={"lake": LakeResource(data_dir=str(lake.root))},
        raise_on_error=False,
    )


def orders_of_ann(lake: Lake) -> object:
    store = store_of(lake)
    present = store.line().present
    assert present
    [row] = parse_rows(store.open(present).read({"spend": ["ann"]})["spend"])
    return row and row[1]


def is_behind(lake: Lake, catalog: Catalog) -> bool:
    return bool(online_work(lake, catalog, lambda _: True).days)


def test_new_features_are_published_once(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    assert is_behind(lake, catalog)

    assert run(lake, catalog).success

    assert orders_of_ann(lake) == 2
    assert not is_behind(lake, catalog)
    run(lake, catalog)
    assert len(store_of(lake).line().generations) == 1
    build(lake, catalog, 3, 3)
    assert is_behind(lake, catalog)
    run(lake, catalog)
    assert orders_of_ann(lake) == 3


def test_a_refused_day_leaves_the_snapshot_before_and_says_so(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    run(lake, catalog)
    refuse(lake, "features", "spend", day(3), problem="spend is negative", inputs="x")

    result = run(lake, catalog)

    assert not result.success
    [evaluation] = result.get_asset_check_evaluations()
    reason = "features/spend [2026-01-03]: failed its blocking check: spend is negative"
    assert (evaluation.passed, evaluation.description) == (False, reason)
    assert orders_of_ann(lake) == 2
    work = online_work(lake, catalog, lambda _: True)
    assert (work.days, work.blocked) == ((), ((day(3), reason),))


def test_what_was_taken_back_is_not_published_again_by_a_run(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    run(lake, catalog)
    build(lake, catalog, 3, 3)
    run(lake, catalog)

    store_of(lake).roll_back("wrong prices")

    assert orders_of_ann(lake) == 2
    assert not is_behind(lake, catalog)
    run(lake, catalog)
    assert orders_of_ann(lake) == 2
    store_of(lake).publish(plan_snapshot(lake, catalog, datetime.now(tz=UTC)).read())  # as a person does
    assert orders_of_ann(lake) == 3


def test_a_store_that_does_not_answer_stops_nothing_else(
    built: tuple[Lake, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, catalog = built
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    monkeypatch.setenv("MLPIPE_ONLINE_URL", "redis://keeper:s3cretword@127.0.0.1:1/0")

    work = online_work(lake, catalog, lambda _: True)

    assert work.unreadable.startswith("redis://127.0.0.1:1/0 does not do what was asked")
    assert "s3cretword" not in work.unreadable
    assert work in pending(lake, catalog, lambda _: True)  # which `mlpipe status` shows


def test_another_lake_than_the_data_folder_never_publishes_to_the_server(
    built: tuple[Lake, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, _ = built
    monkeypatch.setenv("MLPIPE_ONLINE_URL", "redis://127.0.0.1:1/0")

    assert store_of(lake).locate() == f"{lake.root / 'online'}"


def test_a_snapshot_is_late_once_a_day_of_a_view_is_due_that_is_not_in_it(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    run(lake, catalog)
    build(lake, catalog, 3, 3)

    def judged(now: datetime) -> tuple[str, date | None, datetime | None]:
        found = judge_snapshot(catalog, lake, now)
        return found.state, found.newest, found.late_since

    due = datetime(2026, 1, 5, 6, tzinfo=UTC)  # thirty hours after the third ended
    assert judged(due - timedelta(seconds=1)) == ("fresh", day(2), None)
    assert judged(due) == ("late", day(2), due)
    run(lake, catalog)
    assert judged(due) == ("fresh", day(3), None)


def test_a_snapshot_is_as_late_as_the_latest_of_its_views(tmp_path: Path) -> None:
    catalog, lake = two_views(tmp_path / "sql"), Lake(data_dir=str(tmp_path / "data"))
    (tmp_path / "data" / "raw").mkdir(parents=True)
    write_days(lake, catalog, "spend", {day(n): [("ann", n, 30)] for n in (1, 2, 3)})
    write_days(lake, catalog, "by_channel", {day(n): [("ann", "web", n, "P1")] for n in (1, 2)})
    now = datetime(2026, 1, 5, 6, tzinfo=UTC)
    views = [ViewDays(lake=lake, catalog=catalog, view=view, now=now) for view in catalog.feature_views]
    store_of(lake).publish(Snapshot(inputs="these", views=tuple(view.rows() for view in views)))

    found = judge_snapshot(catalog, lake, now)

    assert (found.state, found.newest, found.late_since) == ("late", day(2), now)
    assert (held := snapshot_held(lake)) is not None
    assert (held.day, held.rows) == (day(2), 2)


def test_without_a_snapshot_online_is_late_since_the_first_features_were_due(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    found = judge_snapshot(catalog, lake, datetime(2026, 1, 5, tzinfo=UTC))

    assert (found.state, found.newest, found.late_since) == ("never", None, datetime(2026, 1, 3, 6, tzinfo=UTC))


def test_a_store_that_does_not_answer_is_late_and_holds_nothing(
    built: tuple[Lake, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, catalog = built
    run(lake, catalog)
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    monkeypatch.setenv("MLPIPE_ONLINE_URL", "redis://127.0.0.1:1/0")

    assert judge_snapshot(catalog, lake, datetime(2026, 1, 5, tzinfo=UTC)).state == "late"
    assert snapshot_held(lake) is None


def test_status_says_what_answers_online(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    def shown() -> list[tuple[date, int | None, str | None]]:
        return [(p.date, p.rows, p.as_of) for p in partitions(lake, catalog) if p.table == "online/features"]

    assert shown() == []
    run(lake, catalog)
    assert shown() == [(day(2), 1, "2026-01-03T00:00:00+00:00")]


def test_a_snapshot_that_was_lost_is_published_again(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    run(lake, catalog)
    [file] = (lake.root / "online" / "features").glob("*.sqlite")
    file.unlink()

    assert is_behind(lake, catalog)
    run(lake, catalog)
    assert orders_of_ann(lake) == 2


def test_a_snapshot_that_was_lost_after_another_was_taken_back_is_told_with_what_helps(
    built: tuple[Lake, Catalog],
) -> None:
    lake, catalog = built
    run(lake, catalog)
    build(lake, catalog, 3, 3)
    run(lake, catalog)
    store = store_of(lake)
    first = store.roll_back("wrong prices")
    (lake.root / "online" / "features" / f"{first.id}.sqlite").unlink()

    work = online_work(lake, catalog, lambda _: True)
    answer = serving(lake, catalog).send("GET", "/health")

    [(_, told)] = work.blocked
    assert told.startswith(
        f"what the features hold now was taken back. The snapshot {first.id} is gone, or was changed"
    )
    assert "Next: mlpipe online publish; or mlpipe online rollback --reason" in told
    assert (answer.status_code, answer.json()["problem"]) == (503, store.line().silence)
    with pytest.raises(OnlineError, match=f"There is no snapshot but {first.id}"):
        store.roll_back("it is gone")
    store.publish(plan_snapshot(lake, catalog, datetime.now(tz=UTC)).read())
    assert online_work(lake, catalog, lambda _: True).blocked == ()


def test_a_lost_snapshot_gives_way_to_one_that_is_kept(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built
    run(lake, catalog)
    build(lake, catalog, 3, 3)
    run(lake, catalog)
    store = store_of(lake)
    newest = store.line().current
    (lake.root / "online" / "features" / f"{newest}.sqlite").unlink()

    store.roll_back("its file is gone")

    assert orders_of_ann(lake) == 2


def test_what_differs_from_a_join_is_not_published(
    built: tuple[Lake, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, catalog = built
    run(lake, catalog)
    build(lake, catalog, 3, 3)

    def add_one(frame: pl.DataFrame, features: Sequence[str]) -> Iterator[bytes]:
        return spell_rows(frame.with_columns(pl.col("orders_3d") + 1), features)

    monkeypatch.setattr("mlpipe_assets.serving.snapshots.snapshot.spell_rows", add_one)
    result = run(lake, catalog)

    assert not result.success
    sound, pushed, parity = result.get_asset_check_evaluations()
    assert (sound.passed, pushed.passed, parity.passed) == (True, True, False)
    assert (
        "features/spend: online answers differ from a join of the same moment in orders_3d of 1"
        in f"{parity.description}"
    )
    assert orders_of_ann(lake) == 2
    monkeypatch.undo()
    _, pushed, passed = run(lake, catalog).get_asset_check_evaluations()
    assert (pushed.passed, pushed.description) == (True, "No row was pushed of a day that was built since.")
    assert (passed.passed, passed.description) == (True, "1 entity asked online and by a join: the same.")
    assert orders_of_ann(lake) == 3
