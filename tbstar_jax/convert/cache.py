"""Converted weights kept as an Orbax checkpoint, under the hash of what they came from.

    <cache>/files.json    SHA-256 of every file seen, by path, size and time of change
    <cache>/<key>/0       the arrays, with their identities

The key covers the bytes of all files, the model's configuration and the dtype, not the
mesh: Orbax reads into any sharding. Hashing reads every byte once; afterwards a file
of the same path, size and time of change is taken for the same.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tbstar_jax.array_types import Variables
from tbstar_jax.checkpoint import (
    Checkpoints,
    read_metadata,
    restore_checkpoint,
    saved_steps,
)
from tbstar_jax.config import digest
from tbstar_jax.convert.lora_file import file_sha256
from tbstar_jax.model.tbstar import ModelConfig

_log = logging.getLogger(__name__)

# Changes when the same files would become other arrays.
_FORMAT = 1


def content_key(
    files: Iterable[Path], config: ModelConfig, dtype: Any | None, cache: Path
) -> str:
    """Names what a conversion gives by what goes in: 32 hexadecimal digits.

    Args:
      files: all that is read.
      config: of the model.
      dtype: of every leaf; None for the stored ones.
      cache: directory that remembers hashes of files.
    """
    known = _known_hashes(cache)
    hashes = {}
    for path in sorted(file.resolve() for file in files):
        status = path.stat()
        entry = f"{path}|{status.st_size}|{status.st_mtime_ns}"
        hashes[entry] = known.get(entry) or file_sha256(path)
    if hashes.keys() - known.keys() and jax.process_index() == 0:
        cache.mkdir(parents=True, exist_ok=True)
        partial = cache / "files.json.partial"
        partial.write_text(json.dumps({**known, **hashes}, indent=1) + "\n")
        partial.replace(cache / "files.json")
    kind = None if dtype is None else str(np.dtype(dtype))
    content = [_FORMAT, digest(config), kind, sorted(hashes.values())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def read_cache(
    cache: Path, key: str, planned: Variables
) -> tuple[Variables, dict[str, str]] | None:
    """The parts and their identities, if they are there.

    Args:
      cache: directory of all.
      key: from `content_key`.
      planned: part to tree of `jax.ShapeDtypeStruct`; leaves without a sharding come
        as NumPy arrays.

    Raises:
      UserError: the cached arrays are damaged.
    """
    directory = cache / key
    if not saved_steps(directory):
        return None
    metadata = read_metadata(directory)
    host = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=leaf.sharding or host
        ),
        planned,
    )
    restored = restore_checkpoint(directory, wanted, expected={"key": key})
    parts = jax.tree.map(
        lambda leaf, plan: leaf if plan.sharding is not None else np.asarray(leaf),
        restored.state,
        planned,
    )
    _log.info("read the converted weights from %s", directory)
    return parts, dict(metadata["identities"])


def write_cache(
    cache: Path, key: str, parts: Variables, identities: dict[str, str]
) -> None:
    """Keeps converted parts; called by all processes."""
    arrays = jax.tree.map(jax.numpy.asarray, parts)
    with Checkpoints(cache / key, save_every=1, keep_latest=1) as checkpoints:
        metadata = {"key": key, "identities": identities}
        checkpoints.save(0, arrays, {}, metadata, force=True)
    _log.info("keeping the converted weights in %s", cache / key)


def _known_hashes(cache: Path) -> dict[str, str]:
    try:
        return dict(json.loads((cache / "files.json").read_text()))
    except (OSError, ValueError, TypeError):
        # Nothing is known yet, or what was known is hashed again.
        return {}
