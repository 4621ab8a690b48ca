"""Entities of one key and of several."""

from datetime import date

import polars as pl
from polars.testing import assert_series_equal

from mlpipe_assets.join_keys import hash_entity, number_entities, of_entities, spell_entity

PAIRS = pl.DataFrame({"a": ["x|y", "x", "x", "x|y"], "b": ["z", "y|z", "y|z", None], "n": [1, 2, 3, 4]})


def test_two_pairs_are_never_one_however_their_values_are_cut() -> None:
    assert number_entities(PAIRS, ["a", "b"]).to_list() == [1, 0, 0, 2]
    assert PAIRS.select(hash_entity(["a", "b"], seed=7)).n_unique() == 3
    assert PAIRS.select(spell_entity(["a", "b"]).alias("key"))["key"].unique(maintain_order=True).to_list() == [
        '{"a":"x|y","b":"z"}',
        '{"a":"x","b":"y|z"}',
        '{"a":"x|y","b":null}',
    ]


def test_an_entity_of_one_key_is_called_by_it() -> None:
    rows = pl.DataFrame({"k": [12, 7], "day": [date(2026, 1, 5)] * 2})

    assert number_entities(rows, ["k"]).to_list() == [12, 7]
    assert rows.select(spell_entity(["k"])).to_series().to_list() == ["12", "7"]
    assert_series_equal(rows.select(hash_entity(["k"], seed=3)).to_series(), rows["k"].hash(seed=3), check_names=False)


def test_rows_of_some_entities_keep_their_order_whatever_the_type_of_the_wanted_keys() -> None:
    rows = pl.DataFrame({"k": [3, 1, 2, 1], "c": ["a", "b", "a", "c"]}, schema={"k": pl.Int32, "c": pl.String})

    assert of_entities(rows, pl.DataFrame({"k": [1, 3, 3]}), ["k"]).rows() == [(3, "a"), (1, "b"), (1, "c")]
    assert of_entities(rows, pl.DataFrame({"k": [1], "c": ["c"]}), ["k", "c"]).rows() == [(1, "c")]
