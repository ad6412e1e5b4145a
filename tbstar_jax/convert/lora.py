"""LoRA files of the field, read to one form: an update per linear.

    W <- W + scale * up @ down        W [out, in], up [out, r], down [r, in]

with `scale = alpha / r`. What differs is spelling, and all of these are read:

    PEFT, diffusers   [transformer.]transformer_blocks.0.attn.to_q.lora_A.weight
    DiffSynth         transformer_blocks.0.attn.to_q.lora_A.default.weight
    ai-toolkit        diffusion_model.transformer_blocks.0.attn.to_q.lora_A.weight
    kohya, musubi     lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight, .alpha
    Lightning         transformer_blocks.0.attn.to_q.lora_down.weight, .alpha

Alpha is a tensor, or stands in the metadata that diffusers writes
(`lora_adapter_metadata`) or in PEFT's `adapter_config.json`; where it is nowhere, it
equals the rank. Only safetensors are read, and a tensor that is not understood is an
error with its name: a LoRA of which a part is left out looks right and is not.
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tbstar_jax.convert.key_map import transformer_rows
from tbstar_jax.convert.lora_file import LoraFile, file_sha256, read_metadata
from tbstar_jax.errors import UserError
from tbstar_jax.trees import list_names

_PEFT_PREFIX = "base_model.model."
_PREFIXES = (
    "base_model.model.transformer.",
    _PEFT_PREFIX,
    "model.diffusion_model.",
    "diffusion_model.",
    "lora_transformer_",
    "transformer.",
    "lora_unet_",
    "pipe.dit.",
    "",
)
# An adapter's name, such as `default`, may stand before `weight`.
_ENDING = re.compile(
    r"\.(?:lora_(?P<half>A|down|B|up)(?:\.[A-Za-z0-9_]+)?\.weight|alpha)$"
)
_HALVES = {"A": "down", "down": "down", "B": "up", "up": "up", None: "alpha"}
_OTHER_METHODS = {
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "lokr_": "LoKr",
    "hada_": "LoHa",
    "lora_mid": "a convolution's LoRA",
    "oft_": "OFT",
    ".diff": "full weight differences",
    "lora_te": "a LoRA of the text encoder",
    "text_encoder": "a LoRA of the text encoder",
}
_METADATA = "lora_adapter_metadata"
_FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear:
    """A family of linears that a LoRA can adapt.

    Attributes:
      theirs: its name in the diffusers layout, `{}` for the block.
      ours: its path in our trees.
    """

    theirs: str
    ours: str

    @property
    def target(self) -> str | None:
        """Its name among the targets of our adapters; None outside the blocks."""
        if "{}" not in self.theirs:
            return None
        name = self.ours.removeprefix("transformer_blocks/").removeprefix("attn/")
        return name.replace("/linear_", "_")

    def names(self, num_layers: int) -> list[str]:
        """Their name of every linear of the family."""
        if "{}" not in self.theirs:
            return [self.theirs]
        return [self.theirs.format(block) for block in range(num_layers)]


def linears() -> list[Linear]:
    """Every linear of the transformer, from the key map."""
    return [
        Linear(
            theirs=row.theirs.removesuffix(".weight"),
            ours=row.ours.removesuffix("/kernel"),
        )
        for row in transformer_rows()
        if row.form == "linear"
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraUpdate:
    """The update of one linear, `scale * up @ down`.

    Attributes:
      down: `[rank, in]` float32.
      up: `[out, rank]` float32.
      scale: alpha / rank times what the user asked for.
    """

    down: Float[np.ndarray, "r d"]
    up: Float[np.ndarray, "f r"]
    scale: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lora:
    """A LoRA file in memory.

    Attributes:
      file: where it came from and the scale that was asked for.
      sha256: of the file.
      updates: diffusers' name of a linear to its update.
    """

    file: LoraFile
    sha256: str
    updates: Mapping[str, LoraUpdate]


def read_loras(files: Sequence[LoraFile], num_layers: int) -> list[Lora]:
    """Reads every file, see `read_lora`.

    Raises:
      UserError: a file does not fit, or is named twice.
    """
    paths = [file.path.resolve() for file in files]
    twice = [file.path for file in files if paths.count(file.path.resolve()) > 1]
    if twice:
        raise UserError(f"{twice[0]} is named twice; give it once, with one scale")
    return [read_lora(file, num_layers) for file in files]


def read_lora(file: LoraFile, num_layers: int) -> Lora:
    """Reads one LoRA file in any of the spellings above.

    Args:
      file: which, and how strongly.
      num_layers: blocks of the transformer it is for.

    Raises:
      UserError: the file is damaged, holds a tensor we do not understand or another
        method than LoRA, or half of a pair.
    """
    metadata = read_metadata(file.path)
    try:
        tensors = load_file(file.path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file.path} cannot be read: {error}") from error
    parts = _sorted_out(file.path, tensors, num_layers)
    config = _adapter_config(file.path, tensors, metadata)
    updates = {
        name: _update(file, name, part, config) for name, part in sorted(parts.items())
    }
    if not updates:
        raise UserError(f"{file.path} holds no LoRA: it has no tensors")
    return Lora(file=file, sha256=file_sha256(file.path), updates=updates)


def _spellings(num_layers: int) -> dict[str, str]:
    """Dotted and underscored names to diffusers' name of the linear."""
    names = [name for linear in linears() for name in linear.names(num_layers)]
    flat = {name.replace(".", "_"): name for name in names}
    assert len(flat) == len(names)
    return flat | {name: name for name in names}


def _sorted_out(
    path: Path, tensors: Mapping[str, np.ndarray], num_layers: int
) -> dict[str, dict[str, np.ndarray]]:
    """Linear to its `down`, `up` and `alpha`; everything else is refused."""
    spellings = _spellings(num_layers)
    parts: dict[str, dict[str, np.ndarray]] = {}
    unknown = []
    for key in sorted(tensors):
        ending = _ENDING.search(key)
        name = _linear_of(key[: ending.start()], spellings) if ending else None
        if ending is None or name is None:
            unknown.append(key)
            continue
        part, half = parts.setdefault(name, {}), _HALVES[ending["half"]]
        if half in part:
            raise UserError(f"{path} holds {name} twice, the second time as {key}")
        part[half] = tensors[key]
    if unknown:
        raise UserError(_unknown_sentence(path, unknown, num_layers))
    return parts


def _linear_of(module: str, spellings: Mapping[str, str]) -> str | None:
    for prefix in _PREFIXES:
        if module.startswith(prefix) and module.removeprefix(prefix) in spellings:
            return spellings[module.removeprefix(prefix)]
    return None


def _unknown_sentence(path: Path, unknown: Sequence[str], num_layers: int) -> str:
    for sign, method in _OTHER_METHODS.items():
        found = [key for key in unknown if sign in key]
        if found:
            return (
                f"{path} is or contains {method} ({list_names(found)}), which is not "
                "supported; only LoRA of the transformer's linears is"
            )
    return (
        f"{path} has {len(unknown)} tensors that belong to no linear of this model of "
        f"{num_layers} blocks: {list_names(unknown)}; it was made for another model"
    )


def _adapter_config(
    path: Path, tensors: Iterable[str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    """PEFT's configuration, from the header or from the file beside; may be empty."""
    beside = path.parent / "adapter_config.json"
    if _METADATA in metadata:
        text, where = metadata[_METADATA], f"the metadata of {path}"
    elif any(key.startswith(_PEFT_PREFIX) for key in tensors):
        if not beside.exists():
            raise UserError(
                f"{path} was saved by PEFT, which writes its alpha into {beside.name} "
                "beside it; that file is missing, so the strength is unknown"
            )
        text, where = beside.read_text(encoding="utf-8"), str(beside)
    else:
        return {}
    try:
        config = dict(json.loads(text))
    except ValueError as error:
        raise UserError(f"{where} is not valid JSON: {error}") from error
    # A pipeline prefixes the entries of each of its models.
    return {key.removeprefix("transformer."): value for key, value in config.items()}


def _alpha(name: str, config: Mapping[str, Any], rank: int) -> float:
    """Alpha by PEFT's rules: the first pattern that matches, else the common one."""
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return float(alpha)
    return float(config.get("lora_alpha", rank))


def _update(
    file: LoraFile,
    name: str,
    part: Mapping[str, np.ndarray],
    config: Mapping[str, Any],
) -> LoraUpdate:
    path = file.path
    missing = [half for half in ("down", "up") if half not in part]
    if missing:
        raise UserError(f"{path} has no {missing[0]} half of the LoRA of {name}")
    for half, tensor in part.items():
        if str(tensor.dtype) not in _FLOATS:
            raise UserError(
                f"{path} stores {half} of {name} as {tensor.dtype}; only "
                f"{', '.join(_FLOATS)} are read"
            )
    down, up = (part[half].astype(np.float32) for half in ("down", "up"))
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
        raise UserError(
            f"the halves of {name} in {path} have the shapes {down.shape} and "
            f"{up.shape}; they must be [rank, in] and [out, rank]"
        )
    rank = down.shape[0]
    if "alpha" in part and part["alpha"].size != 1:
        raise UserError(
            f"alpha of {name} in {path} has the shape {part['alpha'].shape}; it must "
            "be one number"
        )
    given = float(part["alpha"].reshape(())) if "alpha" in part else None
    alpha = _alpha(name, config, rank) if given is None else given
    divisor = math.sqrt(rank) if config.get("use_rslora") else float(rank)
    scale = alpha / divisor * file.scale
    if not math.isfinite(scale):
        raise UserError(f"alpha of {name} in {path} is {alpha}; it must be finite")
    return LoraUpdate(down=down, up=up, scale=scale)


def require_shape(lora: Lora, name: str, shape: tuple[int, int]) -> None:
    """Refuses an update that does not fit its linear.

    Args:
      lora: it belongs to.
      name: of the linear.
      shape: `(out, in)` of the linear.

    Raises:
      UserError: the LoRA was made for another width.
    """
    update = lora.updates[name]
    given = (update.up.shape[0], update.down.shape[1])
    if given != shape:
        raise UserError(
            f"{lora.file.path} changes a {given[0]} x {given[1]} linear {name}, but "
            f"this model's is {shape[0]} x {shape[1]}; it was made for another model"
        )


def updates_of(loras: Iterable[Lora], name: str) -> Iterator[tuple[Lora, LoraUpdate]]:
    """The updates of one linear, in the order of the files."""
    for lora in loras:
        if name in lora.updates:
            yield lora, lora.updates[name]
