"""Weights drawn by NumPy from their shapes alone: nothing is compiled for them."""

import jax
import numpy as np

from tbstar_jax.trees import flatten, unflatten
from tests.support import reduced


def draw_parts(config, seed=0):
    """All five trees, float32, no leaf at its initialisation.

    Vectors that scale are drawn around 1, everything else around 0.
    """
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: reduced.random_parts(config, jax.random.key(0)))

    def draw(name, leaf):
        centre = 1 if name.split("/")[-1] in ("scale", "gamma") else 0
        return (centre + 0.1 * rng.standard_normal(leaf.shape)).astype(np.float32)

    return unflatten({n: draw(n, leaf) for n, leaf in flatten(shapes).items()})
