"""The digest of a day is its data version in Dagster, whoever wrote it, so Dagster calls stale what the planner does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from mlpipe_assets.automation.checked_out import record_resets, record_tag
from mlpipe_assets.catalog.declarations import Catalog, Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.data_versions import version_of
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out, digests_of, go_back
from mlpipe_assets.tagging.making import digest_of_table, make_tag
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, drop, order, orders_csv
from mlpipe_assets_tests.tagging.lakes import NOON

ONLY_ORDERS = Catalog(sources=(replace(orders, tolerance=Tolerance(share=0.0, rows=1)),))
RAW, CLEAN = dg.AssetKey(["raw", "orders"]), dg.AssetKey(["interim", "orders"])


class Home:
    """Dagster's records of a lake of one source, and the job that builds it."""

    def __init__(self, lake: Lake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLPIPE_DATA_DIR", lake.data_dir)
        monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
        self.lake, self.instance = lake, instance
        self.graph = build_graph(ONLY_ORDERS, read_settings())

    def run(self, first: date, last: date | None = None) -> bool:
        span = {
            "dagster/asset_partition_range_start": f"{first}",
            "dagster/asset_partition_range_end": f"{last or first}",
        }
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        job = self.graph.get_repository_def().get_job("daily_job")
        return job.execute_in_process(instance=self.instance, tags=span, run_config=quiet, raise_on_error=False).success

    def versions(self, key: dg.AssetKey = CLEAN) -> dict[date, str]:
        """What Dagster has as the version of each day, the newest of each."""
        status = CachingStaleStatusResolver(self.instance, self._assets, LoadingContextForTest(self.instance))
        days = self.instance.get_materialized_partitions(key)
        return {date.fromisoformat(day): status.get_current_data_version(key, day).value for day in sorted(days)}

    def stale(self) -> list[date]:
        status = CachingStaleStatusResolver(self.instance, self._assets, LoadingContextForTest(self.instance))
        days = self.instance.get_materialized_partitions(CLEAN)
        return [date.fromisoformat(d) for d in sorted(days) if status.get_status(CLEAN, d) == StaleStatus.STALE]

    @property
    def _assets(self) -> BaseAssetGraph:  # type: ignore[type-arg]
        return self.graph.get_repository_def().asset_graph


@pytest.fixture
def home(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Two days of orders, built by one run."""
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2", ts="2026-01-06T10:00:00Z")))
    with dg.DagsterInstance.ephemeral() as instance:
        found = Home(lake, instance, monkeypatch)
        assert found.run(JAN_5, JAN_6)
        yield found


def held(lake: Lake) -> dict[date, str]:
    """The version of each day by the manifest."""
    days = lake.state("interim", "orders").manifest.days
    return {day: version_of({file: part.sha256 for file, part in files.items()}) for day, files in days.items()}


def test_a_run_of_several_days_gives_each_the_digest_of_what_it_holds(home: Home) -> None:
    assert home.versions() == held(home.lake)
    assert len(set(home.versions().values())) == 2
    assert home.stale() == []


def test_a_run_that_makes_the_same_bytes_keeps_the_version(home: Home) -> None:
    before = {key: home.versions(key) for key in (RAW, CLEAN)}

    assert home.run(JAN_5, JAN_6)

    assert {key: home.versions(key) for key in (RAW, CLEAN)} == before
    assert home.stale() == []


def test_a_late_file_changes_the_version_of_the_days_it_touches_and_makes_these_stale(home: Home) -> None:
    before = {key: home.versions(key) for key in (RAW, CLEAN)}
    drop(home.lake, "orders_2026-01-06_late.csv", orders_csv(order("o9")))

    with pytest.MonkeyPatch.context() as patch:  # only what came is read
        patch.setattr("mlpipe_assets.stages.interim.asset.build_interim", lambda *_: [])
        assert home.run(JAN_6)

    assert {day for day in before[RAW] if home.versions(RAW)[day] != before[RAW][day]} == {JAN_5}
    assert (home.versions(), home.stale()) == (before[CLEAN], [JAN_5])

    assert home.run(JAN_5)

    assert {day for day in before[CLEAN] if home.versions()[day] != before[CLEAN][day]} == {JAN_5}
    assert (home.versions(), home.stale()) == (held(home.lake), [])


def test_days_written_by_a_run_that_refuses_others_have_their_version_too(home: Home) -> None:
    broken = [order(name, ts="2026-01-07T10:00:00Z", amount="-5") for name in ("o3", "o4")]
    drop(home.lake, "orders_2026-01-07.csv", orders_csv(*broken))
    drop(home.lake, "orders_2026-01-06_late.csv", orders_csv(order("o9", ts="2026-01-06T11:00:00Z")))

    assert not home.run(JAN_6, JAN_7)

    assert home.versions() == held(home.lake)
    assert set(home.versions()) == {JAN_5, JAN_6}


def test_after_a_checkout_the_versions_are_those_of_the_tag_and_nothing_is_stale(home: Home) -> None:
    tag = make_tag(home.lake, ONLY_ORDERS, "v1", tables=[], message="", now=NOON, root=home.lake.root).tag
    then = home.versions()
    drop(home.lake, "orders_2026-01-05_late.csv", orders_csv(order("o9")))
    assert home.run(JAN_5, JAN_6)
    now = home.versions()
    assert {day for day in then if then[day] != now[day]} == {JAN_5}

    resets = check_out(home.lake, ONLY_ORDERS, "v1", tables=[], now=NOON)
    record_resets(home.instance, home.lake, ONLY_ORDERS, resets, "v1")

    assert (home.versions(), home.stale()) == (then, [])
    pinned = tag.tables["interim/orders"].days
    assert home.versions() == {day: version_of(digests_of(tag.tables["interim/orders"], day)) for day in pinned}

    record_resets(home.instance, home.lake, ONLY_ORDERS, go_back(home.lake, ONLY_ORDERS), "now")

    assert (home.versions(), home.stale()) == (now, [])


def test_the_page_of_a_table_names_the_tag_and_its_digest(home: Home) -> None:
    tag = make_tag(home.lake, ONLY_ORDERS, "v1", tables=[], message="why", now=NOON, root=home.lake.root).tag

    record_tag(home.instance, ONLY_ORDERS, tag)

    (seen,) = home.instance.fetch_observations(CLEAN, limit=5).records
    assert seen.asset_observation is not None
    told = {name: value.value for name, value in seen.asset_observation.metadata.items()}
    assert told == {
        "tag": "v1",
        "digest": digest_of_table(tag.tables["interim/orders"])[:16],
        "partitions": 2,
        "message": "why",
    }
    assert home.versions() == held(home.lake)
