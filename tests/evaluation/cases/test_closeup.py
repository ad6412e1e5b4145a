"""Close-ups: exact renders through a longer lens, of what the words name."""

import functools

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.studio.sampling import Wishes
from tbstar_jax.evaluation.cases.case import Case, Prompt
from tbstar_jax.evaluation.cases.closeup import closeup_draft
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.cases.make import finish, is_sound, make_case
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.evaluation.cases.turns import GENERATORS
from tbstar_jax.evaluation.scores.prompt import score_answer

_SIZE = (144, 192)


@functools.cache
def _closeup(*, is_label: bool) -> Case:
    for attempt in range(3, 60):
        rng = case_generator("dev", 0, "repair_zoom", 3, f"test-{attempt}")
        draft = closeup_draft(rng, _SIZE)
        if draft is None or not is_sound(draft):
            continue
        # An enlarged fine pattern lacks more than sharpness.
        if draft.tags["background"] not in ("white", "plain", "gradient"):
            continue
        if str(draft.asks[0].facts.object_en).startswith("label of") == is_label:
            return finish(draft, "dev", "repair_zoom", 3, np.random.default_rng(1))
    raise AssertionError("no close-up")


def test_the_family_is_the_product_s_even_where_a_prop_is_shown() -> None:
    shown = set()
    for seed in range(120):
        wishes = Wishes(family="box", num_items=3)
        draft = closeup_draft(np.random.default_rng(seed), (96, 96), wishes)
        if draft is not None:
            assert draft.tags["family"] == "box"
            shown.add(draft.target_objects[0].kind)
        if len(shown) > 1:
            break
    assert shown > {"box"}


def _scores(case: Case, answer: np.ndarray) -> tuple[float, float]:
    """E and P."""
    prompt = Prompt(case=case, language="en")
    found = score_answer(
        prompt, answer, system="ours", status="ok", reader=None, output=""
    )
    return found.edit, found.preservation


def _cropped(case: Case, off: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """The photo around its detail, enlarged as a program for pictures does it.

    `off` rows of the close-up too low, in shares of it, and so many times as large.
    """
    before, after = box_of(case.masks.product), box_of(case.masks.product_after)
    assert before is not None
    assert after is not None
    zoom = scale * max(after.height, after.width) / max(before.height, before.width)
    rows, columns = case.size
    row = before.top + before.height / 2 + off * rows / zoom
    column = before.left + before.width / 2
    half = rows / zoom / 2, columns / zoom / 2
    edges = (column - half[1], row - half[0], column + half[1], row + half[0])
    return np.asarray(
        Image.fromarray(case.source).transform(
            (columns, rows), Image.Transform.EXTENT, edges, Image.Resampling.BICUBIC
        )
    )


@pytest.mark.parametrize("is_label", [True, False])
def test_the_detail_is_in_the_middle_as_large_as_is_said(is_label: bool) -> None:
    case = _closeup(is_label=is_label)
    before, after = box_of(case.masks.product), box_of(case.masks.product_after)
    assert before is not None
    assert after is not None
    rows, columns = case.size
    assert abs(after.top + after.height / 2 - rows / 2) <= 0.5
    assert abs(after.left + after.width / 2 - columns / 2) <= 0.5
    shares = {"height": after.height / rows, "width": after.width / columns}
    side = max(shares, key=lambda name: shares[name])
    told = f"{np.floor(100 * shares[side] + 0.5):.0f} % of the picture's {side}"
    assert told in case.instructions["en"]
    assert str(case.facts.object_zh) in case.instructions["zh"]
    assert max(after.height / before.height, after.width / before.width) > 1.4


@pytest.mark.parametrize("is_label", [True, False])
def test_copying_fails_and_an_enlarged_crop_lacks_only_sharpness(
    is_label: bool,
) -> None:
    case = _closeup(is_label=is_label)
    assert case.masks.edit.all()
    assert _scores(case, case.source) == (0.0, 0.0)
    assert _scores(case, case.reference) == (1.0, 1.0)
    edit, kept = _scores(case, _cropped(case))
    assert 0.55 < edit < 0.97
    assert kept == 1.0


@pytest.mark.parametrize("is_label", [True, False])
def test_a_frame_that_words_cannot_tell_costs_nothing_and_another_all(
    is_label: bool,
) -> None:
    case = _closeup(is_label=is_label)
    edit, _ = _scores(case, _cropped(case))
    near, kept = _scores(case, _cropped(case, off=0.012, scale=1.015))
    assert kept == 1.0
    assert near > 0.85 * edit
    _, further = _scores(case, _cropped(case, off=0.06))
    assert 0.4 < further < 0.9
    other, lost = _scores(case, _cropped(case, off=0.3))
    assert other * lost < 0.1 * edit


def test_turns_of_close_ups_change_no_other_case() -> None:
    turns = GENERATORS["repair_zoom"]
    assert [k for k, turn in enumerate(turns) if turn == "closeup"] == [3]
    others = [turn for k, turn in enumerate(turns) if k != 3]
    before = ("overlay", "layout", "studio")
    assert others == [before[k % 3] for k in range(9) if k != 3]


def test_the_small_set_has_a_close_up() -> None:
    case = make_case("mini", "repair_zoom", 3)
    assert case.tags["kind"] == "closeup"
    assert case.generator == "studio"
    assert case.target_objects[0].after is not None
