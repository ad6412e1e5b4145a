"""What is judged of a case, and what names it."""

import dataclasses

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.cases.case import Case, Masks, Prompt, Question
from tbstar_jax.evaluation.judge.item import Check, content_of, item_of
from tests.evaluation.judge.judged import item, picture


def case(**changes):
    nothing = np.zeros((6, 8), bool)
    made = Case(
        id="mini/recolor/003",
        task="recolor",
        split="mini",
        index=3,
        generator="studio",
        instructions={"en": "make it red", "zh": "改成红色"},
        style="imperative",
        source=picture(10),
        reference=picture(20),
        masks=Masks(
            edit=nothing,
            product=nothing,
            product_after=nothing,
            shadow=nothing,
            text=nothing,
        ),
        photo_box=None,
        facts=Facts(),
        kept_texts=(),
        target_texts=(),
        target_objects=(),
        questions=(Question(en="Red?", zh="红吗？", answer=True, kind="color"),),
        tags={},
        licence="CC0-1.0",
    )
    return dataclasses.replace(made, **changes)


def test_a_prompt_is_judged_in_its_language():
    found = item_of(Prompt(case=case(), language="zh"))
    assert (found.prompt, found.case) == ("mini/recolor/003/zh", "mini/recolor/003")
    assert (found.instruction, found.language) == ("改成红色", "zh")
    assert found.checks == (Check(text="红吗？", answer=True),)
    assert np.array_equal(found.source, picture(10))
    assert item_of(Prompt(case=case(), language="en")).checks[0].text == "Red?"
    assert found.object_photo is None


def test_the_second_picture_of_a_case_is_judged_with_it():
    given = case(object_photo=picture(30, 4, 5))
    for language in ("en", "zh"):
        found = item_of(Prompt(case=given, language=language))
        assert np.array_equal(found.object_photo, picture(30, 4, 5))
        assert np.array_equal(found.source, picture(10))


def test_the_content_is_all_that_is_judged():
    base = item()
    contents = [
        content_of(base, (picture(1),)),
        content_of(base, (picture(2),)),
        content_of(base, (None,)),
        content_of(base, (picture(1, 8, 6),)),
        content_of(base, (picture(1), picture(2))),
        content_of(base, (picture(2), picture(1))),
        content_of(dataclasses.replace(base, instruction="x"), (picture(1),)),
        content_of(dataclasses.replace(base, source=picture(9)), (picture(1),)),
        content_of(dataclasses.replace(base, checks=()), (picture(1),)),
        content_of(dataclasses.replace(base, object_photo=picture(1)), (picture(2),)),
        content_of(dataclasses.replace(base, object_photo=picture(2)), (picture(1),)),
        content_of(dataclasses.replace(base, object_photo=picture(2)), (picture(2),)),
        content_of(dataclasses.replace(base, object_photo=picture(1)), ()),
    ]
    assert len(set(contents)) == len(contents)
    assert content_of(item(), (picture(1),)) == contents[0]
