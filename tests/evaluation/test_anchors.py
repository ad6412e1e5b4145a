"""Anchors: what they are, and the order that they keep."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import (
    ANCHORS,
    AnchorScores,
    check_anchor_order,
    copy_input,
    reference,
    reference_jpeg75,
    reference_vae,
    wrong_sample,
)
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.store import write_cases
from tbstar_jax.evaluation.scores.prompt import score_answer


@pytest.fixture(scope="module")
def cases():
    return [
        make_case("smoke", task, 0)
        for task in ("recolor", "text_remove", "object_remove")
    ]


def scores(edit, preservation):
    return AnchorScores(
        edit=edit, preservation=preservation, consistency=(edit * preservation) ** 0.5
    )


GOOD = {
    "reference": scores(1.0, 1.0),
    "reference_jpeg75": scores(0.9, 0.9),
    "reference_vae": scores(0.6, 0.7),
    "wrong_sample": scores(0.1, 0.2),
    "copy_input": scores(0.0, 1.0),
}


def test_anchors_are_pictures_of_the_answers_size(cases):
    case = cases[2]
    images = {
        "copy_input": copy_input(case),
        "reference": reference(case),
        "reference_jpeg75": reference_jpeg75(case),
        "reference_vae": reference_vae(case, lambda image: image ^ 1),
        "wrong_sample": wrong_sample(case, cases[1]),
    }
    assert set(images) == set(ANCHORS)
    for image in images.values():
        assert image.shape == (*case.size, 3)
        assert image.dtype == np.uint8
    assert np.array_equal(images["copy_input"], case.source)
    assert np.array_equal(images["reference"], case.reference)
    loss = np.abs(images["reference_jpeg75"].astype(int) - case.reference).mean()
    assert 0 < loss < 5
    assert np.array_equal(images["reference_vae"], case.reference ^ 1)


def test_a_wrong_sample_is_the_next_case_whatever_the_order(cases, tmp_path):
    by_id = sorted(cases, key=lambda case: case.id)
    for name, listed in (("drawn", cases), ("reversed", cases[::-1])):
        write_cases(listed, tmp_path / name)
        folder = CaseFolder(tmp_path / name, None)
        for case, following in zip(by_id, [*by_id[1:], by_id[0]], strict=True):
            assert folder.next_of_same_size(case.id) == following.id
            wrong = wrong_sample(case, folder[following.id])
            assert np.array_equal(wrong, following.reference)


def test_a_wrong_sample_needs_another_case_of_the_size(tmp_path):
    upright, wide = (make_case("mini", "bg_white", index) for index in (3, 4))
    assert upright.size == wide.size[::-1] != wide.size
    write_cases([upright, wide], tmp_path)
    assert CaseFolder(tmp_path, None).next_of_same_size(upright.id) is None
    with pytest.raises(UserError, match="wrong_sample needs another case of the same"):
        wrong_sample(upright, wide)


def test_a_codec_must_keep_the_size(cases):
    with pytest.raises(UserError, match="must keep the size"):
        reference_vae(cases[0], lambda image: image[1:])


def blurred(image):
    """Stands for an autoencoder: fine detail is lost, the size kept."""
    blur = ndimage.gaussian_filter(image.astype(float), (1.0, 1.0, 0))
    return np.rint(blur).astype(np.uint8)


def test_anchors_of_real_cases_keep_their_order(cases):
    following = {
        case.id: other
        for case, other in zip(cases, [*cases[1:], cases[0]], strict=True)
    }
    answers = {
        "reference": reference,
        "reference_jpeg75": reference_jpeg75,
        "reference_vae": lambda case: reference_vae(case, blurred),
        "wrong_sample": lambda case: wrong_sample(case, following[case.id]),
        "copy_input": copy_input,
    }
    assert set(answers) == set(ANCHORS)
    means = {}
    for name, answer in answers.items():
        rows = [
            score_answer(
                Prompt(case=case, language="en"),
                answer(case),
                system=name,
                status="ok",
                reader=None,
                output="",
            )
            for case in cases
        ]
        means[name] = AnchorScores(
            **{
                field.name: float(np.mean([getattr(row, field.name) for row in rows]))
                for field in dataclasses.fields(AnchorScores)
            }
        )
    assert check_anchor_order(means) == []
    assert means["copy_input"] == scores(0.0, 1.0)
    assert means["reference"] == scores(1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "row", "sentence"),
    [
        ("reference", scores(0.9, 1.0), "edit of reference is 0.900, below 0.99"),
        ("copy_input", scores(0.2, 1.0), "edit of copy_input is 0.200, above 0.01"),
        ("copy_input", scores(0.0, 0.8), "preservation of copy_input is 0.800"),
        ("wrong_sample", scores(0.1, 0.8), "preservation of reference_vae is 0.700"),
        ("reference_vae", scores(0.0, 0.5), "consistency of reference_vae is 0.000"),
        ("reference_vae", scores(float("nan"), 0.5), "edit of reference_vae is nan"),
    ],
)
def test_a_broken_order_is_named(name, row, sentence):
    assert check_anchor_order(GOOD) == []
    found = check_anchor_order({**GOOD, name: row})
    assert any(each.startswith(sentence) for each in found), found


def test_absent_anchors_are_not_judged():
    assert check_anchor_order({"copy_input": scores(0.0, 1.0)}) == []
    assert check_anchor_order({}) == []
