"""Several edits of one photo at once: disjoint masks, one joined request.

The target takes each edit where it differs from the photo and the photo everywhere
else, so it is what making the edits one after the other gives, bit for bit, as long as
no edit changes how another would look; the margin keeps soft rims apart. The mask is
the union of theirs, exactly.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tbstar_jax.data_engine.augment.edits import (
    Edit,
    applied,
    are_disjoint,
    decode_edits,
    drawn_combinations,
    lossless,
)
from tbstar_jax.data_engine.augment.joining import joined_requests
from tbstar_jax.data_engine.augment.offspring import offspring
from tbstar_jax.data_engine.augment.pictures import encode_mask
from tbstar_jax.data_engine.stage import Made, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compose:
    """Composes edits of one photo.

    Attributes:
      max_edits: most edits in one pair, at least 2.
      max_per_photo: most pairs made from one photo, at least 1.
      margin: how far edits must stay apart, pixels, at least 0.
      num_texts: most joined requests per language, at least 1.
      max_bytes: longest joined request, in UTF-8 bytes.
    """

    max_edits: int
    max_per_photo: int
    margin: int
    num_texts: int
    max_bytes: int

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is too small.
        """
        limits = {"max_edits": 2, "max_per_photo": 1, "margin": 0, "num_texts": 1}
        for name, least in limits.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"{name} of compose is {value}, but must be >= {least}")

    @property
    def name(self) -> str:
        """The method's name."""
        return "compose"

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        return fingerprint_of(self.name, 1, dataclasses.asdict(self))

    def combine(
        self, records: Sequence[EditRecord], rng: np.random.Generator
    ) -> Iterable[Made]:
        """Makes pairs of several edits.

        Args:
          records: edits of one photo, the same file.
          rng: draws which edits and which words.

        Returns:
          New pairs alone. Their task is that of the edit that changes most; all are
          noted as `tasks`.
        """
        edits = decode_edits(records, self.margin)
        drawn = drawn_combinations(rng, edits, self.max_edits, self.max_per_photo)
        for chosen in drawn:
            made = self.compose(chosen, rng)
            if made is not None:
                yield made

    def compose(
        self, edits: Sequence[Edit], rng: np.random.Generator
    ) -> EditRecord | None:
        """Makes one pair of all the edits given, asked for in their order.

        Args:
          edits: of one photo.
          rng: draws the words.

        Returns:
          None where two of them meet, or where they cannot be asked for together.
        """
        texts = {}
        for language in ("en", "zh"):
            requests = [getattr(e.record, f"instructions_{language}") for e in edits]
            texts[f"instructions_{language}"] = joined_requests(
                rng,
                requests,
                "en" if language == "en" else "zh",
                self.num_texts,
                self.max_bytes,
            )
        if not are_disjoint(edits) or not any(texts.values()):
            return None
        target, differs = edits[0].source, np.zeros_like(edits[0].differs)
        for edit in edits:
            target, differs = applied(target, edit), differs | edit.differs
        first = edits[0].record
        changes: dict[str, Any] = dict(texts)
        return offspring(
            first,
            key="+".join(edit.record.key for edit in edits),
            transform="compose",
            parents=[edit.record for edit in edits],
            notes={"tasks": [edit.record.task for edit in edits]},
            source_images=(lossless(first.source_images[0], edits[0].source),),
            target_image=encode_png(target),
            change_mask=encode_mask(differs),
            task=max(edits, key=lambda edit: int(edit.differs.sum())).record.task,
            **changes,
        )
