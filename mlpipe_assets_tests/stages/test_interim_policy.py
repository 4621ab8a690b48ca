"""The failure policy of the design, one test a row, through the real assets."""

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets import cli
from mlpipe_assets.catalog.declarations import Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.work import Work
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import (
    JAN_5,
    JAN_6,
    JAN_7,
    JAN_8,
    LENIENT,
    STRICT,
    build,
    counts,
    drop,
    file_digests,
    materialize,
    order,
    order_ids,
    orders_csv,
    quarantined,
    refusals,
    take,
)

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
CONTRACT, ACCOUNTING = "interim/orders:contract_holds", "interim/orders:rows_are_accounted_for"
SUBJECT = "order_id,customer_id,order_ts,quantity,product_id,channel,region"
WITHOUT_AMOUNT = "o2,c1,2026-01-05T11:00:00Z,1,P00001,web,north"


def cases(check: dg.AssetCheckEvaluation) -> list[tuple[object, object]]:
    """The failure cases a check shows: day and words."""
    table = check.metadata["failure_cases"]
    assert isinstance(table, dg.TableMetadataValue)
    return [(record.data["date"], record.data["failure"]) for record in table.records]


def test_row_1_a_missing_column_stops_the_run_and_leaves_yesterdays_partition_in_place(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    materialize(lake, JAN_5)
    before = file_digests(lake.root, "interim")
    drop(lake, "orders_2026-01-06.csv", orders_csv(WITHOUT_AMOUNT, header=SUBJECT))

    run = materialize(lake, JAN_5)

    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, ERROR)
    assert run.checks[CONTRACT].description == (
        "[2026-01-05] amount: column missing from the file (orders_2026-01-06.csv) "
        "(amount: column missing from the file fails on 1 of 2 rows)"
    )
    assert cases(run.checks[CONTRACT]) == [
        ("2026-01-05", "amount: column missing from the file (orders_2026-01-06.csv)"),
        ("2026-01-05", "amount: column missing from the file fails on 1 of 2 rows"),
    ]
    assert run.failure is not None
    assert "not written 2026-01-05" in str(run.failure.description)
    assert file_digests(lake.root, "interim") == before
    assert "downstream/orders" not in run.materialized
    assert_frame_equal(
        quarantined(lake), refusals((JAN_5, "orders_2026-01-06.csv", 2, "amount: column missing from the file"))
    )


def test_row_1_a_file_without_the_event_time_column_is_an_error_that_names_it(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv("o1,c1,10.00", header="order_id,customer_id,amount"))

    run = materialize(lake, JAN_5)  # one row, well within what is tolerated

    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, ERROR)
    assert run.checks[CONTRACT].description == (
        "[2026-01-05] order_ts: column missing from the file (orders_2026-01-05.csv) "
        "(order_ts: the file has no such column: 1 of 1 rows)"
    )
    assert lake.days("interim", "orders") == []


def test_row_1_no_value_of_the_right_type_is_an_error(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="ten"), order("o2", amount="two")))

    run = materialize(lake, JAN_5, source=STRICT)

    assert run.checks[CONTRACT].description == (
        "[2026-01-05] 2 of 2 rows refused, 0 tolerated "
        "(amount: not a number with at most 2 decimals fails on 2 of 2 rows)"
    )
    assert lake.days("interim", "orders") == []


def test_row_2_when_all_rows_hold_the_check_passes_and_the_partition_is_written(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o2", amount="0.10"), order("o1", amount="12.30")))

    run = materialize(lake, JAN_5)

    assert run.result.success
    assert run.checks[CONTRACT].passed
    assert run.checks[ACCOUNTING].description == "received 2 = accepted 2 + duplicates 0 + quarantined 0"
    assert run.materialized == {name: ["2026-01-05"] for name in ("raw/orders", "interim/orders", "downstream/orders")}
    made = run.result.asset_materializations_for_node("interim__orders")[0].metadata
    assert {name: made[name].value for name in ("received", "accepted", "duplicates", "quarantined", "as_of")} == {
        **counts(2, 2),
        "as_of": "2026-01-06T00:00:00+00:00",
    }
    expected = pl.DataFrame(
        {"order_id": ["o1", "o2"], "amount": ["12.30", "0.10"], "quantity": [1, 1], "record_number": [3, 2]}
    )
    stored = lake.read("interim", "orders", JAN_5, ["order_id", "amount", "quantity", "record_number"])
    assert_frame_equal(stored, expected.with_columns(pl.col("amount").cast(pl.Decimal(18, 2))))


def test_row_3_rows_refused_within_tolerance_go_to_quarantine_with_a_warning_and_the_rest_is_written(
    lake: Lake,
) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), order("o2", amount="-4.0", channel="fax"), order("o3")))

    run = materialize(lake, JAN_5, source=LENIENT)

    assert run.result.success
    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, WARN)
    assert cases(run.checks[CONTRACT]) == [
        ("2026-01-05", "amount: >= 0 fails on 1 of 3 rows (e.g. -4.0)"),
        ("2026-01-05", "channel: in [app, partner, store, web] fails on 1 of 3 rows"),
    ]
    assert_frame_equal(
        quarantined(lake),
        refusals((JAN_5, "orders_2026-01-05.csv", 3, "amount: >= 0; channel: in [app, partner, store, web]")),
    )
    assert order_ids(lake, JAN_5) == ["o1", "o3"]
    assert run.report["validation_passed"] is True
    assert run.materialized["downstream/orders"] == ["2026-01-05"]


def test_row_3_a_malformed_line_within_tolerance_is_a_warning_too(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), "half-a-line"))

    run = materialize(lake, JAN_5, source=LENIENT)

    assert run.result.success
    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, WARN)
    assert run.checks[ACCOUNTING].description == "received 2 = accepted 1 + duplicates 0 + quarantined 1"
    assert cases(run.checks[CONTRACT]) == [("2026-01-05", "1 field where the header has 8: 1 of 2 rows")]
    assert order_ids(lake, JAN_5) == ["o1"]


def test_row_4_beyond_tolerance_the_day_is_not_written_the_others_are_and_nothing_downstream_runs(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(
        lake,
        "orders_2026-01-06.csv",
        orders_csv(*(order(f"o{i}", "2026-01-06T09:00:00Z", amount="-1") for i in (2, 3))),
    )
    drop(lake, "orders_2026-01-07.csv", orders_csv(order("o4", "2026-01-07T09:00:00Z")))

    run = materialize(lake, JAN_5, JAN_7, source=LENIENT)

    assert not run.result.success
    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, ERROR)
    message = "[2026-01-06] 2 of 2 rows refused, 1 tolerated (amount: >= 0 fails on 2 of 2 rows (e.g. -1))"
    assert run.checks[CONTRACT].description == message
    assert run.failure is not None
    assert run.failure.metadata["errors"].value == [message]
    assert run.observed["interim/orders"] == {
        "2026-01-06": "2 of 2 rows refused, 1 tolerated",
    }
    assert lake.days("interim", "orders") == [JAN_5, JAN_7]
    assert quarantined(lake).height == 2
    assert run.materialized["interim/orders"] == ["2026-01-05", "2026-01-07"]
    assert "downstream/orders" not in run.materialized
    assert run.report == {
        "run_id": run.result.run_id,
        "validation_passed": False,
        "errors": [f"interim/orders: {message}"],
        "notes": [],
        "tables": run.report["tables"],
    }
    told = run.report["tables"]["interim/orders"]
    assert {name: told[name] for name in ("received", "accepted", "duplicates", "quarantined", "days_written")} == {
        **counts(4, 2, 0, 2),
        "days_written": 2,
    }
    assert [told["partitions"][f"{day}"]["status"] for day in (JAN_5, JAN_6, JAN_7)] == [
        "written",
        "refused",
        "written",
    ]


def test_row_4_a_refused_day_that_was_written_before_keeps_the_partition_it_had(lake: Lake) -> None:
    drop(lake, "a.csv", orders_csv(order("o1")))
    materialize(lake, JAN_5, source=STRICT)
    before = file_digests(lake.root, "interim")
    drop(lake, "b.csv", orders_csv(order("o2", amount="-1"), order("o3")))

    run = materialize(lake, JAN_5, source=STRICT)

    assert not run.result.success
    assert file_digests(lake.root, "interim") == before


def test_row_5_duplicates_are_resolved_and_counted(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="1"), order("o1", amount="2")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o1", amount="3")))

    run = materialize(lake, JAN_5)

    assert run.result.success
    assert run.checks[CONTRACT].passed
    assert run.checks[ACCOUNTING].description == "received 3 = accepted 1 + duplicates 2 + quarantined 0"
    assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == ["3.00"]


def test_row_5_duplicates_beyond_tolerance_are_an_error(lake: Lake) -> None:
    strict = replace(orders, duplicate_tolerance=Tolerance(share=0.0, rows=1))
    drop(lake, "orders_2026-01-05.csv", orders_csv(*(order("o1", amount=f"{i}") for i in range(3))))

    run = materialize(lake, JAN_5, source=strict)

    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, ERROR)
    assert run.checks[CONTRACT].description == "[2026-01-05] 2 of 3 rows are duplicates, beyond the tolerance"
    assert lake.days("interim", "orders") == []


def test_row_6_when_nothing_came_there_is_a_warning_and_no_partition(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))

    run = materialize(lake, JAN_5, JAN_6)

    assert run.result.success
    assert (run.checks[CONTRACT].passed, run.checks[CONTRACT].severity) == (False, WARN)
    assert run.checks[CONTRACT].description == "[2026-01-06] nothing came for 2026-01-06"
    assert lake.days("interim", "orders") == [JAN_5]
    assert run.materialized["interim/orders"] == ["2026-01-05"]


def test_row_6_a_source_with_empty_days_writes_an_empty_partition(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))

    run = materialize(lake, JAN_5, JAN_6, source=replace(orders, empty_days=True))

    assert run.result.success
    assert run.checks[CONTRACT].passed
    assert [lake.read("interim", "orders", day).height for day in (JAN_5, JAN_6)] == [1, 0]
    assert lake.read("interim", "orders", JAN_6).schema == lake.read("interim", "orders", JAN_5).schema


def test_row_6_a_file_without_rows_closes_its_day_where_days_may_be_empty(lake: Lake) -> None:
    quiet = replace(orders, empty_days=True)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "orders_2026-01-06.csv", orders_csv())
    drop(lake, "orders_2026-01-08.csv", orders_csv())  # the same content, so a copy
    drop(lake, "orders_2026-01-31.csv", orders_csv(order("o1")))  # a copy of one with rows says nothing of its day
    take(lake, quiet)

    days = interim_work(lake, quiet, lambda _: True).days
    build(lake, days, quiet)

    assert days == (JAN_5, JAN_6, JAN_7, JAN_8)
    assert [lake.read("interim", "orders", day).height for day in days] == [1, 0, 0, 0]
    assert interim_work(lake, quiet, lambda _: True) == Work(table="interim/orders")


@pytest.mark.parametrize(
    ("content", "total"),
    [
        (orders_csv(order("o1"), *(order(f"x{i}", amount="-1") for i in range(30))), counts(31, 1, 0, 30)),
        (None, counts(0, 0)),
    ],
    ids=["refused", "missing"],
)
def test_an_accepted_day_is_written_and_the_reason_is_on_record(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, content: str | None, total: dict[str, int]
) -> None:
    drop(lake, "orders_2026-01-04.csv", orders_csv(order("o0", "2026-01-04T10:00:00Z")))
    if content:
        drop(lake, "orders_2026-01-05.csv", content)
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    materialize(lake, JAN_5)
    assert lake.days("interim", "orders") == []

    assert cli.main(["accept", "orders", "2026-01-05", "--reason", "strike at the warehouse"]) == 0
    run = materialize(lake, JAN_5)

    assert run.result.success
    assert lake.days("interim", "orders") == [JAN_5]
    made = run.result.asset_materializations_for_node("interim__orders")[0].metadata
    assert made["accepted_because"].value == "strike at the warehouse"
    assert run.report["validation_passed"] is True
    assert "interim/orders: [2026-01-05] accepted: strike at the warehouse" in run.report["notes"]
    told = run.report["tables"]["interim/orders"]["partitions"]["2026-01-05"]
    assert told == {
        **total,
        "status": "written",
        "digest": told["digest"],
        "accepted_because": "strike at the warehouse",
    }
    facts = lake.facts("interim", "orders", JAN_5)
    assert facts is not None
    assert facts["accepted_because"] == "strike at the warehouse"


def test_an_acceptance_holds_for_the_rows_it_saw_and_asks_again_when_others_come(lake: Lake) -> None:
    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1", amount="-1")))
    take(lake, STRICT)
    build(lake, [JAN_5], STRICT)
    accept(lake, "orders", [JAN_5], "a test sale")
    assert build(lake, [JAN_5], STRICT)[0].accepted_because == "a test sale"

    drop(lake, "b_2026-01-05.csv", orders_csv(order("o2"), *(order(f"x{n}", amount="-1") for n in range(9))))
    take(lake, STRICT)
    assert interim_work(lake, STRICT, lambda _: True).days == (JAN_5,)
    outcome = build(lake, [JAN_5], STRICT)[0]

    assert str(outcome.refused).startswith("10 of 11 rows refused, 0 tolerated. It was accepted on ")
    assert '("a test sale") for what had come by then' in str(outcome.refused)
    assert [d for d, _ in interim_work(lake, STRICT, lambda _: True).blocked] == [JAN_5]
    accept(lake, "orders", [JAN_5], "the till is broken, and all sales are test sales")
    assert interim_work(lake, STRICT, lambda _: True).days == (JAN_5,)
    assert build(lake, [JAN_5], STRICT)[0].accepted_because == "the till is broken, and all sales are test sales"
    assert interim_work(lake, STRICT, lambda _: True).days == ()


def test_a_day_accepted_because_nothing_came_is_held_to_its_tolerance_when_something_comes(lake: Lake) -> None:
    drop(lake, "a_2026-01-04.csv", orders_csv(order("o0", "2026-01-04T10:00:00Z")))
    take(lake, STRICT)
    accept(lake, "orders", [JAN_5], "closed")
    assert build(lake, [JAN_5], STRICT)[0].written is not None

    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1"), *(order(f"x{n}", amount="-1") for n in range(9))))
    take(lake, STRICT)

    assert "9 of 10 rows refused, 0 tolerated. It was accepted" in str(build(lake, [JAN_5], STRICT)[0].refused)


def test_an_acceptance_outlives_a_run_that_finds_the_same_and_ends_with_a_correction(lake: Lake) -> None:
    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1", amount="-1"), order("o2")))
    take(lake, STRICT)
    build(lake, [JAN_5], STRICT)
    accept(lake, "orders", [JAN_5], "a test sale")
    assert [build(lake, [JAN_5], STRICT)[0].accepted_because for _ in range(2)] == ["a test sale"] * 2

    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1"), order("o2")))
    take(lake, STRICT)

    outcome = build(lake, [JAN_5], STRICT)[0]
    assert (outcome.accepted_because, outcome.refused) == (None, None)
    assert order_ids(lake, JAN_5) == ["o1", "o2"]


@pytest.mark.parametrize(
    "broken",
    [orders_csv(order("o1", amount="-1"), order("o2")), orders_csv(WITHOUT_AMOUNT, header=SUBJECT), "order_id\no1\n"],
    ids=["refused rows", "a missing column", "no event time"],
)
def test_a_corrected_file_under_the_same_name_heals_a_refused_day(lake: Lake, broken: str) -> None:
    drop(lake, "orders_2026-01-05.csv", broken)
    assert not materialize(lake, JAN_5, source=STRICT).result.success

    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), order("o2"), order("o3")))
    run = materialize(lake, JAN_5, source=STRICT)

    assert run.result.success
    assert order_ids(lake, JAN_5) == ["o1", "o2", "o3"]


def test_acceptances_of_other_sources_and_days_change_nothing(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="-1")))
    accept(lake, "orders", [JAN_6], "another day")
    accept(lake, "customers", [JAN_5], "another source")
    take(lake, STRICT)

    outcomes = build(lake, [JAN_5], STRICT)

    assert [o.refused for o in outcomes] == ["1 of 1 rows refused, 0 tolerated"]
