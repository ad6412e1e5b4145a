"""Close-ups: a photo shows a scene, the right answer a detail of it, fully sharp.

Both are exact renders of one scene from one place: the answer through a longer lens,
which has the perspective of a crop and the detail of a larger picture. Each is a window
of a somewhat larger render, so that what is zoomed in on lies anywhere in the photo and
exactly in the middle of the answer. No pixel is kept, and `masks.edit` is all.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.render.sampling import uniform
from tbstar_jax.data_engine.studio import words
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.renderer import Frame, render
from tbstar_jax.data_engine.studio.sampling import NO_WISHES, Wishes
from tbstar_jax.data_engine.studio.scene import Scene
from tbstar_jax.evaluation.cases.case import Masks, TargetObject
from tbstar_jax.evaluation.cases.draft import Ask, Draft, box_of, no_mask
from tbstar_jax.evaluation.cases.overlaid import plain_scene
from tbstar_jax.evaluation.cases.scene_maps import scene_maps
from tbstar_jax.geometry import Box

Size = tuple[int, int]

_SEEN = 0.5
_PRINTED = 0.05
_LEAST_FILL = 0.4
"""Share of the close-up that the detail takes up at least."""
_LEAST_ZOOM, _LARGEST_ZOOM = 1.5, 3.5
"""More would show much that the photo does not tell."""
_LABELS = 0.65
"""Share of the draws that are about a label: half of those products have none."""
_NEARER = 1.35
_TRIAL = 128
"""Shorter side of the renders by which the lens is pointed, pixels."""
_SLACK = 0.04
"""What the render of the answer is larger by on each side, as a share of it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Detail:
    """What is zoomed in on.

    Attributes:
      scene: with the detail about in the middle.
      number: of the item.
      is_label: whether it is the item's print, not all of it.
    """

    scene: Scene
    number: int
    is_label: bool

    def mask(self, frame: Frame) -> Bool[np.ndarray, "h w"]:
        """Where a render shows it."""
        if self.is_label:
            return frame.ink[self.number] > _PRINTED
        return frame.coverage[self.number] > _SEEN


def closeup_draft(
    rng: np.random.Generator, size: Size, wishes: Wishes = NO_WISHES
) -> Draft | None:
    """Draws a product photo and a close-up of what is in it.

    Args:
      rng: source of random numbers.
      size: rows and columns, pixels.
      wishes: what the photo is to show.

    Returns:
      The draft, or None where what was drawn is too large or too small for one.
    """
    scene = plain_scene(rng, size, wishes)
    is_label = bool(rng.random() < _LABELS)
    if is_label:
        label = scene.items[0].label
        if label is None or not label.text:
            return None
        # A label is a small part of its picture: come closer.
        scene = _seen(scene, size, _NEARER)
    number = 0 if is_label else int(rng.integers(len(scene.items)))
    fill = uniform(rng, 0.60, 0.72) if is_label else uniform(rng, 0.72, 0.84)
    composed = _Detail(scene=scene, number=number, is_label=is_label)
    trial = _trial(scene)
    found = box_of(composed.mask(render(trial)))
    if found is None or _zoom(found, trial.size, fill) is None:
        return None
    detail = _pointed(composed)
    wide = _photo(detail, _off_axis(found, trial.size)) if detail else None
    box = box_of(detail.mask(wide)) if detail and wide else None
    if detail is None or wide is None or box is None or _is_cut(box, size):
        return None
    zoom = _zoom(box, size, fill)
    close = _closeup(detail, zoom) if zoom else None
    return _draft(detail, wide, close) if close else None


def _zoom(box: Box, size: Size, fill: float) -> float | None:
    """How much larger the close-up shows the detail, to take up `fill` of it at most.

    None where it is too large or too small in the photo.
    """
    share = max(_shares(box, size))
    zoom = round(min(_LARGEST_ZOOM, fill / share), 3)
    return zoom if zoom >= _LEAST_ZOOM and zoom * share >= _LEAST_FILL else None


def _off_axis(box: Box, size: Size) -> tuple[float, float]:
    """How far a box lies below and right of the middle, in shares of the picture."""
    return (
        (box.top + box.height / 2) / size[0] - 0.5,
        (box.left + box.width / 2) / size[1] - 0.5,
    )


def _trial(scene: Scene) -> Scene:
    """The scene on few pixels."""
    shorter = min(scene.size)
    rows, columns = (round(side * _TRIAL / shorter) for side in scene.size)
    return dataclasses.replace(scene, size=(rows, columns), supersampling=1)


def _pointed(detail: _Detail) -> _Detail | None:
    """The same things, moved with the camera until the detail is on its axis."""
    for _ in range(2):
        trial = _trial(detail.scene)
        frame = render(trial)
        box = box_of(detail.mask(frame))
        if box is None:
            return None
        camera = detail.scene.camera
        depth = float(np.median(frame.depth[detail.mask(frame)]))
        # World units per share of the picture, at the detail's distance.
        reach = 2 * depth * math.tan(math.radians(camera.field_of_view) / 2)
        down, right = (
            share * reach * side / min(trial.size)
            for share, side in zip(_off_axis(box, trial.size), trial.size, strict=True)
        )
        lower = down / math.cos(math.radians(camera.pitch))
        camera = dataclasses.replace(camera, height=round(camera.height - lower, 4))
        items = tuple(
            dataclasses.replace(item, x=round(item.x - right, 4))
            for item in detail.scene.items
        )
        scene = dataclasses.replace(detail.scene, camera=camera, items=items)
        detail = dataclasses.replace(detail, scene=scene)
    return detail


def _photo(detail: _Detail, place: tuple[float, float]) -> Frame:
    """The scene as it was composed, the detail at its place in the picture."""
    rows, columns = detail.scene.size
    down, right = round(place[0] * rows), round(place[1] * columns)
    canvas = rows + 2 * abs(down), columns + 2 * abs(right)
    box = Box(top=abs(down) - down, left=abs(right) - right, height=rows, width=columns)
    return _window(render(_seen(detail.scene, canvas, 1.0)), box)


def _closeup(detail: _Detail, zoom: float) -> Frame | None:
    """The detail in the middle, `zoom` times as large; None where it is cut off."""
    rows, columns = detail.scene.size
    canvas = rows + 2 * round(_SLACK * rows), columns + 2 * round(_SLACK * columns)
    frame = render(_seen(detail.scene, canvas, zoom))
    box = box_of(detail.mask(frame))
    if box is None or _is_cut(box, canvas):
        return None
    top = round(box.top + (box.height - rows) / 2)
    left = round(box.left + (box.width - columns) / 2)
    if not (0 <= top <= canvas[0] - rows and 0 <= left <= canvas[1] - columns):
        return None
    return _window(frame, Box(top=top, left=left, height=rows, width=columns))


def _seen(scene: Scene, canvas: Size, zoom: float) -> Scene:
    """The scene on another canvas, each of its units so many times as many pixels."""
    half = math.tan(math.radians(scene.camera.field_of_view) / 2)
    wide = half / zoom * min(canvas) / min(scene.size)
    angle = round(math.degrees(2 * math.atan(wide)), 6)
    camera = dataclasses.replace(scene.camera, field_of_view=angle)
    return dataclasses.replace(scene, size=canvas, camera=camera)


def _window(frame: Frame, box: Box) -> Frame:
    """A part of a render."""
    across = (slice(None), *box.slices)
    return Frame(
        image=frame.image[box.slices].copy(),
        ids=frame.ids[box.slices],
        coverage=frame.coverage[across],
        influence=frame.influence[across],
        ink=frame.ink[across],
        text=frame.text[across],
        room=frame.room[across],
        depth=frame.depth[box.slices],
    )


def _is_cut(box: Box, size: Size) -> bool:
    """Whether something reaches the border, beyond which there may be more of it."""
    bottom, right = box.top + box.height, box.left + box.width
    return min(box.top, box.left, size[0] - bottom, size[1] - right) < 1


def _shares(box: Box, size: Size) -> tuple[float, float]:
    """Of the picture's height and of its width."""
    return box.height / size[0], box.width / size[1]


def _draft(detail: _Detail, wide: Frame, close: Frame) -> Draft | None:
    shown = box_of(detail.mask(close))
    if shown is None:
        return None
    size = (close.image.shape[0], close.image.shape[1])
    item = detail.scene.items[detail.number]
    family = family_of(item.family)
    return Draft(
        generator="studio",
        asks=(
            Ask(
                wording="closeup",
                facts=_facts(detail, shown, size),
                measure_zh=family.measure_zh,
            ),
        ),
        source=wide.image,
        reference=close.image,
        masks=Masks(
            edit=np.ones(size, bool),
            product=detail.mask(wide),
            product_after=detail.mask(close),
            shadow=no_mask(size),
            text=no_mask(size),
        ),
        kept_texts=(),
        target_texts=(),
        target_objects=(
            TargetObject(
                id=f"item-{detail.number}",
                kind=family.id,
                name=family.name_en,
                before=box_of(wide.coverage[detail.number] > _SEEN),
                after=box_of(close.coverage[detail.number] > _SEEN),
            ),
        ),
        tags={
            "family": detail.scene.items[0].family,
            "background": detail.scene.backdrop.kind,
            "num_objects": str(len(detail.scene.items)),
        },
        scene=scene_maps(wide),
    )


def _facts(detail: _Detail, shown: Box, size: Size) -> Facts:
    """Its name, and how much of the close-up it takes up."""
    thing = words.thing(detail.scene.items[detail.number])
    if detail.is_label:
        english = " ".join((thing.get("color_en", ""), thing["object_en"])).strip()
        chinese = thing.get("color_zh", "") + thing["object_zh"]
        thing = {
            "object_en": f"label of the {english}",
            "object_zh": f"{chinese}的标签",
        }
    shares = _shares(shown, size)
    percent = math.floor(100 * max(shares) + 0.5)
    side = ("width", "宽") if shares[1] >= shares[0] else ("height", "高")
    return Facts(
        **thing,
        new_size="larger",
        new_layout_en=f"{percent} % of the picture's {side[0]}",
        new_layout_zh=f"画面{side[1]}度的{percent}%",
    )
