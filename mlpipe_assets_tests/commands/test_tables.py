"""Tables in a terminal: whole at any width."""

import re
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mlpipe_assets.commands.tables import print_rows, print_table

STAGES = [
    ["raw/orders", "120", "120", "36,559", "76", "", "2.6"],
    ["validation/repeat_purchase_golden", "1", "1", "200", "", "", "0.5"],
    ["features/customer_features", "120", "120", "121,170,000", "", "", "4.2"],
]
NAMES = ("table", "partitions", "built now", "rows", "quarantined", "duplicates", "seconds")


def terminal(width: int) -> Console:
    return Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system=None,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )


def printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())


@pytest.mark.parametrize("width", [200, 110, 80, 60, 40])
def test_no_number_and_no_name_is_cut_at_any_width(width: int) -> None:
    console = terminal(width)

    print_table(console, NAMES, STAGES, numbers=NAMES[1:])

    text = printed(console)
    assert all(cell in text for row in STAGES for cell in row)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text


def test_a_row_that_does_not_fit_becomes_a_heading_and_its_numbers() -> None:
    console = terminal(60)

    print_table(console, NAMES, STAGES[:1], numbers=NAMES[1:])

    assert printed(console) == (
        "raw/orders\n  partitions 120 · built now 120 · rows 36,559\n  quarantined 76 · seconds 2.6\n"
    )


def test_records_that_do_not_fit_stand_one_under_the_other() -> None:
    console = terminal(40)

    print_rows(console, ("order_id", "payload"), [["O1", '{"order_id": "O1", "amount": "1234567.89", "n": 3}']])

    assert printed(console).splitlines() == [
        "── row 1 ──",
        "order_id    O1",
        'payload     {"order_id": "O1",',
        '            "amount": "1234567.89",',
        '            "n": 3}',
    ]


def test_what_is_piped_has_no_width(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Console(width=80), ("long",), [["x" * 20_000]])

    assert "x" * 20_000 in capsys.readouterr().out


def test_values_cannot_act_on_the_terminal_or_be_read_as_markup() -> None:
    console = terminal(80)

    print_rows(console, ("a\x1b[31m",), [["[red]x[/red] :cat: \\[y]"], ["forged\n│ row │"], ["\x1b]0;title\x07\u202e"]])

    text = printed(console)
    for shown in (r"a\x1b[31m", r"[red]x[/red] :cat: \[y]", r"forged\n│ row │", r"\x1b]0;title\x07\u202e"):
        assert shown in text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=120), min_size=2, max_size=2), st.integers(24, 90))
def test_folding_loses_no_character(cells: list[str], width: int) -> None:
    console = terminal(width)

    print_rows(console, ("a", "b"), [cells])

    assert max(cell_len(line) for line in printed(console).splitlines()) <= width
