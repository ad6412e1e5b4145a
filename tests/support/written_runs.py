"""Finished runs of the benchmark written by hand, and the tables made of them."""

import numpy as np

from tbstar_jax.evaluation.journal import Journal
from tbstar_jax.evaluation.run.run_folder import RECORDS_FILE, Run, write_run
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.sample import Sample

TASKS = ("recolor", "text_add")


def prompts_of(split="mini", tasks=TASKS, languages=("en", "zh")):
    """Of three cases a task."""
    return [
        f"{split}/{task}/{index:03d}/{language}"
        for task in tasks
        for index in range(3)
        for language in languages
    ]


PROMPTS = prompts_of()
SCORES = np.linspace(0.3, 0.85, 12)


def run_of(
    folder,
    name,
    scores,
    shifts=(),
    reader="ocr 1",
    samples=1,
    prompts=PROMPTS,
    place=None,
    **provenance,
):
    """A finished run; scores by prompt, repeated over samples.

    Args:
      folder: of runs.
      name: of the system.
      scores: E and C of each prompt.
      shifts: of each prompt, None where it has none; empty: of no prompt.
      reader: of texts.
      samples: answers per prompt.
      prompts: ids of them.
      place: name of the run's folder; None: of the system.
      provenance: what differs from `system`, `cases_sha256` and so on as they are here.
    """
    run = Run(
        folder=folder / (place or name),
        name=name,
        prompts=tuple(prompts),
        cases=folder / "cases",
        outputs=folder / "outputs",
        provenance={
            "system": {"outputs": name},
            "cases_sha256": "c",
            "tools": {"ocr": reader},
            "cases_not_as_shipped": [],
            **provenance,
        },
        num_samples=samples,
    )
    write_run(run)
    with Journal(run.folder / RECORDS_FILE) as journal:
        for k, prompt in enumerate(prompts):
            for sample in range(samples):
                record = _record(name, prompt, float(scores[k]), sample)
                if shifts and shifts[k] is not None:
                    record["metrics"]["shift"] = shifts[k]
                journal.append({"key": "k", "record": record})
    return str(run.folder)


def _record(name, prompt, score, sample):
    case, _, language = prompt.rpartition("/")
    task = case.split("/")[1]
    # Later samples are worse: only their mean is 0.1 lower.
    score = max(0.0, round(score - 0.2 * sample, 9))
    return ScoreRecord(
        system=name,
        prompt=prompt,
        case=case,
        task=task,
        language=language,
        tags={"size": "big" if case.endswith("0") else "small"},
        status="ok",
        size=(8, 8),
        edit=score,
        preservation=0.5,
        consistency=score,
        edit_parts={"first_text" if task == "text_add" else "color": score},
        metrics={"text_cer": 0.5},
        output="",
        sample=sample,
    ).to_json()


def judged(run, score, count):
    """What two judges said of a run's first prompts: one judged others, too."""
    kept = run.prompts[:count]
    cases = tuple(prompt.rpartition("/")[0] for prompt in kept)
    own = Sample(
        values=np.full(len(kept), score),
        prompts=tuple(kept),
        cases=cases,
        tasks=tuple(case.split("/")[1] for case in cases),
        languages=tuple(prompt[-2:] for prompt in kept),
        tags=(frozenset(),) * len(kept),
    )
    return {"O (m: strict, 1)": own, f"O (only {run.folder.name})": own}


def lines(out):
    """Cells of the table's lines, by their first and, with groups, second cell."""
    rows = [row for row in out.splitlines() if row.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {tuple(row[:2]): row for row in cells}, {row[0]: row for row in cells}
