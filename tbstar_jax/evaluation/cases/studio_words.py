"""What a studio edit is called, as exactly as its scenes tell.

The data engine's facts say `larger`, `further to the left`; a reference that is right
in every pixel needs how much.
"""

import dataclasses
import math

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.pairs import Pair
from tbstar_jax.evaluation.cases.draft import Ask, Wording


def ask_of(edit: Edit, pair: Pair) -> Ask:
    """The edit in words.

    Args:
      edit: the scenes.
      pair: their renders, from which shares of the picture are taken.
    """
    facts = edit.facts
    wording: Wording
    match edit.task:
        case "text_replace_en" | "text_replace_zh":
            wording = "text_replace"
        case "text_add":
            wording = "label_add"
        case "light_shadow":
            wording, facts = _light(edit)
        case "layout" if facts.new_count is not None:
            wording = "count"
        case "layout" if facts.new_size is not None:
            wording, facts = "resize", _resized(edit)
        case "layout":
            wording = "swap"
        case "move":
            wording, facts = "shift", _shifted(edit, pair)
        case "bg_white":
            wording = "bg_white"
        case "bg_scene":
            wording = "bg_scene"
        case "recolor":
            wording = "recolor"
        case "material":
            wording = "material"
        case "text_remove":
            wording = "text_remove"
        case "object_add":
            wording = "object_add"
        case "object_remove":
            wording = "object_remove"
        case "object_replace":
            wording = "object_replace"
        case _:
            raise AssertionError(f"the benchmark has no words for {edit.task!r}")
    about = (*edit.touched_before, *edit.touched_after, 0)[0]
    scene = edit.before if edit.touched_before else edit.after
    measure = family_of(scene.items[about].family).measure_zh
    return Ask(wording=wording, facts=facts, measure_zh=measure)


def _light(edit: Edit) -> tuple[Wording, Facts]:
    before, after = edit.before.light, edit.after.light
    if before.shadow == after.shadow:
        return "relight", edit.facts
    if after.shadow == 0:
        return "shadows_remove", edit.facts
    if before.shadow > 0:
        return "shadows_soften", edit.facts
    side = ("left", "左") if after.azimuth < 0 else ("right", "右")
    facts = dataclasses.replace(
        edit.facts,
        new_light_en=f"soft shadows on the floor, with light from the {side[0]}",
        new_light_zh=f"地面上的柔和阴影，光从{side[1]}侧照来",
    )
    return "shadows_add", facts


def _resized(edit: Edit) -> Facts:
    old, new = edit.before.items[0].scale, edit.after.items[0].scale
    percent = round(100 * new / old)
    return dataclasses.replace(
        edit.facts,
        new_layout_en=f"{percent} % of its present size",
        new_layout_zh=f"现在大小的{percent}%",
    )


def _shifted(edit: Edit, pair: Pair) -> Facts:
    centers = []
    for frame in (pair.before, pair.after):
        columns = np.flatnonzero((frame.coverage[0] > 0.5).any(axis=0))
        centers.append(float(columns[0] + columns[-1]) / 2)
    share = abs(centers[1] - centers[0]) / edit.before.size[1]
    percent = max(1, math.floor(100 * share + 0.5))
    return dataclasses.replace(
        edit.facts,
        new_layout_en=f"{percent} % of the picture's width",
        new_layout_zh=f"画面宽度的{percent}%",
    )
