import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.privacy.budget.noise import (
    add_noise,
    check_cost,
    draw_noise,
    find_epsilon,
    find_interval,
    find_scale,
    find_threshold,
)


def test_noise_has_the_scale_that_was_paid_for():
    noise = add_noise([0] * 4_000, rho=0.04, sensitivity=2.0)
    scale = find_scale(rho=0.04, sensitivity=2.0)
    assert abs(statistics.fmean(noise)) < 6 * scale / math.sqrt(4_000)
    assert statistics.stdev(noise) == pytest.approx(scale, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 10), st.floats(1, 50))
def test_opendp_accounts_no_more_than_was_asked_for(rho, sensitivity):
    assert len(add_noise([1, 2], rho=rho, sensitivity=sensitivity)) == 2


def test_two_draws_differ_and_numbers_stay_whole():
    first, second = (add_noise([1_000] * 50, rho=0.01, sensitivity=3.0) for _ in range(2))
    assert first != second
    assert all(isinstance(number, int) for number in first)


def test_nineteen_of_twenty_numbers_lie_in_their_interval():
    width = find_interval(rho=0.1, sensitivity=3.0)
    noise = add_noise([0] * 4_000, rho=0.1, sensitivity=3.0)
    assert 0.93 < sum(abs(number) <= width for number in noise) / 4_000 < 0.98


def test_epsilon_follows_from_rho():
    """Tighter than the closed form of Bun and Steinke, and never below the cost without delta's help."""
    rho, delta = 0.04, 1e-6
    epsilon = find_epsilon(rho, delta=delta)
    assert 0 < epsilon <= rho + 2 * math.sqrt(rho * math.log(1 / delta))
    assert epsilon > find_epsilon(rho / 2, delta=delta)


def test_a_group_of_one_person_passes_the_threshold_as_rarely_as_stated():
    threshold = find_threshold(rho=0.5, sensitivity=1.0, groups=1, delta=1e-3)
    noisy = add_noise([1] * 20_000, rho=0.5, sensitivity=1.0)
    assert sum(number >= threshold for number in noisy) <= 20 + 5 * math.sqrt(20)


@pytest.mark.parametrize(("rho", "sensitivity"), [(0, 1), (-1, 1), (1, 0), (math.inf, 1), (math.nan, 1)])
def test_costs_that_are_no_numbers_above_zero_are_refused(rho, sensitivity):
    with pytest.raises(ValueError, match="above 0"):
        find_scale(rho=rho, sensitivity=sensitivity)


def test_noise_is_drawn_where_the_rows_are_and_small_counts_are_left_out(engine):
    rows = [(n, 100, 100, 7, 2.0, 8.0, 100) for n in range(4_000)]
    names = "place int, first bigint, second bigint, other int, scale double, wide double, cutoff bigint"
    frame = engine.session.createDataFrame(rows, names)
    noisy = draw_noise(frame, {"first": "scale", "second": "wide"}, above="cutoff").toPandas()
    assert list(noisy.columns) == frame.columns
    assert 0.45 < len(noisy) / 4_000 < 0.7
    assert noisy["first"].min() == 100
    assert noisy["second"].std() == pytest.approx(8.0, rel=0.15)
    assert set(noisy["other"]) == {7}


def test_noise_that_costs_more_than_was_asked_for_is_refused():
    assert check_cost(rho=0.5, sensitivity=1.0) == find_scale(rho=0.5, sensitivity=1.0)
    with pytest.raises(ValueError, match="above 0"):
        check_cost(rho=0.0, sensitivity=1.0)
