"""Run folders to one set of results and one report."""

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmark_notes import reading_notes
from experiments.benchmark_pictures import (
    HEADLINE,
    gone_notes,
    pictures_at,
    texts_read,
    with_headline,
)
from experiments.benchmark_two_runs import read_alike
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import ANCHORS
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.journal import line_of
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.mock import mock_judgement
from tbstar_jax.evaluation.report.content import (
    ReportContent,
    Table,
)
from tbstar_jax.evaluation.report.write import write_report
from tbstar_jax.evaluation.run.head_to_head import MAX_PAIRS, head_to_head
from tbstar_jax.evaluation.run.head_to_head import to_csv as pairs_csv
from tbstar_jax.evaluation.run.judging import judge_summaries, judgements_now
from tbstar_jax.evaluation.run.learned_columns import comparable
from tbstar_jax.evaluation.run.provenance import CASE_DIGESTS
from tbstar_jax.evaluation.run.results import (
    HeadToHead,
    Results,
    SystemResult,
    best_of,
    summarise,
    to_csv,
    to_json,
)
from tbstar_jax.evaluation.run.rows import joined_rows, rows_text
from tbstar_jax.evaluation.run.run_folder import (
    RECORDS_FILE,
    RUN_FILE,
    Run,
    read_run,
    same_cases,
)
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

HEAD_TO_HEAD = "head_to_head.csv"
"""Paired differences of every two systems."""

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

    Also `head_to_head.csv` of several systems and, in a folder of its own, the
    `records.jsonl` of all runs.

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
    content, picture = with_headline(content)
    write_whole(out / "results.json", to_json(content.results).encode())
    write_whole(out / "results.csv", to_csv(content.results).encode())
    pairs = content.results.head_to_head
    _write_or_remove(out / HEAD_TO_HEAD, pairs_csv(pairs).encode() if pairs else None)
    if not (out / RUN_FILE).exists():  # else a run's own, of which nothing may be lost
        write_whole(out / RECORDS_FILE, _records_of(runs))
    rows = joined_rows(content.records, content.judgements)
    write_whole(out / "rows.jsonl", rows_text(rows).encode())
    write_report(content, out)
    _write_or_remove(out / HEADLINE, picture)
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
    told = {run.name: _told(run, shown) for run in runs}
    asked = {key: one for each in told.values() for key, one in each["judges"].items()}
    reads, unread = texts_read(by_system[first.name], cases, first.outputs)
    results = dataclasses.replace(
        results,
        provenance={**told[first.name], "judges": asked},
        judges=[dataclasses.asdict(one) for one in judges],
        notes=[*results.notes, *notes, *gone_notes(runs, by_system), *unread],
        runs=told if len(runs) > 1 else {},
        head_to_head=_head_to_head(runs, by_system),
    )
    return ReportContent(
        results=results,
        main=first.name,
        records=[row for rows in by_system.values() for row in rows],
        pictures=functools.partial(
            pictures_at, cases, {run.name: run.outputs for run in runs}
        ),
        judges=judges,
        judgements=judgements,
        reads=reads,
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
        provenance={},
        systems=[*systems, *anchors],
        judges=[],
        notes=reading_notes(runs, by_system, anchors, cases),
    )


def _told(run: Run, judges: Collection[str]) -> dict[str, Any]:
    """Provenance of a run as reports have it: with judges, by fingerprint.

    Without the digest of each case, which `cases_sha256` sums up.
    """
    told = {name: one for name, one in run.provenance.items() if name != CASE_DIGESTS}
    asked = {key: one for key, one in run.judges().items() if key in judges}
    return {**told, "judges": asked}


def _head_to_head(
    runs: Sequence[Run], by_system: Mapping[str, list[ScoreRecord]]
) -> list[HeadToHead]:
    """Of the first pairs of systems, those of the first run before others."""
    found = []
    for first, second in itertools.islice(itertools.combinations(runs, 2), MAX_PAIRS):
        rows = (by_system[first.name], by_system[second.name])
        two = read_alike((first, second), rows)
        found += head_to_head(*two.rows, BootstrapConfig())
    return found


def _records_of(runs: Sequence[Run]) -> bytes:
    """Lines of the runs' journals, of an anchor those of the first run that has it."""
    systems: dict[str, list[tuple[str, ScoreRecord]]] = {}
    for run in runs:
        for system, rows in run.scored().items():
            systems.setdefault(system, rows)
    lines = (
        line_of({"key": key, "record": record.to_json()})
        for rows in systems.values()
        for key, record in rows
    )
    return b"".join(lines)


def _write_or_remove(path: Path, data: bytes | None) -> None:
    """No file of an earlier report is left where this one has none."""
    if data is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, data)


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


def _earlier(folder: Path, now: Run) -> Results:
    run = read_run(folder)
    same_cases([now, run])
    rows = comparable(run.records(), run, now)[run.name]
    return Results(
        provenance=_told(run, ()),
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
