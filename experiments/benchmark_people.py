"""User preference: a blind page of two systems, and what the votes say."""

import dataclasses
import secrets
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_shown import LANGUAGES, print_table, show, told
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import find_outputs
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.markdown import markdown_table
from tbstar_jax.evaluation.preference.page import PAGE, PageConfig, build_page
from tbstar_jax.evaluation.preference.study import Answer, Pair, read_key
from tbstar_jax.evaluation.preference.summary import (
    Preference,
    PreferenceSummary,
    summarise,
    summary_json,
)
from tbstar_jax.evaluation.preference.votes import read_votes
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.run.run_folder import RUN_FILE, read_run, same_cases
from tbstar_jax.evaluation.statistics.power import StudyDesign, power_table
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COLUMNS = (
    *("pair", "of", "votes", "wins", "ties", "both bad, of the ties", "losses"),
    *("GSB", "GSB, low", "GSB, high"),
    *("win rate", "win rate, low", "win rate, high"),
)
_TIES = (
    "Ties are votes for neither side, those for both bad among them; none is dropped "
    "or forced to a side. In GSB, (wins - losses) / votes, a tie counts nothing; in "
    "the win rate, (wins + ties / 2) / votes, half a win. Intervals: 95 %, cases drawn "
    "anew with all their votes."
)
_COMMAND = "python -m experiments.benchmark preference"


def preference(argv: Sequence[str]) -> None:
    """Runs one of `page`, `count` and `power`."""
    commands = {"page": _page, "count": _count, "power": _power}
    if not argv or argv[0] not in commands:
        raise UserError(
            f"write {_COMMAND} page, count or power; each has its own --help"
        )
    commands[argv[0]](argv[1:])


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shown:
    """A system whose pictures are shown.

    Attributes:
      name: told by the key alone.
      prompts: that it was asked; of a folder of pictures, those it answered.
      outputs: folder of the pictures.
    """

    name: str
    prompts: tuple[str, ...]
    outputs: Path


def _page(argv: Sequence[str]) -> None:
    parser = Parser(
        prog=f"{_COMMAND} page",
        description="A page on which people compare systems blind.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "systems",
        nargs="+",
        type=Path,
        help="two or more folders, of runs on the same cases or, with --cases, of "
        "pictures named by their prompts",
    )
    add("--out", type=Path, required=True, help="folder that raters are given")
    add("--key", type=Path, required=True, help="file that tells who is who; keep it")
    add("--cases", type=Path, metavar="DIR", help="that folders of pictures answer")
    add("--prompts", type=int, help="at most so many, spread over tasks (default: all)")
    add("--title", default="Which edit is better?", help="%(default)s")
    add("--checks", type=int, default=2, help="of attention, each kind (%(default)s)")
    add("--seed", type=int, help="part of the secret (default: drawn)")
    options = parser.parse_args(argv)
    too_few = len(options.systems) < 2
    if too_few or (options.prompts is not None and options.prompts < 1):
        raise UserError("a page compares two systems or more, on at least one prompt")
    cases, systems = _shown(options.systems, options.cases)
    pairs = _pairs(cases, systems, options.prompts)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    config = PageConfig(
        title=options.title,
        identical_checks=options.checks,
        reference_checks=options.checks,
    )
    build_page(pairs, options.out, options.key, seed, config)
    print(
        f"{len(pairs)} comparisons in {options.out / PAGE}: open it, or put the folder "
        f"on any web server; {options.key} tells who is who, keep it to yourself"
    )


def _shown(
    folders: Sequence[Path], cases_folder: Path | None
) -> tuple[CaseFolder, list[_Shown]]:
    """The systems behind folders, and the cases that all of them answered."""
    runs = {one: read_run(one) for one in folders if (one / RUN_FILE).exists()}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}; name a run's, or pictures'")
        if folder not in runs and cases_folder is None:
            raise UserError(
                f"{folder} holds no benchmark run ({RUN_FILE} is missing); name the "
                "cases that its pictures answer with --cases=DIR, or score them first "
                f"with `python -m experiments.benchmark --outputs={folder}`"
            )
    if runs:
        same_cases(list(runs.values()))
    for folder, run in runs.items():
        if cases_folder is not None and run.cases.resolve() != cases_folder.resolve():
            raise UserError(
                f"--cases is {cases_folder}, but the run in {folder} is on the cases "
                f"in {run.cases}; name those, or leave --cases out where all are runs"
            )
    places = [cases_folder, *(run.cases for run in runs.values())]
    cases = CaseFolder(next(one for one in places if one is not None), None)
    ids = [f"{case}/{code}" for case in cases.ids for code in ("en", "zh")]
    systems = [
        _Shown(name=known.name, prompts=known.prompts, outputs=known.outputs)
        if (known := runs.get(folder)) is not None
        else _Shown(
            name=folder.resolve().name,
            prompts=tuple(find_outputs(folder, ids).paths),
            outputs=folder,
        )
        for folder in folders
    ]
    names = [one.name for one in systems]
    if len(set(names)) < len(names):
        raise UserError(
            f"the systems are named {', '.join(names)}, but votes need a name for "
            "each; rename a folder, or run one again with another --name"
        )
    return cases, systems


def _pairs(
    cases: CaseFolder, systems: Sequence[_Shown], num_prompts: int | None
) -> list[Pair]:
    """Every two systems on the prompts that both answered."""
    asked = [set(one.prompts) for one in systems]
    common = [id for id in systems[0].prompts if all(id in one for one in asked)]
    if not common:
        raise UserError(
            f"{', '.join(one.name for one in systems)} have no prompt in common, so "
            "there is nothing to compare; name systems that answered the same cases"
        )
    if num_prompts is not None and num_prompts < len(common):
        step = len(common) / num_prompts
        common = [common[int(index * step)] for index in range(num_prompts)]
    found = [find_outputs(one.outputs, common).paths for one in systems]
    pairs = []
    for prompt in common:
        case, _, language = prompt.rpartition("/")
        code: Language = "zh" if language == "zh" else "en"
        answers = [
            Answer(system=one.name, image=paths[prompt])
            for one, paths in zip(systems, found, strict=True)
            if prompt in paths
        ]
        pairs += [
            Pair(
                prompt=prompt,
                case=case,
                task=case.split("/")[1],
                language=code,
                instruction=cases.instruction(case, code),
                source=cases.picture(case, "photo"),
                first=first,
                second=second,
                reference=cases.picture(case, "reference"),
                object_photo=cases.object_picture(case),
            )
            for index, first in enumerate(answers)
            for second in answers[index + 1 :]
        ]
    return pairs


def _count(argv: Sequence[str]) -> None:
    parser = Parser(prog=f"{_COMMAND} count", allow_abbrev=False)
    add = parser.add_argument
    add("votes", nargs="+", type=Path, help="files that raters sent")
    add("--key", type=Path, required=True, help="of the page")
    add("--without", default="", help="raters left out, comma-separated")
    add("--out", type=Path, help="a run's folder, whose report then shows the result")
    options = parser.parse_args(argv)
    votes = read_votes(options.votes, read_key(options.key))
    without = [name for name in options.without.split(",") if name]
    summary = summarise(votes, BootstrapConfig(), without)
    table = preference_table(summary)
    print_table(table)
    if options.out is not None:
        write_whole(options.out / "preference.json", summary_json(summary).encode())
        print(f"\n{show(options.out, 'preference', table)}")


def preference_table(summary: PreferenceSummary) -> Table:
    """What the votes say, of each pair: all of them, by task and by language."""
    rows = [
        [f"{pair.first} against {pair.second}", label, *_cells(found)]
        for pair in summary.pairs
        for label, found in (
            ("all", pair.overall),
            *pair.tasks.items(),
            *((LANGUAGES.get(one, one), two) for one, two in pair.languages.items()),
        )
    ]
    ranked = [] if summary.ranking is None else summary.ranking.systems
    notes = [
        f"{one.system}: {one.score:.0f} ({one.low:.0f} to {one.high:.0f}), Davidson"
        for one in ranked
    ]
    alpha = summary.agreement
    notes.append(
        f"agreement of raters: ordinal alpha {told(alpha.alpha)} ({told(alpha.low)} "
        f"to {told(alpha.high)}); the left side was chosen in "
        f"{100 * summary.left_share.mean:.0f} % of the votes with a side"
    )
    return Table(
        title="User preference",
        columns=_COLUMNS,
        rows=rows,
        notes=[_TIES, *notes, *summary.notes],
    )


def _cells(found: Preference) -> list[str | int | float | None]:
    counts = (found.wins, found.ties, found.both_bad, found.losses)
    return [
        found.wins + found.ties + found.losses,
        *counts,
        *(found.gsb.mean, found.gsb.low, found.gsb.high),
        *(found.win_rate.mean, found.win_rate.low, found.win_rate.high),
    ]


def _power(argv: Sequence[str]) -> None:
    parser = Parser(prog=f"{_COMMAND} power", allow_abbrev=False)
    add = parser.add_argument
    add("--net", type=float, default=0.1, help="true GSB (%(default)s)")
    add("--ties", type=float, default=0.3, help="share of ties (%(default)s)")
    add("--votes", type=int, default=1, help="per prompt (%(default)s)")
    options = parser.parse_args(argv)
    try:
        design = StudyDesign(
            tie_share=options.ties, net=options.net, votes_per_prompt=options.votes
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    rows = [
        [str(row.num_prompts), f"{row.half_width:.3f}", f"{100 * row.chance:.0f} %"]
        for row in power_table(design)
    ]
    print(markdown_table(["prompts", "half-width of GSB", "chance to show it"], rows))
