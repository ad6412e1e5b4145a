"""The configuration of a public checkpoint, read from the files diffusers wrote.

Sizes stand in `config.json` of every component. Two things do not follow from sizes:

    zero_cond_t   sources are modulated at t = 0 (Edit-2511). A model run without the
                  flag it was trained with draws well and keeps nothing; so where a
                  file does not say it and the preset needs it, that is an error.
    the pipeline  `model_index.json` names it: text to image, edit, or edit-plus.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tbstar_jax.config import to_dict
from tbstar_jax.convert.config_vl import conditioner_config
from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.mmdit import TransformerConfig
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.vae import VAEConfig
from tbstar_jax.trees import flatten, list_names

_log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["text", "edit", "edit_plus"]
"""Text to image; an edit of one source; an edit of several numbered sources."""

_PIPELINES: Mapping[str, Kind] = {
    "QwenImagePipeline": "text",
    "QwenImageEditPipeline": "edit",
    "QwenImageEditPlusPipeline": "edit_plus",
}

# Fields that only other models of the family set, and the value ours have.
_TRANSFORMER_FIXED = {
    "patch_size": 2,
    "guidance_embeds": False,
    "use_additional_t_cond": False,
    "use_layer3d_rope": False,
}
_VAE_FIXED = {"attn_scales": [], "input_channels": 3}

# What diffusers takes for a field that an older file lacks.
_TRANSFORMER_DEFAULTS = {
    "num_layers": 60,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "in_channels": 64,
    "joint_attention_dim": 3584,
    "axes_dims_rope": [16, 56, 56],
}


def pipeline_kind(directory: Path) -> Kind:
    """What the checkpoint is for, by its `model_index.json`.

    Raises:
      UserError: there is no such file, or it names a pipeline of another model.
    """
    path = directory / "model_index.json"
    if not path.is_file():
        raise UserError(
            f"{directory} is no checkpoint in the diffusers layout: it has no "
            f"{path.name}; give the folder that holds it, or one .safetensors file"
        )
    name = str(read_json(path).get("_class_name"))
    if name not in _PIPELINES:
        raise UserError(
            f"{path} names the pipeline {name}; those that can be read are "
            f"{', '.join(_PIPELINES)}"
        )
    return _PIPELINES[name]


def published_config(
    directory: Path, like: ModelConfig, zero_cond_t: bool | None = None
) -> ModelConfig:
    """The configuration of a checkpoint, with the choices of a preset.

    Args:
      directory: in the diffusers layout.
      like: a preset; gives what no file says: stage modules, budget, steps, kernels,
        and for text-to-image checkpoints how sources are treated.
      zero_cond_t: what a file that does not say it means; None leaves that an error
        where it matters.

    Raises:
      UserError: a file is missing, or of another architecture, or leaves
        `zero_cond_t` open.
    """
    kind = pipeline_kind(directory)
    transformer = read_json(directory / "transformer" / "config.json")
    path = directory / "transformer" / "config.json"
    flag = resolve_zero_cond_t(
        _flag(transformer, path), like, kind, path, given=zero_cond_t
    )
    config = dataclasses.replace(
        like,
        transformer=_transformer_config(transformer, path, like.transformer, flag),
        vae=_vae_config(directory / "vae" / "config.json"),
    )
    if isinstance(like.conditioner, Qwen25VLConfig):
        conditioner = conditioner_config(
            read_json(directory / "text_encoder" / "config.json"),
            edit_prompt=like.conditioner.edit_prompt if kind == "text" else kind,
            max_instruction_tokens=like.conditioner.max_instruction_tokens,
        )
        config = dataclasses.replace(config, conditioner=conditioner)
    return config


def resolve_zero_cond_t(
    stored: bool | None,
    preset: ModelConfig,
    kind: Kind,
    where: Path,
    *,
    given: bool | None,
) -> bool | None:
    """The flag of a checkpoint; None for one that has never seen a source.

    Args:
      stored: what the file says; None if it does not.
      preset: it is to be run as.
      kind: what the checkpoint is for.
      where: the file, for the sentence.
      given: what the user says.

    Raises:
      UserError: user and file disagree, nobody says what the preset needs, or a
        text-to-image checkpoint has the flag.
    """
    if stored is not None and given is not None and stored != given:
        raise UserError(
            f"{where} says zero_cond_t={str(stored).lower()}, but "
            f"{str(given).lower()} was asked for; leave it to the file"
        )
    flag = given if stored is None else stored
    if kind == "text":
        if flag:
            raise UserError(
                f"{where} sets zero_cond_t, which is for models that edit, but this "
                "is a text-to-image checkpoint; use the preset qwen-image-edit-2511"
            )
        return None
    if flag is None and preset.transformer.source_time == "zero":
        raise UserError(
            f"{where} does not say zero_cond_t, which this preset needs: without it "
            "sources are modulated at the wrong time and are not kept. Say "
            "zero_cond_t=true (--zero-cond-t=true) if this is Edit-2511 or trained "
            "from it, else use the preset qwen-image-edit-2509 or qwen-image-edit"
        )
    return bool(flag)


def require_source_time(
    published: ModelConfig, preset: ModelConfig, where: Path
) -> None:
    """Refuses a checkpoint whose sources are modulated at another time.

    Args, raises: as `require_preset`.
    """
    times = published.transformer.source_time, preset.transformer.source_time
    if times[0] != times[1]:
        raise UserError(
            f"{where} has zero_cond_t={str(times[0] == 'zero').lower()}, but the "
            f"preset has source_time={times[1]}; use the preset "
            f"{'qwen-image-edit-2511' if times[0] == 'zero' else _SAME_TIME}"
        )


def require_preset(published: ModelConfig, preset: ModelConfig, where: Path) -> None:
    """Refuses a checkpoint of other sizes, or with sources at another time.

    Args:
      published: from `published_config`.
      preset: it is to be run as.
      where: the checkpoint, for the sentence.

    Raises:
      UserError: naming the fields that differ.
    """
    require_source_time(published, preset, where)
    attention = published.transformer.source_attention
    # How sources are attended to is chosen, not stored.
    left = _sizes(published)
    right = _sizes(
        dataclasses.replace(
            preset,
            transformer=dataclasses.replace(
                preset.transformer, source_attention=attention
            ),
        )
    )
    different = [
        f"{name.replace('/', '.')} is {left.get(name)} instead of {right.get(name)}"
        for name in sorted(left.keys() | right.keys(), key=_transformer_first)
        if left.get(name) != right.get(name)
    ]
    if different:
        raise UserError(
            f"{where} does not fit the preset: {list_names(different)}; use the preset "
            "it was made with, or take the sizes from the checkpoint "
            "(--sizes=checkpoint)"
        )


def _transformer_first(name: str) -> tuple[bool, str]:
    return not name.startswith("transformer"), name


_SAME_TIME = "qwen-image-edit-2509 or qwen-image-edit"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
      UserError: it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content.items())
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); download the whole folder"
        ) from error


def _sizes(config: ModelConfig) -> dict[str, Any]:
    parts = to_dict(config)
    return flatten(
        {name: parts[name] for name in ("transformer", "vae", "conditioner")}
    )


def _flag(published: Mapping[str, Any], path: Path) -> bool | None:
    flag = published.get("zero_cond_t")
    if flag is not None and not isinstance(flag, bool):
        raise UserError(f"zero_cond_t in {path} is {flag!r}; it must be true or false")
    return flag


def _transformer_config(
    published: Mapping[str, Any],
    path: Path,
    like: TransformerConfig,
    flag: bool | None,
) -> TransformerConfig:
    _require_class(published, path, "QwenImageTransformer2DModel")
    _require_fixed(published, path, _TRANSFORMER_FIXED)
    sizes = {**_TRANSFORMER_DEFAULTS, **published}
    channels = sizes.get("out_channels") or sizes["in_channels"] // 4
    if 4 * channels != sizes["in_channels"]:
        raise UserError(
            f"out_channels in {path} is {channels}; a quarter of in_channels "
            f"({sizes['in_channels']}) is implemented alone"
        )
    config = dataclasses.replace(
        like,
        num_layers=sizes["num_layers"],
        num_attention_heads=sizes["num_attention_heads"],
        attention_head_dim=sizes["attention_head_dim"],
        in_channels=sizes["in_channels"],
        joint_attention_dim=sizes["joint_attention_dim"],
        axes_dims_rope=tuple(sizes["axes_dims_rope"]),
    )
    if flag is None:
        return config
    if not flag:
        return dataclasses.replace(config, source_time="same", source_attention="full")
    if like.source_attention == "cached":
        _log.warning(
            "%s was trained with full attention of its sources; with "
            "source_attention=cached it must be adapted before it edits well",
            path.parent.parent,
        )
    return dataclasses.replace(config, source_time="zero")


def _vae_config(path: Path) -> VAEConfig:
    published = read_json(path)
    _require_class(published, path, "AutoencoderKLQwenImage")
    _require_fixed(published, path, _VAE_FIXED)
    try:
        return VAEConfig(
            base_dim=published["base_dim"],
            dim_mult=tuple(published["dim_mult"]),
            num_res_blocks=published["num_res_blocks"],
            z_dim=published["z_dim"],
            latents_mean=tuple(map(float, published["latents_mean"])),
            latents_std=tuple(map(float, published["latents_std"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no autoencoder's config: {error}") from error


def _require_class(published: Mapping[str, Any], path: Path, name: str) -> None:
    found = published.get("_class_name")
    if found != name:
        raise UserError(f"{path} is of a {found}, not of a {name}; it cannot be read")


def _require_fixed(
    published: Mapping[str, Any], path: Path, fixed: Mapping[str, Any]
) -> None:
    for name, value in fixed.items():
        if published.get(name, value) != value:
            raise UserError(
                f"{name} in {path} is {published[name]!r}; only {value!r} is "
                "implemented"
            )
