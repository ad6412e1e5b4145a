"""Named colours: which one an instruction asks for, and whether a region has it."""

import numpy as np
import pytest

from tbstar_jax.data_engine.filter.colors import color_name_error, named_color
from tbstar_jax.data_engine.render.scene import COLORS
from tests.data_engine.filter.measured_pairs import record


def asked(en=(), zh=(), **provenance):
    return named_color(
        record(
            instructions_en=tuple(en), instructions_zh=tuple(zh), provenance=provenance
        )
    )


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("make the red mug blue", "blue"),
        ("change the mug from green to Purple", "purple"),
        ("I want it in navy instead of red", "blue"),
        ("a pink bag, not the blue one", "pink"),
        ("white shoe -> grey", "grey"),
        ("make it prettier", None),
        ("recolor the blackberry jar", None),
        ("把红色马克杯改成蓝色", "blue"),
        ("将杯子的颜色由绿色换成紫色", "purple"),
        ("这款瓶子还有黄色，请展示黄色款", "yellow"),
        ("红色变粉红", "pink"),
        ("改成黑色，不要白色", "black"),
        ("换个颜色", None),
    ],
)
def test_the_colour_asked_for_is_the_last_one_that_is_wanted(text, color):
    assert asked([text]) == color


def test_paraphrases_vote_and_facts_come_first():
    texts = ["make it red", "red please", "blue to red, red to blue"]
    assert asked(texts) == "red"
    assert asked(texts, facts={"new_color_en": "green"}) == "green"
    assert asked(texts, facts={"new_color_zh": "绿色"}) == "green"
    assert asked(texts, facts="damaged") == "red"


NAMES = {"teal": "teal", "grey": "grey"} | {c.id: c.id for c in COLORS}


@pytest.mark.parametrize("color", COLORS, ids=lambda color: color.id)
def test_every_colour_of_the_renderer_is_its_own_and_shading_does_not_matter(color):
    shade = np.linspace(0.8, 1.0, 64)[:, None]
    image = np.broadcast_to(np.array(color.rgb) * shade[..., None], (64, 64, 3))
    image = np.rint(image).astype(np.uint8)
    everywhere = np.ones((64, 64), bool)
    name = asked([f"make it {color.name_en}"])
    assert name == asked([], [f"改成{color.name_zh}"])
    assert color_name_error(image, everywhere, name) == 0


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((204, 34, 36), "green"),
        ((204, 34, 36), "blue"),
        ((38, 84, 204), "red"),
        ((38, 84, 204), "yellow"),
        ((48, 148, 66), "purple"),
        ((240, 240, 240), "red"),
        ((240, 240, 240), "black"),
        ((42, 42, 46), "white"),
        ((204, 34, 36), "grey"),
    ],
)
def test_another_colour_is_far_away(rgb, name):
    image = np.full((16, 16, 3), rgb, np.uint8)
    assert color_name_error(image, np.ones((16, 16), bool), name) > 45


def test_nothing_changed_has_no_colour():
    nothing = np.zeros((16, 16), bool)
    assert np.isnan(color_name_error(np.zeros((16, 16, 3), np.uint8), nothing, "red"))
