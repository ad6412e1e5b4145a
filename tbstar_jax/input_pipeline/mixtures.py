"""How much of which set: several sets with weights."""

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.folder import METADATA, FolderSource
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.input_pipeline.selections import open_selection
from tbstar_jax.input_pipeline.sources import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixtureEntry:
    """One set of a mixture.

    Attributes:
      path: a record set or a folder with `metadata.jsonl`.
      weight: share of the batches, relative to the other sets' weights; positive.
      latents: the set's latents, encoded ahead by `python -m data.build
        --stage=precompute`; None encodes in every step.
      selection: a file that chooses records of the set, written by `python -m
        data.build --stage=mix`; None trains on all of them.
    """

    path: str
    weight: float = 1.0
    latents: str | None = None
    selection: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UserError(
                f"the weight of {self.path} is {self.weight}, but must be a positive "
                "number; leave the set out instead of giving it no weight"
            )


def open_source(path: str | os.PathLike[str], split: str) -> Source:
    """Opens a set by what lies in its directory.

    Args:
      path: a record set, or a folder with `metadata.jsonl` (which has no splits: the
        whole folder is taken).
      split: e.g. `train`.

    Raises:
      UserError: there is no such set, it is damaged, or it holds photos.
    """
    if (Path(path) / METADATA).is_file():
        return FolderSource(path)
    return RecordSource(path, split)


def open_mixture(entries: Sequence[MixtureEntry], split: str) -> tuple[Source, ...]:
    """Opens every set of a mixture.

    Raises:
      UserError: the mixture is empty, names a set or selection twice, or one does not
        open.
    """
    if not entries:
        raise UserError("a mixture needs at least one set")
    names = [(os.path.realpath(entry.path), entry.selection) for entry in entries]
    for path, selection in names:
        if names.count((path, selection)) > 1:
            raise UserError(f"the mixture names {path} twice; add up its weights")
    return tuple(_open_entry(entry, split) for entry in entries)


def _open_entry(entry: MixtureEntry, split: str) -> Source:
    source = open_source(entry.path, split)
    if entry.selection is None:
        return source
    return open_selection(source, entry.selection)


def bucket_weights(
    entries: Sequence[MixtureEntry], num_records: Sequence[Sequence[int]]
) -> tuple[float, ...]:
    """Weighs every bucket of every set, so that each record of a set counts the same.

    Args:
      entries: the sets.
      num_records: per set, per bucket: its number of records.

    Returns:
      Positive weights that sum to 1, set after set.
    """
    total = math.fsum(entry.weight for entry in entries)
    return tuple(
        entry.weight / total * count / sum(counts)
        for entry, counts in zip(entries, num_records, strict=True)
        for count in counts
    )
