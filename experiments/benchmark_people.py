"""User preference: a blind page of two runs, and what the votes say."""

import math
import secrets
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_report import TABLES, write_table
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
from tbstar_jax.evaluation.run.run_folder import Run, read_run, same_cases
from tbstar_jax.evaluation.statistics.power import StudyDesign, power_table
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COLUMNS = (
    *("pair", "of", "votes", "wins", "ties", "both bad, of the ties", "losses"),
    *("GSB", "GSB, low", "GSB, high"),
    *("win rate", "win rate, low", "win rate, high"),
)
_LANGUAGES = {"en": "English", "zh": "Chinese"}
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


def _page(argv: Sequence[str]) -> None:
    parser = Parser(prog=f"{_COMMAND} page", allow_abbrev=False)
    add = parser.add_argument
    add("runs", nargs="+", type=Path, help="folders of two or more runs, same cases")
    add("--out", type=Path, required=True, help="folder that raters are given")
    add("--key", type=Path, required=True, help="file that tells who is who; keep it")
    add("--prompts", type=int, help="at most so many, spread over tasks (default: all)")
    add("--title", default="Which edit is better?", help="%(default)s")
    add("--checks", type=int, default=2, help="of attention, each kind (%(default)s)")
    add("--seed", type=int, help="part of the secret (default: drawn)")
    options = parser.parse_args(argv)
    if len(options.runs) < 2 or (options.prompts is not None and options.prompts < 1):
        raise UserError("a page compares two runs or more, on at least one prompt")
    runs = [read_run(folder) for folder in options.runs]
    same_cases(runs)
    pairs = _pairs(runs, options.prompts)
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


def _pairs(runs: Sequence[Run], num_prompts: int | None) -> list[Pair]:
    """Every two runs on the prompts that both answered."""
    cases = CaseFolder(runs[0].cases, None)
    common = [id for id in runs[0].prompts if all(id in run.prompts for run in runs)]
    if num_prompts is not None and num_prompts < len(common):
        step = len(common) / num_prompts
        common = [common[int(index * step)] for index in range(num_prompts)]
    found = [find_outputs(run.outputs, common).paths for run in runs]
    pairs = []
    for prompt in common:
        case, _, language = prompt.rpartition("/")
        code: Language = "zh" if language == "zh" else "en"
        answers = [
            Answer(system=run.name, image=paths[prompt])
            for run, paths in zip(runs, found, strict=True)
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
    add("--out", type=Path, help="a run's folder: its report then shows the result")
    options = parser.parse_args(argv)
    votes = read_votes(options.votes, read_key(options.key))
    without = [name for name in options.without.split(",") if name]
    summary = summarise(votes, BootstrapConfig(), without)
    table = preference_table(summary)
    rows = [[_told(one) for one in row] for row in table.rows]
    print(markdown_table(table.columns, rows))
    print("\n".join(f"\n{note}" for note in table.notes))
    if options.out is not None:
        write_table(options.out / TABLES["preference"], table)
        write_whole(options.out / "preference.json", summary_json(summary).encode())


def preference_table(summary: PreferenceSummary) -> Table:
    """What the votes say, of each pair: all of them, by task and by language."""
    rows = [
        [f"{pair.first} against {pair.second}", label, *_cells(found)]
        for pair in summary.pairs
        for label, found in (
            ("all", pair.overall),
            *pair.tasks.items(),
            *((_LANGUAGES.get(one, one), two) for one, two in pair.languages.items()),
        )
    ]
    ranked = [] if summary.ranking is None else summary.ranking.systems
    notes = [
        f"{one.system}: {one.score:.0f} ({one.low:.0f} to {one.high:.0f}), Davidson"
        for one in ranked
    ]
    alpha = summary.agreement
    notes.append(
        f"agreement of raters: ordinal alpha {_told(alpha.alpha)} ({_told(alpha.low)} "
        f"to {_told(alpha.high)}); the left side was chosen in "
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


def _told(value: str | int | float | None) -> str:
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.3f}"
    return str(value)


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
