"""The command `validate`: whether cases, and a folder of answers, are fit to score."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from data.parser import Parser
from experiments.benchmark_commands import PROGRAM
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import sample_names
from tbstar_jax.evaluation.answers.folder import find_outputs
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.manifest import MANIFEST_SPLITS
from tbstar_jax.evaluation.cases.schema import LANGUAGES
from tbstar_jax.evaluation.scores.prompt import FIT, decode_answer

_MOST = 5


def validate(argv: Sequence[str]) -> None:
    """Checks files without scoring them.

    Raises:
      UserError: cases that are not what their records say.
    """
    parser = Parser(
        prog=f"{PROGRAM} validate",
        description="Checks a folder of cases: records, pictures, masks, whether they "
        "are the published ones; with --outputs also whether every prompt has an "
        "answer that can be read. Nothing is scored.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("cases", type=Path, help="folder with cases.jsonl")
    add("--outputs", type=Path, metavar="DIR", help="pictures named by their prompts")
    add("--samples", type=int, default=1, metavar="N", help="answers per prompt")
    options = parser.parse_args(argv)
    if options.samples < 1:
        raise UserError(f"--samples is {options.samples}, but must be at least 1")
    cases = CaseFolder(options.cases, None)
    print(
        f"{len(cases.digests)} cases, twice as many prompts: all as their records say"
    )
    print(_published(cases))
    if options.outputs is not None:
        print("\n".join(_answers(cases, options.outputs, options.samples)))


def _published(cases: CaseFolder) -> str:
    """Whether numbers on these cases compare with others'."""
    if cases.split not in MANIFEST_SPLITS:
        return f"the split {cases.split!r} has no published cases to compare with"
    differing = cases.not_as_shipped
    if not differing:
        return "their pixels, masks and words are the published ones"
    return (
        f"{len(differing)} differ from the published ones, {_first(differing)}: say so "
        "beside numbers, or write the cases again"
    )


def _answers(cases: CaseFolder, folder: Path, num_samples: int) -> list[str]:
    """What is there, missing, unreadable, or of another size."""
    prompts = [f"{id}/{language}" for id in cases.ids for language in LANGUAGES]
    names = sample_names(prompts, num_samples)
    found = find_outputs(folder, names)
    damaged, resized = [], []
    for name, path in tqdm(found.paths.items(), desc="answers", unit="picture"):
        size = cases.size(name.rpartition("/")[0])
        try:
            if decode_answer(path).shape[:2] != size:
                resized.append(name)
        except UserError as error:
            damaged.append(str(error))
    told = [f"{len(found.paths)} of {len(names)} answers have a picture in {folder}"]
    if found.missing:
        told.append(f"missing, so that they count as zero: {_first(found.missing)}")
    if damaged:
        told.append(f"{len(damaged)} cannot be read: {_first(damaged)}")
    if resized:
        told.append(f"{len(resized)} have another size, {_first(resized)}: {FIT}")
    if found.unknown:
        told.append(f"of no prompt: {_first(found.unknown)}")
    return told


def _first(names: Sequence[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
