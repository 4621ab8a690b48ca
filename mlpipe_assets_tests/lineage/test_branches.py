"""A branch begins with the lineage of its lake; what is recorded in it reaches that lake when it is promoted, as it was."""

from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.lineage.branches import Carrier, begin_with_lineage, promote_lineage
from mlpipe_assets.lineage.database import LineageError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.branching import make_branch
from mlpipe_assets.tagging.promoting import promote
from mlpipe_assets_tests.lineage.history import ask, bring, drop, run_as
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, planted_catalog
from mlpipe_assets_tests.tagging.lakes import NOON

World = tuple[Catalog, Lake, Lake]


@pytest.fixture
def begun(tmp_path: Path) -> World:
    """Two days in main, and a branch of it."""
    catalog, lake = planted_catalog(tmp_path / "sql"), Lake(data_dir=f"{tmp_path / 'data'}")
    drop_customers(lake, f"customers_{START}.csv", ANN)
    for number in (1, 2):
        drop(lake, number)
    bring(run_as(lake, catalog, "in main"), catalog, [day(1), day(2)])
    make_branch(lake, catalog, "try-x", now=NOON)
    branch = Lake(data_dir=f"{lake.root / keys.BRANCHES / 'try-x'}")
    begin_with_lineage(lake, catalog, branch)
    return catalog, lake, branch


def change(catalog: Catalog, branch: Lake, number: int = 3) -> None:
    """A third day, built in the branch alone."""
    drop(branch, number)
    bring(run_as(branch, catalog, "in the branch"), catalog, [day(n) for n in range(1, number + 1)])


def runs(lake: Lake, catalog: Catalog, name: str) -> list[str]:
    """The runs that made a partition, the oldest first, and how each is on record."""
    with ask(catalog, lake).records() as records:
        made = records.makers(records.find(name))
        return [one.run or f"{one.properties.get('recorded')}" for one, _ in made]


def test_a_branch_begins_with_what_is_on_record(begun: World) -> None:
    catalog, lake, branch = begun

    assert ask(catalog, branch).log() == ask(catalog, lake).log()
    assert runs(branch, catalog, "features/spend@2026-01-02") == ["in main"]
    assert {one["table"] for one in ask(catalog, branch).back("features/spend@2026-01-02").to_dicts()} == {
        "raw/orders",
        "raw/customers",
        "interim/orders",
        "interim/customers",
    }


def test_what_a_branch_does_is_on_record_there_alone(begun: World) -> None:
    catalog, lake, branch = begun
    before = ask(catalog, lake).log()

    change(catalog, branch)

    assert runs(branch, catalog, "interim/orders@2026-01-03") == ["in the branch"]
    assert ask(catalog, lake).log() == before


def test_a_promotion_brings_the_runs_of_the_branch_with_it(begun: World) -> None:
    catalog, lake, branch = begun
    change(catalog, branch)
    promote(lake, catalog, "try-x", now=NOON)

    carried = promote_lineage(lake, catalog, branch)

    assert carried > 0
    assert runs(lake, catalog, "interim/orders@2026-01-03") == ["in the branch"]
    assert runs(lake, catalog, "features/spend@2026-01-03") == ["in the branch"]
    asked = ask(catalog, lake)
    assert "orders_2026-01-03.csv" in asked.back("features/spend@2026-01-03")["partition"].to_list()
    file = asked.artifacts("File", "raw/orders", {}).filter(partition="orders_2026-01-03.csv")
    assert file["rows"].to_list() == [2]
    there = {(one["table"], one["partition"], one["digest"]) for one in asked.artifacts().to_dicts() if one["is_held"]}
    own = {
        (one["table"], one["partition"], one["digest"])
        for one in ask(catalog, branch).artifacts().to_dicts()
        if one["is_held"]
    }
    assert {one for one in there if one[0] in ("interim/orders", "features/spend")} == {
        one for one in own if one[0] in ("interim/orders", "features/spend")
    }


def test_it_is_carried_once_and_later_what_came_since(begun: World) -> None:
    catalog, lake, branch = begun
    change(catalog, branch)
    promote(lake, catalog, "try-x", now=NOON)
    first = promote_lineage(lake, catalog, branch)
    assert promote_lineage(lake, catalog, branch) == 0

    change(catalog, branch, 4)
    promote(lake, catalog, "try-x", now=NOON)

    assert 0 < promote_lineage(lake, catalog, branch) < first + 1
    assert runs(lake, catalog, "features/spend@2026-01-03") == ["in the branch"]
    assert runs(lake, catalog, "features/spend@2026-01-04") == ["in the branch"]


def test_a_promotion_that_carried_nothing_is_recorded_by_what_the_tables_hold(begun: World) -> None:
    catalog, lake, branch = begun
    change(catalog, branch)

    promote(lake, catalog, "try-x", now=NOON)

    assert runs(lake, catalog, "features/spend@2026-01-03") == ["afterwards"]


def test_a_branch_from_before_there_was_this_carries_nothing(begun: World) -> None:
    catalog, lake, branch = begun
    for path in (branch.root / keys.LINEAGE).glob("metadata.sqlite*"):
        path.unlink()
    change(catalog, branch)
    promote(lake, catalog, "try-x", now=NOON)

    assert promote_lineage(lake, catalog, branch) == 0
    assert runs(lake, catalog, "features/spend@2026-01-03") == ["afterwards"]


def test_a_carrying_that_fails_leaves_nothing_of_it_and_says_so(
    begun: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    catalog, lake, branch = begun
    change(catalog, branch)
    promote(lake, catalog, "try-x", now=NOON)

    def fail(carrier: Carrier, *_: object) -> None:
        raise LineageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Carrier, "_hold", fail)
        assert promote_lineage(lake, catalog, branch) == 0

    assert "what the branch recorded stays there. the disk is full" in caplog.text
    assert promote_lineage(lake, catalog, branch) > 0  # all of it, by the next promotion
