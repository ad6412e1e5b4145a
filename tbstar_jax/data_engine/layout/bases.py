"""What parts are put on: a product on a backdrop, or a given photo."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.layout.card import (
    Backdrop,
    Card,
    Product,
    Promo,
    PromoKind,
    Rect,
)
from tbstar_jax.data_engine.layout.drawing import draw, photo_backdrop
from tbstar_jax.data_engine.layout.placement import Grounds
from tbstar_jax.data_engine.layout.sampling import Base
from tbstar_jax.data_engine.layout.vocabulary import PROMO_NOUNS, Words
from tbstar_jax.data_engine.render.renderer import product_box
from tbstar_jax.data_engine.render.sampling import (
    Needs,
    choose,
    sample_background,
    sample_product_color,
    sample_scene,
    stands_out,
    uniform,
)
from tbstar_jax.data_engine.render.scene import (
    COLORS,
    RGB,
    Background,
    Color,
    Scene,
    Size,
    setting_by_id,
)

_ATTEMPTS = 256
_CENTERS = (0.0, -0.2, 0.2)
_VIVID = ("red", "orange", "yellow", "teal", "blue", "pink", "purple", "green")


def sample_card(
    rng: np.random.Generator, size: Size, backdrop: Backdrop | None = None
) -> Card:
    """Draws a backdrop with a product on it.

    Args:
      rng: source of random numbers.
      size: rows and columns, pixels.
      backdrop: if it is not to be drawn.
    """
    given = backdrop or sample_backdrop(rng)
    drawn = sample_scene(rng, size, Needs(prop=False, watermark=False))
    scene = dataclasses.replace(
        drawn,
        background=_stand_in(given, drawn.background),
        height=_height(rng, drawn),
        ground=uniform(rng, 0.70, 0.76),
    )
    if not stands_out(scene.color.rgb, tone_of(given)):
        color = sample_product_color(rng, scene.background)
        scene = dataclasses.replace(scene, color=color)
    free = [shift for shift in _CENTERS if _fits(_moved(scene, shift))]
    scene = _moved(scene, free[0] if rng.random() < 0.5 else choose(rng, free))
    product = Product(id="product", scene=scene, has_shadow=True)
    return Card(size=size, backdrop=given, parts=(product,))


def card_base(
    rng: np.random.Generator,
    card: Card,
    variants: Sequence[Card] = (),
    taken: Sequence[Rect] = (),
) -> Base:
    """Makes a base of a card with a product.

    Args:
      rng: source of random numbers.
      card: backdrop and product.
      variants: the same after the edit, where that changes them.
      taken: where else no part may lie.
    """
    products = [one.part("product") for one in (card, *variants)]
    scenes = [part.scene for part in products if isinstance(part, Product)]
    pictures = [draw(one, None).picture() for one in (card, *variants)]
    language: Language = "zh" if rng.random() < 0.5 else "en"
    return Base(
        card=card,
        grounds=Grounds(pictures),
        taken=(*taken, *(product_rect(scene) for scene in scenes)),
        language=language,
        margin=0.075 if rng.random() < 0.25 else 0.035,
        noun=Words(scenes[0].family.name_en, scenes[0].family.name_zh),
        color=scenes[0].color,
    )


def photo_base(
    rng: np.random.Generator,
    photo: UInt8[np.ndarray, "h w 3"],
    taken: Sequence[Rect] = (),
) -> Base:
    """Makes a base of a photo; nothing is known of what it shows.

    Args:
      rng: source of random numbers.
      photo: its pixels.
      taken: where no part may lie.
    """
    rows, columns = photo.shape[:2]
    card = Card(size=(rows, columns), backdrop=photo_backdrop(photo), parts=())
    language: Language = "zh" if rng.random() < 0.5 else "en"
    return Base(
        card=card,
        grounds=Grounds([photo]),
        taken=tuple(taken),
        language=language,
        margin=0.075 if rng.random() < 0.2 else 0.03,
        noun=None,
        color=None,
    )


def sample_backdrop(
    rng: np.random.Generator,
    away_from: Sequence[RGB] = (),
    kinds: Sequence[str] | None = None,
) -> Promo | Background:
    """Draws a backdrop that is not white.

    Args:
      rng: source of random numbers.
      away_from: colours it must differ from.
      kinds: to choose from, as `kind_of` tells them; None for all.
    """
    for _ in range(_ATTEMPTS):
        if rng.random() < 0.45:
            backdrop: Promo | Background = sample_background(rng, False)
        else:
            backdrop = _promo(rng)
        if kinds is not None and kind_of(backdrop) not in kinds:
            continue
        if all(stands_out(tone_of(backdrop), color) for color in away_from):
            return backdrop
    raise AssertionError(f"no backdrop of {kinds} stands out from {list(away_from)}")


def white_backdrop() -> Background:
    """Pure white."""
    white = setting_by_id("white")
    return Background(setting=white, tone=white.tones[0], seed=0)


def backdrop_noun(backdrop: Promo | Background) -> Words:
    """What an instruction calls a backdrop."""
    if isinstance(backdrop, Promo):
        return PROMO_NOUNS[backdrop.kind].colored(backdrop.first)
    setting, tone = backdrop.setting, backdrop.tone
    return Words(
        setting.noun_en.format(tone=tone.name_en),
        setting.noun_zh.format(tone=tone.name_zh),
    )


def tone_of(backdrop: Backdrop) -> RGB:
    """The main colour of a drawn backdrop."""
    if isinstance(backdrop, Promo):
        return backdrop.first.rgb
    assert isinstance(backdrop, Background)
    return backdrop.tone.rgb


def kind_of(backdrop: Backdrop) -> str | None:
    """The kind of a drawn backdrop, the id of a setting; None of a photo."""
    match backdrop:
        case Promo():
            return backdrop.kind
        case Background():
            return backdrop.setting.id
        case _:
            return None


def moves_of(scene: Scene) -> list[Scene]:
    """The same product at the other columns where it fits."""
    moved = [_moved(scene, shift) for shift in _CENTERS]
    return [
        other
        for other in moved
        if abs(other.offset - scene.offset) > 0.1 and _fits(other)
    ]


def product_rect(scene: Scene) -> Rect:
    """The space a product takes on its canvas, with most of its shadow."""
    rows, columns = scene.size
    center, ground, height = product_box(scene)
    reach = _half_width(scene) * height
    top = (ground - height) / rows - 0.02
    return Rect(
        top=top,
        left=(center - reach) / columns,
        height=height / rows + 0.07,
        width=2.0 * reach / columns,
    )


def _height(rng: np.random.Generator, scene: Scene) -> float:
    rows, columns = scene.size
    widest = 0.86 * columns / (2.0 * _half_width(scene) * rows)
    return round(min(uniform(rng, 0.44, 0.52), widest), 3)


def _half_width(scene: Scene) -> float:
    """Half the space a product takes, in its heights, wherever its handle points."""
    return max(*scene.family.reach, 1.25 * scene.family.foot)


def _moved(scene: Scene, offset: float) -> Scene:
    return dataclasses.replace(scene, offset=offset)


def _fits(scene: Scene) -> bool:
    rect = product_rect(scene)
    return rect.left >= 0.01 and rect.left + rect.width <= 0.99


def _promo(rng: np.random.Generator) -> Promo:
    kind: PromoKind = choose(rng, tuple(PROMO_NOUNS))
    tones = setting_by_id("plain").tones
    vivid = tuple(color for color in COLORS if color.id in _VIVID)
    first: Color = choose(rng, vivid if rng.random() < 0.45 else tones)
    share = 0.42 if kind != "dots" else 0.30
    red, green, blue = (round(c + (255 - c) * share) for c in first.rgb)
    return Promo(kind=kind, first=first, second=(red, green, blue))


def _stand_in(backdrop: Backdrop, drawn: Background) -> Background:
    """The renderer asks for a background to choose colours by; it is not drawn."""
    if isinstance(backdrop, Background):
        return backdrop
    assert isinstance(backdrop, Promo)
    return dataclasses.replace(drawn, tone=backdrop.first)
