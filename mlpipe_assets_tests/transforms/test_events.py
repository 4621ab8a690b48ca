"""Received records to events, and back to text."""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.readers.blocks import MALFORMED_SCHEMA, RECORD_SCHEMA, Block
from mlpipe_assets.transforms.arrival import arrive
from mlpipe_assets.transforms.events import (
    EVENT_SCHEMA,
    QUARANTINE_SCHEMA,
    clean_text,
    decode,
    decode_flat,
    event_dates,
    own_columns,
)
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7

KNOWN = datetime(2026, 1, 7, 8, tzinfo=UTC)


def test_payloads_become_text_and_numbers_keep_the_digits_they_were_written_with() -> None:
    payload = pl.Series(['{"a":12345678901234567.89,"b":1.10,"c":true}', '{"b":null,"a":"x","d":{"e":["y"]}}', "{}"])

    expected = pl.DataFrame(
        {
            "a": ["12345678901234567.89", "x", None],
            "b": ["1.10", None, None],
            "c": ["true", None, None],
            "d": [None, '{"e":["y"]}', None],
        }
    )
    assert_frame_equal(decode(payload), expected)
    assert_frame_equal(
        decode(payload, ["b", "z"]),
        pl.DataFrame({"b": ["1.10", None, None], "z": pl.Series([None] * 3, dtype=pl.String)}),
    )


@pytest.mark.parametrize(
    "nested",
    [
        '{"id":7,"n":1.10}',
        '[1, 2.0,  "x"]',
        '{"z":1,"a":{"b":[1e5, -0.0]}}',
        '["\\u00e9", "é", "\\"]"]',
        "[]",
        "{ }",
        "[null,true]",
        "[\n 1\n]",
    ],
)
def test_a_nested_value_is_its_json_verbatim(nested: str) -> None:
    payload = pl.Series([f'{{"k" : 1.10 , "d":{nested}, "e":"[{{"}}', f'{{"d":{nested}}}'])

    expected = pl.DataFrame({"d": [nested, nested], "e": ["[{", None], "k": ["1.10", None]})
    assert_frame_equal(decode(payload, ["d", "e", "k"]), expected)


def test_payloads_without_fields_are_rows_all_the_same() -> None:
    assert decode(pl.Series(["{}", "{}"])).height == 2
    assert decode(pl.Series([], dtype=pl.String)).shape == (0, 0)


@pytest.mark.parametrize(
    "text", [pl.DataFrame({"other": ["1", "2", "3"]}), pl.DataFrame(height=3)], ids=["other columns", "no columns"]
)
def test_text_without_a_column_of_the_contract_is_null_row_by_row(text: pl.DataFrame) -> None:
    clean = clean_text(text, orders)

    assert_frame_equal(
        clean,
        pl.DataFrame(
            {name: [None] * 3 for name in own_columns(orders)},
            schema_overrides=dict.fromkeys(own_columns(orders), pl.String),
        ),
    )


def test_prepare_gets_trimmed_text_and_makes_the_contracts_columns() -> None:
    source = replace(
        customers, nulls=("", "-"), prepare=lambda text: text.with_columns(customer_id="c" + pl.col("number"))
    )

    clean = clean_text(pl.DataFrame({"number": [" 1 ", "-"], "age": [" 30", "x"]}), source)

    assert_frame_equal(
        clean.select("customer_id", "age"), pl.DataFrame({"customer_id": ["c1", None], "age": ["30", "x"]})
    )


def test_the_event_date_is_the_utc_day_of_the_event_time() -> None:
    times = [
        "2026-01-06T00:30:00+01:00",
        "2026-01-05T23:59:59.999999Z",
        "2026-01-06T00:00:00Z",
        "soon",
        None,
        "1850-01-01",
        "2300-01-01",
    ]
    clean = clean_text(pl.DataFrame({"order_ts": times}), orders)

    assert event_dates(clean, orders).to_list() == [
        *(JAN_5, JAN_5, JAN_6, None, None),
        date(1850, 1, 1),
        date(2300, 1, 1),
    ]
    berlin = replace(orders, time_zone="Europe/Berlin")
    local = clean_text(pl.DataFrame({"order_ts": ["2026-01-06T00:30:00", "2026-01-06T01:00:00"]}), berlin)
    assert event_dates(local, berlin).to_list() == [JAN_5, JAN_6]


def block(rows: list[tuple[int, str]], text: pl.DataFrame | None, malformed: list[tuple[int, str, str]]) -> Block:
    return Block(
        records=pl.DataFrame(rows, schema=RECORD_SCHEMA, orient="row"),
        text=text,
        malformed=pl.DataFrame(malformed, schema=MALFORMED_SCHEMA, orient="row"),
    )


def test_a_block_is_events_under_their_day_and_refused_rows_under_the_day_of_arrival() -> None:
    rows = [(2, '{"order_ts":"2026-01-05"}'), (3, '{"order_ts":"soon"}'), (4, '{"order_ts":" "}'), (5, "{}")]
    arrived = block(rows, None, [(6, "cut off", "1 field where the header has 8")])

    events, refused = arrive(
        arrived, orders, delivery="d", source_file="f.jsonl", known_at=KNOWN, snapshot_day=JAN_7, arrived=JAN_7
    )

    stamp = ("orders", "d", "f.jsonl")
    assert_frame_equal(
        events,
        pl.DataFrame([(*stamp, 2, JAN_5, KNOWN, '{"order_ts":"2026-01-05"}')], schema=EVENT_SCHEMA, orient="row"),
    )
    expected = [
        (*stamp, 6, JAN_7, KNOWN, "cut off", "1 field where the header has 8"),
        (*stamp, 3, JAN_7, KNOWN, '{"order_ts":"soon"}', "order_ts: cannot be read as a time"),
        (*stamp, 4, JAN_7, KNOWN, '{"order_ts":" "}', "order_ts: is null"),
        (*stamp, 5, JAN_7, KNOWN, "{}", "order_ts: is null"),
    ]
    assert_frame_equal(refused, pl.DataFrame(expected, schema=QUARANTINE_SCHEMA, orient="row"))


def test_rows_of_a_snapshot_are_of_its_day() -> None:
    events, refused = arrive(
        block([(2, "{}"), (3, "{}")], None, []),
        customers,
        delivery="d",
        source_file="f.jsonl",
        known_at=KNOWN,
        snapshot_day=date(2026, 1, 1),
        arrived=JAN_7,
    )

    assert events["event_date"].to_list() == [date(2026, 1, 1)] * 2
    assert refused.height == 0


@pytest.mark.parametrize("text", [pl.DataFrame({"order_ts": []}, schema={"order_ts": pl.String}), None])
def test_a_block_without_rows_is_no_events(text: pl.DataFrame | None) -> None:
    events, refused = arrive(
        block([], text, []), orders, delivery="d", source_file="f", known_at=KNOWN, snapshot_day=JAN_7, arrived=JAN_7
    )

    assert (events.height, refused.height) == (0, 0)
    assert (events.schema, refused.schema) == (pl.Schema(EVENT_SCHEMA), pl.Schema(QUARANTINE_SCHEMA))


def test_flat_payloads_are_cut_into_the_same_text_that_parsing_gives() -> None:
    payload = pl.Series(['{"a":"1","b":"","c":"x, y"}', '{"a":" 2","b":"é","c":"{}:"}'])

    cut = decode_flat(payload, ["a", "b", "c"], ["c", "a"])

    assert cut is not None
    assert_frame_equal(cut, decode(payload, ["c", "a"]))


@pytest.mark.parametrize(
    "odd",
    [
        r'{"a":"say \"hi\"","b":"x"}',  # an escape
        '{"a":"1","b":null}',
        '{"a":1,"b":"x"}',
        '{"a":"1"}',
        '{"b":"1","a":"x"}',
        '{"a":"1","b":"x","c":"y"}',
        '{"a":"1", "b":"x"}',
    ],
)
def test_payloads_of_any_other_kind_are_left_to_a_parser(odd: str) -> None:
    assert decode_flat(pl.Series(['{"a":"1","b":"x"}', odd]), ["a", "b"], ["a"]) is None
