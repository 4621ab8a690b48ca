"""What a run says at its end, as a person reads it."""

from mlpipe_assets.commands.summary import _together


def test_what_is_said_of_several_tables_in_the_same_words_is_said_once() -> None:
    lines = [
        "monitoring/orders: [2026-04-30]: baseline not complete: 1 of 28 days",
        "monitoring/orders: region drifted",
        "no table is named here: or is there?",
        "monitoring/repeat_purchase: [2026-04-30]: baseline not complete: 1 of 28 days",
    ]

    assert _together(lines) == [
        "monitoring/orders, monitoring/repeat_purchase: [2026-04-30]: baseline not complete: 1 of 28 days",
        "monitoring/orders: region drifted",
        "no table is named here: or is there?",
    ]
