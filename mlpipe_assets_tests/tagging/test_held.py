"""While a tag is checked out, planner, runs, sensors and Dagster's records agree with what is there."""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from mlpipe_assets.automation.checked_out import record_resets
from mlpipe_assets.automation.pending import pending
from mlpipe_assets.automation.stale import look_for_stale_days
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.flow import tables_of
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out, go_back
from mlpipe_assets.tagging.making import make_tag
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, build, drop, materialize, order, order_ids, orders_csv, take
from mlpipe_assets_tests.tagging.lakes import CATALOG, NOON, held, publish, tag

ONLY_ORDERS = Catalog(sources=(orders,))


def behind(lake: Lake) -> dict[str, tuple[object, ...]]:
    """Days to build of each table, for a run and for the sensors alike."""
    works = {work.table: work.days for work in pending(lake, ONLY_ORDERS, lambda _: True) if work.days}
    stages = look_for_stale_days(lake, ONLY_ORDERS).stages
    wishes = {wish.table: wish.days for stage in stages for wish in stage if wish.table != "meta/catalog"}
    assert works == wishes
    return dict(works)


def with_a_late_file(lake: Lake) -> None:
    """Two days, tagged; then one of them gets an order more and a third day comes, and all is built."""
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2", ts="2026-01-06T10:00:00Z")))
    take(lake)
    build(lake, [JAN_5, JAN_6])
    make_tag(lake, ONLY_ORDERS, "v1", tables=[], message="", now=NOON, root=lake.root)
    drop(lake, "orders_2026-01-05_late.csv", orders_csv(order("o9")))
    drop(lake, "orders_2026-01-07.csv", orders_csv(order("o3", ts="2026-01-07T10:00:00Z")))
    take(lake)
    build(lake, [JAN_5, JAN_7])


def test_what_is_held_is_built_by_nobody_and_is_up_to_date_again_when_it_is_brought_back(lake: Lake) -> None:
    with_a_late_file(lake)
    assert behind(lake) == {}

    check_out(lake, ONLY_ORDERS, "v1", tables=[], now=NOON)

    assert (order_ids(lake, JAN_5), lake.days("interim", "orders")) == (["o1"], [JAN_5, JAN_6])
    assert behind(lake) == {}
    assert tell_hold(lake.objects) == [
        "interim/orders is held at tag v1 since 2026-03-01T12:00Z and not built. To go back: mlpipe checkout now"
    ]
    go_back(lake, ONLY_ORDERS)
    assert (order_ids(lake, JAN_5), lake.days("interim", "orders")) == (["o1", "o9"], [JAN_5, JAN_6, JAN_7])
    assert (behind(lake), tell_hold(lake.objects)) == ({}, [])


def test_files_that_come_while_tables_are_held_are_read_and_built_afterwards(lake: Lake) -> None:
    with_a_late_file(lake)
    check_out(lake, ONLY_ORDERS, "v1", tables=[], now=NOON)
    drop(lake, "orders_2026-01-06_late.csv", orders_csv(order("o8", ts="2026-01-06T11:00:00Z")))

    run = materialize(lake, JAN_6)

    assert run.materialized["raw/orders"] == [f"{JAN_6}"]
    assert "interim/orders" not in run.materialized
    assert any("interim/orders is held at tag v1" in line for line in run.report["errors"])
    assert order_ids(lake, JAN_6) == ["o2"]
    go_back(lake, ONLY_ORDERS)
    assert behind(lake) == {"interim/orders": (JAN_6,)}


def test_what_others_are_shown_stays_while_a_table_is_held(lake: Lake) -> None:
    without_partitions = [table for table in tables_of(CATALOG) if table.behind and not table.files]
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    check_out(lake, CATALOG, "v1", tables=[], now=NOON)

    for table in without_partitions:
        assert table.behind is not None
        assert table.behind(lake, lambda _: True).days == ()
    assert "returns" not in "".join(
        tell_hold(lake.objects)
    )  # it had no partition, so it is not pinned, and is built as ever


def test_a_record_of_what_is_held_that_cannot_be_read_stops_the_tables_and_is_named(lake: Lake) -> None:
    with_a_late_file(lake)
    check_out(lake, ONLY_ORDERS, "v1", tables=[], now=NOON)
    (lake.root / "meta" / "checkout.json").write_bytes(b"{}")

    (work,) = [work for work in pending(lake, ONLY_ORDERS, lambda _: True) if work.table == "interim/orders"]

    assert "checkout.json cannot be read" in work.unreadable
    assert work.days == ()


def test_the_data_version_that_dagster_knows_of_a_day_is_its_digest(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    digests = {day: lake.state("interim", "orders").digest(day) for day in (JAN_5, JAN_6)}
    tag(lake, "v1")
    publish(lake, {JAN_5: 10, JAN_7: 30})
    resets = check_out(lake, CATALOG, "v1", tables=[], now=datetime.now(tz=UTC))
    key = dg.AssetKey(["interim", "orders"])

    with dg.DagsterInstance.ephemeral() as instance:
        assert record_resets(instance, lake, CATALOG, resets, "v1") == 2
        made = instance.fetch_materializations(key, limit=10).records
        seen = instance.fetch_observations(key, limit=10).records

    told = [record.asset_materialization for record in made]
    assert [(one.partition, (one.tags or {})[DATA_VERSION_TAG]) for one in told if one] == [
        (f"{JAN_5}", digests[JAN_5])
    ]
    assert [record.partition_key for record in seen] == [f"{JAN_7}"]
    assert held(lake) == {JAN_5: 1, JAN_6: 2}
