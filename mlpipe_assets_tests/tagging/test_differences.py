"""What differs between two states is told by tables, days, rows, columns and models."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.commands.diff import fold
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.differences import (
    Difference,
    Rows,
    State,
    code_versions,
    compare_rows,
    differences,
    metrics,
    open_state,
)
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7
from mlpipe_assets_tests.tagging.lakes import CATALOG, Said, publish, tag


def between(here: Lake, first: str, second: str, *names: str) -> list[Difference]:
    before, after = (open_state(here, CATALOG, name, here.root) for name in (first, second))
    return list(differences(CATALOG, before, after, names))


def test_days_and_rows_are_told_apart(two_days: Lake) -> None:
    tag(two_days, "v1")
    publish(two_days, {JAN_6: 20, JAN_7: 30}, gone=[JAN_5])

    (found,) = between(two_days, "v1", "now")

    assert found == Difference(
        table="interim/orders",
        added=(JAN_7,),
        removed=(JAN_5,),
        changed=(JAN_6,),
        before=2,
        after=2,
        rows=Rows(changed=1, columns=Counter(amount=1)),
    )
    (back,) = between(two_days, "now", "v1")
    assert (back.added, back.removed, back.changed, back.before, back.after) == ((JAN_5,), (JAN_7,), (JAN_6,), 2, 2)
    assert between(two_days, "v1", "v1") == between(two_days, "now", "now") == []


def test_a_table_that_only_one_state_has_is_named(two_days: Lake) -> None:
    tag(two_days, "v1")
    publish(two_days, {JAN_5: 1}, name="returns")

    assert between(two_days, "v1", "now") == [Difference(table="interim/returns", missing="v1", after=1)]
    tag(two_days, "only-orders", "interim/orders")
    with pytest.raises(SettingsError, match=r"Neither v1 nor only-orders pins interim/returns\."):
        between(two_days, "v1", "only-orders", "interim/returns")


def test_columns_that_came_went_or_have_another_type_are_named(two_days: Lake) -> None:
    tag(two_days, "v1")
    frame = pl.DataFrame({"order_id": ["o6"], "amount": [2.0], "channel": ["web"]})
    two_days.commit(two_days.stage(two_days.path("interim", "orders", JAN_6), frame, {}))

    (found,) = between(two_days, "v1", "now")

    assert found.columns == ("amount Int64 → Float64", "+ channel String")
    assert found.rows == Rows()


def test_rows_are_matched_by_their_key_and_compared_whole_without_one() -> None:
    before = pl.DataFrame({"id": ["a", "b", "c"], "x": [1, None, 3], "y": [0.0, float("nan"), 1.0]})
    after = pl.DataFrame({"id": ["b", "a", "d"], "x": [None, 9, 3], "y": [float("nan"), 0.0, 1.0]})
    keyed, whole = Rows(), Rows()

    compare_rows(before, after, ["id"], keyed)
    compare_rows(before, after, (), whole)

    assert keyed == Rows(added=1, removed=1, changed=1, columns=Counter(x=1))
    assert whole == Rows(added=2, removed=2)


Drawn = list[tuple[int, int | None]]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 2)), unique_by=lambda row: row[0], max_size=6)


@given(ROWS, ROWS)
def test_what_was_added_and_removed_explains_the_numbers_of_rows(first: Drawn, second: Drawn) -> None:
    before, after = (
        pl.DataFrame(rows, schema={"id": pl.Int64, "x": pl.Int64}, orient="row") for rows in (first, second)
    )
    for key in (["id"], []):
        there, back = Rows(), Rows()
        compare_rows(before, after, key, there)
        compare_rows(after, before, key, back)

        assert len(first) + there.added - there.removed == len(second)
        assert (there.added, there.removed, there.changed) == (back.removed, back.added, back.changed)
        assert (there == Rows()) == (sorted(first, key=str) == sorted(second, key=str))


def test_models_and_code_of_both_states_are_compared(two_days: Lake) -> None:
    led = {"version": "v-1", "file_digest": "aa", "metrics": {"test_roc_auc": 0.7, "test_rows": 10}}
    first = State(
        name="v1", lake=two_days, about={"models": {"m": {"champion": led}}, "code_versions": {"interim/orders": "1"}}
    )
    later = {**led, "version": "v-2", "metrics": {"test_roc_auc": 0.8, "test_rows": 10}}
    second = replace(first, about={"models": {"m": {"champion": later}}, "code_versions": {}})

    assert metrics(first, second) == {"m": {"version": ("v-1", "v-2"), "test_roc_auc": (0.7, 0.8)}}
    assert code_versions(first, second) == {"interim/orders": ("1", None)}
    assert (metrics(first, first), code_versions(first, first)) == ({}, {})


def test_the_command_prints_lines_of_80_characters(two_days: Lake, said: Said) -> None:
    said("tag", "v1", "--tables", "stg.orders")
    publish(two_days, {date(2026, 1, day): day for day in range(5, 30, 2)}, gone=[JAN_6])

    told = said("diff", "v1", "now")

    assert told.startswith("interim/orders\n  1 day changed: 2026-01-05\n  12 days added: 2026-01-07, ")
    assert (
        "\n  1 day removed: 2026-01-06\n  rows  2 → 13\n  rows of changed days  0 added, 0 removed, 1 changed\n" in told
    )
    assert "\n  values that differ  amount 1\n" in told
    assert max(map(len, told.splitlines())) <= 80
    assert json.loads(said("diff", "v1", "now", "--json"))["tables"][0]["changed"] == ["2026-01-05"]
    assert said("diff", "v1", "v1") == "Nothing differs between v1 and v1.\n"
    assert "There is no tag 'v9'; there are v1." in said("diff", "v9", "now", code=2)
    assert fold("  days  " + "2026-01-05, " * 8).count("\n") == 1
