"""Writes safetensors one tensor at a time, in one file or in shards with an index.

The library's own writer wants all tensors of a file in memory; the format is a header
(8 bytes of length, then JSON) and the tensors' bytes, so here each tensor is made,
written and let go.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tbstar_jax.convert.huggingface import OutgoingTensor
from tbstar_jax.convert.tensor_files import INDEX_ENDING

MAX_SHARD_BYTES = 5_000_000_000
"""Shards of public checkpoints are of this size."""

_DTYPE_NAMES = {
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "int64": "I64",
}


def outgoing(array: np.ndarray) -> OutgoingTensor:
    """An array as it is."""
    return OutgoingTensor(
        shape=array.shape,
        dtype=array.dtype,
        make=lambda: np.ascontiguousarray(array).reshape(array.shape),
    )


def write_component(
    directory: Path,
    stem: str,
    tensors: Mapping[str, OutgoingTensor],
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Writes a component in place of an older one of the same stem.

    Args:
      directory: made if absent.
      stem: `diffusion_pytorch_model` or `model`.
      tensors: name to tensor.
      max_shard_bytes: what does not fit into one file of this size is split.
    """
    directory.mkdir(parents=True, exist_ok=True)
    shards = _split(tensors, max_shard_bytes)
    names = [f"{stem}.safetensors"]
    if len(shards) > 1:
        count = len(shards)
        names = [
            f"{stem}-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)
        ]
    for name, keys in zip(names, shards, strict=True):
        write_file(directory / name, {key: tensors[key] for key in keys})
    index = directory / f"{stem}{INDEX_ENDING}"
    if len(shards) > 1:
        total = sum(tensor.num_bytes for tensor in tensors.values())
        pairs = zip(names, shards, strict=True)
        content = {
            "metadata": {"total_size": total},
            "weight_map": {key: name for name, keys in pairs for key in sorted(keys)},
        }
        index.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    else:
        index.unlink(missing_ok=True)
    old = {*directory.glob(f"{stem}.safetensors"), *directory.glob(f"{stem}-*-of-*")}
    for path in old - {directory / name for name in names}:
        path.unlink()


def write_file(path: Path, tensors: Mapping[str, OutgoingTensor]) -> None:
    """Writes one file; a kill leaves the old one or none, never a part."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    # The widest numbers first, so that all are aligned.
    keys = sorted(tensors, key=lambda key: (-tensors[key].dtype.itemsize, key))
    offset = 0
    for key in keys:
        tensor = tensors[key]
        header[key] = {
            "dtype": _DTYPE_NAMES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.num_bytes],
        }
        offset += tensor.num_bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key in keys:
            array = tensors[key].make()
            assert array.shape == tensors[key].shape, key
            assert array.dtype == tensors[key].dtype, key
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    partial.replace(path)


def _split(
    tensors: Mapping[str, OutgoingTensor], max_shard_bytes: int
) -> list[list[str]]:
    """Names in their order, cut where a shard would become too large."""
    shards: list[list[str]] = [[]]
    size = 0
    for key, tensor in tensors.items():
        if shards[-1] and size + tensor.num_bytes > max_shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(key)
        size += tensor.num_bytes
    return shards
