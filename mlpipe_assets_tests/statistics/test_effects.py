"""How many rows tell as much as one independent row, on tables small enough to count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.effects import DayEffect, Effects, effect_of_days, effects_of_entities


def test_an_entity_that_says_the_same_every_day_counts_once() -> None:
    entities = np.repeat(np.arange(200), 7)
    groups = np.repeat(np.arange(200) % 2, 7)

    found = effects_of_entities(groups, None, entities, np.zeros_like(groups))

    assert found.window == pytest.approx(7, rel=0.01)
    assert found.baseline == pytest.approx(7, rel=0.01)


def test_rows_that_have_nothing_to_do_with_their_entity_count_each() -> None:
    draw = np.random.default_rng(7)
    groups = draw.integers(4, size=2800)

    found = effects_of_entities(groups, None, np.tile(np.arange(100), 28), np.repeat(np.arange(4), 700))

    assert found.baseline == pytest.approx(1, abs=0.15)
    assert found.window == pytest.approx(1, abs=0.15)


def test_a_week_and_four_of_them_are_measured_apart() -> None:
    entities = np.tile(np.arange(300), 28)
    groups = np.repeat(np.random.default_rng(7).integers(2, size=(4, 300)), 7, axis=0).ravel()

    found = effects_of_entities(groups, None, entities, np.repeat(np.arange(4), 7 * 300))

    assert found.window == pytest.approx(7, rel=0.05)
    assert found.baseline == pytest.approx(7, rel=0.2)  # new answers every week: four weeks are worth four


def test_nulls_that_stay_with_their_entity_have_an_effect_of_their_own() -> None:
    draw = np.random.default_rng(7)
    entities = np.tile(np.arange(100), 7)
    groups = np.where(entities < 10, 2, draw.integers(2, size=700))

    found = effects_of_entities(groups, 2, entities, np.zeros_like(groups))

    assert found.nulls_window == pytest.approx(7, rel=0.02)
    assert found.window < 5


def test_nulls_that_the_baseline_never_had_count_once_an_entity() -> None:
    entities = np.tile(np.arange(100), 7)
    groups = np.random.default_rng(7).integers(2, size=700)

    assert effects_of_entities(groups, 2, entities, np.zeros_like(groups)).nulls_window == pytest.approx(7)


def test_one_entity_with_half_of_the_rows_leaves_few_to_tell() -> None:
    draw = np.random.default_rng(7)
    own = draw.integers(2, size=500)
    entities = np.append(np.zeros(500, dtype=np.int64), draw.integers(1, 500, size=500))

    found = effects_of_entities(own[entities], None, entities, np.zeros(1000, dtype=np.int64))

    assert found.baseline > 50  # of 1,000 rows not twenty tell something of their own


def test_a_table_of_one_entity_has_no_effect_to_measure() -> None:
    one = np.zeros(10, dtype=np.int64)

    assert effects_of_entities(one, None, one, one) == Effects()


@given(st.integers(1, 30), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_effects_are_at_least_one_and_at_most_the_rows(days: int, entities: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = days * entities
    found = effects_of_entities(
        draw.integers(5, size=rows), 4, np.tile(np.arange(entities), days), np.repeat(np.arange(days) // 7, entities)
    )

    for effect in (found.baseline, found.window, found.nulls_baseline, found.nulls_window):
        assert 1 <= effect <= rows
    assert found.uneven >= 0


def test_days_that_differ_only_by_chance_add_nothing_and_days_that_differ_more_do() -> None:
    draw = np.random.default_rng(7)
    weekdays = np.arange(28) % 7
    alike = draw.multinomial(1000, [0.5, 0.5], size=28).astype(float)
    apart = np.array([draw.multinomial(1000, [p, 1 - p]) for p in draw.normal(0.5, 0.05, 28)], dtype=float)

    assert effect_of_days(alike, weekdays) == DayEffect()
    assert 0.005 < effect_of_days(apart, weekdays).more < 0.02  # 0.05² / 0.25 for each further row of a day
    assert effect_of_days(apart, weekdays).seen == 21  # 28 days less a mean of each weekday


def test_days_that_differ_as_their_weekdays_do_add_nothing() -> None:
    by_day = np.array([[100.0, 900.0] if at % 7 > 4 else [500.0, 500.0] for at in range(28)])

    assert effect_of_days(by_day, np.arange(28) % 7) == DayEffect()


def test_days_that_differ_in_one_way_only_are_uneven_over_the_groups() -> None:
    draw = np.random.default_rng(7)
    weekdays = np.arange(28) % 7
    one_way = np.array([draw.multinomial(1000, [0.25 + x, 0.25 - x, 0.25, 0.25]) for x in draw.normal(0, 0.05, 28)])
    every_way = np.array([draw.multinomial(1000, draw.dirichlet([25.0] * 4)) for _ in range(28)])

    assert effect_of_days(one_way.astype(float), weekdays).uneven > 0.8
    assert effect_of_days(every_way.astype(float), weekdays).uneven < 0.5


def test_nulls_that_come_in_blocks_have_an_effect_of_days_of_their_own() -> None:
    draw = np.random.default_rng(7)
    nulls = 50.0 * draw.binomial(10, 0.1, 28)  # ten blocks of 50 rows a day, one of them lost
    others = np.array([draw.multinomial(500 - lost, [0.25] * 4) for lost in nulls.astype(int)], dtype=float)
    by_day = np.column_stack([others, nulls])

    found = effect_of_days(by_day, np.arange(28) % 7, nulls=4)

    assert found.nulls == pytest.approx(0.1, rel=0.5)  # 50 rows instead of one: 49 more for 499 others
    assert found.more < found.nulls / 2
    assert effect_of_days(by_day, np.arange(28) % 7).nulls == found.more  # without a group of their own


def test_what_days_add_makes_the_effect_as_uneven_as_it_is_large() -> None:
    known = Effects(uneven=0.5, days_uneven=8.0)

    assert known.uneven_with(2.0, 0.0) == 0.5
    assert known.uneven_with(1.0, 1.0) == pytest.approx((0.5 + 8.0) / 4)


def test_a_window_of_fewer_days_has_fewer_rows_of_each_entity() -> None:
    fixed = Effects(window=7.0, nulls_window=7.0, together=7.0)
    half_alike = Effects(window=4.0, together=7.0)

    assert fixed.of_window(5 / 7) == pytest.approx((5, 5))
    assert half_alike.of_window(1 / 7) == pytest.approx((1, 1))
    assert half_alike.of_window(1.0) == pytest.approx((4, 1))
    assert Effects().of_window(0.5) == (1.0, 1.0)
