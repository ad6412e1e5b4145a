"""Runs the benchmark: cases, answers, scores, anchors, judge, results and report.

    <out>/run.json            provenance
    <out>/outputs/            the pictures, named by their prompts (not for --outputs)
    <out>/records.jsonl       a score record per answer, and per anchor and prompt
    <out>/judgements.jsonl    what a judge said, if there is one
    <out>/results.json, results.csv, rows.jsonl, report.html, headline.png, figures/

A run that is stopped goes on where it was: pictures, scores and judgements that are
there are not made again.
"""

import dataclasses
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.benchmark_checks import require_places
from experiments.benchmark_flags import RUNS, CaseFlags, RunFlags
from experiments.benchmark_judging import judged_report
from experiments.benchmark_report import report_runs
from tbstar_jax.array_types import UInt8
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import (
    copy_input,
    reference,
    reference_jpeg75,
    wrong_sample,
)
from tbstar_jax.evaluation.answers.answer import (
    answer_path,
    ask_system,
    sample_name,
    sample_names,
)
from tbstar_jax.evaluation.answers.checkpoint import Autoencoder, Checkpoint
from tbstar_jax.evaluation.answers.folder import find_outputs, told_settings
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case, Language, Prompt
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.photo_cases import PHOTO_TASKS, photo_cases
from tbstar_jax.evaluation.cases.store import write_cases, write_split
from tbstar_jax.evaluation.judge.config import read_judge
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.learned.config import LearnedConfig, read_learned
from tbstar_jax.evaluation.learned.models import open_learned
from tbstar_jax.evaluation.run.provenance import provenance, wall_time
from tbstar_jax.evaluation.run.run_folder import (
    RECORDS_FILE,
    Run,
    write_run,
)
from tbstar_jax.evaluation.run.scoring import Candidate, Job, score_all
from tbstar_jax.evaluation.scores.prompt import FIT
from tbstar_jax.evaluation.text.reader import find_reader

OUTPUTS = "outputs"
_ENCODED = "anchors/reference_vae"


def open_cases(flags: CaseFlags) -> CaseFolder:
    """Opens the cases that were asked for, drawing those that are not there.

    Raises:
      UserError: see `write_split`, `photo_cases` and `CaseFolder`.
    """
    tasks = flags.tasks or None
    if flags.photos is not None:
        place = hashlib.sha256(str(flags.photos.resolve()).encode()).hexdigest()[:8]
        folder = flags.folder or RUNS / "cases" / f"photo-{place}"
        cases = photo_cases(flags.photos, tasks=flags.tasks or PHOTO_TASKS)
        write_cases(cases, folder)
    else:
        name = flags.split if flags.seed is None else f"{flags.split}-{flags.seed}"
        folder = flags.folder or RUNS / "cases" / name
        write_split(
            flags.split,
            folder,
            seed=flags.seed,
            num_workers=flags.workers,
            tasks=flags.tasks or BENCHMARK_TASKS,
        )
    return CaseFolder(folder, tasks)


def run(flags: RunFlags, command: Sequence[str]) -> str:
    """Runs all of it and returns the headlines.

    Raises:
      UserError: options, files or servers that are not as they must be.
    """
    # Read first: what is wrong with it should be known before the edits are made.
    judge = None if flags.judge is None else read_judge(flags.judge)
    if judge is not None and judge.mode == "pairwise":
        raise UserError(
            "a judge of mode pairwise compares two finished runs; use `python -m "
            "experiments.benchmark judge RUN --against RUN`"
        )
    if judge is not None:
        Judge(judge)  # finds its key
    learned = None if flags.learned is None else read_learned(flags.learned).pinned()
    if learned is not None:
        with open_learned(learned):
            pass
    require_places(flags, flags.out / OUTPUTS)
    cases = open_cases(flags.cases)
    ids = _asked(flags.cases, cases)
    if flags.outputs is not None:
        # Before the run's folder is made: a folder without answers makes no run.
        find_outputs(flags.outputs, sample_names(ids, flags.samples))
    about = _describe(flags, cases, ids, command, learned)
    write_run(about)
    paths = _answers(flags, cases, ids)
    # Files beside pictures that others made say nothing of this run.
    is_ours = flags.outputs is None
    took = {"wall_time": wall_time(about.outputs) if is_ours else None}
    write_run(dataclasses.replace(about, provenance={**about.provenance, **took}))
    if flags.vae is not None:
        _encode_references(flags.out, flags.vae, cases)
    score_all(
        _jobs(flags, cases, set(ids), paths),
        flags.out / RECORDS_FILE,
        with_reader=True,
        num_workers=flags.cases.workers,
        total=len(ids) * flags.samples
        + len(cases.ids) * (4 if flags.vae is None else 5),
        title="scoring",
        learned=learned,
    )
    if judge is not None and flags.judge is not None:
        return judged_report(flags.out, judge, flags.judge)
    return report_runs([flags.out], flags.out)


def _asked(flags: CaseFlags, cases: CaseFolder) -> list[str]:
    """Ids of the prompts, without those whose instruction is too long."""
    prompts = [(case, language) for case in cases.ids for language in flags.languages]
    limit = flags.max_instruction_bytes
    if limit is not None:
        prompts = [
            (case, language)
            for case, language in prompts
            if len(cases.instruction(case, language).encode()) <= limit
        ]
    if not prompts:
        raise UserError(
            f"every instruction is longer than --max-instruction-bytes={limit}; raise "
            "the limit"
        )
    return [f"{case}/{language}" for case, language in prompts]


def _describe(
    flags: RunFlags,
    cases: CaseFolder,
    ids: Sequence[str],
    command: Sequence[str],
    learned: LearnedConfig | None,
) -> Run:
    reader = find_reader()
    tools: dict[str, Any] = {"ocr": "" if reader is None else reader.name}
    if learned is not None:
        tools["learned"] = learned.provenance()
    described = {"outputs": str(flags.outputs)}
    if flags.system is not None:
        described = dict(flags.system.describe())
    about = provenance(
        system=described,
        split=cases.split,
        case_digests=cases.digests,
        tools=tools,
        command=command,
    )
    return Run(
        folder=flags.out,
        name=flags.name,
        prompts=tuple(ids),
        cases=cases.folder,
        outputs=flags.outputs or flags.out / OUTPUTS,
        provenance={
            **about,
            "seed": flags.cases.seed,
            "cases_not_as_shipped": cases.not_as_shipped,
            **_settings(flags),
            "fit": FIT,
            "max_instruction_bytes": flags.cases.max_instruction_bytes,
            "num_not_asked": len(cases.ids) * len(flags.cases.languages) - len(ids),
        },
        num_samples=flags.samples,
    )


def _settings(flags: RunFlags) -> dict[str, Any]:
    """How our own model edits, and on what; whose autoencoder is an anchor."""
    if isinstance(flags.system, Checkpoint):
        device = f"{jax.devices()[0].device_kind} ({jax.device_count()})"
        return {"settings": dict(flags.system.settings()), "device": device}
    # Another's: known as far as its makers tell.
    told = {} if flags.outputs is None else told_settings(flags.outputs)
    found: dict[str, Any] = {"settings": told, "device": str(told.get("device", ""))}
    if flags.vae is not None:
        found["autoencoder"] = dict(Autoencoder(directory=flags.vae).describe())
    return found


def _answers(
    flags: RunFlags, cases: CaseFolder, ids: Sequence[str]
) -> Mapping[str, Path]:
    """Where pictures are, by `sample_name`, of those that there are."""
    names = sample_names(ids, flags.samples)
    if flags.system is None:
        assert flags.outputs is not None
        found = find_outputs(flags.outputs, names)
        if found.missing:
            print(
                f"{len(found.missing)} of {len(names)} answers have no picture in "
                f"{flags.outputs}, the first {found.missing[0]}: they count as zero"
            )
        if found.unknown:
            print(f"pictures of no prompt there: {', '.join(found.unknown)}")
        return found.paths
    folder = flags.out / OUTPUTS
    prompts = _prompts(cases, set(ids))
    ask_system(flags.system, ids, prompts, folder, flags.samples)
    paths = {name: answer_path(folder, name) for name in names}
    return {name: path for name, path in paths.items() if path.exists()}


def _prompts(cases: CaseFolder, ids: Collection[str]) -> Iterator[Prompt]:
    for case in cases:
        for language in _languages(case.id, ids):
            yield Prompt(case=case, language=language)


def _languages(case_id: str, ids: Collection[str]) -> tuple[Language, ...]:
    """In which a case is asked."""
    both: tuple[Language, ...] = ("en", "zh")
    return tuple(one for one in both if f"{case_id}/{one}" in ids)


def _encode_references(out: Path, directory: Path, cases: CaseFolder) -> None:
    """Makes the pictures of the anchor `reference_vae`, one per case."""
    ids = [f"{case}/en" for case in cases.ids]
    prompts = (Prompt(case=case, language="en") for case in cases)
    ask_system(Autoencoder(directory=directory), ids, prompts, out / _ENCODED)


def _jobs(
    flags: RunFlags, cases: CaseFolder, ids: Collection[str], paths: Mapping[str, Path]
) -> Iterator[Job]:
    """Every case with its answers and its anchors."""
    for case in cases:
        languages = _languages(case.id, ids)
        answers = [
            Candidate(
                system=flags.name,
                languages=(language,),
                picture=(path := paths.get(sample_name(f"{case.id}/{language}", k))),
                output=_relative(path, flags.out),
                sample=k,
            )
            for language in languages
            for k in range(flags.samples)
        ]
        if languages:
            yield case, [*answers, *_anchors(flags, cases, case, languages)]


def _anchors(
    flags: RunFlags, cases: CaseFolder, case: Case, languages: tuple[Language, ...]
) -> Iterator[Candidate]:
    images: dict[str, UInt8[np.ndarray, "h w 3"] | Path] = {
        "reference": reference(case),
        "reference_jpeg75": reference_jpeg75(case),
        "copy_input": copy_input(case),
    }
    if flags.vae is not None:
        images["reference_vae"] = answer_path(flags.out / _ENCODED, f"{case.id}/en")
    other = cases.next_of_same_size(case.id)
    if other is not None:
        images["wrong_sample"] = wrong_sample(case, cases[other])
    for name, image in images.items():
        yield Candidate(system=name, languages=languages, picture=image, output="")


def _relative(path: Path | None, folder: Path) -> str:
    if path is None:
        return ""
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return str(path)
