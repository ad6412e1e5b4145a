"""One place and one reference run for all tests of the stages."""

import dataclasses

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from tbstar_jax.convert.folder import load_weights
from tests.support import reduced


@dataclasses.dataclass(frozen=True)
class Run:
    """A run in this process: its configuration and what its evaluations saw."""

    config: object
    snapshots: reduced.Snapshots


@pytest.fixture(scope="session")
def compiled_once(tmp_path_factory):
    """Keeps compiled programs for runs of the same program, also in child processes."""
    directory = str(tmp_path_factory.mktemp("compiled"))
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(names, (directory, 1.0), strict=True):
            patch.setenv(name.upper(), str(value))
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def place(tmp_path_factory, compiled_once):
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
