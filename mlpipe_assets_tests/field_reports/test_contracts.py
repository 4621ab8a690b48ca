"""Reports about checks that pass on nothing, or fail on the wrong thing, re-created with rows of our own."""

import polars as pl

from mlpipe_assets.catalog.sources import customers
from mlpipe_assets.rules import repeated
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import (
    HEADER,
    JAN_5,
    JAN_6,
    build,
    drop,
    materialize,
    order,
    orders_csv,
    quarantined,
    take,
)


def test_rows_without_a_key_are_refused_as_such_and_are_no_duplicates_of_each_other(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), order(""), order("")))

    take(lake)
    [outcome] = build(lake, [JAN_5])

    assert (outcome.counts["accepted"], outcome.counts["duplicates"], outcome.counts["quarantined"]) == (1, 0, 2)
    assert quarantined(lake)["reasons"].to_list() == ["order_id: is null"] * 2
    assert repeated(pl.DataFrame({"k": [None, None, "a", "a"]}), ("k",)).to_list() == [False, False, True, True]


def test_a_day_that_nothing_came_for_does_not_pass_its_checks(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))

    run = materialize(lake, JAN_5, JAN_6)

    assert not run.checks["interim/orders:contract_holds"].passed
    assert "nothing came for 2026-01-06" in str(run.checks["interim/orders:contract_holds"].description)
    assert lake.days("interim", "orders") == [JAN_5]


def test_a_file_without_the_key_column_names_the_column_instead_of_stumbling_over_uniqueness(lake: Lake) -> None:
    header = HEADER.removeprefix("order_id,")
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1").removeprefix("o1,"), header=header))

    take(lake)
    [outcome] = build(lake, [JAN_5])

    assert outcome.refused
    assert outcome.refused.startswith("order_id: column missing from the file")


def test_a_rule_on_a_nullable_column_leaves_its_nulls_alone_and_finds_what_breaks_it(lake: Lake) -> None:
    lines = ["customer_id,email,age,region,signup_date", "c1,,,north,2026-01-01", "c2,,-4,north,2026-01-01"]
    drop(lake, "customers_2026-01-05.csv", "\n".join(lines) + "\n", source="customers")

    take(lake, customers)
    build(lake, [JAN_5], customers)

    assert lake.read("interim", "customers", JAN_5)["customer_id"].to_list() == ["c1"]
