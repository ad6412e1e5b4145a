"""Encodes a set ahead: `python -m data.build --stage=precompute --records=DIR`.

Writes `<DIR>-latents`: the latents of every target and source, and the conditioner's
output for every instruction. Training takes them with

    --set 'data.mixture=[{"path":"DIR","weight":1,"latents":"DIR-latents"}]'

and, once the held-out set is encoded too (`--set evaluation.latents=...`), loads no
conditioner at all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from data.tiny import split_of
from tbstar_jax.convert.public import load_base
from tbstar_jax.errors import run_command
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.input_pipeline.mixtures import open_source
from tbstar_jax.model.presets import preset
from tbstar_jax.training.precompute import Precomputed, precompute


def _parser() -> Parser:
    parser = Parser(
        prog="python -m data.build --stage=precompute",
        description="Encodes the images and instructions of a set once.",
        allow_abbrev=False,
    )
    parser.add_argument("--records", type=Path, required=True, help="the set")
    parser.add_argument("--out", type=Path, help="default: <records>-latents")
    parser.add_argument(
        "--base",
        default="shipped",
        help="weights folder or public checkpoint of the base (%(default)s)",
    )
    parser.add_argument("--preset", default="tiny", help="of the base (%(default)s)")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        default="bfloat16",
        help="of the stored numbers (%(default)s); float32 trains exactly as without",
    )
    return parser


def main(argv: Sequence[str]) -> None:
    """Encodes one set and says where it lies."""
    options = _parser().parse_args(argv)
    directory: Path = options.records
    out: Path = options.out or directory.with_name(f"{directory.name}-latents")
    split = split_of(directory.name)
    # The transformer takes no part: only its identity is read.
    folder = SHIPPED_WEIGHTS if options.base == "shipped" else Path(options.base)
    weights = load_base(folder, preset(options.preset), without=("params",))
    source = open_source(directory, split)
    stored = Precomputed(has_sources=True, has_context=True, dtype=options.dtype)
    num_records = precompute(
        source,
        out,
        split,
        weights.config,
        weights.parts,
        weights.identities,
        stored,
        folder=folder,
        show_progress=sys.stderr.isatty(),
    )
    print(f"{num_records} records of {directory} are encoded in {out}.")


if __name__ == "__main__":
    sys.exit(run_command(main))
