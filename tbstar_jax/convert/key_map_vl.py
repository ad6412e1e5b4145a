"""Key names of Qwen2.5-VL checkpoints beside our paths, as data.

Rows have the form of `key_map`. Two generations of names are in use for the same
tensors:

    old   visual.*        model.*                  checkpoints up to transformers 4
    new   model.visual.*  model.language_model.*   written by transformers 5

The two towers have different numbers of blocks, so they are two tables: `{}` counts
`vision.depth` blocks in the one and `language.num_hidden_layers` in the other. The
output head (`lm_head.weight`, 152064 x 3584 in the 7B model) plays no part in
conditioning: our tree does not hold it, and `HEAD` names it so that a loader can pass
over it and an exporter can copy it.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from tbstar_jax.convert.key_map import KeyRow
from tbstar_jax.errors import UserError

KeyGeneration: TypeAlias = Literal["old", "new"]

HEAD = "lm_head.weight"
"""The tensor of both generations that conditioning does not use."""

_PREFIXES: dict[KeyGeneration, tuple[str, str]] = {
    "old": ("visual", "model"),
    "new": ("model.visual", "model.language_model"),
}


def key_generation(names: Iterable[str]) -> KeyGeneration:
    """Which generation of names a checkpoint uses, told by its token embedding.

    Raises:
      UserError: the names are of neither generation.
    """
    present = set(names)
    for generation in get_args(KeyGeneration):
        if f"{_PREFIXES[generation][1]}.embed_tokens.weight" in present:
            return generation
    raise UserError(
        "this is not a Qwen2.5-VL checkpoint: it has neither "
        "model.embed_tokens.weight nor model.language_model.embed_tokens.weight; give "
        "the text_encoder folder of a Qwen-Image checkpoint"
    )


def _linear(theirs: str, ours: str, *, has_bias: bool = True) -> list[KeyRow]:
    rows = [KeyRow(theirs=f"{theirs}.weight", ours=f"{ours}/kernel", form="linear")]
    if has_bias:
        rows += [KeyRow(theirs=f"{theirs}.bias", ours=f"{ours}/bias", form="vector")]
    return rows


def _norm(theirs: str, ours: str) -> list[KeyRow]:
    return [KeyRow(theirs=f"{theirs}.weight", ours=f"{ours}/scale", form="vector")]


def vision_rows(generation: KeyGeneration) -> list[KeyRow]:
    """Every tensor of the vision tower; `{}` counts its blocks."""
    root, ours = _PREFIXES[generation][0], "visual"
    rows = [
        KeyRow(
            theirs=f"{root}.patch_embed.proj.weight",
            ours=f"{ours}/patch_embed/kernel",
            form="patch",
        ),
        *_norm(f"{root}.merger.ln_q", f"{ours}/merger/ln_q"),
        *_linear(f"{root}.merger.mlp.0", f"{ours}/merger/mlp_0"),
        *_linear(f"{root}.merger.mlp.2", f"{ours}/merger/mlp_2"),
    ]
    theirs, ours = f"{root}.blocks.{{}}", f"{ours}/blocks"
    for name in ("norm1", "norm2"):
        rows += _norm(f"{theirs}.{name}", f"{ours}/{name}")
    for name in ("attn.qkv", "attn.proj"):
        rows += _linear(f"{theirs}.{name}", f"{ours}/{name.replace('.', '/')}")
    for name in ("gate_proj", "up_proj", "down_proj"):
        rows += _linear(f"{theirs}.mlp.{name}", f"{ours}/mlp/{name}")
    return rows


def language_rows(generation: KeyGeneration) -> list[KeyRow]:
    """Every tensor of the language model but its head; `{}` counts its layers."""
    root, ours = _PREFIXES[generation][1], "language_model"
    rows = [
        KeyRow(
            theirs=f"{root}.embed_tokens.weight",
            ours=f"{ours}/embed_tokens",
            form="vector",
        ),
        *_norm(f"{root}.norm", f"{ours}/norm"),
    ]
    theirs, ours = f"{root}.layers.{{}}", f"{ours}/layers"
    for name in ("input_layernorm", "post_attention_layernorm"):
        rows += _norm(f"{theirs}.{name}", f"{ours}/{name}")
    for name in ("q_proj", "k_proj", "v_proj"):
        rows += _linear(f"{theirs}.self_attn.{name}", f"{ours}/self_attn/{name}")
    rows += _linear(
        f"{theirs}.self_attn.o_proj", f"{ours}/self_attn/o_proj", has_bias=False
    )
    for name in ("gate_proj", "up_proj", "down_proj"):
        rows += _linear(f"{theirs}.mlp.{name}", f"{ours}/mlp/{name}", has_bias=False)
    return rows
