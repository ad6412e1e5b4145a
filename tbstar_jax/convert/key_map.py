"""Key names of the diffusers layout beside our paths, as data.

One row per tensor or per family of tensors: (diffusers key, our path, form). `{}` in
both names is the block index; such families are stacked on a leading axis here. The
form says how the torch tensor becomes ours:

    vector   as it is
    linear   [out, in] -> [in, out]
    conv2d   [out, in, kh, kw] -> [kh, kw, in, out]
    conv3d   [out, in, kt, kh, kw] -> last temporal slice, then as conv2d
    gamma    [c, 1, 1, 1] or [c, 1, 1] -> [c]
    patch    [out, in, kt, kh, kw] -> [in, kt, kh, kw, out], all slices kept
"""

import dataclasses
from typing import Literal, TypeAlias

from tbstar_jax.model.vae import VAEConfig

Form: TypeAlias = Literal[
    "vector", "linear", "conv2d", "conv3d", "gamma3", "gamma2", "patch"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyRow:
    """One tensor, or with `{}` one tensor per block.

    Attributes:
      theirs: key in the diffusers layout.
      ours: path in our tree, `/` between names.
      form: how the layouts differ.
    """

    theirs: str
    ours: str
    form: Form


def _linear(theirs: str, ours: str) -> list[KeyRow]:
    return [
        KeyRow(theirs=f"{theirs}.weight", ours=f"{ours}/kernel", form="linear"),
        KeyRow(theirs=f"{theirs}.bias", ours=f"{ours}/bias", form="vector"),
    ]


def _norm(theirs: str, ours: str) -> list[KeyRow]:
    return [KeyRow(theirs=f"{theirs}.weight", ours=f"{ours}/scale", form="vector")]


def transformer_rows() -> list[KeyRow]:
    """Every tensor of `QwenImageTransformer2DModel`."""
    embedder = "time_text_embed.timestep_embedder"
    rows = [
        *_linear(f"{embedder}.linear_1", "timestep_embedder/linear_1"),
        *_linear(f"{embedder}.linear_2", "timestep_embedder/linear_2"),
        *_norm("txt_norm", "txt_norm"),
        *_linear("img_in", "img_in"),
        *_linear("txt_in", "txt_in"),
        # norm_out holds (scale, shift), blocks hold (shift, scale, gate): kept as is.
        *_linear("norm_out.linear", "norm_out"),
        *_linear("proj_out", "proj_out"),
    ]
    theirs, ours = "transformer_blocks.{}", "transformer_blocks"
    for name in ("img_mod", "txt_mod"):
        rows += _linear(f"{theirs}.{name}.1", f"{ours}/{name}")
    for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj"):
        rows += _linear(f"{theirs}.attn.{name}", f"{ours}/attn/{name}")
    rows += _linear(f"{theirs}.attn.to_out.0", f"{ours}/attn/to_out")
    rows += _linear(f"{theirs}.attn.to_add_out", f"{ours}/attn/to_add_out")
    for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
        rows += _norm(f"{theirs}.attn.{name}", f"{ours}/attn/{name}")
    for name in ("img_mlp", "txt_mlp"):
        rows += _linear(f"{theirs}.{name}.net.0.proj", f"{ours}/{name}/linear_in")
        rows += _linear(f"{theirs}.{name}.net.2", f"{ours}/{name}/linear_out")
    return rows


def _conv(theirs: str, ours: str, form: Form = "conv3d") -> list[KeyRow]:
    return [
        KeyRow(theirs=f"{theirs}.weight", ours=f"{ours}/conv/kernel", form=form),
        KeyRow(theirs=f"{theirs}.bias", ours=f"{ours}/conv/bias", form="vector"),
    ]


def _gamma(theirs: str, ours: str, form: Form = "gamma3") -> list[KeyRow]:
    return [KeyRow(theirs=f"{theirs}.gamma", ours=f"{ours}/gamma", form=form)]


def _residual(theirs: str, ours: str, *, has_shortcut: bool) -> list[KeyRow]:
    rows = [
        *_gamma(f"{theirs}.norm1", f"{ours}/norm1"),
        *_conv(f"{theirs}.conv1", f"{ours}/conv1"),
        *_gamma(f"{theirs}.norm2", f"{ours}/norm2"),
        *_conv(f"{theirs}.conv2", f"{ours}/conv2"),
    ]
    if has_shortcut:
        rows += _conv(f"{theirs}.conv_shortcut", f"{ours}/conv_shortcut")
    return rows


def _mid_block(part: str) -> list[KeyRow]:
    theirs, ours = f"{part}.mid_block", f"{part}/mid_block"
    attention = f"{theirs}.attentions.0", f"{ours}/attentions_0"
    return [
        *_residual(f"{theirs}.resnets.0", f"{ours}/resnets_0", has_shortcut=False),
        *_gamma(f"{attention[0]}.norm", f"{attention[1]}/norm", "gamma2"),
        *_conv(f"{attention[0]}.to_qkv", f"{attention[1]}/to_qkv", "conv2d"),
        *_conv(f"{attention[0]}.proj", f"{attention[1]}/proj", "conv2d"),
        *_residual(f"{theirs}.resnets.1", f"{ours}/resnets_1", has_shortcut=False),
    ]


def _ends(part: str) -> list[KeyRow]:
    return [
        *_conv(f"{part}.conv_in", f"{part}/conv_in"),
        *_gamma(f"{part}.norm_out", f"{part}/norm_out"),
        *_conv(f"{part}.conv_out", f"{part}/conv_out"),
    ]


def vae_rows(config: VAEConfig) -> list[KeyRow]:
    """Every tensor of `AutoencoderKLQwenImage` that one frame uses."""
    rows = [
        *_ends("encoder"),
        *_mid_block("encoder"),
        *_ends("decoder"),
        *_mid_block("decoder"),
        *_conv("quant_conv", "quant_conv"),
        *_conv("post_quant_conv", "post_quant_conv"),
    ]
    last = len(config.dim_mult) - 1
    channels, index = config.base_dim, 0
    for level, multiple in enumerate(config.dim_mult):
        for _ in range(config.num_res_blocks):
            features = config.base_dim * multiple
            rows += _residual(
                f"encoder.down_blocks.{index}",
                f"encoder/down_blocks_{index}",
                has_shortcut=channels != features,
            )
            channels, index = features, index + 1
        if level != last:
            theirs = f"encoder.down_blocks.{index}.resample.1"
            rows += _conv(theirs, f"encoder/down_blocks_{index}", "conv2d")
            index += 1
    for level, multiple in enumerate(reversed(config.dim_mult)):
        features = config.base_dim * multiple
        for block in range(config.num_res_blocks + 1):
            rows += _residual(
                f"decoder.up_blocks.{level}.resnets.{block}",
                f"decoder/up_blocks_{level}_resnets_{block}",
                has_shortcut=channels != features,
            )
            channels = features
        if level != last:
            theirs = f"decoder.up_blocks.{level}.upsamplers.0.resample.1"
            rows += _conv(theirs, f"decoder/up_blocks_{level}_upsampler", "conv2d")
            channels = features // 2
    return rows
