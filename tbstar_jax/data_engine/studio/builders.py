"""How each kind of thing is built, from four proportions."""

import math

from tbstar_jax.data_engine.studio.fields import Ring, Solid
from tbstar_jax.data_engine.studio.shapes import Plate, Proportions, Shape, cone, solid


def bottle(p: Proportions) -> Shape:
    """A bottle with shoulders, a neck and a cap."""
    radius, body = 0.14 + 0.06 * p[0], 0.56 + 0.12 * p[1]
    neck, shoulder = radius * (0.36 + 0.14 * p[2]), 0.10 + 0.06 * p[3]
    solids = (
        solid(0.0, body, radius, edge=0.03),
        cone(body - 0.03, shoulder, radius * 0.97, neck, blend=0.05),
        solid(body + shoulder - 0.05, 0.1, neck, blend=0.03),
        solid(body + shoulder + 0.03, 0.11, neck * 1.28, edge=0.012, slot=1),
    )
    half = min(0.95 * radius, 0.18)
    return Shape(solids, plate=Plate(body * 0.48, half, body * 0.19, radius))


def jar(p: Proportions) -> Shape:
    """A wide jar with a lid."""
    radius, body = 0.26 + 0.07 * p[0], 0.36 + 0.16 * p[1]
    lid = 0.09 + 0.04 * p[2]
    solids = (
        solid(0.0, body, radius, edge=0.045 + 0.03 * p[3]),
        solid(body - 0.04, 0.06, radius * 0.86),
        solid(body + 0.012, lid, radius * 0.97, edge=0.018, slot=1),
    )
    return Shape(solids, plate=Plate(body * 0.5, 0.8 * radius, body * 0.28, radius))


def tube(p: Proportions) -> Shape:
    """A tube that stands on its cap and is flat at its upper end."""
    radius, body = 0.13 + 0.04 * p[0], 0.62 + 0.14 * p[1]
    cap = 0.11 + 0.05 * p[2]
    solids = (
        solid(0.0, cap, radius * (0.78 + 0.2 * p[3]), edge=0.014, slot=1),
        solid(cap - 0.01, body, radius * 1.08, radius * 0.54, edge=0.006,
               taper_x=0.08, taper_z=-0.86),
        solid(cap + body - 0.02, 0.07, radius * 1.17, 0.016, corner=0.2, edge=0.005),
    )  # fmt: skip
    return Shape(solids, plate=Plate(cap + body * 0.48, radius * 0.84, body * 0.15))


def box(p: Proportions) -> Shape:
    """A box; from half of the last proportion on, with a lid."""
    width, height, depth = 0.24 + 0.16 * p[0], 0.40 + 0.36 * p[1], 0.14 + 0.12 * p[2]
    solids = [solid(0.0, height, width, depth, corner=0.08, edge=0.012)]
    if p[3] > 0.5:
        lid = 0.1 + 0.08 * (p[3] - 0.5)
        solids.append(
            solid(height - lid, lid + 0.012, width + 0.013, depth + 0.013,
                   corner=0.08, edge=0.012, slot=1)
        )  # fmt: skip
    middle = height * (0.44 if p[3] > 0.5 else 0.5)
    return Shape(tuple(solids), plate=Plate(middle, 0.72 * width, 0.24 * height))


def bag(p: Proportions) -> Shape:
    """An open carrier bag with two handles."""
    width, height, depth = 0.28 + 0.1 * p[0], 0.44 + 0.16 * p[1], 0.11 + 0.05 * p[2]
    top, radius = depth * 0.5, 0.013 + 0.006 * p[3]
    ring = Ring(0, height + 0.02, top, width * 0.42, 0.16, 0.12, radius, 1, 1)
    solids = (
        solid(0.0, height, width, depth, corner=0.3, edge=0.03, taper_x=-0.06,
               taper_z=-0.3),
        solid(height * 0.3, height * 0.8, width * 0.86, depth * 0.52, corner=0.2,
               is_cut=True),
    )  # fmt: skip
    rings = (ring, ring._replace(z=-top))
    return Shape(solids, rings, Plate(height * 0.46, 0.6 * width, 0.2 * height))


def mug(p: Proportions) -> Shape:
    """A mug with its handle on the right."""
    radius, height = 0.22 + 0.05 * p[0], 0.42 + 0.14 * p[1]
    wall, grip = 0.026, 0.12 + 0.05 * p[2]
    taper = 0.08 * p[3]
    ring = Ring(radius * 0.98, height * 0.5, 0, grip, height * 0.29, 0.09, 0.028, 0, 1)
    solids = (
        solid(0.0, height, radius, edge=0.018, taper_x=taper),
        solid(0.04, height, radius - wall, edge=0.03, taper_x=taper, is_cut=True),
    )
    plate = Plate(height * 0.5, 0.72 * radius, 0.27 * height, radius)
    return Shape(solids, (ring,), plate)


def shoe(p: Proportions) -> Shape:
    """A low shoe, its toe to the right."""
    length, width = 0.42 + 0.06 * p[0], 0.15 + 0.03 * p[1]
    sole, collar = 0.075 + 0.03 * p[2], 0.28 + 0.1 * p[3]
    solids = (
        solid(sole - 0.02, 0.2, 0.22, width * 0.9, x=length - 0.25, corner=1.0,
               edge=0.09, taper_x=-0.12),
        solid(sole - 0.02, collar, 0.17, width * 0.84, x=-length + 0.2, corner=0.95,
               edge=0.05, taper_x=-0.1, taper_z=-0.16, blend=0.1),
        solid(sole + 0.0, 0.24, 0.26, width * 0.8, x=-0.02, corner=0.8, edge=0.09,
               turn=-24.0, blend=0.12),
        solid(sole + 0.12, 0.5, 0.11, width * 0.52, x=-length + 0.205, corner=1.0,
               edge=0.02, is_cut=True, slot=1),
        solid(0.0, sole, length, width, corner=1.0, edge=0.028, slot=1),
    )  # fmt: skip
    return Shape(solids)


def lamp(p: Proportions) -> Shape:
    """A table lamp with a shade."""
    foot, stem = 0.17 + 0.05 * p[0], 0.44 + 0.14 * p[1]
    wide, narrow, shade = 0.25 + 0.06 * p[2], 0.13 + 0.05 * p[3], 0.3
    solids = (
        solid(0.0, 0.05, foot, edge=0.018, slot=1),
        solid(0.03, stem, 0.022, edge=0.005, slot=1),
        cone(stem - 0.02, shade, wide, narrow, edge=0.01),
        cone(stem - 0.08, shade, wide - 0.016, narrow - 0.016, is_cut=True),
        solid(stem - 0.1, 0.2, 0.05, edge=0.04, bulge=0.4, slot=1),
    )
    return Shape(solids)


def ball(p: Proportions) -> Shape:
    """A ball."""
    radius = 0.16 + 0.06 * p[0]
    return Shape((solid(0.0, 2 * radius, radius, edge=radius),))


def cube(p: Proportions) -> Shape:
    """A cube with round edges."""
    half = 0.14 + 0.06 * p[0]
    edge = 0.012 + 0.03 * p[1]
    return Shape((solid(0.0, 2 * half, half, corner=0.12, edge=edge),))


def vase(p: Proportions) -> Shape:
    """A vase with a narrow neck."""
    radius, height = 0.1 + 0.04 * p[0], 0.42 + 0.16 * p[1]
    bulge, lip = 0.55 + 0.5 * p[2], radius * (0.85 + 0.4 * p[3])
    solids = (
        solid(0.0, height, radius, edge=0.02, bulge=bulge),
        cone(height - 0.05, 0.1, radius * 0.8, lip, blend=0.04, edge=0.008),
        cone(height - 0.16, 0.3, radius * 0.5, lip * 0.95, is_cut=True),
    )
    return Shape(solids)


def plant(p: Proportions) -> Shape:
    """A plant with five leaves in a pot."""
    pot, height, spread = 0.13 + 0.03 * p[0], 0.2 + 0.05 * p[1], 24 + 14 * p[2]
    leaf = 0.3 + 0.1 * p[3]
    angles = (-spread * 1.5, -spread * 0.6, 0.1 * spread, spread * 0.8, spread * 1.6)
    leaves = tuple(
        solid(
            height - 0.04 + leaf * 0.5 * math.cos(math.radians(angle)) - leaf * 0.5,
            leaf, 0.022, 0.016, x=-leaf * 0.5 * math.sin(math.radians(angle)),
            z=0.035 * (1 if k % 2 else -1), edge=0.006, bulge=1.6, turn=angle, slot=1,
        )
        for k, angle in enumerate(angles)
    )  # fmt: skip
    solids = (
        cone(0.0, height, pot * 0.78, pot, edge=0.012),
        solid(height - 0.03, 0.2, pot * 0.86, is_cut=True),
        *leaves,
    )
    return Shape(solids)


def can(p: Proportions) -> Shape:
    """A drink can with a narrower neck, a rim and a sunk lid."""
    radius, body = 0.165 + 0.04 * p[0], 0.48 + 0.22 * p[1]
    neck, shoulder = radius * (0.74 + 0.14 * p[2]), 0.04 + 0.065 * p[3]
    top = body + shoulder
    solids = (
        solid(0.0, body, radius, edge=0.03),
        cone(body - 0.034, shoulder + 0.038, radius, neck, edge=0.004),
        solid(top - 0.002, 0.026, neck * 1.05, edge=0.012, slot=1),
        solid(top - 0.012, 0.1, neck * 0.94, edge=0.006, is_cut=True, slot=1),
    )
    half = 0.9 * radius
    return Shape(solids, plate=Plate(body * 0.5, half, min(body * 0.27, half), radius))


def phone(p: Proportions) -> Shape:
    """A phone that shows its back: a rounded frame and a block of lenses."""
    wide, tall = 0.17 + 0.05 * p[0], 0.70 + 0.16 * p[1]
    thick, lens = 0.017 + 0.008 * p[2], 0.034
    half_x, half_y = wide - thick, tall / 2 - thick
    frame = Ring(0, tall / 2, 0, half_x, half_y, 0.07, thick, 0, 1)
    # Two lenses in a column, or three in a block.
    num_lenses = 3 if p[3] > 0.5 else 2
    x, y = -wide + 0.095, tall - 0.095
    spots = ((x, y), (x, y - 0.09), (x + 0.08, y - 0.045))[:num_lenses]
    across = 0.052 + 0.04 * (num_lenses - 2)
    solids = (
        solid(thick + 0.008, tall - 2 * thick - 0.016, half_x - 0.008, thick,
              corner=1.0, edge=0.02),
        solid(y - 0.14, 0.19, across, 0.016, x=x + across - 0.052, z=thick,
              corner=0.9, edge=0.016),
        *(
            solid(b - lens, 2 * lens, lens, x=a, z=thick - 0.004, edge=lens, slot=1)
            for a, b in spots
        ),
        solid(tall * 0.6, 0.12, 0.008, 0.008, x=wide, edge=0.006),
    )  # fmt: skip
    return Shape(solids, (frame,), Plate(tall * 0.34, wide * 0.74, wide * 0.48))


def watch(p: Proportions) -> Shape:
    """A wrist watch that stands on its closed strap, at ten past ten."""
    radius, strap = 0.18 + 0.04 * p[0], 0.095 + 0.035 * p[1]
    loop, deep, band = 0.33 + 0.06 * p[2], 0.22, 0.022
    thick = radius / 2
    # A ring as thick as this has no hole: the dial is cut out of it.
    case = Ring(0, loop, deep, *(radius - thick,) * 3, thick, 1, 1)
    crown = Ring(radius + 0.012, loop, deep, 0.012, 0.02, 0.012, 0.014, 1, 1)
    dish, dial = 0.42, deep + thick * (0.4 + 0.22 * p[3])
    solids = (
        solid(loop - dish, 2 * dish, dish, z=dial + dish, edge=dish, is_cut=True),
        solid(loop - strap, 2 * strap, loop, deep, corner=1.0, edge=0.012, turn=90.0),
        solid(loop - strap - 0.1, 2 * strap + 0.2, loop - band, deep - band,
              corner=1.0, turn=90.0, is_cut=True),
        _hand(loop, dial + 0.006, radius * 0.4, 0.016, 56.0),
        _hand(loop, dial + 0.012, radius * 0.62, 0.011, -60.0),
    )  # fmt: skip
    return Shape(solids, (case, crown))


def _hand(y: float, z: float, length: float, half: float, turn: float) -> Solid:
    """A hand of a watch around (0, y), `turn` degrees to the left of twelve."""
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    return solid(
        y + cosine * length * 0.4 - length / 2, length, half, 0.008,
        x=-sine * length * 0.4, z=z, corner=0.2, edge=0.003, turn=turn, slot=1,
    )  # fmt: skip


def tshirt(p: Proportions) -> Shape:
    """A T-shirt as if worn by nobody: sleeves, and a collar that one looks into."""
    wide, tall = 0.25 + 0.06 * p[0], 0.70 + 0.16 * p[1]
    reach, neck = wide + 0.15 + 0.09 * p[2], 0.085 + 0.02 * p[3]
    deep, arm, slope = 0.074, 0.105, 60.0
    sine, cosine = math.sin(math.radians(slope)), math.cos(math.radians(slope))
    length = (reach - 0.02) / sine

    def side(sign: float) -> Solid:
        x, y = 0.02 + sine * length / 2, tall + 0.03 - cosine * length / 2
        # From the middle of the upper edge, the shoulder, to that of the sleeve.
        x, y = x - cosine * arm, y - sine * arm
        return solid(
            y - length / 2, length, arm, deep * 0.8, x=sign * x, corner=0.9,
            edge=0.02, turn=sign * slope, blend=0.05,
        )  # fmt: skip

    solids = (
        solid(0.0, tall - 0.11, wide, deep, corner=0.9, edge=0.03),
        side(-1.0),
        side(1.0),
        solid(tall - neck, 0.4, neck, 0.09, z=0.065, corner=1.0, edge=0.085,
              is_cut=True),
        solid(tall, 0.4, 0.2, 0.2, corner=0.1, is_cut=True, slot=1),
    )  # fmt: skip
    collar = Ring(0, tall, deep * 0.7, *(neck + 0.01,) * 3, 0.017, 1, 1)
    return Shape(solids, (collar,), Plate(tall * 0.54, wide * 0.66, wide * 0.42))
