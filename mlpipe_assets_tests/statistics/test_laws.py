"""The laws in closed form are scipy's, to 1e-12, wherever a statistic may land."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from mlpipe_assets.statistics.laws import chi_squared_quantile, chi_squared_tail, kolmogorov_tail

FREEDOM = st.one_of(st.integers(1, 40), st.integers(1, 5000))


@given(FREEDOM, st.floats(-8, 40))
def test_the_chi_squared_tail_is_scipys_near_the_mean_and_far_beyond_it(freedom: int, deviations: float) -> None:
    statistic = max(0.0, freedom + deviations * math.sqrt(2 * freedom))

    assert chi_squared_tail(statistic, freedom) == pytest.approx(
        float(special.chdtrc(freedom, statistic)), abs=1e-12, rel=1e-9
    )


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 15, 16, 17, 31, 32, 400, 4999])
@pytest.mark.parametrize("chance", [1e-8, 1e-4, 0.05, 0.49])
def test_its_quantile_is_scipys_and_is_exceeded_with_just_that_chance(freedom: int, chance: float) -> None:
    value = chi_squared_quantile(chance, freedom)

    assert value == pytest.approx(float(special.chdtri(freedom, chance)), rel=1e-12)
    assert chi_squared_tail(value, freedom) == pytest.approx(chance, rel=1e-12)


@given(st.floats(0, 12))
def test_the_kolmogorov_tail_is_scipys(scaled: float) -> None:
    assert kolmogorov_tail(scaled) == pytest.approx(float(special.kolmogorov(scaled)), abs=1e-12, rel=1e-9)


def test_a_critical_value_of_every_table_of_chi_squared_comes_out() -> None:
    assert chi_squared_quantile(0.05, 1) == pytest.approx(3.841, abs=5e-4)
    assert chi_squared_quantile(0.05, 10) == pytest.approx(18.307, abs=5e-4)


def test_nothing_exceeds_infinity_everything_exceeds_nothing_and_nan_stays_nan() -> None:
    assert [chi_squared_tail(value, 3) for value in (-1.0, 0.0, math.inf)] == [1.0, 1.0, 0.0]
    assert chi_squared_tail(5.0, 0) == 1.0
    assert [kolmogorov_tail(value) for value in (-1.0, 0.0, math.inf)] == [1.0, 1.0, 0.0]
    assert math.isnan(chi_squared_tail(math.nan, 3))
    assert math.isnan(kolmogorov_tail(math.nan))


@pytest.mark.parametrize(("chance", "freedom"), [(0.0, 3), (0.5, 3), (1e-4, 0)])
def test_a_quantile_that_is_none_is_refused(chance: float, freedom: int) -> None:
    with pytest.raises(ValueError, match=r"it takes 0 < chance < 0\.5 and freedom >= 1"):
        chi_squared_quantile(chance, freedom)
