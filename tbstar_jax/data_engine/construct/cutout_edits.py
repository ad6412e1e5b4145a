"""Which edits are made of cut-outs: two arrangements, and the facts of the change."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.cutout_image import Cutout, fitted
from tbstar_jax.data_engine.construct.cutout_scene import (
    Arrangement,
    Backdrop,
    Placed,
    standing,
)
from tbstar_jax.data_engine.facts import Direction, Facts, Position
from tbstar_jax.data_engine.render.scene import Side, Size
from tbstar_jax.geometry import OUTPAINT_FILL

_LEAST_BAND = 0.1
"""Least share of the canvas that an outpainted band takes."""


@dataclasses.dataclass(frozen=True)
class NamedCutout:
    """A cut-out and what people call it.

    Attributes:
      cutout: its pixels.
      name_en: noun.
      name_zh: noun.
    """

    cutout: Cutout
    name_en: str
    name_zh: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stock:
    """What an edit may be composed of.

    Attributes:
      product: the photo's cut-out.
      companions: other cut-outs; may be none.
      white: the pure white background.
      scenes: draws one of the other backgrounds.
      size: rows and columns of the canvas, pixels.
    """

    product: NamedCutout
    companions: Sequence[NamedCutout]
    white: Backdrop
    scenes: Callable[[np.random.Generator], Backdrop]
    size: Size


@dataclasses.dataclass(frozen=True)
class CutoutEdit:
    """Both pictures of an edit, and what is true of it.

    Attributes:
      source: uint8 RGB.
      target: uint8 RGB, of the same size.
      facts: names, positions and the like.
    """

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    facts: Facts


def compose_edit(task: str, stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    """Draws both pictures of an edit.

    Args:
      task: one of `EDITS`.
      stock: what there is; with a companion for `object_add` and `object_remove`.
      rng: decides the rest.
    """
    return EDITS[task](stock, rng)


def _background(
    stock: Stock, rng: np.random.Generator, before: Backdrop, after: Backdrop
) -> CutoutEdit:
    scene = _alone(stock, rng, before, width=0.7, center=rng.uniform(0.42, 0.58))
    return _edit(
        scene,
        dataclasses.replace(scene, backdrop=after),
        _product_facts(
            stock,
            background_en=before.name_en,
            background_zh=before.name_zh,
            new_background_en=after.name_en,
            new_background_zh=after.name_zh,
        ),
    )


def _to_white(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    return _background(stock, rng, stock.scenes(rng), stock.white)


def _to_scene(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    return _background(stock, rng, stock.white, stock.scenes(rng))


def _move(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    places: dict[Position, float] = {"left": 0.25, "center": 0.5, "right": 0.75}
    names = list(places)
    first, second = (names[int(k)] for k in rng.permutation(3)[:2])
    scene = _alone(stock, rng, _any_backdrop(stock, rng), 0.42, places[first])
    (thing,) = scene.things
    columns = thing.cutout.size[1]
    left = round(places[second] * stock.size[1] - columns / 2)
    left = min(max(left, 0), stock.size[1] - columns)
    way: Direction = "right" if left > thing.left else "left"
    moved = dataclasses.replace(scene, things=(Placed(thing.cutout, thing.top, left),))
    return _edit(
        scene,
        moved,
        _product_facts(stock, direction=way, position=first, new_position=second),
    )


def _shadow(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    with_one = _alone(stock, rng, _any_backdrop(stock, rng), 0.6, 0.5)
    without = dataclasses.replace(with_one, shadow=0.0)
    names = [
        ("light without shadows", "没有阴影的光线"),
        ("soft light that casts a shadow", "带地面阴影的柔和光线"),
    ]
    before, after = without, with_one
    if rng.random() < 0.5:
        names.reverse()
        before, after = after, before
    return _edit(
        before,
        after,
        _product_facts(
            stock,
            light_en=names[0][0],
            light_zh=names[0][1],
            new_light_en=names[1][0],
            new_light_zh=names[1][1],
        ),
    )


def _add(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    companion = stock.companions[int(rng.integers(len(stock.companions)))]
    side: Side = "left" if rng.random() < 0.5 else "right"
    center = 0.36 if side == "right" else 0.64
    scene = _alone(stock, rng, _any_backdrop(stock, rng), 0.48, center)
    rows, columns = stock.size
    second = standing(
        fitted(companion.cutout, (0.45 * rows, 0.3 * columns)),
        stock.size,
        center=0.8 if side == "right" else 0.2,
        ground=_ground(scene.things[0], rows),
    )
    both = dataclasses.replace(scene, things=(*scene.things, second))
    facts = Facts(
        object_en=companion.name_en,
        object_zh=companion.name_zh,
        other_object_en=stock.product.name_en,
        other_object_zh=stock.product.name_zh,
        position=side,
    )
    return _edit(scene, both, facts)


def _remove(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    added = _add(stock, rng)
    return CutoutEdit(added.target, added.source, added.facts)


def _layout(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    count = int(rng.integers(2, 4))
    rows, columns = stock.size
    named = [stock.product] * count
    for k in range(1, count):
        if stock.companions:
            named[k] = stock.companions[int(rng.integers(len(stock.companions)))]
    order = [named[int(k)] for k in rng.permutation(count)]
    limit = (0.5 * rows, 0.8 / count * columns)
    cutouts = [fitted(one.cutout, limit) for one in order]
    centers = [(k + 0.5) / count for k in range(count)]
    row = [
        standing(cutout, stock.size, center=center, ground=0.82)
        for cutout, center in zip(cutouts, centers, strict=True)
    ]
    # Out of line by a visible amount, yet all on the ground.
    grounds = rng.permutation(np.linspace(0.7, 0.94, count))
    loose = [
        standing(
            one.cutout,
            stock.size,
            center=center + float(rng.uniform(-0.1, 0.1)) / count,
            ground=float(ground),
        )
        for one, center, ground in zip(row, centers, grounds, strict=True)
    ]
    before = Arrangement(
        backdrop=_any_backdrop(stock, rng),
        things=tuple(loose),
        shadow=rng.uniform(0.2, 0.45),
        light=_side(rng),
    )
    facts = Facts(
        object_en="products",
        object_zh="商品",
        layout_en="a loose arrangement",
        layout_zh="随意摆放",
        new_layout_en="a single row",
        new_layout_zh="整齐的一排",
    )
    return _edit(before, dataclasses.replace(before, things=tuple(row)), facts)


def _outpaint(stock: Stock, rng: np.random.Generator) -> CutoutEdit:
    backdrop = stock.scenes(rng)
    scene = _alone(stock, rng, backdrop, 0.42, float(rng.choice([0.3, 0.5, 0.7])))
    (thing,) = scene.things
    rows, columns = stock.size
    free: dict[Direction, float] = {
        "left": thing.left / columns,
        "right": 1 - (thing.left + thing.cutout.size[1]) / columns,
        "up": thing.top / rows,
    }
    ways = [way for way, share in free.items() if share > _LEAST_BAND]
    way = ways[int(rng.integers(len(ways)))]
    share = rng.uniform(_LEAST_BAND, min(free[way], 0.45))
    target = scene.picture()
    source = target.copy()
    across, down = max(1, round(share * columns)), max(1, round(share * rows))
    match way:
        case "left":
            source[:, :across] = OUTPAINT_FILL
        case "right":
            source[:, columns - across :] = OUTPAINT_FILL
        case _:
            source[:down] = OUTPAINT_FILL
    facts = _product_facts(
        stock,
        direction=way,
        new_background_en=backdrop.name_en,
        new_background_zh=backdrop.name_zh,
    )
    return CutoutEdit(source, target, facts)


EDITS: Mapping[str, Callable[[Stock, np.random.Generator], CutoutEdit]] = {
    "bg_white": _to_white,
    "bg_scene": _to_scene,
    "move": _move,
    "light_shadow": _shadow,
    "object_add": _add,
    "object_remove": _remove,
    "layout": _layout,
    "outpaint": _outpaint,
}
"""How the pictures of a task are drawn, by task id."""


def _alone(
    stock: Stock,
    rng: np.random.Generator,
    backdrop: Backdrop,
    width: float,
    center: float,
) -> Arrangement:
    """The product alone, at most `width` of the canvas wide."""
    rows, columns = stock.size
    share = rng.uniform(0.8, 1.0)
    cutout = fitted(stock.product.cutout, (0.7 * share * rows, width * share * columns))
    thing = standing(
        cutout, stock.size, center=center, ground=float(rng.uniform(0.8, 0.9))
    )
    return Arrangement(
        backdrop=backdrop,
        things=(thing,),
        shadow=float(rng.uniform(0.2, 0.45)),
        light=_side(rng),
    )


def _any_backdrop(stock: Stock, rng: np.random.Generator) -> Backdrop:
    return stock.white if rng.random() < 0.25 else stock.scenes(rng)


def _ground(thing: Placed, rows: int) -> float:
    return (thing.top + thing.cutout.size[0]) / rows


def _side(rng: np.random.Generator) -> Side:
    return "left" if rng.random() < 0.5 else "right"


def _product_facts(stock: Stock, **known: str) -> Facts:
    return Facts(
        object_en=stock.product.name_en,
        object_zh=stock.product.name_zh,
        **known,  # type: ignore[arg-type]
    )


def _edit(before: Arrangement, after: Arrangement, facts: Facts) -> CutoutEdit:
    return CutoutEdit(before.picture(), after.picture(), facts)
