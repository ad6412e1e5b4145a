"""Safetensors on disk as tensors that are read when they are asked for, in part.

A component of the diffusers layout is one file, or shards with an index:

    diffusion_pytorch_model.safetensors
    diffusion_pytorch_model-00001-of-00009.safetensors ... .safetensors.index.json

Opening reads headers only. A file is mapped into memory while a tensor is read, and
not longer, so that no more than that tensor counts as memory in use. Everything that
is wrong with files is found on opening, in one sentence.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from tbstar_jax.convert.foreign import (
    refuse_foreign_file,
    refuse_quantised,
    without_safetensors,
)
from tbstar_jax.convert.forms import Index, Shape
from tbstar_jax.errors import UserError
from tbstar_jax.trees import list_names

INDEX_ENDING = ".safetensors.index.json"

_DTYPES = {
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """A tensor in a file, to be read by slices: `tensor[0:2, 0:8]`.

    Attributes:
      path: of the file.
      key: its name there.
      shape: as stored.
      dtype_name: as the header spells it, such as BF16.
    """

    path: Path
    key: str
    shape: Shape
    dtype_name: str

    @property
    def dtype(self) -> np.dtype:
        """What reading gives.

        Raises:
          UserError: these are not numbers of a weight.
        """
        if self.dtype_name not in _DTYPES:
            raise UserError(
                f"{self.key} in {self.path} is stored as {self.dtype_name}; weights "
                f"are read from {', '.join(_DTYPES)}: convert the file to BF16"
            )
        return _DTYPES[self.dtype_name]

    @property
    def whole(self) -> Index:
        """The slices that select everything."""
        return tuple(slice(0, size) for size in self.shape)

    def __getitem__(self, index: Index) -> np.ndarray:
        """Reads a part, one slice per dimension.

        Raises:
          UserError: the file has been damaged or removed since it was opened.
        """
        with _opened(self.path) as file:
            return file.get_slice(self.key)[index]


def open_component(directory: Path) -> dict[str, StoredTensor]:
    """The tensors of one folder of the diffusers layout, by name.

    Args:
      directory: such as `transformer`.

    Raises:
      UserError: there are no safetensors, an index or shard is missing, damaged or
        points out of the folder, the shards do not hold what the index promises, or
        the numbers are quantised.
    """
    if not directory.is_dir():
        raise UserError(
            f"there is no folder {directory}; give the folder that holds "
            "model_index.json, downloaded as a whole"
        )
    indices = sorted(directory.glob(f"*{INDEX_ENDING}"))
    files = sorted(directory.glob("*.safetensors"))
    if not indices and not files:
        raise without_safetensors(directory)
    if len(indices) > 1 or (not indices and len(files) > 1):
        raise UserError(
            f"{directory} holds several sets of weights "
            f"({list_names([path.name for path in indices or files])}); keep one, and "
            "for shards their index"
        )
    if not indices:
        return open_file(files[0])
    return _open_shards(indices[0])


def open_file(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file, by name.

    Raises:
      UserError: it is missing, damaged, of another format, or quantised.
    """
    tensors = {key: tensor for key, tensor in _read_header(path)}
    refuse_quantised(path, {k: tensor.dtype_name for k, tensor in tensors.items()})
    return tensors


def _read_header(path: Path) -> Iterator[tuple[str, StoredTensor]]:
    refuse_foreign_file(path)
    with _opened(path) as file:
        for key in sorted(file.keys()):
            part = file.get_slice(key)
            yield (
                key,
                StoredTensor(
                    path=path,
                    key=key,
                    shape=tuple(part.get_shape()),
                    dtype_name=part.get_dtype(),
                ),
            )


def _open_shards(index: Path) -> dict[str, StoredTensor]:
    weight_map = _read_index(index)
    shards = sorted(set(weight_map.values()))
    missing = [name for name in shards if not (index.parent / name).is_file()]
    if missing:
        raise UserError(
            f"{index.parent} lacks {len(missing)} of {len(shards)} shards "
            f"({list_names(missing)}); download them"
        )
    tensors: dict[str, StoredTensor] = {}
    for name in shards:
        held = open_file(index.parent / name)
        promised = {key for key, shard in weight_map.items() if shard == name}
        _require_promised(index, name, promised, held)
        tensors.update(held)
    return tensors


def _require_promised(
    index: Path, shard: str, promised: set[str], held: Mapping[str, StoredTensor]
) -> None:
    """Compares a shard with the index: neither may have a tensor more."""
    missing, extra = sorted(promised - held.keys()), sorted(held.keys() - promised)
    if missing or extra:
        raise UserError(
            f"{index.parent / shard} is not the shard of {index.name}: "
            f"{len(missing)} tensors missing ({list_names(missing)}), {len(extra)} "
            f"left over ({list_names(extra)}); download the folder again"
        )


def _read_index(path: Path) -> dict[str, str]:
    """Tensor to shard; shards are files beside the index, nowhere else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        weight_map = dict(content["weight_map"].items())
        names: Sequence[object] = list(weight_map.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no index of shards ({error}); download it again"
        ) from error
    for name in names:
        is_plain = isinstance(name, str) and name not in ("", ".", "..")
        if not is_plain or "/" in str(name) or "\\" in str(name):
            raise UserError(
                f"{path} names the shard {name!r}, which is no file beside it; such an "
                "index can make a program read other files: do not use this checkpoint"
            )
        if not str(name).endswith(".safetensors"):
            raise UserError(
                f"{path} names the shard {name!r}, which is no .safetensors file; "
                "convert the checkpoint to safetensors"
            )
    return weight_map


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): it is missing, cut short or damaged; "
            "copy or download it again"
        ) from error
