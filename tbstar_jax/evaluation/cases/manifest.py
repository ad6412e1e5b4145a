"""Which cases a split has: digests that are shipped in place of the pictures.

A manifest maps case ids to digests, with the versions that made them. Another version
of NumPy or Pillow may round a pixel otherwise; then the cases are as fair, but others
than those of published numbers, and a report says so.

    pixels       pixels, masks and instructions of every case (`case_digest`)
    parameters   those of every case's first draw, which nothing renders: that seeds and
                 samplers are the same. Splits that take hours to render have these.

`python -m tbstar_jax.evaluation.cases.manifest --of=pixels smoke` writes one anew;
`--workers=8 --done=digests.jsonl` draws in processes, and goes on where it stopped.
"""

import argparse
import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from tqdm import tqdm

from tbstar_jax.data_engine.layout.bases import sample_card
from tbstar_jax.data_engine.layout.card import card_digest
from tbstar_jax.data_engine.studio.scene import scene_digest
from tbstar_jax.evaluation.cases.case import Case, Split
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.from_studio import sample_shot_edit
from tbstar_jax.evaluation.cases.hard import hard_digests
from tbstar_jax.evaluation.cases.make import GENERATORS, make_case
from tbstar_jax.evaluation.cases.overlaid import plain_scene
from tbstar_jax.evaluation.cases.seeds import (
    BENCHMARK_VERSION,
    PACKAGES,
    case_generator,
    versions,
)
from tbstar_jax.evaluation.cases.splits import case_names, size_of
from tbstar_jax.evaluation.journal import Journal, read_journal

MANIFEST_SPLITS: tuple[Split, ...] = ("smoke", "mini", "dev", "test", "hard")
"""Splits that have a manifest."""

Content: TypeAlias = Literal["pixels", "parameters"]
"""What digests are of."""

_FOLDER = "manifest"
_Job: TypeAlias = tuple[Split, str, int, Content]


def check_manifest(cases: Iterable[Case]) -> list[str]:
    """Compares cases with those that the benchmark was published with.

    A manifest of pixels judges the case itself. One of parameters judges what this
    software draws under the case's id: pictures altered since are not noticed.

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
        manifest = known[case.split]
        found = (
            case_digest(case)
            if manifest["digest_of"] == "pixels"
            else parameter_digest(case.split, case.task, case.index)
        )
        if manifest["cases"].get(case.id) != found:
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


def parameter_digest(split: Split, task: str, index: int) -> str:
    """SHA-256 of what a case's first draw is rendered from, hexadecimal."""
    rng = case_generator(split, 0, task, index, "scene-0")
    size = size_of(split, index)
    if split == "hard":
        return _named(split, task, *hard_digests(rng, task, index, size))
    generator = GENERATORS[task][index % len(GENERATORS[task])]
    if generator == "layout":
        return _named(split, task, card_digest(sample_card(rng, size)))
    if generator == "studio" and task != "repair_zoom":
        edit = sample_shot_edit(rng, task, size)
        return _named(split, task, scene_digest(edit.before), scene_digest(edit.after))
    return _named(split, task, scene_digest(plain_scene(rng, size)))


def _named(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def make_manifest(
    split: Split, content: Content, num_workers: int = 1, done: Path | None = None
) -> dict[str, Any]:
    """Draws a split and takes its digests.

    Args:
      split: one of `MANIFEST_SPLITS`.
      content: what digests are of.
      num_workers: processes that draw.
      done: a journal of digests as they are made, of this software, for a run that goes
        on where another one was interrupted; None keeps none.

    Raises:
      UserError: the journal cannot be read, or is being written.
    """
    digests = _read_done(done, content) if done else {}
    ids = {f"{split}/{task}/{n:03d}": (task, n) for task, n in case_names(split)}
    jobs = [(split, *ids[id], content) for id in ids if id not in digests]
    with (
        Journal(done) if done else contextlib.nullcontext() as journal,
        tqdm(total=len(jobs), desc=f"{split}: digests", unit="case") as bar,
    ):
        for id, digest in _digests(jobs, num_workers):
            digests[id] = digest
            if journal is not None:
                journal.append({"digest_of": content, "id": id, "digest": digest})
            bar.update()
    return {
        "bench_version": BENCHMARK_VERSION,
        "split": split,
        "digest_of": content,
        "versions": versions(),
        "cases": {id: digests[id] for id in ids},
    }


def _digests(jobs: Sequence[_Job], num_workers: int) -> Iterator[tuple[str, str]]:
    if num_workers <= 1:
        yield from map(_digest, jobs)
        return
    # Spawned, since threads of the parent (JAX has some) do not survive a fork.
    with ProcessPoolExecutor(num_workers, get_context("spawn")) as pool:
        yield from pool.map(_digest, jobs)


def _digest(job: _Job) -> tuple[str, str]:
    split, task, index, content = job
    id = f"{split}/{task}/{index:03d}"
    if content == "pixels":
        return id, case_digest(make_case(split, task, index))
    return id, parameter_digest(split, task, index)


def _read_done(path: Path, content: Content) -> dict[str, str]:
    """The digests that an interrupted run left."""
    return {
        str(entry["id"]): str(entry["digest"])
        for entry in read_journal(path)
        if entry.get("digest_of") == content
    }


def main() -> None:
    """Writes the manifests of some splits into the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("splits", nargs="+", choices=MANIFEST_SPLITS)
    parser.add_argument("--of", choices=get_args(Content), required=True)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument(
        "--done", type=Path, help="keeps digests, to go on after an interruption"
    )
    options = parser.parse_args()
    folder = Path(__file__).parent / _FOLDER
    folder.mkdir(exist_ok=True)
    for split in options.splits:
        made = make_manifest(split, options.of, options.workers, options.done)
        text = json.dumps(made, indent=1)
        (folder / f"{split}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
