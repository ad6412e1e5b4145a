"""The command line of a benchmark run."""

import argparse
import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from data.parser import Parser
from experiments.benchmark_commands import PROGRAM, command_lines
from experiments.benchmark_settings import parse_beside_judge
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import ANCHORS
from tbstar_jax.evaluation.answers.answer import System
from tbstar_jax.evaluation.answers.checkpoint import Checkpoint, Modules
from tbstar_jax.evaluation.answers.endpoint import Endpoint
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Language, Split
from tbstar_jax.evaluation.cases.photo_cases import PHOTO_TASKS
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.inference.preserve import Preserve
from tbstar_jax.vlm.exchange import check_url
from tbstar_jax.vlm.server import ServerConfig

RUNS = Path("runs/benchmark")
_REPLY_BYTES = 64 << 20
_ABOUT = """\
Scores a checkpoint, a folder of outputs or an endpoint that edits.

When nothing is given, the tiny checkpoint that is shipped edits the split mini (80
cases, each in English and Chinese) on this machine: minutes on a CPU. Pictures, scores
and report.html are then in runs/benchmark/tiny/mini. To score your own system, give
one of --checkpoint, --outputs and --endpoint.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaseFlags:
    """Which cases are asked.

    Attributes:
      split: of the shipped ones.
      seed: of the split `fresh`; None for the others.
      folder: with cases that are there already, or are to be made there; None: below
        `runs/benchmark/cases`.
      photos: folder of the user's own photos, instead of a split.
      tasks: asked; empty: all.
      languages: asked.
      max_instruction_bytes: prompts with a longer instruction, in UTF-8, are not asked;
        None: all are.
      workers: processes that draw and score.
    """

    split: Split
    seed: int | None
    folder: Path | None
    photos: Path | None
    tasks: tuple[str, ...]
    languages: tuple[Language, ...]
    max_instruction_bytes: int | None
    workers: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFlags:
    """A benchmark run.

    Attributes:
      cases: what is asked.
      system: who answers; None: `outputs` holds the answers.
      name: of the system.
      outputs: folder of another system's pictures.
      out: folder of the run.
      judge: file that says which model judges; None: none does.
      learned: file that names the weights of learned metrics; None: no such columns.
      vae: weights folder whose autoencoder is an anchor; None: no such anchor.
      samples: answers per prompt.
    """

    cases: CaseFlags
    system: System | None
    name: str
    outputs: Path | None
    out: Path
    judge: Path | None
    learned: Path | None
    vae: Path | None
    samples: int


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Adds what chooses cases."""
    add = parser.add_argument
    add("--split", choices=get_args(Split), default="mini", help="cases (%(default)s)")
    add("--seed", type=int, help="of the split fresh: any number not used before")
    add("--cases", type=Path, metavar="DIR", help="where the cases are, or are made")
    add("--photos", type=Path, metavar="DIR", help="your own photos instead of a split")
    add("--tasks", default="", metavar="ID,ID", help="some tasks (default: all)")
    add(
        "--language", choices=("en", "zh", "both"), default="both", help="(%(default)s)"
    )
    add(
        "--max-instruction-bytes",
        type=int,
        metavar="N",
        help="leave out prompts that a model with a short context cannot take",
    )
    add("--workers", type=int, default=2, help="processes (%(default)s)")


def case_flags(options: argparse.Namespace) -> CaseFlags:
    """Checks them.

    Raises:
      UserError: an unknown task, a seed without `fresh` or the reverse, no worker,
        or photos that are not named.
    """
    tasks = tuple(name.strip() for name in options.tasks.split(",") if name.strip())
    _require_tasks(tasks, PHOTO_TASKS if options.photos else BENCHMARK_TASKS)
    if options.photos is not None and options.split not in ("mini", "photo"):
        raise UserError(f"--split={options.split} has no effect with --photos")
    if options.split == "photo" and options.photos is None:
        raise UserError("--split=photo needs --photos, the folder of your photos")
    if options.seed is not None and options.seed < 0:
        raise UserError(f"--seed is {options.seed}, but must be at least 0")
    if (options.split == "fresh") != (options.seed is not None):
        raise UserError(
            "--split=fresh and --seed go together: a fresh set is drawn from a number "
            "that nobody has used before, for example --split=fresh --seed=20261126"
        )
    if options.workers < 1:
        raise UserError(f"--workers is {options.workers}, but must be at least 1")
    if options.max_instruction_bytes is not None and options.max_instruction_bytes < 1:
        raise UserError(
            f"--max-instruction-bytes is {options.max_instruction_bytes}, but must be "
            "at least 1"
        )
    languages: tuple[Language, ...] = ("en", "zh")
    if options.language != "both":
        languages = (options.language,)
    return CaseFlags(
        split=options.split,
        seed=options.seed,
        folder=options.cases,
        photos=options.photos,
        tasks=tasks,
        languages=languages,
        max_instruction_bytes=options.max_instruction_bytes,
        workers=options.workers,
    )


def _require_tasks(tasks: Sequence[str], known: Sequence[str]) -> None:
    """Raises for one that is not asked on such cases."""
    for name in tasks:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            where = "benchmark" if known is BENCHMARK_TASKS else "benchmark on photos"
            raise UserError(
                f"--tasks names {name[:40]!r}, which is no task of the {where}{hint}; "
                f"its {len(known)} tasks are {', '.join(known)}"
            )


def parse_run(argv: list[str]) -> RunFlags:
    """Reads the command line of a run.

    Raises:
      UserError: options that are not valid, or contradict each other.
    """
    parser = Parser(
        prog=PROGRAM,
        description=_ABOUT,
        epilog=f"commands, each with a --help of its own:\n{command_lines()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--checkpoint", type=Path, metavar="DIR", help="weights to run")
    who.add_argument("--outputs", type=Path, metavar="DIR", help="pictures to score")
    who.add_argument("--endpoint", metavar="URL", help="a server that edits")
    add("--name", help="of the system in reports (default: of the folder or model)")
    add("--out", type=Path, help="folder of the run (default: below runs/benchmark)")
    add("--judge", type=Path, metavar="FILE", help="judge.yaml: who judges")
    add(
        "--learned",
        type=Path,
        metavar="FILE",
        help="learned.yaml: weights of yours for LPIPS, DINO and CLIP columns",
    )
    add(
        "--samples",
        type=int,
        default=1,
        metavar="N",
        help="answers per prompt, scored by their mean and, beside it, by the best; "
        "further ones of an --outputs folder are <prompt id>~1.png, ~2.png, ...",
    )
    add_case_options(parser)
    _add_system_options(parser)
    options = parse_beside_judge(parser, argv)
    _refuse_unused(parser, options)
    if options.samples < 1:
        raise UserError(f"--samples is {options.samples}, but must be at least 1")
    cases = case_flags(options)
    system = _system(options)
    name = _name_given(options) or _name(options)
    what = "photos" if cases.photos else cases.split
    return RunFlags(
        cases=cases,
        system=system,
        name=name,
        outputs=options.outputs,
        out=options.out or RUNS / name / what,
        judge=options.judge,
        learned=options.learned,
        vae=system.directory if isinstance(system, Checkpoint) else options.vae,
        samples=options.samples,
    )


def _add_system_options(parser: argparse.ArgumentParser) -> None:
    """Adds what one kind of system takes and the others do not."""
    model = parser.add_argument_group("with --checkpoint")
    add = model.add_argument
    add("--modules", choices=get_args(Modules), help="default: all that it has")
    add("--steps", type=int, help="sampling steps (default: the checkpoint's)")
    add("--guidance", type=float, help="scale (default: the checkpoint's)")
    add("--preserve", choices=get_args(Preserve), help="default: the checkpoint's")
    add(
        "--noise-seed",
        type=int,
        default=0,
        help="of every edit (%(default)s); further samples count on from it",
    )
    parser.add_argument(
        "--vae",
        type=Path,
        metavar="DIR",
        help="with --outputs or --endpoint: weights whose autoencoder the references "
        "go through, as an anchor (a --checkpoint has its own)",
    )
    server = parser.add_argument_group("with --endpoint")
    add = server.add_argument
    add("--protocol", choices=("openai_edits", "json"), default="openai_edits")
    add("--model", help="as the server names it")
    add("--api-key-env", metavar="NAME", help="environment variable with the key")
    add("--concurrency", type=int, default=4, help="requests at once (%(default)s)")


def _name_given(options: argparse.Namespace) -> str | None:
    """That of `--name`, which is no anchor's."""
    name: str | None = options.name
    if name in ANCHORS:
        raise UserError(
            f"--name={name} is the name of an anchor, a row of every report; choose "
            "another"
        )
    return name


def _name(options: argparse.Namespace) -> str:
    """A name for folders and reports, of letters that files may have."""
    if options.outputs is not None:
        text = options.outputs.resolve().name
    elif options.endpoint is not None:
        text = options.model or "endpoint"
    else:
        text = (options.checkpoint or SHIPPED_WEIGHTS).resolve().name
        text += f"-{options.modules}" if options.modules else ""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in text) or "system"
    return f"{name}-system" if name in ANCHORS else name


def _system(options: argparse.Namespace) -> System | None:
    if options.outputs is not None:
        return None
    name = options.name or _name(options)
    if options.endpoint is not None:
        if options.model is None:
            raise UserError("--endpoint needs --model, the name the server knows it by")
        if options.concurrency < 1:
            raise UserError(
                f"--concurrency is {options.concurrency}, but must be at least 1"
            )
        try:
            check_url(options.endpoint)
        except UserError as error:
            raise UserError(f"--endpoint: {error}") from error
        return Endpoint(
            name=name,
            server=ServerConfig(
                base_url=options.endpoint,
                api_key_env=options.api_key_env,
                max_reply_bytes=_REPLY_BYTES,
                max_concurrency=options.concurrency,
                reply_timeout_s=600.0,
            ),
            protocol=options.protocol,
            model=options.model,
            seed=options.noise_seed,
        )
    return Checkpoint(
        name=name,
        directory=options.checkpoint or SHIPPED_WEIGHTS,
        modules=options.modules,
        seed=options.noise_seed,
        num_steps=options.steps,
        guidance=options.guidance,
        preserve=options.preserve,
    )


def _refuse_unused(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    """An option without effect is an error."""
    is_model = options.outputs is None and options.endpoint is None
    is_server = options.endpoint is not None
    of_model = ("modules", "steps", "guidance", "preserve")
    of_server = ("protocol", "model", "api_key_env", "concurrency")
    for names, is_used, who in (
        (of_model, is_model, "--checkpoint"),
        (of_server, is_server, "--endpoint"),
        (("vae",), not is_model, "--outputs or --endpoint"),
        (("noise_seed",), is_model or is_server, "--checkpoint or --endpoint"),
    ):
        for name in names:
            if not is_used and getattr(options, name) != parser.get_default(name):
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag} has no effect without {who}; leave it out")
