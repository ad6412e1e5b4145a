"""The anchors of all sixteen tasks, through the autoencoder that we ship, in order."""

import numpy as np
import pytest

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
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.scores.prompt import score_answer
from tbstar_jax.inference.loaded_model import load_model
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.inference.round_trip import round_trip


@pytest.fixture(scope="module")
def scores():
    """Of every anchor and case: E, P and C."""
    cases = [make_case("smoke", task, 0) for task in BENCHMARK_TASKS]
    model = load_model(SHIPPED_WEIGHTS)
    found = {anchor: [] for anchor in ANCHORS}
    for number, case in enumerate(cases):
        pictures = {
            "reference": reference(case),
            "reference_jpeg75": reference_jpeg75(case),
            "reference_vae": reference_vae(case, lambda x: round_trip(model, x)),
            "wrong_sample": wrong_sample(case, cases[number - 1]),
            "copy_input": copy_input(case),
        }
        for anchor, picture in pictures.items():
            record = score_answer(
                Prompt(case=case, language="en"),
                picture,
                system=anchor,
                status="ok",
                reader=None,
                output="",
            )
            row = (record.edit, record.preservation, record.consistency)
            found[anchor].append(row)
    return {anchor: np.array(rows) for anchor, rows in found.items()}


def test_their_means_are_in_order(scores):
    means = {
        anchor: AnchorScores(edit=edit, preservation=kept, consistency=both)
        for anchor, rows in scores.items()
        for edit, kept, both in [rows.mean(axis=0).tolist()]
    }
    assert check_anchor_order(means) == []
    # Not only in order, but far apart.
    assert means["reference_jpeg75"].consistency > 0.8
    assert 0.3 < means["reference_vae"].consistency < 0.7
    assert means["wrong_sample"].consistency < 0.1


def test_a_reference_is_perfect_and_a_copy_nothing_in_every_task(scores):
    assert (scores["reference"] == 1.0).all()
    assert (scores["copy_input"][:, [0, 2]] == 0.0).all()
    assert (scores["copy_input"][:, 1] == 1.0).all()


def test_another_photo_is_below_a_jpeg_in_every_task(scores):
    wrong, jpeg = (scores[one][:, 2] for one in ("wrong_sample", "reference_jpeg75"))
    assert (wrong < jpeg).all()
