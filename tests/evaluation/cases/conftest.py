"""The smoke split, drawn once."""

import pytest

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.make import make_cases


@pytest.fixture(scope="session")
def smoke() -> tuple[Case, ...]:
    return tuple(make_cases("smoke"))
