"""Run folders to one set of results and one report."""

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.benchmark_notes import reading_notes
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import ANCHORS
from tbstar_jax.evaluation.answers.answer import sample_name
from tbstar_jax.evaluation.answers.folder import find_output
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.mock import mock_judgement
from tbstar_jax.evaluation.report.content import (
    PromptPictures,
    ReportContent,
    Table,
    TextRead,
    pictures_of,
)
from tbstar_jax.evaluation.report.headline import headline_picture
from tbstar_jax.evaluation.report.write import write_report
from tbstar_jax.evaluation.run.judging import judge_summaries, judgements_now
from tbstar_jax.evaluation.run.learned_columns import comparable
from tbstar_jax.evaluation.run.results import (
    Results,
    SystemResult,
    best_of,
    summarise,
    to_csv,
    to_json,
)
from tbstar_jax.evaluation.run.rows import joined_rows, rows_text
from tbstar_jax.evaluation.run.run_folder import Run, read_run, same_cases
from tbstar_jax.evaluation.scores.prompt import decode_answer
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.evaluation.text.measures import read_written
from tbstar_jax.evaluation.text.reader import find_reader
from tbstar_jax.input_pipeline.images import encode_png

HEADLINE = "headline.png"
"""One picture of all systems, for a README or a slide."""

TABLES = {
    "preference": "preference_table.json",
    "pairwise": "pairwise_table.json",
    "audit": "audit_table.json",
}
"""Tables of other commands that a report shows: of its folder, else of a run's."""


def report_runs(
    folders: Sequence[Path],
    out: Path,
    previous: Path | None = None,
    *,
    with_mock: bool = False,
) -> str:
    """Writes `results.*`, `rows.jsonl`, `report.html`, figures and a headline.

    Args:
      folders: of runs on the same cases; the first one's pictures are shown.
      out: where to write.
      previous: an earlier run of the first system, for the differences.
      with_mock: whether a mock stands beside the judges (`judge/mock.py`).

    Returns:
      The headline of every system, one line each.

    Raises:
      UserError: a folder without a finished run, or runs, `previous` among them, of
        different cases or definitions of scores.
    """
    runs = [read_run(folder) for folder in folders]
    same_cases(runs)
    if any(run.prompts != runs[0].prompts for run in runs):
        raise UserError(
            "the runs were asked different prompts (--language, --tasks or "
            "--max-instruction-bytes); compare them with `compare`, which takes those "
            "that both have"
        )
    content = gather(runs, out, previous, with_mock=with_mock)
    write_whole(out / "results.json", to_json(content.results).encode())
    write_whole(out / "results.csv", to_csv(content.results).encode())
    rows = joined_rows(content.records, content.judgements)
    write_whole(out / "rows.jsonl", rows_text(rows).encode())
    write_report(content, out)
    write_whole(out / HEADLINE, encode_png(headline_picture(content)))
    lines = [headline(one) for one in content.results.systems if one.kind != "best"]
    lines += [one.headline() for one in content.judges]
    lines += [f"note: {note}" for note in content.results.notes]
    return "\n".join([*lines, f"{out / 'report.html'} shows all of it"])


def gather(
    runs: Sequence[Run], out: Path, previous: Path | None, *, with_mock: bool
) -> ReportContent:
    """Reads runs and averages them."""
    by_system: dict[str, list[ScoreRecord]] = {}
    for run in runs:
        for system, rows in comparable(run.records(), run, runs[0]).items():
            if system in by_system and system not in ANCHORS:
                raise UserError(
                    f"two of the runs are named {system!r}; run one of them again with "
                    "another --name"
                )
            by_system.setdefault(system, rows)
    first = runs[0]
    cases = CaseFolder(first.cases, None)
    judgements, notes = _judgements(runs)
    if with_mock:
        judgements += [
            mock_judgement(row)
            for run in runs
            for row in by_system[run.name]
            if row.sample == 0
        ]
    expected = {row.prompt: row.task for rows in by_system.values() for row in rows}
    judges = judge_summaries(runs, judgements, expected)
    results = _results(runs, by_system, cases)
    shown = {one.judge for one in judges}
    asked = {
        key: told for run in runs for key, told in run.judges().items() if key in shown
    }
    results = dataclasses.replace(
        results,
        provenance={**results.provenance, "judges": asked},
        judges=[dataclasses.asdict(one) for one in judges],
        notes=[*results.notes, *notes],
    )
    return ReportContent(
        results=results,
        main=first.name,
        records=[row for rows in by_system.values() for row in rows],
        pictures=functools.partial(
            _pictures, cases, {run.name: run.outputs for run in runs}
        ),
        judges=judges,
        judgements=judgements,
        reads=_reads(by_system[first.name], cases, first.outputs),
        previous=None if previous is None else _earlier(previous, first),
        preference=_table("preference", out, runs),
        pairwise=_table("pairwise", out, runs),
        audit=_table("audit", out, runs),
    )


def headline(system: SystemResult) -> str:
    """C with its interval, E, P and what else a line has room for."""
    parts = []
    for name, label in (("consistency", "C"), ("edit", "E"), ("preservation", "P")):
        mean = system.measures[name].macro
        interval = f" ({mean.low:.3f} to {mean.high:.3f})"
        # One case per task says nothing about its spread.
        parts.append(
            f"{label} {mean.mean:.3f}{'' if math.isnan(mean.low) else interval}"
        )
    for name, label, unit in (("drift_norm", "drift", "ΔE"), ("shift", "shift", "px")):
        if name in system.measures:
            parts.append(f"{label} {system.measures[name].macro.mean:.2f} {unit}")
    told = [
        f"{count} {name}" for name, count in system.statuses.items() if name != "ok"
    ]
    ending = f"; {', '.join(told)}" if told else ""
    count = f"n={system.num_prompts}"
    if system.num_samples > 1:
        count += f", {system.num_samples} answers each"
    return f"{system.name}: {', '.join(parts)} ({count}){ending}"


def _results(
    runs: Sequence[Run],
    by_system: Mapping[str, Sequence[ScoreRecord]],
    cases: CaseFolder,
) -> Results:
    config = BootstrapConfig()
    systems = []
    for run in runs:
        systems.append(summarise(by_system[run.name], "system", config))
        if run.num_samples > 1:
            best = best_of(by_system[run.name])
            systems.append(summarise(best, "best", config))
    anchors = [
        summarise(by_system[name], "anchor", config)
        for name in ANCHORS
        if name in by_system
    ]
    return Results(
        provenance=runs[0].provenance,
        systems=[*systems, *anchors],
        judges=[],
        notes=reading_notes(runs, by_system, anchors, cases),
    )


def _judgements(runs: Sequence[Run]) -> tuple[list[Judgement], list[str]]:
    """What judges said of the runs' pictures, and what of it is left out."""
    found: list[Judgement] = []
    notes = []
    for run in runs:
        kept, num_stale = judgements_now(run)
        found += kept
        if num_stale:
            notes.append(
                f"{num_stale} judgements of {run.name} are left out: its pictures have "
                "changed since; judge them again"
            )
    return found, notes


def _pictures(
    cases: CaseFolder, outputs: Mapping[str, Path], record: ScoreRecord
) -> PromptPictures:
    case = cases[record.case]
    if record.size is None:
        return pictures_of(case, None)
    name = sample_name(record.prompt, record.sample)
    path = find_output(outputs[record.system], name)
    if path is None:
        raise UserError(f"the picture of {name} was taken away since")
    return pictures_of(case, decode_answer(path))


def _reads(
    records: Sequence[ScoreRecord], cases: CaseFolder, outputs: Path
) -> list[TextRead]:
    """What is read where edits write, first samples: for the table of confusions."""
    reader = find_reader()
    if reader is None:
        return []
    found = []
    for record in records:
        targets = cases.target_texts(record.case)
        if record.size is None or record.sample or not any(one.new for one in targets):
            continue
        answer = _pictures(cases, {record.system: outputs}, record).answer
        assert answer is not None
        for target, read in read_written(answer, targets, reader):
            found.append(TextRead(target=target, read=read))
    return found


def _earlier(folder: Path, now: Run) -> Results:
    run = read_run(folder)
    same_cases([now, run])
    rows = comparable(run.records(), run, now)[run.name]
    return Results(
        provenance=run.provenance,
        systems=[summarise(rows, "system", BootstrapConfig())],
        judges=[],
        notes=[],
    )


def _table(kind: str, out: Path, runs: Sequence[Run]) -> Table | None:
    """Of the report's own folder, else of the first run that has one."""
    places = [folder / TABLES[kind] for folder in (out, *(run.folder for run in runs))]
    path = next((one for one in places if one.exists()), None)
    if path is None:
        return None
    try:
        return Table(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} holds no table ({error}); delete it") from error


def write_table(path: Path, table: Table) -> None:
    """Writes a table where `report` finds it."""
    write_whole(path, json_text(dataclasses.asdict(table)).encode())
