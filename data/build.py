"""Builds data sets: from a folder of photos to training mixtures, or the tiny sets.

    python -m data.build --preset=tiny                              procedural sets
    python -m data.build --stage=all --source=photos/ --out=data/built/shop
    python -m data.build --stage=filter --out=data/built/shop --set filter....
    python -m data.build --stage=precompute --records=DIR           see precompute.py

Stages: collect, construct, filter, augment, mix; `all` runs them in this order. Each
keeps what is finished, so that a run that was interrupted goes on; `--rebuild` replaces
finished sets whose settings or inputs have changed. The configuration of a stage is
written beside the sets when it has run, as `configs/<stage>.json`.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.build_config import BuildConfig, CollectConfig, SourceConfig
from data.parser import Parser
from data.places import Places
from data.stages import STAGES, run_stages
from data.tiny import COUNTS, DEFAULT_OUT, build_tiny, summary
from tbstar_jax.config import apply_overrides
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.errors import UserError, run_command

_OUT = Path("data/built/shop")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m data.build",
        description="Builds data sets.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--stage",
        choices=(*STAGES, "all", "precompute"),
        help="what to run; precompute: see --stage=precompute --help",
    )
    add("--preset", help="in place of a stage: tiny, the procedural sets")
    add("--out", type=Path, help=f"default {_OUT}, or {DEFAULT_OUT} for tiny")
    add("--seed", type=int, default=0, help="%(default)s")
    add("--workers", type=int, help="processes (default: one per core, at most 8)")
    add(
        "--source",
        action="append",
        default=[],
        metavar="PATH",
        help="photos or pairs to collect: a folder, .jsonl, .csv, .parquet, .tar or a "
        "TFDS directory; may be repeated",
    )
    add(
        "--convention",
        help="of the sources: a public set or another trainer, e.g. omniedit, musubi, "
        "diffsynth (default: told by the files)",
    )
    add("--licence", help="of the sources, e.g. CC-BY-4.0")
    add(
        "--engine",
        choices=("embedded", "ray"),
        default="embedded",
        help="processes of this machine, or actors of Ray (%(default)s)",
    )
    add("--num-gpus", type=float, default=0.0, help="of each Ray actor (%(default)s)")
    add("--rebuild", action="store_true", help="replace sets that have changed")
    add(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="any setting, e.g. construct.num_records=5000",
    )
    for name, count in COUNTS.items():
        add(
            f"--num-{name}",
            type=int,
            default=count,
            metavar="N",
            help=f"tiny: records of the set {name} (%(default)s)",
        )
    return parser


def main(argv: Sequence[str]) -> None:
    """Builds what the flags ask for and prints what came of it."""
    if "--stage=precompute" in argv:
        # Imported here: it needs the models, whose import takes seconds.
        from data import precompute

        precompute.main([flag for flag in argv if flag != "--stage=precompute"])
        return
    options = _parsed(argv)
    if options.stage is None:
        _build_tiny(options)
        return
    config = _config(options)
    places = Places(root=options.out or _OUT)
    _make_folder(places.root)
    names = STAGES if options.stage == "all" else (options.stage,)
    if options.stage == "all" and not config.collect.sources:
        names = names[1:]
    run_stages(
        names, config, places, _engine(options), is_rebuild_allowed=options.rebuild
    )


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--out is {root}, where no folder can be made ({error.strerror})"
        ) from error


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        name = unknown[0].split("=")[0]
        nearest = difflib.get_close_matches(name, flags, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "see --help."
        raise UserError(f"unknown option {unknown[0]!r}: {hint}")
    if (options.stage is None) == (options.preset is None):
        raise UserError(
            "say what to build: --stage=all (or one of "
            f"{', '.join(STAGES)}), or --preset=tiny for the procedural sets"
        )
    return options


def _config(options: argparse.Namespace) -> BuildConfig:
    """Defaults, then `--source` and `--seed`, then `--set`."""
    collect: dict[str, Any] = {}
    if options.source:
        sources = tuple(
            SourceConfig(path=path, preset=options.convention, licence=options.licence)
            for path in options.source
        )
        collect = {"collect": CollectConfig(sources=sources)}
    elif options.convention is not None or options.licence is not None:
        raise UserError(
            "--convention and --licence are about --source, which is missing"
        )
    return apply_overrides(BuildConfig(seed=options.seed, **collect), options.set)


def _engine(options: argparse.Namespace) -> Engine:
    workers = options.workers
    if workers is None:
        workers = min(os.cpu_count() or 1, 8)
    if options.engine == "embedded":
        if options.num_gpus:
            raise UserError("--num-gpus is about --engine=ray; it has no effect here")
        return EmbeddedEngine(workers=workers)
    try:
        from tbstar_jax.data_engine.engine.ray_engine import RayEngine
    except ImportError as error:
        raise UserError(
            "--engine=ray needs Ray: pip install -e '.[data,ray]'"
        ) from error
    return RayEngine(num_actors=workers, num_gpus=options.num_gpus)


def _build_tiny(options: argparse.Namespace) -> None:
    if options.preset != "tiny":
        raise UserError(
            f"--preset is {options.preset!r}, but only 'tiny' has procedural sets"
        )
    counts = {name: getattr(options, f"num_{name}") for name in COUNTS}
    out = options.out or DEFAULT_OUT
    built = build_tiny(out, counts, options.seed, options.workers)
    for one in built:
        if one.is_kept:
            print(f"{one.directory} is complete and was kept.")
    print(summary(built))


if __name__ == "__main__":
    sys.exit(run_command(main))
