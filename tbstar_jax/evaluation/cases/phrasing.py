"""A kind of edit in words."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Phrases:
    """Phrasings of one kind of edit, each English and Chinese.

    Attributes:
      cores: clauses that follow "please".
      terse: a note.
    """

    cores: tuple[tuple[str, str], ...]
    terse: tuple[str, str]
