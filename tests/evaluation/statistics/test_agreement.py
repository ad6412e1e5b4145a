"""Krippendorff's alpha: the published example, the reference package, the ends."""

import krippendorff
import numpy as np
import pytest

from tbstar_jax.evaluation.statistics.agreement import krippendorff_alpha
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

NAN = float("nan")
CONFIG = BootstrapConfig(num_resamples=1_000)

# Four observers, twelve units (Krippendorff, 2011, section C).
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_the_published_example(scale, alpha):
    found = krippendorff_alpha(PUBLISHED, scale, CONFIG)
    assert round(found.alpha, 3) == alpha
    assert found.low < found.alpha < found.high <= 1
    assert (found.num_units, found.num_judgements, found.num_single) == (11, 40, 1)


@pytest.mark.parametrize("scale", ["nominal", "ordinal"])
def test_it_equals_the_reference_package_on_random_votes(scale):
    rng = np.random.default_rng(0)
    for _ in range(20):
        opinion = rng.integers(-1, 2, 30)
        own = rng.integers(-1, 2, (4, 30))
        votes = np.where(rng.random((4, 30)) < 0.5, opinion, own).astype(np.float64)
        votes[rng.random((4, 30)) < 0.3] = NAN
        found = krippendorff_alpha(votes, scale, BootstrapConfig(num_resamples=2))
        theirs = krippendorff.alpha(votes, level_of_measurement=scale)
        assert found.alpha == pytest.approx(theirs, abs=1e-12)


def test_the_interval_covers_the_truth():
    """Raters follow a common opinion with probability 0.7: alpha is 0.7 squared."""
    rng = np.random.default_rng(1)
    config = BootstrapConfig(num_resamples=500)

    def study(units):
        opinion = rng.integers(-1, 2, units)
        own = rng.integers(-1, 2, (3, units))
        votes = np.where(rng.random((3, units)) < 0.7, opinion, own)
        return krippendorff_alpha(votes.astype(np.float64), "ordinal", config)

    assert study(20_000).alpha == pytest.approx(0.49, abs=0.015)
    studies = [study(80) for _ in range(800)]
    covered = np.mean([one.low <= 0.49 <= one.high for one in studies])
    assert 0.93 <= covered <= 0.97


def test_agreement_disagreement_and_nothing_to_say():
    same = np.array([[1.0, 0.0, -1.0, 1.0]] * 3)
    assert krippendorff_alpha(same, "ordinal", CONFIG).alpha == 1
    opposite = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])
    assert krippendorff_alpha(opposite, "ordinal", CONFIG).alpha < 0
    constant = krippendorff_alpha(np.ones((2, 5)), "ordinal", CONFIG)
    assert np.isnan([constant.alpha, constant.low]).all()
    assert constant.num_undefined == 1_000
    alone = krippendorff_alpha(np.array([[1.0, 0.0]]), "ordinal", CONFIG)
    assert np.isnan(alone.alpha)
    assert (alone.num_units, alone.num_single) == (0, 2)
