"""Words that messages share."""

import pytest

from mlpipe_assets.errors import shorten, spell_count


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1204, "1,204 rows")])
def test_one_is_counted_in_the_singular_and_thousands_are_apart(count: int, said: str) -> None:
    assert spell_count(count, "row") == said


def test_what_is_left_out_of_a_list_is_counted() -> None:
    assert shorten(["a", "b"], 2) == "a, b"
    assert shorten(["a", "b", "c"], 2) == "a, b and 1 more"


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert [spell_count(n, "day was", "days were") for n in (1, 3)] == ["1 day was", "3 days were"]
