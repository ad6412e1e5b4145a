"""Several edits of one photo one after the other: a conversation of single requests.

Turn 0 edits the photo; every later turn edits the picture before it. Turns of a chain
share `chain_id`, and `turn` counts from 0. A later request must still make sense: one
that names what an earlier turn did away with is left out, and without any left there is
no chain.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

from tbstar_jax.data_engine.augment.edits import (
    Edit,
    applied,
    are_disjoint,
    decode_edits,
    drawn_combinations,
    lossless,
)
from tbstar_jax.data_engine.augment.offspring import offspring
from tbstar_jax.data_engine.augment.pictures import encode_mask
from tbstar_jax.data_engine.augment.premise import is_stale, still_true
from tbstar_jax.data_engine.facts import Facts, facts_of
from tbstar_jax.data_engine.stage import Made, Reject, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chain:
    """Chains edits of one photo.

    Attributes:
      max_turns: most edits in a chain, at least 2.
      max_per_photo: most chains made from one photo, at least 1.
      margin: how far edits must stay apart, pixels, at least 0.
    """

    max_turns: int
    max_per_photo: int
    margin: int

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is too small.
        """
        limits = {"max_turns": 2, "max_per_photo": 1, "margin": 0}
        for name, least in limits.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"{name} of chain is {value}, but must be >= {least}")

    @property
    def name(self) -> str:
        """The method's name."""
        return "chain"

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        return fingerprint_of(self.name, 1, dataclasses.asdict(self))

    def combine(
        self, records: Sequence[EditRecord], rng: np.random.Generator
    ) -> Iterable[Made]:
        """Makes chains.

        Args:
          records: edits of one photo, the same file.
          rng: draws which edits and their order.

        Returns:
          The turns, chain by chain, each chain in order.
        """
        edits = decode_edits(records, self.margin)
        drawn = drawn_combinations(rng, edits, self.max_turns, self.max_per_photo)
        for chosen in drawn:
            try:
                yield from chain(chosen)
            except UserError as error:
                row = f"{chosen[0].record.key} ({self.name})"
                yield Reject(row=row, reason=str(error))


def chain(edits: Sequence[Edit]) -> tuple[EditRecord, ...]:
    """Makes edits one after the other.

    Args:
      edits: of one photo, in the order of the turns.

    Returns:
      One record per turn; none where two edits meet or a later request is stale.

    Raises:
      UserError: the facts of a record are not readable.
    """
    records = [edit.record for edit in edits]
    texts = [
        tuple(
            still_true(own, records[:turn])
            for own in (record.instructions_en, record.instructions_zh)
        )
        for turn, record in enumerate(records)
    ]
    if not are_disjoint(edits) or not all(any(own) for own in texts):
        return ()
    keys = json.dumps([record.key for record in records])
    chain_id = hashlib.sha256(keys.encode()).hexdigest()[:16]
    turns = []
    picture = edits[0].source
    encoded = lossless(records[0].source_images[0], picture)
    for turn, edit in enumerate(edits):
        source = encoded
        picture = applied(picture, edit)
        encoded = encode_png(picture)
        english, chinese = texts[turn]
        made = offspring(
            edit.record,
            key=f"{chain_id}-turn{turn}-{edit.record.key}",
            transform="chain",
            parents=records[: turn + 1],
            facts=_facts_now(edit.record, records[:turn]),
            notes={"chain_id": chain_id, "turn": turn},
            source_images=(source,),
            target_image=encoded,
            change_mask=encode_mask(edit.differs),
            instructions_en=english,
            instructions_zh=chinese,
        )
        turns.append(made)
    return tuple(turns)


def _facts_now(record: EditRecord, earlier: Sequence[EditRecord]) -> Facts | None:
    """The facts of an edit, unless an earlier one made them untrue."""
    facts = facts_of(record)
    words = [word for word in facts.to_json().values() if isinstance(word, str)]
    is_untrue = any(is_stale(word, one) for word in words for one in earlier)
    return None if is_untrue else facts
