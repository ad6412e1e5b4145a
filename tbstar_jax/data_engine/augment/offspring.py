"""Which pairs others are made from, and what those inherit."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tbstar_jax.data_engine.annotate import annotated, derived, status_of
from tbstar_jax.data_engine.augment.pictures import has_one_source
from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.input_pipeline.records import EditRecord

_OF_THE_PARENT = (
    *("chain_id", "turn", "tasks", "paraphrase", "facts"),
    *("inverse_en", "inverse_zh"),
)
"""Notes about the parent's own edit and sentences."""


def is_usable(record: EditRecord) -> bool:
    """Whether it is a pair of one photo and its edit that no rule has rejected."""
    return has_one_source(record) and not status_of(record).startswith("rejected")


def offspring(
    record: EditRecord,
    *,
    key: str,
    transform: str,
    parents: Sequence[EditRecord],
    facts: Facts | None = None,
    notes: dict[str, Any] | None = None,
    **changes: Any,
) -> EditRecord:
    """A record made from others, without what was noted about their edits.

    Args:
      record: the parent whose fields are kept where `changes` does not name them.
      key: of the new record.
      transform: how it was made, as in `annotate`.
      parents: all records it was made from.
      facts: of the new record's edit, where they are known.
      notes: added to the provenance.
      **changes: fields of `EditRecord`.
    """
    own = dict(notes or {})
    if facts is not None and facts != Facts():
        own["facts"] = facts.to_json()
    made = derived(record, key=key, transform=transform, parents=parents, **changes)
    kept = {k: v for k, v in made.provenance.items() if k not in _OF_THE_PARENT}
    made = dataclasses.replace(made, provenance=kept)
    return annotated(made, **own)
