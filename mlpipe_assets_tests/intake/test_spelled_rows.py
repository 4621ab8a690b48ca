"""Values of a database as the lake receives them: nothing is rounded, cut or made null on the way."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mlpipe_assets.intake.spelled_rows import spell_row


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (None, "null"),
        ("ä\n", '"ä\\n"'),
        (True, "true"),
        (2**62, "4611686018427387904"),
        (2**70, '"1180591620717411303424"'),
        (Decimal("1.10"), '"1.10"'),
        (Decimal("12345678901234567890.123456789"), '"12345678901234567890.123456789"'),
        (0.1, "0.1"),
        (float("nan"), '"nan"'),
        (float("-inf"), '"-inf"'),
        (date(2026, 1, 5), '"2026-01-05"'),
        (datetime(2026, 1, 5, 8, 0, 0, 1, tzinfo=UTC), '"2026-01-05T08:00:00.000001+00:00"'),
        (datetime(2026, 1, 5, 8), '"2026-01-05T08:00:00"'),
        (b"\x00\xff", '"\\\\x00ff"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ({"a": [Decimal("1.5"), float("inf")]}, '{"a":["1.5","inf"]}'),
    ],
)
def test_each_value_has_one_spelling(value: Any, spelled: str) -> None:
    assert spell_row(["it"], [value]) == f'{{"it":{spelled}}}'.encode()
