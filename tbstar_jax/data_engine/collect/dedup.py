"""Equal and nearly equal photos: which of them stay, and which share a scene.

Decisions are made on an index of hashes, not on images: SHA-256 finds equal files, the
perceptual hash nearly equal photos. Whoever is near shares a *scene*, so that no split
parts them, over any number of steps. Only a photo that is also alike in colour is a
*duplicate*, and only of one that is kept: the largest of each stays, the first of
equally large ones; thumbnails lie beside photos. Pairs are never rejected for an equal
source, since a photo may have many edits, but for equal content.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator

import numpy as np

from tbstar_jax.array_types import Int, Shaped
from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.data_engine.collect.hash_index import (
    HashIndex,
    hash_records,
    index_digest,
)
from tbstar_jax.data_engine.collect.near_hashes import near_pairs
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.input_pipeline.records import EditRecord

DUPLICATE = "rejected:duplicate"
"""The status of what is there twice."""

_VERSION = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decisions:
    """What deduplication decided about `n` records.

    Attributes:
      cluster: position of the first record of each one's scene.
      duplicate_of: position of the kept record that it repeats; -1 when it stays.
    """

    cluster: Int[np.ndarray, " n"]
    duplicate_of: Int[np.ndarray, " n"]


def decide(index: HashIndex, max_distance: int = 6, max_chroma: int = 10) -> Decisions:
    """Finds scenes and duplicates.

    Args:
      index: the hashes; a million rows take some seconds.
      max_distance: bits in which the hashes of nearly equal photos differ, 0 to 8.
      max_chroma: levels by which the colour of a cell of duplicates differs, at most.

    Returns:
      Decisions in the order of the index.

    Raises:
      UserError: the distance is out of range.
    """
    num = len(index.keys)
    unique, first, inverse = np.unique(
        index.phash, return_index=True, return_inverse=True
    )
    near = near_pairs(unique, max_distance)
    cluster = _components(num, inverse, first, near)
    repeated = _first_equal(index.content)
    duplicate_of = np.where(repeated < np.arange(num), repeated, -1)
    kept = _Kept(index, inverse, near, max_chroma)
    # The largest first: what is kept is kept before its copies are met.
    order = np.argsort(-index.num_pixels, kind="stable")
    for row in order[(index.is_photo & kept.may_repeat)[order]].tolist():
        duplicate_of[row] = kept.original_of(row)
    return Decisions(cluster=cluster, duplicate_of=duplicate_of)


class _Kept:
    """The photos that are kept so far, by hash, and what repeats one of them."""

    def __init__(
        self,
        index: HashIndex,
        inverse: Int[np.ndarray, " n"],
        near: Int[np.ndarray, "e 2"],
        max_chroma: int,
    ):
        num_hashes = int(inverse.max(initial=-1)) + 1
        both = np.concatenate([near, near[:, ::-1]])
        # Neighbours of hash `k` lie between starts `k` and `k + 1`.
        self._neighbours = both[np.argsort(both[:, 0], kind="stable"), 1]
        degrees = np.bincount(both[:, 0], minlength=num_hashes)
        self._starts = np.append(0, np.cumsum(degrees))
        self._inverse = inverse
        self._chroma = index.chroma.astype(np.int16)
        self._file = _first_equal(index.sha256)
        self._max_chroma = max_chroma
        self._rows: dict[int, list[int]] = {}
        self._is_filled = np.zeros(num_hashes, bool)
        is_shared = np.bincount(inverse, minlength=num_hashes) > 1
        self.may_repeat = (is_shared | (degrees > 0))[inverse]
        """Rows that share a hash or have a near one; all others are certainly new."""

    def original_of(self, row: int) -> int:
        """The kept photo that a row repeats; -1, and it is kept, when there is none."""
        own = int(self._inverse[row])
        near = self._neighbours[self._starts[own] : self._starts[own + 1]]
        places = [own, *near[self._is_filled[near]].tolist()]
        earlier = [k for place in places for k in self._rows.get(place, ())]
        candidates = np.sort(np.array(earlier, np.int64))
        difference = np.abs(self._chroma[candidates] - self._chroma[row])
        is_alike = difference.max(axis=1, initial=0) <= self._max_chroma
        is_alike |= self._file[candidates] == self._file[row]
        alike = candidates[is_alike]
        if len(alike):
            return int(alike[0])
        self._rows.setdefault(own, []).append(row)
        self._is_filled[own] = True
        return -1


def _first_equal(values: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Position of the first equal value."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _components(
    num: int,
    inverse: Int[np.ndarray, " n"],
    first: Int[np.ndarray, " u"],
    near: Int[np.ndarray, "e 2"],
) -> Int[np.ndarray, " n"]:
    """Position of the first record that is reached over any number of near steps."""
    parent = list(range(len(first)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for a, b in near.tolist():
        one, other = root(a), root(b)
        # The root is the hash that comes first in the set.
        if first[one] > first[other]:
            one, other = other, one
        parent[other] = one
    roots = np.array([root(k) for k in range(len(first))], np.int64)
    if not num:
        return np.empty(0, np.int64)
    return first[roots[inverse]].astype(np.int64)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dedup:
    """A method that writes decisions into records: their scene, and their status.

    Attributes:
      index: the `.npz` of a `HashIndex` of the set.
      digest: SHA-256 of that file.
      max_distance: see `decide`.
      max_chroma: see `decide`.
    """

    index: str
    digest: str
    max_distance: int = 6
    max_chroma: int = 10

    @property
    def name(self) -> str:
        """The method's name."""
        return "dedup"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the index and the thresholds."""
        return fingerprint_of(
            self.name,
            _VERSION,
            {
                "index": self.digest,
                "max_distance": self.max_distance,
                "max_chroma": self.max_chroma,
            },
        )

    @property
    def num_threads(self) -> int:
        """It looks up and never waits."""
        return 1

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Reads the index and decides."""
        index = HashIndex.load(self.index)
        decisions = decide(index, self.max_distance, self.max_chroma)
        rows = {str(key): row for row, key in enumerate(index.keys)}

        def transform(record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
            del rng
            row = rows.get(record.key)
            if row is None:
                reason = f"it is not in {self.index}; hash the set again"
                return [Reject(row=record.key, reason=reason)]
            return [decided(record, index, decisions, row)]

        yield transform


def dedup_of(
    records: Iterable[EditRecord],
    index: str | os.PathLike[str],
    max_distance: int = 6,
    max_chroma: int = 10,
) -> Dedup:
    """The method that deduplicates a set.

    Args:
      records: of the set, in order; quick where `Quality` was run on them.
      index: where to write the index of their hashes, `.npz`.
      max_distance: see `decide`.
      max_chroma: see `decide`.

    Raises:
      UserError: an image cannot be decoded.
    """
    hash_records(records).save(index)
    return dedup_by(index, max_distance, max_chroma)


def dedup_by(
    index: str | os.PathLike[str], max_distance: int = 6, max_chroma: int = 10
) -> Dedup:
    """The method that deduplicates a set whose hashes are there; see `dedup_of`.

    Args:
      index: the `.npz` of its hashes.
      max_distance: see `decide`.
      max_chroma: see `decide`.
    """
    return Dedup(
        index=os.fspath(index),
        digest=index_digest(index),
        max_distance=max_distance,
        max_chroma=max_chroma,
    )


def decided(
    record: EditRecord, index: HashIndex, decisions: Decisions, row: int
) -> EditRecord:
    """The record with its scene and, where it repeats another, its status.

    Args:
      record: number `row` of the index.
      index: the hashes.
      decisions: about the index.
      row: position of the record.
    """
    first = int(decisions.cluster[row])
    scene = f"photo-{index.sha256[first].decode()[:24]}"
    record = dataclasses.replace(record, scene=scene)
    original = int(decisions.duplicate_of[row])
    if original < 0:
        return record
    notes = {"status": DUPLICATE, "duplicate_of": str(index.keys[original])}
    return annotated(record, **notes)
