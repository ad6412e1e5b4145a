"""The command `python -m tbstar_jax.convert`: weights in, weights out.

Imports of jax happen in the subcommands: help and errors should not wait for it.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tbstar_jax.errors import UserError, run_command

if TYPE_CHECKING:
    from tbstar_jax.convert.public import PublicCheckpoint

_STORY = """\
Public checkpoints of the Qwen-Image family become weights folders, which every command
here reads, and weights folders go back to diffusers and ComfyUI.

  in    python -m tbstar_jax.convert folder Qwen-Image-Edit-2511/ weights/ \\
            --preset=qwen-image-edit-2511
        from the diffusers layout (model_index.json, shards) or, with --companions, from
        a single .safetensors file as ComfyUI keeps it. Tensors pass one by one: memory
        for one is enough, and disk for a copy.

        python -m tbstar_jax.convert cache Qwen-Image-Edit-2511/ cache/ \\
            --preset=qwen-image-edit-2511 --mesh=4x2
        keeps the arrays as an Orbax checkpoint under the hash of the files, for
        programs that load with `load_public(..., cache=...)`.

  out   python -m tbstar_jax.convert diffusers weights/ out/
        the base in the diffusers layout; what was not changed comes back bit for bit.

        python -m tbstar_jax.convert merge weights/ out/
        the same with the stage-1 modules added to the base's weights, for diffusers;
        exact, and so offered, for modules trained with
        --set model.compatible=diffusers. Stage-2 modules have no counterpart there.

        With --comfyui both write the transformer as one file instead of a folder.
        Stage 1 as a LoRA: python -m experiments.export --lora=diffusers|comfyui.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def main(argv: Sequence[str]) -> None:
    """Runs one subcommand.

    Raises:
      UserError: an argument or a file is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    logging.getLogger("absl").setLevel(logging.WARNING)
    flags = _parser().parse_args(argv)
    match flags.command:
        case "folder":
            _folder(flags)
        case "cache":
            _cache(flags)
        case "diffusers" | "merge":
            _out(flags)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m tbstar_jax.convert",
        description=_STORY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what, target in (
        ("folder", "public checkpoint to a weights folder", "new folder"),
        ("cache", "public checkpoint to an Orbax cache", "cache directory"),
    ):
        command = commands.add_parser(name, help=what, allow_abbrev=False)
        command.add_argument("source", type=Path, help="folder, or .safetensors file")
        command.add_argument("out", type=Path, help=target)
        command.add_argument("--preset", required=True, help="e.g. qwen-image-edit")
        command.add_argument(
            "--sizes",
            choices=("preset", "checkpoint"),
            default="preset",
            help="refuse other sizes than the preset's, or take the checkpoint's",
        )
        command.add_argument(
            "--zero-cond-t",
            choices=("true", "false"),
            help="for checkpoints that do not say when sources are modulated",
        )
        command.add_argument(
            "--companions", type=Path, help="folder with what a single file lacks"
        )
        command.add_argument(
            "--dtype", choices=("bfloat16", "float32"), help="default: as stored"
        )
        if name == "cache":
            command.add_argument("--mesh", default="1x1", help="data x model, e.g. 4x2")
    for name, what in (
        ("diffusers", "weights folder to the diffusers layout"),
        ("merge", "the same with the stage-1 modules merged into the base"),
    ):
        command = commands.add_parser(name, help=what, allow_abbrev=False)
        command.add_argument("weights", type=Path, help="a weights folder")
        command.add_argument("out", type=Path, help="new folder or file")
        command.add_argument(
            "--comfyui", action="store_true", help="one .safetensors file for ComfyUI"
        )
    return parser


def _folder(flags: argparse.Namespace) -> None:
    from tbstar_jax.convert.exchange import write_weights_folder

    checkpoint = _open(flags)
    identities = write_weights_folder(
        checkpoint, flags.out, companions=flags.companions, dtype=_dtype(flags)
    )
    for part, identity in identities.items():
        print(f"{flags.out}: {part} {identity[:20]}")


def _cache(flags: argparse.Namespace) -> None:
    from tbstar_jax.convert.public import load_public
    from tbstar_jax.parallel.mesh import ensure_virtual_devices, make_mesh, parse_mesh

    shape = parse_mesh(flags.mesh)
    ensure_virtual_devices(shape.num_devices)
    checkpoint = _open(flags)
    weights = load_public(
        flags.source,
        checkpoint.config,
        dtype=_dtype(flags),
        mesh=make_mesh(shape),
        zero_cond_t=_zero_cond_t(flags),
        companions=flags.companions,
        cache=flags.out,
    )
    print(f"{flags.out}: base {weights.base_identity}")


def _out(flags: argparse.Namespace) -> None:
    from tbstar_jax.convert.exchange import write_comfyui, write_diffusers

    is_merged = flags.command == "merge"
    write = write_comfyui if flags.comfyui else write_diffusers
    write(flags.weights, flags.out, is_merged=is_merged)
    what = "base and stage 1 merged" if is_merged else "base"
    print(f"{flags.out}: {what}")


def _open(flags: argparse.Namespace) -> "PublicCheckpoint":
    from tbstar_jax.convert.public import open_public
    from tbstar_jax.convert.published import published_config
    from tbstar_jax.model.presets import preset

    config, zero_cond_t = preset(flags.preset), _zero_cond_t(flags)
    if flags.sizes == "checkpoint":
        where = flags.source if flags.source.is_dir() else flags.companions
        if where is None:
            raise UserError(
                f"{flags.source} does not state its sizes; name a folder that does "
                "with --companions"
            )
        config = published_config(where, config, zero_cond_t)
    return open_public(
        flags.source, config, zero_cond_t=zero_cond_t, companions=flags.companions
    )


def _zero_cond_t(flags: argparse.Namespace) -> bool | None:
    return None if flags.zero_cond_t is None else flags.zero_cond_t == "true"


def _dtype(flags: argparse.Namespace) -> Any | None:
    import jax.numpy as jnp

    return None if flags.dtype is None else jnp.dtype(flags.dtype)


if __name__ == "__main__":
    sys.exit(run_command(main))
