"""Text of others, as one line that nothing in it can change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.visible import visible, visible_lines


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


def test_the_lines_of_a_message_of_ours_stay() -> None:
    assert visible_lines("two lines:\n  a\x1bb") == "two lines:\n  a\\x1bb"


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = visible(text)

    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert visible(shown) == shown
