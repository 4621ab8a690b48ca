"""Avro messages: what a schema says a value is, and what does not fit is no record."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feeds import KafkaTopic
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.errors import CatalogError, SettingsError
from mlpipe_assets.intake import avro
from mlpipe_assets.intake.avro import SchemaRegistry, parse_schema, read_value
from mlpipe_assets.intake.messages import NoRecordError
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.intake.spooled import NotGivenError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.schema_registry import Registry, avro_bytes, schema_registry


def record(*fields: tuple[str, object], name: str = "Order") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in fields]}


def logical(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"type": kind, "logicalType": name, **more}


TWO = record(("order_id", "string"), ("quantity", ["null", "long"]))


@pytest.fixture(scope="module")
def running() -> Iterator[Registry]:
    with schema_registry() as made:
        yield made


@pytest.fixture
def registry(running: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry without schemas; SHOP_REGISTRY says where it is."""
    running.documents.clear()
    running.asked.clear()
    running.status = 200
    monkeypatch.setenv("SHOP_REGISTRY", running.address)
    return running


def reason(value: bytes) -> str:
    with pytest.raises(NoRecordError) as told:
        SchemaRegistry(variable="SHOP_REGISTRY").decode(value)
    return f"{told.value}"


def test_values_are_what_their_logical_types_say() -> None:
    schema = record(
        ("amount", logical("bytes", "decimal", precision=18, scale=2)),
        ("ordered_at", logical("long", "timestamp-millis")),
        ("paid_at", logical("long", "timestamp-micros")),
        ("day", logical("int", "date")),
        ("at", logical("int", "time-millis")),
        ("id", logical("string", "uuid")),
        ("large", "long"),
        ("channel", {"type": "enum", "name": "Channel", "symbols": ["web", "shop"]}),
        ("note", ["null", "string"]),
        ("raw", "bytes"),
        ("tags", {"type": "map", "values": "int"}),
        ("lines", {"type": "array", "items": record(("sku", "string"), name="Line")}),
    )
    row = {
        "amount": Decimal("1234567890123456.70"),
        "ordered_at": datetime(2026, 1, 5, 8, tzinfo=UTC),
        "paid_at": datetime(2026, 1, 5, 8, 0, 0, 1, tzinfo=UTC),
        "day": date(2026, 1, 5),
        "at": time(8, 30),
        "id": UUID(int=7),
        "large": 2**53 + 1,
        "channel": "web",
        "note": None,
        "raw": b"\xff",
        "tags": {"a": 1},
        "lines": [{"sku": "P1"}],
    }

    found = json.loads(read_value(parse_schema(json.dumps(schema)), avro_bytes(schema, row)))

    assert found == {
        "amount": "1234567890123456.70",
        "ordered_at": "2026-01-05T08:00:00+00:00",
        "paid_at": "2026-01-05T08:00:00.000001+00:00",
        "day": "2026-01-05",
        "at": "08:30:00",
        "id": "00000000-0000-0000-0000-000000000007",
        "large": 9007199254740993,
        "channel": "web",
        "note": None,
        "raw": "\\xff",
        "tags": {"a": 1},
        "lines": [{"sku": "P1"}],
    }


def test_each_message_is_read_by_the_schema_that_it_names_and_each_schema_is_asked_for_once(registry: Registry) -> None:
    wider = record(("order_id", "string"), ("quantity", "long"), ("channel", "string"))
    registry.add(7, TWO)
    registry.add(300, wider, schemaType="AVRO")
    messages = SchemaRegistry(variable="SHOP_REGISTRY")

    found = [
        messages.decode(avro_bytes(TWO, {"order_id": "o1", "quantity": None}, 7)),
        messages.decode(avro_bytes(wider, {"order_id": "o2", "quantity": 2, "channel": "web"}, 300)),
        messages.decode(avro_bytes(TWO, {"order_id": "o3", "quantity": 3}, 7)),
    ]

    assert found == [
        '{"order_id":"o1","quantity":null}',
        '{"order_id":"o2","quantity":2,"channel":"web"}',
        '{"order_id":"o3","quantity":3}',
    ]
    assert registry.asked == ["/schemas/ids/7", "/schemas/ids/300"]


def test_a_schema_may_refer_to_another_one(registry: Registry) -> None:
    money = record(("cents", "long"), name="shop.Money")
    whole = record(("order_id", "string"), ("amount", money))
    referring = record(("order_id", "string"), ("amount", "shop.Money"))
    registry.add(1, referring, references=[{"name": "shop.Money", "subject": "money/value", "version": 2}])
    registry.documents["/subjects/money%2Fvalue/versions/2"] = {"schema": json.dumps(money)}

    found = SchemaRegistry(variable="SHOP_REGISTRY").decode(
        avro_bytes(whole, {"order_id": "o1", "amount": {"cents": 5}}, 1)
    )

    assert found == '{"order_id":"o1","amount":{"cents":5}}'


def test_what_does_not_fit_is_no_record_and_the_reason_is_said(registry: Registry) -> None:
    registry.add(7, TWO)
    registry.add(8, "string")
    registry.add(9, TWO, schemaType="PROTOBUF")
    registry.add(10, {"type": "nonsense"})
    whole = avro_bytes(TWO, {"order_id": "o1", "quantity": 1}, 7)

    assert reason(b"{}").startswith("does not begin with a zero and the number of a schema")
    assert reason(b'{"order_id": "o1"}').startswith("does not begin with a zero and the number of a schema")
    assert reason(whole[:-1]).startswith("does not fit its schema (")
    assert reason(whole + b"\x00\x00") == "does not fit its schema: 2 bytes are left over"
    assert reason(avro_bytes("string", "o1", 8)) == "its schema is none of a record"
    assert reason(avro_bytes(TWO, {"order_id": "o1", "quantity": 1}, 9)) == "its schema 9 is PROTOBUF, not Avro"
    assert reason(avro_bytes(TWO, {"order_id": "o1", "quantity": 1}, 10)) == "its schema 10 is none of Avro"
    assert reason(avro_bytes(TWO, {"order_id": "o1", "quantity": 1}, 11)) == "the registry has no schema 11"


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused(value: bytes) -> None:
    schema = record(
        ("a", "string"), ("b", logical("long", "timestamp-millis")), ("c", {"type": "array", "items": "double"})
    )
    names: list[str] | None = None
    with suppress(NoRecordError):
        names = [*json.loads(read_value(parse_schema(json.dumps(schema)), value))]

    assert names in (None, ["a", "b", "c"])


def test_while_the_registry_cannot_be_asked_nothing_is_refused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        with pytest.raises(NotGivenError) as error:
            SchemaRegistry(variable="SHOP_REGISTRY").decode(avro_bytes(TWO, {"order_id": "o1", "quantity": 1}, 7))
        return f"{error.value}"

    registry.status = 401
    assert told() == "the registry of SHOP_REGISTRY answers 401, without a schema"
    monkeypatch.setattr(avro, "PATIENCE", 0)
    monkeypatch.setenv("SHOP_REGISTRY", "http://user:s3cret@127.0.0.1:1")
    assert told() == "the registry of SHOP_REGISTRY does not answer (ConnectionError)"
    monkeypatch.setenv("SHOP_REGISTRY", "http://user:s3cret@registry.example")
    assert told() == "SHOP_REGISTRY has a password in it, which is sent over https or to this machine only"
    monkeypatch.delenv("SHOP_REGISTRY")
    assert told().startswith("the variable SHOP_REGISTRY is not set")


def test_a_declared_schema_that_is_none_is_refused_before_anything_is_taken(lake: Lake) -> None:
    def made(**more: str) -> None:
        intake_of(lake, replace(orders, feed=KafkaTopic(servers="SHOP_KAFKA", topic="t", **more)))

    made(avro_schema=json.dumps(TWO))
    for text in ("{", "[]", '{"type": "record"}', '"nonsense"', '{"type": "record", "name": "R", "fields": [1]}'):
        with pytest.raises(SettingsError, match="avro_schema is no schema of Avro"):
            made(avro_schema=text)


def test_a_topic_has_one_way_to_its_schema() -> None:
    feed = KafkaTopic(servers="SHOP_KAFKA", topic="t", schema_registry="SHOP_REGISTRY", avro_schema=json.dumps(TWO))

    with pytest.raises(CatalogError, match="leave avro_schema away"):
        Catalog(sources=(replace(orders, feed=feed),))
