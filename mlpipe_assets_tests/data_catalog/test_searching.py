"""Tables found by words, typing errors forgiven, the best first."""

import pytest

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.searching import find_entry, search
from mlpipe_assets.errors import SettingsError


def found(entries: dict[str, Entry], *words: str) -> list[str]:
    """Names of the tables, the best first."""
    return [hit.entry.name for hit in search([*entries.values()], words)]


def test_a_name_comes_before_a_column_and_a_column_before_a_description(entries: dict[str, Entry]) -> None:
    names = found(entries, "channel")

    assert names[0].endswith(("channel_features", "next_channel"))
    assert names.index("interim/orders") > names.index("features/channel_features")


@pytest.mark.parametrize("word", ["revenue", "revneue", "revenu", "reveneu", "REVENUE"])
def test_a_typing_error_is_forgiven(entries: dict[str, Entry], word: str) -> None:
    assert "features/customer_features" in found(entries, word)


def test_every_word_has_to_be_found(entries: dict[str, Entry]) -> None:
    assert found(entries, "email") == ["interim/customers"]
    assert found(entries, "email", "snapshot") == ["interim/customers"]
    assert found(entries, "email", "revenue") == []


@pytest.mark.parametrize("word", ["xge", "91d", "2027"])
def test_a_short_word_and_a_number_are_taken_as_they_are(entries: dict[str, Entry], word: str) -> None:
    assert found(entries, word) == []


def test_it_says_where_a_word_was_found(entries: dict[str, Entry]) -> None:
    (hit,) = search([*entries.values()], ["email"])

    assert hit.where == ("column email",)


def test_nothing_to_look_for_is_an_error(entries: dict[str, Entry]) -> None:
    with pytest.raises(SettingsError, match="no word to look for"):
        search([*entries.values()], ["--", " "])


def test_a_table_is_found_by_either_name_and_a_wrong_one_says_which_are_near(entries: dict[str, Entry]) -> None:
    assert find_entry([*entries.values()], "stg.orders").name == "interim/orders"
    assert find_entry([*entries.values()], "interim/orders").name == "interim/orders"
    with pytest.raises(SettingsError, match="Spelled alike: interim/orders"):
        find_entry([*entries.values()], "interim/order")
