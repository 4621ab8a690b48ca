"""The schema written for each source: what the contract promises, a few rows, and nothing personal."""

import json

import pytest

from mlpipe_assets.catalog.sources import customers
from mlpipe_assets.intake.schemas import write_schema
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, drop, take

_CUSTOMERS = "customer_id,email,age,region,signup_date\nc1,secret@example.com,30,north,2025-01-01\n"


def test_a_schema_names_every_column_and_shows_rows_without_personal_values(lake: Lake) -> None:
    drop(lake, "customers_2026-01-05.csv", _CUSTOMERS, source="customers")
    take(lake, customers)
    build(lake, [JAN_5], customers)

    write_schema(lake, customers)

    text = (lake.root / "validation" / "schemas" / "customers.json").read_text()
    schema = json.loads(text)
    assert "secret" not in text
    assert [c["name"] for c in schema["columns"]][:3] == ["known_at", "delivery", "record_number"]
    assert {c["name"]: c.get("personal") for c in schema["columns"]}["email"] is True
    assert schema["key"] == ["customer_id"]
    assert [row["customer_id"] for row in schema["sample"]["rows"]] == ["c1"]


def test_a_source_without_rows_has_a_schema_all_the_same(lake: Lake) -> None:
    write_schema(lake, customers)
    before = (lake.root / "validation" / "schemas" / "customers.json").stat().st_mtime_ns
    write_schema(lake, customers)

    path = lake.root / "validation" / "schemas" / "customers.json"
    assert json.loads(path.read_text())["sample"] == {"date": None, "rows": []}
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", ['{"source": "cust', "[]"])
def test_a_schema_that_cannot_be_read_is_written_anew(lake: Lake, content: str) -> None:
    write_schema(lake, customers)
    path = lake.root / "validation" / "schemas" / "customers.json"
    before = path.read_text()
    path.write_text(content)

    write_schema(lake, customers)

    assert path.read_text() == before
