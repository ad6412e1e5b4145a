"""A model ready to run, from a weights folder or a public checkpoint.

a weights folder     tbstar_config.json says what it is
diffusers' layout    model_index.json and the config.json of every part say it
"""

import dataclasses
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import UInt8

from tbstar_jax.array_types import Variables
from tbstar_jax.convert.folder import BASE_PARTS, load_weights, read_manifest
from tbstar_jax.convert.lora import read_loras
from tbstar_jax.convert.lora_file import LoraFile
from tbstar_jax.convert.lora_merge import merged_params
from tbstar_jax.convert.public import open_public
from tbstar_jax.convert.published import pipeline_kind, published_config, read_json
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.errors import UserError
from tbstar_jax.inference.editor import Context, Editor
from tbstar_jax.inference.qwen_reader import QwenReader
from tbstar_jax.model.attention import AttentionKernel
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.conditioner.qwen25_processor import Positions, PromptProcessor
from tbstar_jax.model.conditioner.qwen25_prompt import template_of
from tbstar_jax.model.layers import unsharded
from tbstar_jax.model.pattern_shifting import COLLECTION as PATTERN_SHIFTING
from tbstar_jax.model.presets import (
    qwen_image,
    qwen_image_edit,
    qwen_image_edit_2509,
    qwen_image_edit_2511,
)
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.parallel.mesh import MeshShape, make_mesh
from tbstar_jax.parallel.sharding import ActivationShard
from tbstar_jax.parallel.topology import fastest_attention

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """Weights in the dtype they compute in, and the compiled functions that use them.

    Attributes:
      config: of the model.
      parts: tree of every part.
      editor: sampler and autoencoder.
      reader: makes contexts; None where the editor reads texts itself.
      timesteps: the checkpoint's schedule.
    """

    config: ModelConfig
    parts: Variables
    editor: Editor
    reader: QwenReader | None
    timesteps: TimestepConfig

    @property
    def max_photos(self) -> int | None:
        """How many photos an edit may have, the edited one included; None: any."""
        return most_photos(self.config, self.parts)

    def read(
        self,
        instruction: str,
        photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        *,
        is_guided: bool,
    ) -> tuple[tuple[str, ...] | Context, Context | None]:
        """What `Editor.generate` takes as instructions and as unconditional ones."""
        if self.reader is None:
            return (instruction,), None
        params = self.parts["conditioner"]
        return self.reader(params, instruction, photos, is_guided=is_guided)


def make_ready(
    config: ModelConfig,
    parts: Variables,
    *,
    processor: PromptProcessor | None = None,
    positions: Positions = "mrope",
    timesteps: TimestepConfig | None = None,
    dtype: Any | None = None,
    mesh: Mesh | None = None,
    attention: AttentionKernel | None = None,
) -> LoadedModel:
    """Casts weights and prepares what runs them.

    Args:
      config: of the model.
      parts: of all base parts, and the stage modules in use.
      processor: of Qwen2.5-VL, for models with it.
      positions: of a prompt's tokens; see `Positions`.
      timesteps: the schedule; None is the public one.
      dtype: to keep weights and compute in. None is float32 for models with the
        byte-level conditioner, whatever is stored, so that identities hold on every
        platform; for others it is the dtype the transformer is stored in.
      mesh: where the parts lie; None is the first device.
      attention: its implementation; None is the fastest for device and dtype.
    """
    if dtype is None:
        is_small = isinstance(config.conditioner, ByteConditionerConfig)
        dtype = jnp.float32 if is_small else jax.tree.leaves(parts["params"])[0].dtype
    device = jax.devices()[0] if mesh is None else mesh.devices.flat[0]
    transformer = config.transformer
    kernel = attention or fastest_attention(
        device, transformer.attention_head_dim, dtype
    )
    config = dataclasses.replace(
        config, transformer=dataclasses.replace(transformer, attention_kernel=kernel)
    )
    reader = None
    if processor is not None:
        reader = QwenReader(processor, dtype=dtype, positions=positions)
    shard = unsharded if mesh is None else ActivationShard(mesh)
    return LoadedModel(
        config=config,
        parts=jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), parts),
        editor=Editor(config, dtype=dtype, shard=shard),
        reader=reader,
        timesteps=TimestepConfig() if timesteps is None else timesteps,
    )


def most_photos(config: ModelConfig, parts: Collection[str]) -> int | None:
    """How many photos an edit may have, the edited one included; None: any number.

    Args:
      config: of the model.
      parts: names of those in use.
    """
    limits: list[int] = []
    if isinstance(config.conditioner, Qwen25VLConfig):
        template = template_of(config.conditioner, has_sources=True)
        limits += [] if template.max_pictures is None else [template.max_pictures]
    num_embeddings = config.pattern_shifting.num_source_embeddings
    if num_embeddings and PATTERN_SHIFTING in parts:
        limits.append(num_embeddings)
    return min(limits, default=None)


def load_model(
    directory: Path,
    loras: Sequence[LoraFile] = (),
    *,
    positions: Positions = "mrope",
    dtype: Any | None = None,
    mesh: Mesh | None = None,
    attention: AttentionKernel | None = None,
) -> LoadedModel:
    """Loads a folder.

    A public checkpoint goes from its files into the devices' shards tensor by tensor.

    Args:
      directory: a weights folder, or a public checkpoint in the diffusers layout.
      loras: merged into the base.
      positions: see `make_ready`.
      dtype: see `make_ready`.
      mesh: where the parts lie, sharded; None is the first device.
      attention: see `make_ready`.

    Raises:
      UserError: the folder is neither, lacks something, or is of another architecture,
        a LoRA does not fit, or a dimension is not divided by the mesh.
    """
    if _is_public(directory):
        config = published_config(directory, _preset(directory))
        first = make_mesh(MeshShape(data=1, model=1), jax.devices()[:1])
        checkpoint = open_public(directory, config)
        parts = checkpoint.load(dtype=dtype, mesh=mesh or first)
    else:
        weights = load_weights(directory, mesh=mesh)
        config, parts = weights.config, weights.parts
    if loras:
        num_layers = config.transformer.num_layers
        read = read_loras(loras, num_layers)
        parts = {**parts, "params": merged_params(parts["params"], read, num_layers)}
    if not isinstance(config.conditioner, Qwen25VLConfig):
        return make_ready(config, parts, dtype=dtype, mesh=mesh, attention=attention)
    return make_ready(
        config,
        parts,
        processor=PromptProcessor.from_folder(directory, config.conditioner),
        positions=positions,
        timesteps=read_timesteps(directory / "scheduler" / "scheduler_config.json"),
        dtype=dtype,
        mesh=mesh,
        attention=attention,
    )


def model_of(directory: Path) -> tuple[ModelConfig, frozenset[str]]:
    """What a folder holds, known without reading a weight.

    Args:
      directory: as `load_model` takes it.

    Returns:
      The configuration, and the names of the parts.

    Raises:
      UserError: the folder is no model, or is damaged.
    """
    if _is_public(directory):
        config = published_config(directory, _preset(directory))
        return config, frozenset(BASE_PARTS)
    config, identities = read_manifest(directory)
    return config, frozenset(identities)


def _is_public(directory: Path) -> bool:
    return (
        not (directory / "tbstar_config.json").exists()
        and (directory / "model_index.json").exists()
    )


def read_timesteps(path: Path) -> TimestepConfig:
    """The schedule of a checkpoint.

    Raises:
      UserError: the file cannot be read, or is of a scheduler that is not implemented.
    """
    published = read_json(path)
    for name, value in _SCHEDULER_FIXED.items():
        if published.get(name, value) != value:
            raise UserError(
                f"{name} in {path} is {published[name]!r}; only {value!r} is "
                "implemented"
            )
    if not published.get("use_dynamic_shifting", False):
        raise UserError(
            f"{path} has no use_dynamic_shifting; take the scheduler of the public "
            "Qwen-Image checkpoints"
        )
    # What diffusers takes for a field that the file lacks.
    values = {**_SCHEDULER_DEFAULTS, **published}
    try:
        terminal = values["shift_terminal"]
        return TimestepConfig(
            base_shift=float(values["base_shift"]),
            max_shift=float(values["max_shift"]),
            base_image_seq_len=int(values["base_image_seq_len"]),
            max_image_seq_len=int(values["max_image_seq_len"]),
            shift_terminal=float(terminal) if terminal else None,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is no scheduler's config: {error}") from error


_SCHEDULER_FIXED = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "time_shift_type": "exponential",
    "invert_sigmas": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "stochastic_sampling": False,
}
_SCHEDULER_DEFAULTS = {
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "shift_terminal": None,
}


def _preset(directory: Path) -> ModelConfig:
    """The preset whose choices a checkpoint in the diffusers layout takes."""
    match pipeline_kind(directory):
        case "text":
            return qwen_image()
        case "edit":
            return qwen_image_edit()
        case "edit_plus":
            path = directory / "transformer" / "config.json"
            flag = read_json(path).get("zero_cond_t")
            if flag is None:
                # A warning, so that it is seen where nobody set up logging.
                _log.warning(
                    "%s does not say zero_cond_t, which is taken as false, as in "
                    "Edit-2509; if this is Edit-2511 or trained from it, convert it "
                    "with `python -m tbstar_jax.convert folder --zero-cond-t=true`",
                    path,
                )
            return qwen_image_edit_2511() if flag else qwen_image_edit_2509()
