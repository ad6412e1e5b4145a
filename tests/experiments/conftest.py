"""One place and one reference run for all tests of the stages."""

import dataclasses

import pytest

from tbstar_jax.convert.folder import load_weights
from tests.support import reduced


@dataclasses.dataclass(frozen=True)
class Run:
    """A run in this process: its configuration and what its evaluations saw."""

    config: object
    snapshots: reduced.Snapshots


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return reduced.make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="session")
def base(place):
    return load_weights(place.base)


@pytest.fixture(scope="session")
def stage1(place, base):
    """20 steps of stage 1 on one device, accumulating over two micro-batches."""
    config = reduced.reference_config(place)
    return Run(config, reduced.run(config, base))


@pytest.fixture(scope="session")
def stage2(place, base, stage1):
    """3 steps of stage 2 from the run of stage 1."""
    config = reduced.stage_config(
        "stage2",
        place,
        place.root / "reference2",
        f"previous={stage1.config.workdir}",
        *reduced.REFERENCE_SETTINGS,
        num_steps=3,
    )
    return Run(config, reduced.run(config, base))
