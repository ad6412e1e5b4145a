"""A system's answers, read from its folder.

Transparency is flattened onto white, as a viewer shows it; the reference programs drop
it, which shows what lies below.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.collect.rows import check_size
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import Found, find_outputs
from tbstar_jax.evaluation.public.items import PublicItem, Suite
from tbstar_jax.evaluation.public.tables import decoded


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outputs:
    """Answers to a suite.

    Attributes:
      found: which there are.
      unreadable: id to reason, of those that were read and are no pictures; grows.
    """

    found: Found
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)

    def read(self, item: PublicItem) -> UInt8[np.ndarray, "h w 3"] | None:
        """Decodes the answer to an item; None where there is none to be read."""
        path = self.found.paths.get(item.id)
        if path is None:
            return None
        try:
            check_size(path.name, path.stat().st_size)
            return decoded(path.read_bytes(), path.name)
        except (UserError, OSError) as error:
            self.unreadable[item.id] = str(error)
            return None

    def status(self, item: PublicItem) -> str:
        """`unreadable` or `missing`: of an item whose answer `read` could not give."""
        return "unreadable" if item.id in self.unreadable else "missing"


def open_outputs(folder: Path, suite: Suite) -> Outputs:
    """Finds the answers `<id>.png` (or .jpg, .jpeg, .webp) to a suite's items.

    Raises:
      UserError: there is no such folder, or it holds no answer.
    """
    return Outputs(found=find_outputs(folder, [item.id for item in suite.items]))
