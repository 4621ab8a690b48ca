"""What a snapshot is made of: the latest row of every entity, from sound days that are over."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.serving.answers import answer, find_features
from mlpipe_assets.serving.snapshots.rows import parse_rows
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.snapshot import OnlineError
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.planted import Order, day, planted_catalog, planted_lake, spend

# ann buys on the first day only, so that she is described up to day 3; bob buys on each day.
ORDERS: list[Order] = [("o1", "ann", day(1), "10", "web"), *((f"b{n}", "bob", day(n), "5", "web") for n in range(1, 6))]
LATER = datetime(2026, 3, 1, tzinfo=UTC)
US = timedelta(microseconds=1)
SPINE: dict[str, pl.DataType] = {"customer_id": pl.String(), "event_timestamp": pl.Datetime("us", "UTC")}


def built(tmp_path: Path, days: int = 5) -> tuple[Lake, Catalog]:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, ORDERS)
    build_features(lake, DuckDBEngine(), catalog, spend, [day(n) for n in range(1, days + 1)])
    return lake, catalog


def seconds(number: int) -> int:
    """The as_of of a day."""
    return int(datetime.combine(day(number + 1), datetime.min.time(), tzinfo=UTC).timestamp())


def test_each_entity_has_its_latest_row_whatever_day_that_is_of(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path)

    store = SqliteStore(lake=lake)
    generation = store.publish(plan_snapshot(lake, catalog, LATER).read())

    found = store.open(generation).read({"spend": ["ann", "bob", "eve"]})
    assert parse_rows(found["spend"]) == [[seconds(3), 1, 30], [seconds(5), 3, None], None]
    view = generation.views["spend"]
    assert (view.join_keys, view.key_types, view.features) == (("customer_id",), ("text",), ("orders_3d", "age"))
    assert (view.rows, view.as_of, view.ttl) == (2, "2026-01-06T00:00:00+00:00", None)


def test_a_day_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path)
    midnight = datetime(2026, 1, 5, tzinfo=UTC)

    [before] = plan_snapshot(lake, catalog, midnight - timedelta(microseconds=1)).read().views
    [after] = plan_snapshot(lake, catalog, midnight).read().views

    assert [before.view.as_of, after.view.as_of] == ["2026-01-04T00:00:00+00:00", "2026-01-05T00:00:00+00:00"]


def test_the_same_features_have_the_same_digest_and_others_another(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path, days=4)
    before = plan_snapshot(lake, catalog, LATER).inputs
    assert plan_snapshot(lake, catalog, LATER).inputs == before
    aged = replace(catalog, feature_views=(replace(spend, ttl=timedelta(days=2)),), models=())
    assert plan_snapshot(lake, aged, LATER).inputs != before

    build_features(lake, DuckDBEngine(), catalog, spend, [day(5)])

    assert plan_snapshot(lake, catalog, LATER).inputs != before


def test_a_refused_newest_day_is_not_published(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path)
    refuse(lake, "features", "spend", day(5), problem="spend is negative", inputs="x")
    plan = plan_snapshot(lake, catalog, LATER)

    reason = "features/spend [2026-01-05]: failed its blocking check: spend is negative"
    assert plan.obstacles == ((day(5), reason),)
    with pytest.raises(OnlineError, match="spend is negative"):
        plan.read()


@pytest.mark.parametrize("number", [5, 2])
def test_nothing_is_published_over_a_damaged_day_for_an_older_row_would_look_right(tmp_path: Path, number: int) -> None:
    lake, catalog = built(tmp_path)
    lake.path("features", "spend", day(number)).write_bytes(b"")

    [(_, reason)] = plan_snapshot(lake, catalog, LATER).obstacles

    assert reason == f"features/spend [{day(number)}]: is damaged; `mlpipe run` builds it again"


def test_a_day_of_another_version_of_the_view_is_not_published(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path)
    view = replace(spend, lookback=timedelta(days=4))
    changed = replace(catalog, feature_views=(view,), models=())

    [(_, reason)] = plan_snapshot(lake, changed, LATER).obstacles
    assert "was built by another version of the view" in reason

    build_features(lake, DuckDBEngine(), changed, view, [day(5)])
    [rows] = plan_snapshot(lake, changed, LATER).read().views
    assert rows.frame["customer_id"].to_list() == ["bob"]  # older days are of the version before


def test_without_features_there_is_nothing_to_publish(tmp_path: Path) -> None:
    lake, catalog = built(tmp_path, days=0)

    plan = plan_snapshot(lake, catalog, LATER)

    assert (plan.views, plan.obstacles) == ((), ())
    with pytest.raises(OnlineError, match="nothing to publish"):
        plan.read()


@pytest.mark.parametrize("ttl", [None, timedelta(days=1)])
def test_what_is_published_and_asked_at_a_time_is_what_a_join_finds_for_it(
    tmp_path: Path, ttl: timedelta | None
) -> None:
    lake, catalog = built(tmp_path)
    catalog = replace(catalog, feature_views=(replace(spend, ttl=ttl),), models=())
    refuse(lake, "features", "spend", day(2), problem="spend is negative", inputs="x")
    midnights = [
        datetime.combine(day(number), datetime.min.time(), tzinfo=UTC) for number in (2, 5, 6, 7, 9)
    ]  # day 2 is never the newest
    moments = [moment + offset for moment in midnights for offset in (-US, timedelta(0), US)][1:]
    entities = ["ann", "bob", "eve"]
    spine = pl.DataFrame([(who, at) for at in moments for who in entities], schema=SPINE, orient="row")

    joined = Retrieval(lake, catalog, ["spend:*"], spine, Wording(statuses=True, as_of=False)).frame()

    store = SqliteStore(lake=lake)
    rows: list[tuple[object, ...]] = []
    for at in moments:
        generation = store.publish(plan_snapshot(lake, catalog, at).read())
        wanted = find_features(generation, ["spend:*"], full_names=False)
        reader = store.open(generation)
        answered = asyncio.run(answer(reader, wanted, {"customer_id": entities}, {"spend": entities}, at))
        found = json.loads(answered.content)["results"][1:]
        reader.close()
        rows += zip(*[column[part] for column in found for part in ("values", "statuses")], strict=True)
    names = ["orders_3d", "orders_3d__status", "age", "age__status"]
    assert rows == joined.select(names).rows()
    assert {status for row in rows for status in row[1::2]} >= {"PRESENT", "NULL_VALUE", "NOT_FOUND"}
