"""Edits as changed parameters: the scene before, the scene after, and what is true.

Fifteen tasks. Each draws a scene on which it makes sense, changes the parameters it is
about, and says which items it may redraw: for a local edit nothing but these items and
(where shape or place change) what their shadows reach may differ.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.data_engine.render.sampling import choose, uniform
from tbstar_jax.data_engine.studio import sampling, words
from tbstar_jax.data_engine.studio.sampling import Needs, Wishes, sample_scene
from tbstar_jax.data_engine.studio.scene import Item, Scene, Size, color_of
from tbstar_jax.data_engine.studio.settings import (
    SETTINGS,
    WHITE,
    Setting,
    backdrop_of,
)
from tbstar_jax.errors import UserError

_ROW_GAP = 0.07
_COUNTS = ((1, 2), (1, 3), (2, 3), (2, 4), (2, 1), (3, 1), (3, 2), (4, 2))
"""Equal things in a row, before and after."""
_MOST_ABREAST = 4
_HARD_LIGHT, _SOFT_LIGHT = 0.05, 0.32
"""Penumbra of shadows with an edge, and of those without."""

Extent = Literal["surface", "items", "backdrop", "all"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """An edit of a scene.

    Attributes:
      task: id of `tasks.TASKS`.
      before: the scene in the source.
      after: the scene in the target.
      extent: what may differ: the `surface` of the touched items, `items` with their
        shadows, the `backdrop`, or `all`.
      touched_before: numbers of the items it is about, in `before`.
      touched_after: likewise in `after`.
      facts: what instructions may say.
    """

    task: str
    before: Scene
    after: Scene
    extent: Extent
    touched_before: tuple[int, ...] = ()
    touched_after: tuple[int, ...] = ()
    facts: Facts


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Draw:
    """What every task draws from."""

    rng: np.random.Generator
    size: Size
    supersampling: int
    wishes: Wishes

    def scene(self, needs: Needs) -> tuple[Scene, Setting]:
        needs = sampling.wished(needs, self.wishes)
        return sample_scene(self.rng, self.size, self.supersampling, needs)


def sample_edit(
    rng: np.random.Generator,
    task: str,
    size: Size,
    supersampling: int = 2,
    wishes: Wishes = sampling.NO_WISHES,
) -> Edit:
    """Draws an edit of a task.

    Args:
      rng: its source of random numbers.
      task: one of `EDIT_TASKS`.
      size: rows and columns, in pixels.
      supersampling: rays per pixel and direction.
      wishes: what the source is to show.

    Raises:
      UserError: the studio does not render this task.
    """
    if task not in _SAMPLERS:
        raise UserError(
            f"the studio does not render the task {task!r}; it renders "
            f"{', '.join(EDIT_TASKS)}"
        )
    draw = _Draw(rng=rng, size=size, supersampling=supersampling, wishes=wishes)
    edit = _SAMPLERS[task](draw)
    scenes = edit.before, edit.after
    if any(sampling.has_tiny_plate(scene) for scene in scenes):
        # Smaller things, or more of them, have smaller plates.
        before, after = (sampling.without_logo(scene) for scene in scenes)
        return dataclasses.replace(edit, before=before, after=after)
    return edit


def _with(scene: Scene, number: int, **changes: object) -> Scene:
    """The scene with one item changed."""
    items = list(scene.items)
    items[number] = dataclasses.replace(items[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(scene, items=tuple(items))


def _background(draw: _Draw, task: str) -> Edit:
    before, old = draw.scene(Needs(is_white=False if task == "bg_white" else None))
    new = WHITE
    if task == "bg_scene":
        rgb = color_of(before.items[0].color).rgb
        options = [
            one for one in SETTINGS if one.name_en != old.name_en and one.shows(rgb)
        ]
        new = choose(draw.rng, options)
    backdrop = backdrop_of(new, before.backdrop.phase)
    facts = Facts(
        **words.thing(before.items[0]),
        background_en=old.name_en,
        background_zh=old.name_zh,
        new_background_en=new.name_en,
        new_background_zh=new.name_zh,
    )
    after = dataclasses.replace(before, backdrop=backdrop)
    return Edit(task=task, before=before, after=after, extent="backdrop", facts=facts)


def _recolor(draw: _Draw) -> Edit:
    before, setting = draw.scene(Needs(is_colored=True))
    others = [color_of(item.color) for item in before.items]
    color = sampling.other_color(draw.rng, setting, others)
    facts = Facts(
        **words.thing(before.items[0]),
        new_color_en=color.name_en,
        new_color_zh=color.name_zh,
    )
    return _surface("recolor", before, _with(before, 0, color=color.id), facts)


def _material(draw: _Draw) -> Edit:
    before, _ = draw.scene(Needs(is_colored=True))
    material = choose(draw.rng, sampling.materials_of(before.items[0]))
    facts = Facts(
        **words.thing(before.items[0]),
        **words.material(before.items[0].material),
        **words.material(material, "new_"),
    )
    # What light goes through casts another shadow.
    edit = _surface("material", before, _with(before, 0, material=material), facts)
    return dataclasses.replace(edit, extent="items")


def _surface(task: str, before: Scene, after: Scene, facts: Facts) -> Edit:
    return Edit(
        task=task,
        before=before,
        after=after,
        extent="surface",
        touched_before=(0,),
        touched_after=(0,),
        facts=facts,
    )


def _text(draw: _Draw, task: str) -> Edit:
    scene, _ = draw.scene(Needs(label=True))
    label = scene.items[0].label
    assert label is not None
    is_zh = task == "text_replace_zh" or (
        task in ("text_add", "text_remove") and bool(draw.rng.random() < 0.5)
    )
    texts = sampling.TEXTS_ZH if is_zh else sampling.TEXTS_EN
    old = choose(draw.rng, texts)
    new = choose(draw.rng, [text for text in texts if text != old])
    shown = {"text_add": ("", new), "text_remove": (old, "")}.get(task, (old, new))
    before, after = (
        _with(scene, 0, label=dataclasses.replace(label, text=text)) for text in shown
    )
    language: Language = "zh" if is_zh else "en"
    facts = Facts(
        **words.thing(scene.items[0]),
        text_kind_en="label text",
        text_kind_zh="标签文字",
        text=shown[0] or None,
        new_text=shown[1] or None,
        text_language=language if shown[0] else None,
        new_text_language=language if shown[1] else None,
    )
    return _surface(task, before, after, facts)


def _prop(draw: _Draw, task: str) -> Edit:
    num_props = draw.wishes.num_items or choose(draw.rng, (1, 1, 2))
    if draw.wishes.num_items and task != "object_add":
        # What goes is one of the things in the source, as the product is.
        num_props -= 1
    full, setting = draw.scene(Needs(num_props=num_props))
    number = len(full.items) - 1
    item = full.items[number]
    facts = words.thing(item) | words.thing(full.items[0], "other_", color=False)
    facts["position"] = words.position(item, full)
    without = dataclasses.replace(full, items=full.items[:number])
    if task == "object_replace":
        found = sampling.sample_prop(draw.rng, setting, full.items)
        shrink = sampling.half_width(item) / sampling.half_width(found)
        found = dataclasses.replace(
            found, x=item.x, z=item.z, scale=round(found.scale * min(1.0, shrink), 3)
        )
        after = dataclasses.replace(full, items=(*full.items[:number], found))
        facts |= words.thing(found, "new_")
        return _items(task, full, after, (number,), (number,), Facts(**facts))
    if task == "object_add":
        return _items(task, without, full, (), (number,), Facts(**facts))
    return _items(task, full, without, (number,), (), Facts(**facts))


def _items(
    task: str,
    before: Scene,
    after: Scene,
    touched_before: tuple[int, ...],
    touched_after: tuple[int, ...],
    facts: Facts,
) -> Edit:
    return Edit(
        task=task,
        before=before,
        after=after,
        extent="items",
        touched_before=touched_before,
        touched_after=touched_after,
        facts=facts,
    )


def _move(draw: _Draw) -> Edit:
    scene, _ = draw.scene(Needs(num_props=0, room=1.3))
    item = scene.items[0]
    sign = 1 if draw.rng.random() < 0.5 else -1
    shift = max(0.22, 0.55 * sampling.half_width(item)) * uniform(draw.rng, 0.85, 1.1)
    starts = (0.0, -0.5 * sign * shift)
    start = round(choose(draw.rng, starts), 3)
    before = _with(scene, 0, x=start)
    after = _with(scene, 0, x=round(start + sign * shift, 3))
    before, after = _zoomed_out(before, after)
    facts = words.thing(item) | {
        "direction": "right" if sign > 0 else "left",
        "position": words.position(before.items[0], before),
        "new_position": words.position(after.items[0], after),
    }
    return _items("move", before, after, (0,), (0,), Facts(**facts))


def _zoomed_out(before: Scene, after: Scene) -> tuple[Scene, Scene]:
    """Both scenes through a camera that shows the items of both."""
    wide = max(
        abs(item.x) + sampling.half_width(item)
        for item in (*before.items, *after.items)
    )
    tall = max(sampling.height(item) for item in (*before.items, *after.items))
    needed = sampling.view_angle(wide, tall, before.size, before.camera.distance)
    camera = dataclasses.replace(
        before.camera,
        field_of_view=max(needed, before.camera.field_of_view),
        height=round(tall * 0.44, 3),
    )
    return (
        dataclasses.replace(before, camera=camera),
        dataclasses.replace(after, camera=camera),
    )


def _layout(draw: _Draw) -> Edit:
    variant = choose(draw.rng, (_count, _resize, _swap))
    return variant(draw)


def _count(draw: _Draw) -> Edit:
    scene, _ = draw.scene(Needs(num_props=0))
    old, new = choose(draw.rng, _COUNTS)
    item = dataclasses.replace(scene.items[0], turn=round(scene.items[0].turn / 2, 3))
    rows = [_row(item, count) for count in (old, new)]
    before, after = _zoomed_out(
        *(dataclasses.replace(scene, items=row) for row in rows)
    )
    names = words.thing(item) | words.row(old, "") | words.row(new, "new_")
    facts = Facts(**names, count=old, new_count=new)
    return _items("layout", before, after, tuple(range(old)), tuple(range(new)), facts)


def _row(item: Item, count: int) -> tuple[Item, ...]:
    # The longest row decides the size, so that counting does not change it.
    longest = sampling.place_in_row([item] * _MOST_ABREAST, _ROW_GAP)[0].scale
    smaller = dataclasses.replace(item, scale=round(longest * 0.94, 3))
    return sampling.place_in_row([smaller] * count, _ROW_GAP)


def _resize(draw: _Draw) -> Edit:
    scene, _ = draw.scene(Needs(num_props=0))
    item = scene.items[0]
    factor = uniform(draw.rng, 1.3, 1.5)
    small = dataclasses.replace(item, scale=round(item.scale / factor, 3))
    is_larger = bool(draw.rng.random() < 0.5)
    old, new = (small, item) if is_larger else (item, small)
    before = dataclasses.replace(scene, items=(old,))
    after = dataclasses.replace(scene, items=(new,))
    facts = Facts(**words.thing(item), new_size="larger" if is_larger else "smaller")
    return _items("layout", before, after, (0,), (0,), facts)


def _swap(draw: _Draw) -> Edit:
    before, _ = draw.scene(Needs(num_props=1))
    first, second = before.items
    turned = sorted((second, first), key=lambda item: -item.x)
    placed = sampling.place_in_row(turned, 0.06)
    by_family = {item.family: item for item in placed}
    items = tuple(
        dataclasses.replace(one, x=by_family[one.family].x) for one in before.items
    )
    after = dataclasses.replace(before, items=items)
    before, after = _zoomed_out(before, after)
    facts = Facts(
        **words.thing(first),
        **words.thing(second, "other_", color=False),
        **words.order(before, ""),
        **words.order(after, "new_"),
    )
    return _items("layout", before, after, (0, 1), (0, 1), facts)


def _light(draw: _Draw) -> Edit:
    before, _ = draw.scene(Needs())
    light = before.light
    match choose(draw.rng, ("side", "warm", "cool", "off", "on", "soften")):
        case "side":
            new = dataclasses.replace(light, azimuth=-light.azimuth)
        case "warm":
            new = dataclasses.replace(light, warmth=uniform(draw.rng, 0.7, 1.0))
        case "cool":
            new = dataclasses.replace(light, warmth=-uniform(draw.rng, 0.6, 0.9))
        case "off":
            new = dataclasses.replace(light, shadow=0.0)
        case "soften":
            light = dataclasses.replace(light, shadow=0.84, softness=_HARD_LIGHT)
            new = dataclasses.replace(light, shadow=0.42, softness=_SOFT_LIGHT)
        case _:
            new = light
            light = dataclasses.replace(light, shadow=0.0)
    before = dataclasses.replace(before, light=light)
    after = dataclasses.replace(before, light=new)
    facts = Facts(
        **words.thing(before.items[0]),
        **words.light(light, new, ""),
        **words.light(new, light, "new_"),
    )
    return Edit(
        task="light_shadow", before=before, after=after, extent="all", facts=facts
    )


def _identity(draw: _Draw) -> Edit:
    scene, _ = draw.scene(Needs(is_colored=True))
    facts = Facts(**words.thing(scene.items[0]))
    return _items("identity", scene, scene, (), (), facts)


_SAMPLERS: dict[str, Callable[[_Draw], Edit]] = {
    "bg_white": lambda draw: _background(draw, "bg_white"),
    "bg_scene": lambda draw: _background(draw, "bg_scene"),
    "recolor": _recolor,
    "material": _material,
    "text_remove": lambda draw: _text(draw, "text_remove"),
    "text_replace_en": lambda draw: _text(draw, "text_replace_en"),
    "text_replace_zh": lambda draw: _text(draw, "text_replace_zh"),
    "text_add": lambda draw: _text(draw, "text_add"),
    "object_add": lambda draw: _prop(draw, "object_add"),
    "object_remove": lambda draw: _prop(draw, "object_remove"),
    "object_replace": lambda draw: _prop(draw, "object_replace"),
    "light_shadow": _light,
    "layout": _layout,
    "move": _move,
    "identity": _identity,
}

EDIT_TASKS: tuple[str, ...] = tuple(_SAMPLERS)
"""Ids of the tasks the studio renders."""
