"""The smoke split, drawn once."""

import pytest

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.splits import case_names


@pytest.fixture(scope="session")
def smoke() -> tuple[Case, ...]:
    return tuple(make_case("smoke", *name) for name in case_names("smoke"))
