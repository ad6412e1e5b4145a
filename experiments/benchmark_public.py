"""Other benchmarks, from a copy of the user's own: nothing of theirs is shipped."""

from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_canary import check_judge
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.preference.page import PAGE, PageConfig, build_page
from tbstar_jax.evaluation.public.export import export_suite
from tbstar_jax.evaluation.public.items import SUITES, Suite
from tbstar_jax.evaluation.public.preference import preference_pairs
from tbstar_jax.evaluation.public.read import read_suite
from tbstar_jax.evaluation.public.report import report_text
from tbstar_jax.evaluation.public.score import score_suite

_COMMAND = "python -m experiments.benchmark public"


def public(argv: Sequence[str]) -> None:
    """Runs one of `export`, `score` and `page`."""
    commands = {"export": _export, "score": _score, "page": _page}
    if not argv or argv[0] not in commands:
        raise UserError(f"write {_COMMAND} export, score or page; each has its --help")
    commands[argv[0]](argv[1:])


def _parser(name: str, description: str) -> Parser:
    parser = Parser(
        prog=f"{_COMMAND} {name}", description=description, allow_abbrev=False
    )
    add = parser.add_argument
    add("suite", choices=SUITES, help="which benchmark")
    add("data", type=Path, help="your copy of it")
    add("--language", choices=("en", "zh"), help="default: all that it has")
    return parser


def _suite(suite: str, data: Path, language: Language | None) -> Suite:
    found = read_suite(suite, data, language)
    if found.skipped:
        print(f"{len(found.skipped)} rows cannot be used, the first {found.skipped[0]}")
    return found


def _export(argv: Sequence[str]) -> None:
    parser = _parser(
        "export", "Writes photos and prompts.jsonl for a system to answer."
    )
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    suite = _suite(options.suite, options.data, options.language)
    left_out = export_suite(suite, options.out)
    print(f"{len(suite.items) - len(left_out)} prompts in {options.out}")
    for reject in left_out[:10]:
        print(f"left out: {reject}")


def _score(argv: Sequence[str]) -> None:
    parser = _parser("score", "Scores pictures as the benchmark does.")
    add = parser.add_argument
    add("--outputs", type=Path, required=True, help="pictures, named by their prompts")
    add("--judge", type=Path, help="judge.yaml, for benchmarks that have a judge")
    add("--name", default="", help="of the system (default: of the folder)")
    add("--out", type=Path, required=True, help="where reports are written")
    options = parser.parse_args(argv)
    suite = _suite(options.suite, options.data, options.language)
    config = None if options.judge is None else read_judge(options.judge)
    report = score_suite(
        suite,
        options.outputs,
        None if config is None else Judge(config),
        options.out,
        system=options.name or options.outputs.resolve().name,
        notes=() if config is None else (_canary_note(config),),
    )
    print(report_text(report))


def _canary_note(config: JudgeConfig) -> str:
    """Asks the judge's canary.

    Raises:
      UserError: the judge is not what it was.
    """
    found = check_judge(config)
    found.require_good()
    return f"the judge's canary ({found.date}): {found.detail}"


def _page(argv: Sequence[str]) -> None:
    parser = _parser("page", "A blind page that compares two systems' answers.")
    add = parser.add_argument
    add("--exported", type=Path, required=True, help="folder that `export` wrote")
    add("--first", type=Path, required=True, help="folder of a system's pictures")
    add("--second", type=Path, required=True, help="folder of another's")
    add("--out", type=Path, required=True, help="folder that raters are given")
    add("--key", type=Path, required=True, help="file that tells who is who")
    add("--seed", type=int, required=True, help="part of the secret")
    options = parser.parse_args(argv)
    suite = _suite(options.suite, options.data, options.language)
    systems = [(path.resolve().name, path) for path in (options.first, options.second)]
    pairs = preference_pairs(suite, options.exported, *systems)
    config = PageConfig(title="Which edit is better?", reference_checks=0)
    build_page(pairs, options.out, options.key, options.seed, config)
    print(f"{len(pairs)} comparisons in {options.out / PAGE}")
