"""Which records fit into one batch: those with the same grids.

A bucket's key is the target's grid and the grids of all sources, in tokens. Sizes are
read once, from image headers, and kept beside the set in a file that names the content
it was computed from.
"""

import dataclasses
import logging
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tbstar_jax.array_types import Bool, Grid, Int
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import CanvasPlan, plan_canvas
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.input_pipeline.selections import SelectedSource
from tbstar_jax.input_pipeline.sources import Source

BucketKey = tuple[Grid, ...]
"""The grids of target, source 1, source 2, ..."""

_LOG = logging.getLogger(__name__)
_CACHE_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Headers:
    """What the headers of a source say, row by row.

    Attributes:
      keys: the records' keys.
      sizes: rows and columns in pixels of target and sources; (0, 0) where a record has
        fewer sources than the widest one.
      has_mask: whether the record knows what changed.
    """

    keys: tuple[str, ...]
    sizes: Int[np.ndarray, "r k 2"]
    has_mask: Bool[np.ndarray, " r"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bucket:
    """Records with equal grids.

    Attributes:
      grids: the key.
      rows: the records' numbers in their source, ascending.
    """

    grids: BucketKey
    rows: Int[np.ndarray, " r"]


def plan_image(
    size: tuple[int, int], pixel_budget: int, name: str = "image"
) -> CanvasPlan:
    """Plans the padding of one image of a pair.

    Args:
      size: rows and columns, in pixels.
      pixel_budget: most pixels of the padded image.
      name: what to call it in an error.

    Raises:
      UserError: the image is larger than the budget (pairs are never scaled while
        training: that would mix changed and kept pixels) or too elongated.
    """
    try:
        plan = plan_canvas(*size, pixel_budget)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    if plan.is_scaled:
        raise UserError(
            f"{name} has {size[1]}x{size[0]} pixels, more than the budget of "
            f"{pixel_budget}; scale the set down before training on it"
        )
    return plan


def read_headers(source: Source) -> Headers:
    """Reads sizes, keys and mask presence, from the cache where it is valid.

    Raises:
      UserError: an image's header cannot be read, or a key is used twice.
    """
    if isinstance(source, SelectedSource):
        # One cache serves every selection of a set.
        whole = read_headers(source.whole)
        return Headers(
            keys=tuple(whole.keys[row] for row in source.rows),
            sizes=whole.sizes[source.rows],
            has_mask=whole.has_mask[source.rows],
        )
    path = source.directory / f"headers-{source.fingerprint[:16]}.npz"
    headers = _load_headers(path, source.fingerprint)
    if headers is None or len(headers.keys) != len(source):
        headers = _scan(source)
        _save_headers(path, source.fingerprint, headers)
    return headers


def assign_buckets(
    headers: Headers, pixel_budget: int, name: str
) -> tuple[Bucket, ...]:
    """Groups the records of a source by their grids.

    Args:
      headers: from `read_headers`.
      pixel_budget: most pixels of one padded image.
      name: what to call the source in an error.

    Returns:
      Buckets in the order of their keys; every row is in exactly one.

    Raises:
      UserError: an image does not fit the budget or is too elongated.
    """
    flat = headers.sizes.reshape(len(headers.keys), -1)
    unique, inverse = np.unique(flat, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    rows_of: dict[BucketKey, list[Int[np.ndarray, " r"]]] = {}
    for index, sizes in enumerate(unique.reshape(-1, *headers.sizes.shape[1:])):
        rows = np.flatnonzero(inverse == index)
        label = f"record {headers.keys[rows[0]]!r} of {name}"
        grids = tuple(
            plan_image((int(height), int(width)), pixel_budget, label).grid
            for height, width in sizes
            if height > 0
        )
        rows_of.setdefault(grids, []).append(rows)
    return tuple(
        Bucket(grids=grids, rows=np.sort(np.concatenate(rows_of[grids])))
        for grids in sorted(rows_of)
    )


def _scan(source: Source) -> Headers:
    keys: dict[str, int] = {}
    sizes: list[Sequence[tuple[int, int]]] = []
    has_mask: list[bool] = []
    for row in range(len(source)):
        record: EditRecord = source[row]
        if record.key in keys:
            raise UserError(
                f"{source.directory} uses the key {record.key!r} in the records "
                f"{keys[record.key]} and {row}; keys must differ"
            )
        keys[record.key] = row
        sizes.append(record.image_sizes())
        has_mask.append(bool(record.change_mask))
    padded = np.zeros((len(sizes), max(map(len, sizes)), 2), np.int64)
    for row, images in enumerate(sizes):
        padded[row, : len(images)] = images
    return Headers(keys=tuple(keys), sizes=padded, has_mask=np.array(has_mask))


def _load_headers(path: Path, fingerprint: str) -> Headers | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            if file["version"] != _CACHE_VERSION or file["fingerprint"] != fingerprint:
                return None
            return Headers(
                keys=tuple(file["keys"].tolist()),
                sizes=file["sizes"],
                has_mask=file["has_mask"],
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # Absent or damaged: it is only a cache.
        return None


def _save_headers(path: Path, fingerprint: str, headers: Headers) -> None:
    """Keeps headers for the next start; several processes may do so at once."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                version=_CACHE_VERSION,
                fingerprint=fingerprint,
                keys=np.array(headers.keys),
                sizes=headers.sizes,
                has_mask=headers.has_mask,
            )
        os.replace(temporary, path)
    except OSError as error:
        _LOG.info("sizes of %s are not kept (%s)", path.parent, error)
