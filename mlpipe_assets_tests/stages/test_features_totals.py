"""Days that go on from the totals of the day before: the same bytes as days that read their whole window."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time import untouched
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.stages.features import asset as features
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.stages.features.totals import Totals
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import Order, bring_in, day, drop_orders, one_a_day, planted_lake

NAME = customer_features.name
PEOPLE = ("ann", "bob", "cyd")


def some_orders(first: int, last: int) -> list[Order]:
    """Orders of one to three people a day."""
    return [o for n in range(first, last + 1) for o in one_a_day(n, n, PEOPLE[: 1 + n % 3])]


@pytest.fixture(scope="module")
def hundred_days(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Orders of a hundred days, as clean tables."""
    return planted_lake(tmp_path_factory.mktemp("hundred") / "data", CATALOG, some_orders(1, 100))


@pytest.fixture
def lake(hundred_days: Lake, tmp_path: Path) -> Lake:
    """A copy of them."""
    return copy_lake(hundred_days, tmp_path / "data")


def build(lake: Lake, days: Sequence[date]) -> None:
    _, proof = build_features(lake, DuckDBEngine(), CATALOG, customer_features, days)
    assert proof.passed, proof.description


def totals_of_lake(lake: Lake, start: date) -> Totals:
    """What a build from that day on would begin with."""
    return Totals(inputs=Inputs(lake=lake, catalog=CATALOG, view=customer_features), start=start)


def days_with_totals(lake: Lake) -> list[date]:
    state = lake.state("features", NAME)
    return [one for one in state.days() if state.has(one, keys.TOTALS)]


def digests(lake: Lake) -> dict[date, str]:
    return {
        d: hashlib.sha256(lake.path("features", NAME, d).read_bytes()).hexdigest() for d in lake.days("features", NAME)
    }


def test_a_new_day_begins_with_the_totals_of_the_day_before_and_old_totals_go(lake: Lake, tmp_path: Path) -> None:
    whole = copy_lake(lake, tmp_path / "whole")
    build(lake, days_between(day(80), day(99)))
    assert days_with_totals(lake) == days_between(day(91), day(99))

    held = totals_of_lake(lake, day(100)).held
    build(lake, [day(100)])
    build(whole, days_between(day(80), day(100)))

    assert held is not None
    assert digests(lake) == digests(whole)
    assert days_with_totals(lake) == days_between(day(91), day(100))
    drop_orders(lake, "orders_2026-07-01.csv", some_orders(101, 103))
    bring_in(lake, CATALOG)
    build(lake, days_between(day(101), day(103)))
    assert days_with_totals(lake) == days_between(day(94), day(103))


def test_with_totals_only_rows_that_enter_leave_or_cannot_be_subtracted_are_read(hundred_days: Lake) -> None:
    inputs = Inputs(lake=hundred_days, catalog=CATALOG, view=customer_features)

    read = inputs.days_read(inputs.sources[0], day(100), day(100), held=True)

    assert read == [day(10), *days_between(day(70), day(100))]  # 7, 30 and 90 days before, and 30 days of channels


@pytest.mark.parametrize("changed", [day(98), day(20), day(99)])
def test_totals_that_rest_on_something_else_than_is_there_now_are_not_used(changed: date, lake: Lake) -> None:
    build(lake, days_between(day(95), day(99)))
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "dan", changed, "7.00", "app")])
    bring_in(lake, CATALOG)

    assert totals_of_lake(lake, day(100)).held is None
    oldest = totals_of_lake(lake, day(98)).held
    assert (oldest is None) == (changed == day(20))


def test_totals_of_another_declaration_and_damaged_ones_are_not_used(tmp_path: Path) -> None:
    lake = planted_lake(tmp_path, CATALOG, some_orders(1, 30))
    build(lake, days_between(day(25), day(29)))
    other = replace(customer_features, lookback=timedelta(days=100), contract=CATALOG.contract(f"features/{NAME}"))
    changed = Totals(inputs=Inputs(lake=lake, catalog=catalog_with(other), view=other), start=day(30))

    assert changed.held is None
    assert totals_of_lake(lake, day(30)).held is not None
    state = lake.state("features", NAME)
    state.locate(day(29), keys.TOTALS).write_bytes(b"x")
    assert totals_of_lake(Lake(data_dir=lake.data_dir), day(30)).held is None


def catalog_with(view: FeatureView) -> Catalog:
    return replace(CATALOG, feature_views=(view,), models=(), monitors=())


runs = st.lists(
    st.one_of(
        st.tuples(st.just("build"), st.integers(1, 14), st.integers(0, 6)),
        st.tuples(st.just("late"), st.integers(1, 14), st.integers(1, 900)),
        st.tuples(st.just("again"), st.integers(1, 14), st.integers(0, 2)),
    ),
    min_size=2,
    max_size=6,
)


def carry_out(lake: Lake, steps: Sequence[tuple[str, int, int]]) -> None:
    """Builds of single days and ranges, late orders and corrected ones, in this order; and what is behind in the end."""
    for number, (what, n, more) in enumerate(steps):
        if what == "build":
            build(lake, days_between(day(n), min(day(n + more), day(14))))
            continue
        late = ("late" + str(number), PEOPLE[more % 3], day(n), f"{more}.00", "app")
        rows = [late] if what == "late" else [(f"{PEOPLE[0]}{n}", PEOPLE[more], day(n), "3.00", "store")]
        drop_orders(lake, f"orders_2026-07-{number + 1:02}.csv", rows)
        bring_in(lake, CATALOG)
    behind = feature_work(lake, CATALOG, customer_features, lambda _: True).days
    for one in behind[::-1] if len(steps) % 2 else behind:
        build(lake, [one])


def _none(*_: object) -> None:
    return None


@pytest.mark.slow
@pytest.mark.long
@given(steps=runs)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_runs_and_corrections_gives_the_bytes_of_builds_that_keep_nothing(
    steps: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect_same_bytes(steps, monkeypatch)


def test_runs_and_corrections_give_the_bytes_of_builds_that_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expect_same_bytes([("build", 5, 4), ("late", 8, 30), ("build", 10, 1), ("again", 7, 1)], monkeypatch)


def expect_same_bytes(steps: Sequence[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory() as folder:
        lake = planted_lake(Path(folder) / "totals", CATALOG, some_orders(1, 14))
        with monkeypatch.context() as patched:
            patched.setattr(untouched, "_MOST", 1.0)
            carry_out(lake, steps)
        whole = planted_lake(Path(folder) / "whole", CATALOG, some_orders(1, 14))
        with monkeypatch.context() as patched:
            patched.setattr(Totals, "held", property(_none))
            patched.setattr(features, "find_untouched", _none)
            carry_out(whole, steps)
        found, wanted = digests(lake), digests(whole)
    assert found == wanted
    assert ONE_DAY + max(found) == day(15)
