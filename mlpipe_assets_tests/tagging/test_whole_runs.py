"""A tag under whole runs of the built-in example: what every stage writes leaves it as it was, and a rewind is exact."""

import hashlib
import json
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG, CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day
from mlpipe_assets_tests.tagging.lakes import Said

pytestmark = [pytest.mark.slow, pytest.mark.long]
DAYS = 6


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Files of some days in an empty lake that the command is pointed at."""
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(quiet_home(tmp_path)))
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
    found = Lake(data_dir=str(tmp_path / "data"))
    for n in range(1, DAYS + 1):
        drop_orders(found, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    drop_customers(found, f"customers_{START}.csv", ANN)
    return found


def tables(lake: Lake) -> dict[str, str]:
    """The digest of every file of a day after raw, as any tool finds it."""
    found = file_digests(lake.root, "interim", "features", "processed", "predictions", "monitoring")
    return {path: digest for path, digest in found.items() if f"/{keys.name_day(day(1))[:5]}" in path}


def stale() -> list[str]:
    """What Dagster calls stale of all there is: days of tables."""
    assets = build_graph(CATALOG, read_settings()).get_repository_def().asset_graph
    with dg.DagsterInstance.get() as instance:
        status = CachingStaleStatusResolver(instance, assets, LoadingContextForTest(instance))
        tables = sorted(assets.materializable_asset_keys)
        days = [(table, one) for table in tables for one in sorted(instance.get_materialized_partitions(table))]
        return [f"{table.to_user_string()} {one}" for table, one in days if status.get_stale_causes(table, one)]


def damaged(lake: Lake) -> list[str]:
    """Contents that do not hold what their names say: somebody wrote into a file that was there."""
    contents = [path for path in (lake.root / keys.CONTENTS).rglob("*.*.*") if path.is_file()]
    assert contents
    return [path.name for path in contents if hashlib.sha256(path.read_bytes()).hexdigest() not in path.name]


def test_a_late_file_is_rewound_to_the_byte_and_comes_back_without_a_build(lake: Lake, said: Said) -> None:
    said("run", "-q")
    said("tag", "v1", "-q")
    then, state = tables(lake), lake.state("interim", "orders")
    versions = {f"{one}": state.digest(one) for one in state.days()}
    late = drop_orders(
        lake, f"orders_{day(DAYS + 1)}.csv", [(f"late{n}", "ann", day(n), "7.00", "web") for n in (2, 3, 4)]
    )
    assert late.is_file()
    said("run", "-q")
    now = tables(lake)
    assert (len(then), now != then, damaged(lake)) == (len(now), True, [])
    # What came late does not matter to views of what was known then, nor to windows that are too short to be judged.
    assert {table.partition(" ")[0].partition("/")[0] for table in stale()} == {"features", "monitoring"}

    reset = json.loads(said("checkout", "v1", "--json"))["tables"]

    assert reset["interim/orders"] == {"reset": [f"{day(n)}" for n in (2, 3, 4)], "gone": []}
    assert tables(lake) == then
    assert json.loads(said("run", "--json"))["run_ids"] == []
    assert (tables(lake), stale()) == (then, [])
    with dg.DagsterInstance.get() as instance:
        told = instance.fetch_materializations(dg.AssetKey(["interim", "orders"]), limit=3).records
    made = [record.asset_materialization for record in told]
    assert {one.partition: (one.tags or {})[DATA_VERSION_TAG] for one in made if one} == {
        f"{day(n)}": versions[f"{day(n)}"] for n in (2, 3, 4)
    }

    said("checkout", "now", "-q")

    assert tables(lake) == now
    assert json.loads(said("run", "--json"))["run_ids"] == []
    assert (tables(lake), damaged(lake), stale()) == (now, [], [])


def test_what_a_run_makes_in_a_branch_is_what_main_has_after_the_promotion(
    lake: Lake, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("run", "-q")
    then = tables(lake)
    said("branch", "try-x", "-q")
    drop_orders(lake, f"orders_{day(DAYS + 1)}.csv", [(f"late{n}", "ann", day(n), "7.00", "web") for n in (2, 3, 4)])
    monkeypatch.setenv("MLPIPE_BRANCH", "try-x")

    said("run", "-q")

    branch = Lake(data_dir=f"{lake.root / 'branches' / 'try-x'}")
    made = tables(branch)
    assert (tables(lake), made != then, damaged(lake)) == (then, True, [])
    monkeypatch.delenv("MLPIPE_BRANCH")
    assert "values that differ" in said("diff", "main", "try-x", "--tables", "features/customer_features")
    said("promote", "try-x", "-q")
    assert tables(lake) == made
    said("run", "-q")  # main reads the file itself, and has its days already
    assert {path for path, digest in tables(lake).items() if made.get(path) != digest} == set()
    assert "Nothing differs" in said("diff", "main", "try-x")
    said("drop", "try-x", "-q")
    assert damaged(lake) == []
