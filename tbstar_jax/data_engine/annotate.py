"""What the data engine notes about a record, in its provenance.

    method       expert, template, in_context, cutout, import, render
    transform    how it came from its parents: construct, inverse, compose, chain,
                 identity, paste_back, warp, paraphrase
    parents      keys of the records it was made from
    licence      SPDX id or the licence's name; `unknown` where nobody said
    origin       the set, file or site it comes from
    scores       name -> number: measured, judged, or brought along
    status       kept, flagged:<rule> or rejected:<rule>
    chain_id, turn   multi-turn edits: the chain, and the position in it from 0

Scores and status are also columns of the set's index, where later decisions are made:
a record is not written again because a threshold moved.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tbstar_jax.input_pipeline.records import EditRecord

KEPT = "kept"

Kind = Literal["flagged", "rejected"]


def annotated(record: EditRecord, **notes: Any) -> EditRecord:
    """The record with notes added to its provenance, the old ones replaced."""
    return dataclasses.replace(record, provenance={**record.provenance, **notes})


def with_scores(record: EditRecord, scores: Mapping[str, float]) -> EditRecord:
    """The record with scores added to those it has; NaN is not a score.

    Args:
      record: any.
      scores: name to finite number.
    """
    merged = {**scores_of(record), **{k: float(v) for k, v in scores.items()}}
    return annotated(record, scores=merged)


def scores_of(record: EditRecord) -> dict[str, float]:
    """The scores a record has so far."""
    return dict(record.provenance.get("scores", {}))


def status_of(record: EditRecord) -> str:
    """`kept` unless a rule said otherwise."""
    return str(record.provenance.get("status", KEPT))


def derived(
    record: EditRecord,
    *,
    key: str,
    transform: str,
    parents: Sequence[EditRecord],
    **changes: Any,
) -> EditRecord:
    """A record made from others: theirs are its licence, scene and origin.

    Scores and status of the parents are not taken over: they are of other pictures.

    Args:
      record: the parent whose fields are kept where `changes` does not name them.
      key: of the new record.
      transform: how it was made, see above.
      parents: all records it was made from.
      **changes: fields of `EditRecord`.
    """
    provenance = {
        name: value
        for name, value in record.provenance.items()
        if name not in ("scores", "status")
    }
    provenance |= {"transform": transform, "parents": [one.key for one in parents]}
    return dataclasses.replace(
        record,
        key=key,
        provenance=provenance | changes.pop("provenance", {}),
        **changes,
    )


def is_photo(record: EditRecord) -> bool:
    """Whether the record is a photo that waits for its edit."""
    return not record.target_image
