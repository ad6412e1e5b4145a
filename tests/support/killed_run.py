"""A stage-1 run that dies: `python -m tests.support.killed_run ROOT WORKDIR`.

Kills itself in the evaluation of step 5, as soon as the checkpoint of step 4, which is
written in the background, is complete.
"""

import os
import signal
import sys
import time
from pathlib import Path

from tbstar_jax.checkpoint import saved_steps
from tbstar_jax.convert.folder import load_weights
from tbstar_jax.training.run import train
from tests.support import reduced


def make_evaluate(config, frozen, mesh):
    def evaluate(state):
        assert int(state.step) == 5
        deadline = time.monotonic() + 60
        while saved_steps(config.workdir / "checkpoints") != [4]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)
        return ()

    return evaluate


def main(root, workdir):
    place = reduced.Place(root, root / "base", root / "data" / "built" / "tiny")
    config = reduced.stage_config(
        "stage1",
        place,
        workdir,
        "data.num_microbatches=2",
        "intervals.evaluate=5",
        "intervals.save=4",
        num_steps=10,
    )
    train(config, load_weights(place.base), make_evaluate, show_progress=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
