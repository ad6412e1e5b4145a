"""Which cases a split has: digests that are shipped in place of the pictures.

A manifest maps case ids to digests of pixels, masks and instructions (`case_digest`),
with the versions that made them, and tells how many cases the slices have. Another
version of NumPy or Pillow may round a pixel otherwise; then the cases are as fair, but
others than those of published numbers, and a report says so.

`python -m tbstar_jax.evaluation.cases.manifest smoke` writes one anew; `--workers=8
--done=digests.jsonl` draws in processes, and goes on where it stopped.
"""

import argparse
import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from tbstar_jax.evaluation.cases.case import Case, Split
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION, PACKAGES, versions
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.journal import Journal, read_journal

MANIFEST_SPLITS: tuple[Split, ...] = ("smoke", "mini", "dev", "test", "hard")
"""Splits that have a manifest."""

SLICED_TAGS = (
    *("family", "background_class", "num_objects", "script", "text_height"),
    *("edit_share", "contrast", "damage_level", "condition", "style"),
)
"""Tags whose slices are told: what takes turns, and what is cut into like parts."""

_FOLDER = "manifest"
_Job: TypeAlias = tuple[Split, str, int]


def check_manifest(cases: Iterable[Case]) -> list[str]:
    """Compares cases with those that the benchmark was published with.

    Args:
      cases: any; those of `fresh` and `photo`, which have no manifest, are passed over.

    Returns:
      Ids of the cases that differ, in their order; `explain` tells a likely cause.
    """
    known: dict[str, dict[str, Any]] = {}
    differing = []
    for case in cases:
        if case.split not in MANIFEST_SPLITS:
            continue
        if case.split not in known:
            known[case.split] = read_manifest(case.split)
        if known[case.split]["cases"].get(case.id) != case_digest(case):
            differing.append(case.id)
    return differing


def explain(split: Split, drawn_with: Mapping[str, str]) -> str:
    """One sentence on the versions that made a manifest, and those that drew cases.

    Args:
      split: one of `MANIFEST_SPLITS`.
      drawn_with: versions of the packages that drew the cases at hand, by name, as
        their records tell (`CaseFolder.drawn_with`).
    """
    made = read_manifest(split)["versions"]
    told = ", ".join(
        f"{name} {made[name]} (these: {drawn_with.get(name, 'unknown')})"
        for name in PACKAGES
    )
    return f"the manifest of {split} was made with {told}"


def read_manifest(split: Split) -> dict[str, Any]:
    """The manifest of a split, as shipped."""
    place = resources.files(__package__).joinpath(_FOLDER, f"{split}.json")
    return dict(json.loads(place.read_text(encoding="utf-8")))


def make_manifest(
    split: Split, num_workers: int = 1, done: Path | None = None
) -> dict[str, Any]:
    """Draws a split and takes its digests.

    Args:
      split: one of `MANIFEST_SPLITS`.
      num_workers: processes that draw.
      done: a journal of cases as they are drawn, for a run that goes
        on where another one was interrupted; None keeps none.

    Raises:
      UserError: the journal cannot be read, or is being written.
    """
    drawn = {
        entry["id"]: entry
        for entry in (read_journal(done) if done else ())
        if entry.get("bench_version") == BENCHMARK_VERSION
    }
    ids = {f"{split}/{task}/{n:03d}": (task, n) for task, n in case_names(split)}
    jobs = [(split, *ids[id]) for id in ids if id not in drawn]
    with (
        Journal(done) if done else contextlib.nullcontext() as journal,
        tqdm(total=len(jobs), desc=f"{split}: digests", unit="case") as bar,
    ):
        for entry in _entries(jobs, num_workers):
            drawn[entry["id"]] = entry
            if journal is not None:
                journal.append(entry)
            bar.update()
    return {
        "bench_version": BENCHMARK_VERSION,
        "split": split,
        "versions": versions(),
        "slices": _slices([drawn[id]["tags"] for id in ids]),
        "cases": {id: drawn[id]["digest"] for id in ids},
    }


def _slices(tags: Sequence[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """How many cases each value of `SLICED_TAGS` has."""
    return {
        name: dict(sorted(Counter(one[name] for one in tags).items()))
        for name in SLICED_TAGS
    }


def _entries(jobs: Sequence[_Job], num_workers: int) -> Iterator[dict[str, Any]]:
    if num_workers <= 1:
        yield from map(_entry, jobs)
        return
    # Spawned, since threads of the parent (JAX has some) do not survive a fork.
    with ProcessPoolExecutor(num_workers, get_context("spawn")) as pool:
        yield from pool.map(_entry, jobs)


def _entry(job: _Job) -> dict[str, Any]:
    case = make_case(*job)
    return {
        "bench_version": BENCHMARK_VERSION,
        "id": case.id,
        "digest": case_digest(case),
        "tags": dict(case.tags),
    }


def main() -> None:
    """Writes the manifests of some splits into the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("splits", nargs="+", choices=MANIFEST_SPLITS)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument(
        "--done", type=Path, help="keeps digests, to go on after an interruption"
    )
    options = parser.parse_args()
    folder = Path(__file__).parent / _FOLDER
    folder.mkdir(exist_ok=True)
    for split in options.splits:
        made = make_manifest(split, options.workers, options.done)
        text = json.dumps(made, indent=1)
        (folder / f"{split}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
