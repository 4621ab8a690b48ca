"""Corrected days keep the rows of entities that no correction touched: the same bytes as days that are made as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import OnlyKeys, Slice
from mlpipe_assets.engines.read_back import DayFrames
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features import asset as features
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.manifest import content_key, parse, spell
from mlpipe_assets.store.recovery import read_facts
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import Order, bring_in, day, drop_orders, one_a_day, planted_lake

NAME = customer_features.name
PEOPLE = ("ann", "bob", "cyd", "dan", "eve", "fay")
LAST = 12


@dataclass(frozen=True)
class WatchedEngine(DuckDBEngine):
    """The engine, with what it was asked for: from day to day, and whose rows; None for all."""

    asked: list[tuple[date, date, list[str] | None]] = field(default_factory=list)

    def select_by_day(
        self,
        sql: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        *,
        rows: int,
        keys: Sequence[str],
        days: int,
        moments: bool = False,
        only: OnlyKeys | None = None,
    ) -> DayFrames:
        """The rows of a select by day."""
        people = only.rows["customer_id"].to_list() if only else None
        self.asked.append((params["start"], params["end"], people))
        return super().select_by_day(sql, tables, params, rows=rows, keys=keys, days=days, moments=moments, only=only)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Six people who order every day, and their features."""
    made = planted_lake(tmp_path_factory.mktemp("six") / "data", CATALOG, one_a_day(1, LAST, PEOPLE))
    build(made, days_between(day(3), day(LAST)))
    return made


@pytest.fixture
def lake(described: Lake, tmp_path: Path) -> Lake:
    """A copy of them."""
    return copy_lake(described, tmp_path / "data")


def build(lake: Lake, days: Sequence[date]) -> list[tuple[date, date, list[str] | None]]:
    """Build days of features; what the SQL was asked for."""
    engine = WatchedEngine()
    _, proof = build_features(lake, engine, CATALOG, customer_features, days)
    assert proof.passed, proof.description
    return engine.asked


def correct(lake: Lake, number: int, *rows: Order) -> None:
    drop_orders(lake, f"orders_2026-07-{number:02}.csv", rows)
    bring_in(lake, CATALOG)


def digests(lake: Lake) -> dict[tuple[date, str], str]:
    """Of each file of the view, also of its totals."""
    state = lake.state("features", NAME)
    return {
        (d, file): state.digest(d, file)
        for d in state.days()
        for file in (keys.PART, keys.TOTALS)
        if state.has(d, file)
    }


def expect_as_if_whole(lake: Lake, days: Sequence[date], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Build days with what they keep, and in a copy as a whole; what the SQL was asked for the first time."""
    whole = copy_lake(lake, lake.root.parent / "whole")
    asked = build(lake, days)
    with monkeypatch.context() as patched:
        patched.setattr(features, "find_untouched", lambda *_: None)
        build(whole, days)
    assert digests(lake) == digests(whole)
    return asked


def test_only_people_whose_orders_came_or_went_are_made_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))

    asked = expect_as_if_whole(lake, days_between(day(9), day(LAST)), monkeypatch)

    assert asked == [(day(9), day(LAST), ["bob"])]
    assert lake.read("features", NAME, day(10)).filter(customer_id="bob")["orders_7d"].item() == 8


def test_a_new_day_begins_with_totals_of_corrected_days_that_kept_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"), *one_a_day(LAST + 1, LAST + 1, PEOPLE))

    asked = expect_as_if_whole(lake, days_between(day(9), day(LAST + 1)), monkeypatch)

    assert asked == [(day(9), day(LAST), ["bob"]), (day(LAST + 1), day(LAST + 1), None)]


def test_an_order_that_changes_hands_and_day_touches_both_people_and_days(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    [moved] = one_a_day(8, 8, ("cyd",))
    correct(lake, 1, (moved[0], "eve", day(10), "7.00", "app"))

    asked = expect_as_if_whole(lake, days_between(day(8), day(LAST)), monkeypatch)

    assert asked == [(day(8), day(LAST), ["cyd", "eve"])]


def test_two_corrections_before_the_features_are_built_touch_the_people_of_both(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    correct(lake, 2, ("newer", "fay", day(9), "7.00", "app"))

    asked = expect_as_if_whole(lake, days_between(day(9), day(LAST)), monkeypatch)

    assert asked == [(day(9), day(LAST), ["bob", "fay"])]


def test_somebody_who_is_new_comes_and_somebody_whose_only_order_goes_is_gone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(lake, 1, ("once", "gil", day(9), "7.00", "app"))
    build(lake, days_between(day(9), day(LAST)))
    correct(lake, 2, ("once", "hal", day(9), "7.00", "app"))

    asked = expect_as_if_whole(lake, days_between(day(9), day(LAST)), monkeypatch)

    assert asked == [(day(9), day(LAST), ["gil", "hal"])]
    assert lake.read("features", NAME, day(11))["customer_id"].to_list() == sorted([*PEOPLE, "hal"])


def test_days_that_are_asked_for_though_nothing_changed_are_made_as_a_whole(lake: Lake) -> None:
    assert build(lake, [day(10), day(11)]) == [(day(10), day(11), None)]


def test_where_most_people_were_touched_days_are_made_as_a_whole(lake: Lake) -> None:
    correct(lake, 1, *((f"new{n}", PEOPLE[n], day(9), "7.00", "app") for n in range(4)))

    assert build(lake, days_between(day(9), day(LAST))) == [(day(9), day(LAST), None)]


@pytest.mark.parametrize("file", [keys.PART, keys.TOTALS])
def test_a_day_that_is_not_there_as_it_was_written_is_made_as_a_whole(file: str, lake: Lake) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    state = lake.state("features", NAME)
    for path in (state.locate(day(10), file), lake.path("features", NAME, day(10), file)):
        path.unlink(missing_ok=True)

    asked = build(Lake(data_dir=lake.data_dir), days_between(day(9), day(LAST)))

    assert asked == [(day(9), day(LAST), None)]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_without_what_a_day_of_orders_was_before_days_are_made_as_a_whole(harm: Any, lake: Lake) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    [name] = lake.state("interim", "orders").manifest.old
    harm(lake.root / keys.contents("interim/orders") / name)

    assert build(lake, days_between(day(9), day(LAST))) == [(day(9), day(LAST), None)]


def written_anew(lake: Lake, name: str, rows: pl.DataFrame, **facts: object) -> None:
    """Put other rows, or facts, into an old content of day 9, as if it had been written so; its digest names it."""
    known = {**read_facts(lake.root / keys.contents("interim/orders") / name), **facts}
    staged = lake.table("interim", "orders").stage(day(9), rows, known)
    folder = lake.root / keys.contents("interim/orders")
    (folder / name).unlink()
    place = lake.root / keys.manifest("interim/orders")
    manifest = parse(place.read_bytes())
    fresh = content_key(day(9), keys.PART, staged.digest)
    staged.temporary.replace(folder / fresh)
    old = {fresh: manifest.old[name]}
    place.write_bytes(spell(replace(manifest, old=old)))


@pytest.mark.parametrize("facts", [{"code_version": "older"}, {}])
def test_rows_that_other_code_made_are_not_kept(facts: dict[str, str], lake: Lake) -> None:
    """The version tells of other code, or it does not and a record has other values than it had."""
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    [name] = lake.state("interim", "orders").manifest.old
    rows = pl.read_parquet(lake.root / keys.contents("interim/orders") / name, hive_partitioning=False)
    written_anew(lake, name, rows if facts else rows.with_columns(quantity=pl.col("quantity") + 1), **facts)

    assert build(Lake(data_dir=lake.data_dir), days_between(day(9), day(LAST))) == [(day(9), day(LAST), None)]


def test_the_same_rows_written_anew_are_kept(lake: Lake) -> None:
    """So that the test above sees what it says, and not a manifest that was written by hand."""
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    [name] = lake.state("interim", "orders").manifest.old
    rows = pl.read_parquet(lake.root / keys.contents("interim/orders") / name, hive_partitioning=False)
    written_anew(lake, name, rows, also="this")

    assert build(Lake(data_dir=lake.data_dir), days_between(day(9), day(LAST))) == [(day(9), day(LAST), ["bob"])]


def test_two_old_files_under_one_fingerprint_are_not_chosen_between(lake: Lake) -> None:
    correct(lake, 1, ("new", "bob", day(9), "7.00", "app"))
    [name] = lake.state("interim", "orders").manifest.old
    rows = pl.read_parquet(lake.root / keys.contents("interim/orders") / name, hive_partitioning=False)
    state = lake.state("interim", "orders")
    table = lake.table("interim", "orders")
    facts = read_facts(lake.root / keys.contents("interim/orders") / name)
    change = lake.change("interim", "orders")
    now = state.read(day(9)), state.facts(day(9)) or {}
    change.put(table.stage(day(9), rows.head(3), facts))
    change.publish()
    change = lake.change("interim", "orders")
    change.put(table.stage(day(9), *now))
    change.publish()

    assert build(Lake(data_dir=lake.data_dir), days_between(day(9), day(LAST))) == [(day(9), day(LAST), None)]
