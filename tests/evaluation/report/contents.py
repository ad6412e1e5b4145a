"""Small runs to report on: pictures of 24 pixels, scores by hand."""

import dataclasses
import functools

import numpy as np

from tbstar_jax.evaluation.judge.summary import summarise as summarise_judgements
from tbstar_jax.evaluation.report.content import (
    PromptPictures,
    ReportContent,
)
from tbstar_jax.evaluation.run.results import Results, summarise
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.judge.judged import judgement

CONFIG = BootstrapConfig(num_resamples=40)
HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"
KEPT = {
    "0.5": 0.25,
    "1": 0.25,
    "2": 0.5,
    "3": 0.5,
    "5": 0.75,
    "7": 0.75,
    "10": 1.0,
    "15": 1.0,
    "20": 1.0,
}
TASKS = ("bg_white", "recolor", "text_add")


def record(system, task, index, language, score, **changes):
    case = f"mini/{task}/{index:03d}"
    fields = {
        "system": system,
        "prompt": f"{case}/{language}",
        "case": case,
        "task": task,
        "language": language,
        "tags": {"script": language},
        "status": "ok",
        "size": (24, 24),
        "edit": score,
        "preservation": score,
        "consistency": score,
        "edit_parts": {"color": score, "shape": 0.9},
        "metrics": {
            "psnr_keep": 30.0 + index,
            "shift": 0.5,
            "shift_rows": 0.3,
            "shift_columns": -0.4,
            "zoom": 1.001,
            "drift_norm": 1.0,
            "drift_a": 0.6,
            "drift_b": -0.8,
            **{f"keep_within_{t}": share for t, share in KEPT.items()},
            **{f"keep_within_registered_{t}": 1.0 for t in KEPT},
            "text_cer_ceiling": 0.125 if task == "text_add" else float("nan"),
            "text_cer": 0.25 if task == "text_add" else float("nan"),
        },
        "output": "",
    }
    return ScoreRecord(**{**fields, **changes})


def records(system, offset=0.0, tasks=TASKS, **changes):
    """Three cases of each task in both languages; scores from 0.2 to 0.6."""
    return [
        record(
            system,
            task,
            index,
            language,
            round(0.2 + 0.1 * index + 0.05 * k + 0.05 * (language == "en") + offset, 3),
            **changes,
        )
        for k, task in enumerate(tasks)
        for index in range(3)
        for language in ("en", "zh")
    ]


def pictures(found):
    """The edit paints the left half red; the answer forgets its top row."""
    source = np.full((24, 24, 3), 200, np.uint8)
    mask = np.zeros((24, 24), bool)
    mask[:, :12] = True
    reference = source.copy()
    reference[mask] = (200, 20, 20)
    answer = reference.copy()
    answer[0] = source[0]
    return PromptPictures(
        english=f"Make the left half of {found.case} red.",
        chinese="把左半边改成红色。",
        source=source,
        reference=reference,
        answer=answer if found.status in ("ok", "wrong_size") else None,
        edit_mask=mask,
    )


class _Rows(list):
    """Rows that are equal where their contents are, for the cache."""

    def __hash__(self):
        return hash(repr(list(self)))

    def __eq__(self, other):
        return repr(list(self)) == repr(list(other))


@functools.cache
def _summary(rows, kind):
    return summarise(rows, kind, CONFIG)


def results(rows_by_system, notes=(), **provenance):
    kinds = {"copy input": "anchor", "ground truth": "anchor"}
    systems = [
        _summary(_Rows(rows), kinds.get(name, "system"))
        for name, rows in rows_by_system.items()
    ]
    known = {"split": "mini", "cases_sha256": "c0ffee", "commit": "abc", **provenance}
    return Results(provenance=known, systems=systems, judges=[], notes=list(notes))


def content(*, rows=None, notes=(), **fields):
    """A run of two systems and two anchors; `rows` are other ones of each."""
    by_system = rows or {
        "ours": records("ours", 0.1),
        "other": records("other"),
        "copy input": records("copy input", -0.2),
        "ground truth": records("ground truth", 0.3),
    }
    given = {
        "results": results(by_system, notes),
        "main": next(iter(by_system)),
        "records": [row for rows in by_system.values() for row in rows],
        "pictures": pictures,
        **fields,
    }
    return ReportContent(**given)


def judged(reason="The mug is red.", is_mock=False, system="ours", **fields):
    """Judgements of a system's prompts, and their summaries."""
    made = []
    for row in records(system):
        one = judgement(
            7.0,
            prompt=row.prompt,
            task=row.task,
            case=row.case,
            system=system,
            is_mock=is_mock,
            judge="mock" if is_mock else "real",
            model="mock" if is_mock else "qwen-2026-01-01",
        )
        asked = tuple(
            dataclasses.replace(each, reason=reason) for each in one.votes[0].asked
        )
        votes = (dataclasses.replace(one.votes[0], asked=asked),)
        made.append(dataclasses.replace(one, votes=votes, **fields))
    expected = {row.prompt: row.task for row in records(system)}
    return made, summarise_judgements(made, expected)
