"""Public checkpoints of the Qwen-Image architecture: found, checked, loaded.

    a folder    diffusers' layout: model_index.json, transformer/ vae/ text_encoder/ ...
    a file      the transformer alone, as ComfyUI keeps it, its names behind
                `model.diffusion_model.` or `diffusion_model.`, or plain; a key
                `__index_timestep_zero__` there is diffusers' `zero_cond_t`

Nothing is read before names, shapes and dtypes of all parts are found to fit.
"""

import dataclasses
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from tbstar_jax.convert.cache import content_key, read_cache, write_cache
from tbstar_jax.convert.folder import Weights, load_weights
from tbstar_jax.convert.licence import licence_notice
from tbstar_jax.convert.parts import (
    BASE_PARTS,
    FOLDERS,
    check_part,
    load_part,
    part_identity,
    plan_part,
)
from tbstar_jax.convert.published import (
    Kind,
    pipeline_kind,
    published_config,
    require_preset,
    require_source_time,
    resolve_zero_cond_t,
)
from tbstar_jax.convert.tensor_files import StoredTensor, open_component, open_file
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.presets import PUBLIC_PRESETS
from tbstar_jax.model.tbstar import ModelConfig

_log = logging.getLogger(__name__)

_PREFIXES = ("model.diffusion_model.", "diffusion_model.")
# Other models that an all-in-one file of ComfyUI holds beside the transformer.
_OTHER_MODELS = ("vae.", "first_stage_model.", "text_encoders.", "cond_stage_model.")
ZERO_TIME_KEY = "__index_timestep_zero__"
COMFYUI_PREFIX = _PREFIXES[0]
_BLOCK = re.compile(r"transformer_blocks\.(\d+)\.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicCheckpoint:
    """A checkpoint whose headers have been read and fit.

    Attributes:
      path: of the folder or file.
      config: of the model.
      parts: part to its tensors, by name, not yet read.
    """

    path: Path
    config: ModelConfig
    parts: Mapping[str, Mapping[str, StoredTensor]]

    @property
    def files(self) -> list[Path]:
        """The files that hold the parts."""
        return sorted({t.path for part in self.parts.values() for t in part.values()})

    def load(
        self, *, dtype: Any | None = None, mesh: Mesh | None = None
    ) -> dict[str, Any]:
        """The tree of every part; see `load_public`."""
        return {
            part: load_part(part, tensors, self.config, dtype=dtype, mesh=mesh)
            for part, tensors in self.parts.items()
        }

    def plan(
        self, *, dtype: Any | None = None, mesh: Mesh | None = None
    ) -> dict[str, Any]:
        """What `load` would give, as `jax.ShapeDtypeStruct`s; reads nothing."""
        return {
            part: plan_part(part, tensors, self.config, dtype=dtype, mesh=mesh)
            for part, tensors in self.parts.items()
        }

    def identities(self) -> dict[str, str]:
        """The identity of every part in the stored dtypes; reads all of it once."""
        return {
            part: part_identity(part, tensors, self.config)
            for part, tensors in self.parts.items()
        }


def load_public(
    path: Path,
    preset: ModelConfig,
    *,
    parts: Sequence[str] = BASE_PARTS,
    dtype: Any | None = None,
    mesh: Mesh | None = None,
    zero_cond_t: bool | None = None,
    companions: Path | None = None,
    cache: Path | None = None,
) -> Weights:
    """Loads a public checkpoint.

    Arrays are read in the parts this process holds. Identities need all bytes, so
    every process reads the files once more; the cache, and a weights folder made by
    `python -m tbstar_jax.convert`, have them stored.

    Args:
      path: a folder in the diffusers layout, or one .safetensors file.
      preset: what to run it as; sizes must agree (`published_config` gives the
        checkpoint's own).
      parts: which to load.
      dtype: of every leaf; None keeps the stored ones. Identities are those of what is
        stored, whatever the dtype.
      mesh: where the parts lie, sharded; None makes NumPy arrays.
      zero_cond_t: of a checkpoint that does not say it.
      companions: for a single file: a folder in the diffusers layout that has the
        other parts.
      cache: directory that keeps converted arrays and identities, by content; the
        second load of the same files reads them from there. All processes must see it.

    Raises:
      UserError: a file is missing, damaged or of another format, a tensor is missing,
        left over, or has another shape or dtype, or the preset is of another model.
    """
    checkpoint = open_public(
        path, preset, parts=parts, zero_cond_t=zero_cond_t, companions=companions
    )
    if cache is None:
        loaded = checkpoint.load(dtype=dtype, mesh=mesh)
        return Weights(config=preset, parts=loaded, identities=checkpoint.identities())
    key = content_key(checkpoint.files, preset, dtype, cache)
    cached = read_cache(cache, key, checkpoint.plan(dtype=dtype, mesh=mesh))
    if cached is None:
        cached = checkpoint.load(dtype=dtype, mesh=mesh), checkpoint.identities()
        write_cache(cache, key, *cached)
    parts_read, identities = cached
    return Weights(config=preset, parts=parts_read, identities=identities)


def load_base(
    directory: Path, preset: ModelConfig, *, without: Sequence[str] = ()
) -> Weights:
    """Loads a weights folder, or a public checkpoint as a preset with its own sizes.

    Args:
      directory: either; NumPy arrays come from both, in the stored dtypes.
      preset: for a public checkpoint, what no file says.
      without: parts whose identity alone is wanted.

    Raises:
      UserError: see `load_weights` and `load_public`.
    """
    is_public = (directory / "model_index.json").is_file()
    if (directory / "tbstar_config.json").exists() or not is_public:
        return load_weights(directory, without=without)
    published = published_config(directory, preset)
    require_source_time(published, preset, directory)
    checkpoint = open_public(directory, published)
    wanted = {k: part for k, part in checkpoint.parts.items() if k not in without}
    return Weights(
        config=published,
        parts=dataclasses.replace(checkpoint, parts=wanted).load(),
        identities=checkpoint.identities(),
    )


def open_public(
    path: Path,
    preset: ModelConfig,
    *,
    parts: Sequence[str] = BASE_PARTS,
    zero_cond_t: bool | None = None,
    companions: Path | None = None,
) -> PublicCheckpoint:
    """Reads the headers of a checkpoint and compares them with a preset.

    Args, raises: as `load_public`.
    """
    if "conditioner" in parts and not isinstance(preset.conditioner, Qwen25VLConfig):
        raise UserError(
            f"{path} is a public checkpoint, but the preset has the byte-level "
            f"conditioner; use one of {', '.join(PUBLIC_PRESETS)}"
        )
    if path.is_dir():
        published = published_config(path, preset, zero_cond_t)
        require_preset(published, preset, path)
        found = {part: open_component(path / FOLDERS[part][0]) for part in parts}
    else:
        found = _with_companions(path, preset, parts, zero_cond_t, companions)
    notice = licence_notice(path if path.is_dir() else companions or path.parent)
    if notice is not None:
        _log.warning("%s", notice)
    for part, tensors in found.items():
        unused = check_part(part, tensors, preset)
        if unused:
            _log.info(
                "%s: %d tensors are not used for single images: %s",
                part,
                len(unused),
                ", ".join(unused),
            )
    return PublicCheckpoint(path=path, config=preset, parts=found)


def _with_companions(
    path: Path,
    preset: ModelConfig,
    parts: Sequence[str],
    zero_cond_t: bool | None,
    companions: Path | None,
) -> dict[str, dict[str, StoredTensor]]:
    """A single file's transformer, and the other parts from a folder beside."""
    tensors, has_key = open_single_file(path)
    kind = _kind_of(preset) if companions is None else pipeline_kind(companions)
    stored = True if has_key else None
    flag = resolve_zero_cond_t(stored, preset, kind, path, given=zero_cond_t)
    if flag is not None and flag != (preset.transformer.source_time == "zero"):
        raise UserError(
            f"{path} has {'a' if flag else 'no'} key {ZERO_TIME_KEY}, but the preset "
            f"has source_time={preset.transformer.source_time}; use the preset "
            f"{'qwen-image-edit-2511' if flag else 'qwen-image-edit-2509'}"
        )
    _require_num_layers(path, tensors, preset)
    found = {"params": tensors}
    for part in parts:
        if part == "params":
            continue
        if companions is None:
            raise UserError(
                f"{path} holds the transformer alone; name a folder in the diffusers "
                "layout that has the autoencoder and the text encoder (--companions)"
            )
        found[part] = open_component(companions / FOLDERS[part][0])
    return found


def open_single_file(path: Path) -> tuple[dict[str, StoredTensor], bool]:
    """The transformer's tensors in one file, without prefix.

    Returns:
      Diffusers' name to tensor, and whether sources are modulated at t = 0.

    Raises:
      UserError: see `open_file`, or the file holds no transformer of this family.
    """
    tensors = open_file(path)
    prefix = next(
        (p for p in _PREFIXES if any(name.startswith(p) for name in tensors)), ""
    )
    if prefix:
        others = [name for name in tensors if name.startswith(_OTHER_MODELS)]
        if others:
            _log.info("%s: %d tensors of other models are left out", path, len(others))
        tensors = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name not in set(others)
        }
    has_key = tensors.pop(ZERO_TIME_KEY, None) is not None
    if not any(_BLOCK.match(name) for name in tensors):
        raise UserError(
            f"{path} holds no transformer of the Qwen-Image family: no name in it "
            "begins with transformer_blocks; give the file of the diffusion model"
        )
    return tensors, has_key


def _kind_of(preset: ModelConfig) -> Kind:
    """What a file without `model_index.json` must be for, by its preset."""
    attention = preset.transformer.source_attention
    return "text" if attention == "cached" else "edit_plus"


def _require_num_layers(
    path: Path, tensors: Mapping[str, StoredTensor], preset: ModelConfig
) -> None:
    found = {int(m[1]) for name in tensors if (m := _BLOCK.match(name))}
    num_layers = preset.transformer.num_layers
    if max(found) + 1 != num_layers:
        raise UserError(
            f"{path} has {max(found) + 1} blocks, but the preset has {num_layers}; use "
            "the preset it was made with"
        )
