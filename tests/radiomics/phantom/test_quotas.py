import numpy as np
import pytest

from radiomics.phantom.quotas import (
    BENIGN,
    METHODS,
    PRIMARIES,
    SEXES,
    expanded,
    quotas,
    scaled,
    systematic,
)


def test_the_full_cohort_has_the_published_patients_and_lesions():
    q = quotas(132)
    assert (q.metastasis, q.benign, q.two_metastasis, q.two_benign, q.mixed) == (79, 53, 42, 18, 6)
    assert q.metastasis + q.two_metastasis - q.mixed == 115
    assert q.benign + q.two_benign + q.mixed == 77


def test_twenty_four_patients_scale_as_the_specification_counts_them():
    q = quotas(24)
    assert (q.metastasis, q.benign) == (14, 10)
    assert (q.metastasis + q.two_metastasis - q.mixed, q.benign + q.two_benign + q.mixed) == (
        21,
        14,
    )


@pytest.mark.parametrize("n", [8, 24, 50, 132, 1320])
def test_every_scaled_table_sums_to_its_total(n):
    for table in (PRIMARIES, BENIGN, *METHODS.values(), *SEXES.values()):
        assert sum(scaled(table, n).values()) == n == len(expanded(table, n))


@pytest.mark.parametrize("n", [7, 100_001, -1])
def test_a_cohort_too_small_or_too_large_is_refused(n):
    with pytest.raises(ValueError, match="n_patients"):
        quotas(n)


def test_the_unscaled_tables_return_unchanged():
    assert scaled(PRIMARIES, 132) == PRIMARIES
    assert scaled(BENIGN, 53) == BENIGN


def test_a_systematic_sample_puts_one_number_in_each_stratum():
    sample = np.sort(systematic(40, np.random.default_rng(1)))
    assert np.array_equal(np.floor(sample * 40), np.arange(40))
