"""What makes overlays hard: more of them, tiny ones, faint ones.

Each changes a sampled edit before it is drawn, in both of its cards alike.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.layout.bases import photo_base
from tbstar_jax.data_engine.layout.card import (
    Badge,
    Damage,
    Part,
    Placed,
    Price,
    Rect,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.edit import Edit
from tbstar_jax.data_engine.layout.placement import Grounds, rect_at
from tbstar_jax.data_engine.layout.sampling import PartId, sample_part
from tbstar_jax.data_engine.render.scene import RGB, Color

Photo = UInt8[np.ndarray, "h w 3"]

_ALL: tuple[PartId, ...] = ("headline", "note", "price", "badge", "logo", "code")
_TINY = 0.55
_FAINT = 0.3


def crowded(
    rng: np.random.Generator, edit: Edit, photo: Photo, taken: Sequence[Rect]
) -> Edit | None:
    """The edit among as many other parts as find room.

    Args:
      rng: source of random numbers.
      edit: with words that are still the sampler's.
      photo: what the parts lie on.
      taken: where no part may lie.

    Returns:
      The edit, or None where nothing finds room.
    """
    parts = (*edit.before.parts, *edit.after.parts)
    rects = [part.rect for part in parts if isinstance(part, Placed)]
    base = photo_base(rng, photo, (*taken, *rects, *outside(edit)))
    present = {part.id for part in parts}
    added: list[Part] = []
    for id in _ALL:
        if id in present:
            continue
        part = sample_part(rng, base, id, ())
        if part is not None:
            added.append(part)
            base = dataclasses.replace(base, taken=(*base.taken, part.rect))
    if not added:
        return None
    return dataclasses.replace(
        edit, before=edit.before.plus(*added), after=edit.after.plus(*added)
    )


def shrunk(edit: Edit) -> Edit | None:
    """The edit with the parts it is about at about half their size."""
    return _altered(edit, _small)


def faint(edit: Edit, photo: Photo) -> Edit | None:
    """The edit with the parts it is about hardly darker or brighter than their ground.

    Args:
      edit: as sampled.
      photo: what the parts lie on.

    Returns:
      The edit, or None where it is about nothing that can be faint.
    """
    return _altered(edit, lambda part: _faint(part, photo))


def outside(edit: Edit) -> list[Rect]:
    """The strips of the canvas that an outpainting's photo does not show."""
    if edit.window is None:
        return []
    rows, columns = edit.window.canvas
    box = edit.window.photo
    top, bottom = box.top / rows, (box.top + box.height) / rows
    left, right = box.left / columns, (box.left + box.width) / columns
    strips = (
        Rect(top=0.0, left=0.0, height=top, width=1.0),
        Rect(top=bottom, left=0.0, height=1.0 - bottom, width=1.0),
        Rect(top=0.0, left=0.0, height=1.0, width=left),
        Rect(top=0.0, left=right, height=1.0, width=1.0 - right),
    )
    return [strip for strip in strips if strip.height > 0 and strip.width > 0]


def _altered(edit: Edit, alter: Callable[[Part], Part | None]) -> Edit | None:
    cards = []
    for card, other in ((edit.before, edit.after), (edit.after, edit.before)):
        changed = [part for part in card.parts if other.part(part.id) != part]
        made = [alter(part) for part in changed]
        known = [part for part in made if part is not None]
        if len(known) < len(changed):
            return None
        cards.append(card.plus(*known))
    if cards[0] == edit.before and cards[1] == edit.after:
        return None
    return dataclasses.replace(edit, before=cards[0], after=cards[1])


def _small(part: Part) -> Part | None:
    if not isinstance(part, Placed):
        return None
    rect = rect_at(part.place, part.rect.height * _TINY, part.rect.width * _TINY, 0.03)
    return dataclasses.replace(part, rect=rect)


def _faint(part: Part, photo: Photo) -> Part | None:
    match part:
        case Watermark():
            return dataclasses.replace(part, opacity=round(0.45 * part.opacity, 3))
        case Damage():
            mean = float(np.mean(photo))
            gray = round(mean - 50 if mean > 128 else mean + 50)
            return dataclasses.replace(part, gray=gray)
        case Badge():
            return dataclasses.replace(part, ink=_mixed(part.ink, part.fill.rgb))
        case Price():
            return dataclasses.replace(part, ink=_mixed(part.ink, part.plate.rgb))
        case Text() if part.outline is None:
            below = Grounds([photo]).tones(part.rect)[0]
            ground = part.plate.rgb if part.plate else below
            return dataclasses.replace(part, ink=_mixed(part.ink, ground))
        case _:
            return None


def _mixed(ink: Color, ground: RGB) -> Color:
    red, green, blue = (
        round(_FAINT * one + (1 - _FAINT) * other)
        for one, other in zip(ink.rgb, ground, strict=True)
    )
    return dataclasses.replace(ink, rgb=(red, green, blue))
