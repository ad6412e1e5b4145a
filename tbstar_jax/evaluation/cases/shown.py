"""The second picture of a case: what is to be added, alone on white.

A packshot of the very thing that the reference adds: the same shape, colours, material
and turn, in the light of the scene, without shadow, framed as products are. An answer
may be held to that thing then, not to any that the words fit.
"""

import dataclasses

from tbstar_jax.data_engine.studio import sampling
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.data_engine.studio.scene import Scene
from tbstar_jax.data_engine.studio.settings import WHITE, backdrop_of
from tbstar_jax.evaluation.cases.draft import Ask, Draft, Wording
from tbstar_jax.evaluation.cases.from_studio import Shot


def with_object(draft: Draft, shot: Shot) -> Draft:
    """The draft with a picture of what is added, and the words that point at it.

    Args:
      draft: of `shot`, an `object_add` or `object_replace`.
      shot: the edit.
    """
    (ask,) = draft.asks
    wording: Wording = "shown_add" if ask.wording == "object_add" else "shown_replace"
    asked = Ask(wording=wording, facts=ask.facts, measure_zh=ask.measure_zh)
    picture = render(packshot(shot.edit)).image
    return dataclasses.replace(draft, asks=(asked,), object_photo=picture)


def packshot(edit: Edit) -> Scene:
    """The added thing alone, in the middle of a white picture of the photo's size."""
    scene = edit.after
    (number,) = edit.touched_after
    item = dataclasses.replace(scene.items[number], x=0.0, z=0.0)
    wide, tall = sampling.half_width(item), sampling.height(item)
    angle = sampling.view_angle(wide, tall, scene.size, scene.camera.distance)
    camera = dataclasses.replace(
        scene.camera, height=round(tall * 0.44, 3), field_of_view=angle
    )
    return dataclasses.replace(
        scene,
        items=(item,),
        camera=camera,
        light=dataclasses.replace(scene.light, shadow=0.0),
        backdrop=backdrop_of(WHITE, 0.0),
    )
