"""Stage 1 as it was: the losses of 20 steps, number by number."""

import json

import pytest

from tests.support import golden, reduced


def test_the_losses_of_stage1_are_those_written_down(stage1):
    written = json.loads(golden.PATH.read_text())
    losses = reduced.losses(stage1.config.workdir)
    # The same compiler on the same processor rounds alike, up to the order of sums
    # among threads; another one fuses and vectorises otherwise, and 20 steps of Adam
    # carry the difference on.
    tolerance = 1e-6 if written["made_with"] == golden.made_with() else 1e-4
    assert list(losses.values()) == pytest.approx(written["losses"], rel=tolerance), (
        "stage 1 computes something else; if it is meant to, regenerate the file with "
        "`python -m tests.support.golden`"
    )
