"""Typed rows, and which of those that share a key wins."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.rules import columns
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, clean_text
from mlpipe_assets.transforms.staging import cast_rows, latest_of_each_day, reasons_in_words, superseded
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7

ORDER = {"z": 0, "a": 1, "b": 2}  # from the delivery known first
NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)
RANKED = {
    "id": pl.String(),
    "event_date": pl.Date(),
    "known_at": pl.Datetime("us", "UTC"),
    "delivery": pl.String(),
    "record_number": pl.Int64(),
}


def ranked(*rows: tuple[str | None, date, int, str, int]) -> pl.DataFrame:
    """Key, day, hours after noon it was known, delivery and record."""
    known = [(key, day, NOON + timedelta(hours=hours), delivery, number) for key, day, hours, delivery, number in rows]
    return pl.DataFrame(known, schema=RANKED, orient="row")


def test_rows_are_cast_and_what_cannot_be_cast_is_marked() -> None:
    text = pl.DataFrame(
        {
            "order_id": ["o1", "o2"],
            "customer_id": ["c1", None],
            "order_ts": ["2026-01-05T10:00:00Z", "2026-01-05"],
            "amount": ["1.10", "1.005"],
            "quantity": ["2", "two"],
            "product_id": ["P00001", "P00002"],
            "channel": ["web", "app"],
        }
    )
    provenance = pl.DataFrame({"known_at": [NOON, NOON], "delivery": ["a", "b"], "record_number": [2, 3]}).cast(
        {"known_at": RANKED["known_at"]}
    )

    typed = cast_rows(clean_text(text, orders), provenance, orders)

    expected = pl.DataFrame(
        {
            "known_at": [NOON, NOON],
            "delivery": ["a", "b"],
            "record_number": [2, 3],
            "order_id": ["o1", "o2"],
            "customer_id": ["c1", None],
            "order_ts": [datetime(2026, 1, 5, 10, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)],
            "amount": [Decimal("1.10"), None],
            "quantity": [2, None],
            "product_id": ["P00001", "P00002"],
            "channel": ["web", "app"],
            "region": [None, None],
        },
        schema={column.name: column.dtype for column in columns(orders.contract)},
    )
    assert_frame_equal(typed.rows, expected)
    wrong = {"amount": [None, "not a number with at most 2 decimals"], "quantity": [None, "not a whole number"]}
    assert_frame_equal(typed.uncast, pl.DataFrame(wrong))


def test_the_row_known_last_wins_its_day_and_of_one_delivery_the_last() -> None:
    rows = ranked(
        ("x", JAN_5, 1, "z", 9),
        ("x", JAN_5, 2, "a", 2),
        ("x", JAN_5, 2, "b", 2),
        ("x", JAN_5, 2, "b", 3),
        ("x", JAN_6, 0, "a", 1),
        ("y", JAN_5, 0, "a", 4),
        (None, JAN_5, 0, "a", 5),
        (None, JAN_5, 0, "a", 6),
    )

    expected = ranked(
        ("x", JAN_5, 2, "b", 3),
        ("x", JAN_6, 0, "a", 1),
        ("y", JAN_5, 0, "a", 4),
        (None, JAN_5, 0, "a", 5),
        (None, JAN_5, 0, "a", 6),
    )
    assert_frame_equal(latest_of_each_day(rows, ["id"], ORDER), expected, check_row_order=False)


@pytest.mark.parametrize(
    ("apart", "lost"), [(2, True), (3, False)], ids=["exactly as far as keys may repeat", "further"]
)
def test_a_row_loses_to_one_of_a_near_day_known_later(apart: int, *, lost: bool) -> None:
    rows = ranked(("x", JAN_5, 0, "a", 1), ("x", JAN_5 + timedelta(days=apart), 1, "a", 2), ("y", JAN_6, 9, "a", 3))

    assert_frame_equal(superseded(rows, ["id"], timedelta(days=2), ORDER), rows.head(1) if lost else rows.clear())


def test_a_row_loses_even_to_one_that_has_lost_itself() -> None:
    rows = ranked(("x", JAN_5, 0, "a", 1), ("x", JAN_6, 1, "a", 2), ("x", JAN_7, 2, "a", 3))

    assert_frame_equal(superseded(rows, ["id"], timedelta(days=1), ORDER), rows.head(2))


def test_rows_without_a_key_supersede_nothing() -> None:
    rows = ranked((None, JAN_5, 0, "a", 1), (None, JAN_6, 1, "a", 2))

    assert superseded(rows, ["id"], timedelta(days=1), ORDER).height == 0


ROWS = st.lists(
    st.tuples(st.sampled_from("xy"), st.integers(5, 9), st.integers(0, 2), st.sampled_from("ab"), st.integers(1, 3)),
    max_size=8,
    unique_by=lambda row: row[3:],
)


@given(ROWS, st.integers(0, 99))
def test_the_order_of_rows_changes_no_winner(rows: list[tuple[str, int, int, str, int]], seed: int) -> None:
    frame = ranked(*((key, date(2026, 1, day), hours, delivery, number) for key, day, hours, delivery, number in rows))
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)

    first, second = (latest_of_each_day(each, ["id"], ORDER) for each in (frame, shuffled))
    assert_frame_equal(first, second, check_row_order=False)
    near = timedelta(days=2)
    assert_frame_equal(superseded(first, ["id"], near, ORDER), superseded(second, ["id"], near, ORDER))
    assert_frame_equal(latest_of_each_day(first, ["id"], ORDER), first)


def refused(*rows: tuple[str, str]) -> pl.DataFrame:
    empty = {name: [None] * len(rows) for name in QUARANTINE_SCHEMA}
    found = {**empty, "reasons": [reason for reason, _ in rows], "payload": [payload for _, payload in rows]}
    return pl.DataFrame(found, schema=QUARANTINE_SCHEMA)


def test_reasons_are_counted_with_a_few_values_as_received() -> None:
    rows = refused(
        ("amount: >= 0; quantity: not a whole number", '{"amount":"-1.50","quantity":"two"}'),
        ("amount: >= 0", '{"amount":"-2"}'),
        ("region: is null", "{}"),
    )

    assert reasons_in_words(rows, 1204, orders) == [
        "amount: >= 0 fails on 2 of 1,204 rows (e.g. -1.50, -2)",
        "quantity: not a whole number fails on 1 of 1,204 rows",
        "region: is null fails on 1 of 1,204 rows",
    ]


def test_reasons_never_show_personal_values() -> None:
    rows = refused(("email: matches @", '{"email":"secret"}'), ("age: not a whole number", f'{{"age":"{"9" * 500}"}}'))

    lines = reasons_in_words(rows, 2, customers)

    assert lines == [
        "email: matches @ fails on 1 of 2 rows",
        "age: not a whole number fails on 1 of 2 rows",
    ]
