"""Cloths and papers that a product stands on or before.

Patterns as of `patterns`.
"""

from types import ModuleType
from typing import no_type_check

from tbstar_jax.data_engine.studio.fields import Values
from tbstar_jax.data_engine.studio.patterns import (
    FLAT,
    Ground,
    RGBValues,
    band,
    mix,
    smoothstep,
    times,
)


@no_type_check
def linen(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """A coarse plain weave with uneven threads, in soft folds."""
    phase = ground.phase
    warp = u * 82.0 + 0.6 * xp.sin(v * 3.1 + phase * 5.0)
    weft = v * 82.0 + 0.6 * xp.sin(u * 2.7 - phase * 4.0)
    knot = xp.sin(warp) * xp.sin(weft)
    slub = xp.sin(u * 27.0 + 2.0 * xp.sin(v * 1.9 + phase)) * xp.sin(v * 1.3 + u)
    slub = slub + xp.sin(v * 31.0 + 2.0 * xp.sin(u * 1.7)) * xp.sin(u * 1.5 - v)
    fold = xp.sin(u * 1.7 + v * 1.1 + phase * 6.0 + 1.3 * xp.sin(v * 1.2 - u * 0.4))
    crease = xp.exp(-4.0 * (1.0 - fold))
    return times(
        ground.tone, 0.90 + 0.15 * knot + 0.07 * slub + 0.05 * fold + 0.08 * crease
    )


@no_type_check
def stripes(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Stripes along v of two colours."""
    return mix(ground.accent, ground.tone, band(xp, u + 0.4 * ground.phase, 0.4))


@no_type_check
def gingham(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Woven checks: bands of the accent cross, and are darker where they do."""
    moved = 0.3 * ground.phase
    both = band(xp, u + moved, 0.3) + band(xp, v + moved, 0.3, FLAT)
    return mix((0.93, 0.93, 0.92), ground.accent, 0.5 * both)


@no_type_check
def dots(xp: ModuleType, ground: Ground, u: Values, v: Values) -> RGBValues:
    """Round dots of the accent, every other row between the others."""
    row = xp.floor(v / 0.26)
    a = u / 0.3 + 0.5 * row + ground.phase
    x, y = 0.3 * (a - xp.floor(a) - 0.5), 0.26 * (v / 0.26 - row - 0.5)
    share = smoothstep(xp, 0.078, 0.064, xp.sqrt(x * x + y * y))
    return mix(ground.tone, ground.accent, share)
