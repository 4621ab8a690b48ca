"""Text of others, as one line that nothing in it can change."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.visible import spell_value, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("orders_2026-01-05.csv", "orders_2026-01-05.csv"),
        ("Bestellungen für Zürich 日本 ١٢٣.csv", "Bestellungen für Zürich 日本 ١٢٣.csv"),
        ("a.csv\nerror: all is lost", r"a.csv\nerror: all is lost"),
        ("a\r\x1b[2Jb\tc\x00", r"a\r\x1b[2Jb\tc\x00"),
        ("abc\u202etxt.csv", r"abc\u202etxt.csv"),
        ("a\u200b\u2066b\ufeff", r"a\u200b\u2066b\ufeff"),
        ("a\u2028b\u2029c\x85d\x9be", r"a\u2028b\u2029c\x85d\x9be"),
        ("a\udcffb", r"a\xffb"),
        ("a\U000e0041b", r"a\U000e0041b"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_what_is_not_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("it's", "it's"),
        (1.5, "1.5"),
        (True, "true"),
        (date(2026, 1, 5), "2026-01-05"),
        ([date(2026, 1, 5), None], '["2026-01-05", null]'),
        (
            {"at": datetime(2026, 1, 5, 10, tzinfo=UTC), "n": (1, Decimal("1.10"))},
            '{"at": "2026-01-05 10:00:00+00:00", "n": [1, 1.10]}',
        ),
        ({1: "it's", "é": False}, '{"1": "it\'s", "é": false}'),
        ([], "[]"),
    ],
)
def test_lists_and_structs_are_spelled_as_json(value: object, shown: str) -> None:
    assert spell_value(value) == shown


def test_the_lines_of_a_message_of_ours_stay() -> None:
    assert visible_lines("two lines:\n  a\x1bb") == "two lines:\n  a\\x1bb"


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = visible(text)

    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert visible(shown) == shown
