"""Cases in a folder: PNG files and one JSON line per prompt, written once and checked.

    cases.jsonl                              all lines, case by case
    pictures/<split>/<task>/<index>/*.png    photo, reference and masks; the object
                                             and the scene's maps where there are any;
                                             with several edits, also each one's masks
                                             and what lacks it
    pictures/<split>/<task>/<index>/case.json    the lines of this case, written last

A case is there when its `case.json` is and every file has the hash that it tells, so
that writing goes on where it was interrupted. What is read may come from anybody.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8
from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import AskedEdit, Case, Masks, SceneMaps, Split
from tbstar_jax.evaluation.cases.case_files import case_files, derived_regions
from tbstar_jax.evaluation.cases.digest import MASKS, case_digest
from tbstar_jax.evaluation.cases.fields import Fields
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.scene_maps import SCENE_MAPS
from tbstar_jax.evaluation.cases.schema import (
    LANGUAGES,
    PLACES,
    ReadPrompt,
    StoredFile,
    prompt_record,
    questions_of,
    read_prompt,
)
from tbstar_jax.evaluation.cases.seeds import versions
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.geometry import OutpaintPlan, place_on_canvas
from tbstar_jax.input_pipeline.images import (
    decode_grey16,
    decode_image,
    decode_mask,
)

INDEX = "cases.jsonl"
MAX_FILE_BYTES = 256 << 20
"""Largest picture file that is read."""

MAX_LINE_BYTES = 1 << 20
"""Longest line that is read."""

MAX_LINES = 200_000
"""Most prompts that are read."""

PromptPair: TypeAlias = tuple[ReadPrompt, ReadPrompt]
"""Both languages of a case, without its pictures."""


def write_split(
    split: Split,
    folder: Path,
    *,
    seed: int | None = None,
    num_workers: int = 1,
    tasks: Sequence[str] | None = None,
) -> None:
    """Draws the cases of a split into a folder, without those that are there.

    Args:
      split: one of `splits.SPLITS`.
      folder: made where absent.
      seed: for `fresh`.
      num_workers: processes that draw.
      tasks: only these; None for all.

    Raises:
      UserError: an unknown split, a seed where none belongs, or a folder with other
        cases.
    """
    names = {f"{split}/{task}/{n:03d}": (task, n) for task, n in case_names(split)}
    _require_same_set(folder, split, seed or 0)
    there = {id for id in names if _is_written(id, folder, seed or 0)}
    wanted = {id for id, (task, _) in names.items() if tasks is None or task in tasks}
    todo = [
        (split, *name, seed, folder)
        for id, name in names.items()
        if id in wanted - there
    ]
    with tqdm(total=len(todo), desc=f"{split}: cases", unit="case") as bar:
        # A few small pictures are drawn before other processes have started.
        if num_workers <= 1 or split == "smoke":
            for job in todo:
                _draw(job)
                bar.update()
        else:
            # Spawned, since threads of the parent (JAX has some) do not survive a fork.
            with ProcessPoolExecutor(num_workers, get_context("spawn")) as pool:
                for _ in pool.map(_draw, todo):
                    bar.update()
    # With those of other tasks: a run of all of them may have this folder, too.
    _write_index([id for id in names if id in wanted | there], folder)


def write_cases(cases: Iterable[Case], folder: Path, *, seed: int = 0) -> None:
    """Writes cases that somebody made, without those that are there.

    Args:
      cases: each with an id of its own.
      folder: made where absent.
      seed: they were drawn with.

    Raises:
      UserError: a folder with cases of another split.
    """
    ids: list[str] = []
    for case in tqdm(cases, desc="cases", unit="case"):
        if not ids:
            _require_same_set(folder, case.split, seed)
        if not _is_same(case, folder, seed):
            _write_case(case, folder, seed)
        ids.append(case.id)
    _write_index(ids, folder)


def load_cases(folder: Path, tasks: Sequence[str] | None = None) -> Iterator[Case]:
    """Reads a folder of cases, one after the other.

    Args:
      folder: as `write_cases` left it, or made by anybody.
      tasks: only these; None for all.

    Yields:
      Cases in the order of the lines.

    Raises:
      UserError: no cases, a line or file that is not what it must be, or a path that
        leaves the folder.
    """
    for pair in read_index(folder, tasks):
        yield load_case(pair, folder)


def read_index(
    folder: Path, tasks: Sequence[str] | None = None
) -> Iterator[PromptPair]:
    """Reads what is known of the cases without their pictures; as `load_cases`."""
    path = folder / INDEX
    if not path.is_file():
        raise UserError(f"{folder} has no cases: the file {INDEX} is missing")
    waiting: ReadPrompt | None = None
    seen: set[str] = set()
    for line in _lines(path):
        prompt = read_prompt(line)
        if waiting is None:
            waiting = prompt
            continue
        if prompt.pair_id != waiting.pair_id or prompt.language == waiting.language:
            raise UserError(
                f"{line.where} belongs to {prompt.pair_id!r} ({prompt.language}), but "
                f"must be the other language of {waiting.pair_id!r}"
            )
        if prompt.pair_id in seen:
            raise UserError(f"{line.where} has the case {prompt.pair_id!r} again")
        seen.add(prompt.pair_id)
        if tasks is None or waiting.fields["task"] in tasks:
            yield waiting, prompt
        waiting = None
    if waiting is not None:
        raise UserError(f"{path} ends after one language of {waiting.pair_id!r}")


def _draw(job: tuple[Split, str, int, int | None, Path]) -> None:
    split, task, index, seed, folder = job
    _write_case(make_case(split, task, index, seed), folder, seed or 0)


def _write_case(case: Case, folder: Path, seed: int) -> None:
    files = {}
    for name, data in case_files(case).items():
        path = f"pictures/{case.id}/{name}.png"
        write_whole(folder / path, data)
        files[name] = StoredFile(path=path, sha256=hashlib.sha256(data).hexdigest())
    lines = [
        json.dumps(
            prompt_record(case, language, files, seed, versions()), ensure_ascii=False
        )
        for language in LANGUAGES
    ]
    write_whole(_lines_of(case.id, folder), ("\n".join(lines) + "\n").encode())


def _is_written(case_id: str, folder: Path, seed: int) -> bool:
    path = _lines_of(case_id, folder)
    try:
        prompts = [read_prompt(line) for line in _lines(path)]
        told = {line.number("seed", 0, 2**63) for line in _lines(path)}
        for file in prompts[0].files.values():
            _read(file, folder)
    except (OSError, UserError, IndexError):
        return False
    return len(prompts) == len(LANGUAGES) and told == {seed}


def _is_same(case: Case, folder: Path, seed: int) -> bool:
    """Whether what stands there is this case, not one that had its number before."""
    if not _is_written(case.id, folder, seed):
        return False
    first, second = (read_prompt(line) for line in _lines(_lines_of(case.id, folder)))
    try:
        return case_digest(load_case((first, second), folder)) == case_digest(case)
    except UserError:
        return False


def _require_same_set(folder: Path, split: str, seed: int) -> None:
    """Nothing is written into a folder whose cases are others: they would be lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {folder} cannot be made ({error.strerror}); choose another "
            "with --cases"
        ) from error
    if not (folder / INDEX).is_file():
        return
    line = next(_lines(folder / INDEX), None)
    if line is None:
        return
    found = (line.text("split"), line.number("seed", 0, 2**63))
    if found != (split, seed):
        raise UserError(
            f"{folder} holds cases of the split {found[0]!r} (seed {found[1]}), not of "
            f"{split!r} (seed {seed}); choose another folder with --cases"
        )


def _lines_of(case_id: str, folder: Path) -> Path:
    return folder / "pictures" / case_id / "case.json"


def _write_index(ids: Sequence[str], folder: Path) -> None:
    lines = [_lines_of(id, folder).read_bytes() for id in ids]
    write_whole(folder / INDEX, b"".join(lines))


def _lines(path: Path) -> Iterator[Fields]:
    with path.open("rb") as file:
        for number in range(1, MAX_LINES + 2):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            where = f"line {number} of {path.name}"
            if len(line) > MAX_LINE_BYTES or number > MAX_LINES:
                raise UserError(
                    f"{where} is too much: a set of cases may have {MAX_LINES} lines "
                    f"of {MAX_LINE_BYTES} bytes"
                )
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{where} is no JSON: {error}") from error
            yield Fields(values, where)


def load_case(pair: PromptPair, folder: Path) -> Case:
    """Reads the pictures of a case.

    Args:
      pair: its two prompts, from `read_index`.
      folder: of the cases.

    Raises:
      UserError: a file that is not what its record says, or leaves the folder.
    """
    first, second = pair
    if (first.files, first.size, first.photo_box) != (
        second.files,
        second.size,
        second.photo_box,
    ):
        raise UserError(f"the two languages of {first.pair_id!r} show other pictures")
    size, id = first.size, first.pair_id
    photo = _picture(first.files["photo"], folder)
    source = photo
    if first.photo_box is not None:
        _require_size(photo, (first.photo_box.height, first.photo_box.width), id)
        plan = OutpaintPlan(canvas=size, photo=first.photo_box)
        source = place_on_canvas(photo, plan)
    reference = _picture(first.files["reference"], folder)
    for picture in (source, reference):
        _require_size(picture, size, id)
    shown = first.files.get("object")
    masks = _masks(first, "", folder)
    for name, region in derived_regions(masks).items():
        stored = _mask(first.files[name], folder)
        if stored.shape != region.shape or np.any(stored != region):
            raise UserError(
                f"{first.files[name].path!r} is not the mask {name!r} that follows "
                f"from the edit of {id!r}; write the cases again"
            )
    return Case(
        id=id,
        instructions={one.language: one.instruction for one in (first, second)},
        source=source,
        reference=reference,
        masks=masks,
        photo_box=first.photo_box,
        object_photo=None if shown is None else _picture(shown, folder),
        asked=_asked(first, folder),
        scene=_scene(first, folder),
        questions=questions_of(first, second),
        **first.fields,
    )


def _masks(prompt: ReadPrompt, prefix: str, folder: Path) -> Masks:
    masks = {name: _mask(prompt.files[prefix + name], folder) for name in MASKS}
    for mask in masks.values():
        _require_size(mask, prompt.size, prompt.pair_id)
    return Masks(**masks)


def _scene(prompt: ReadPrompt, folder: Path) -> SceneMaps | None:
    if "depth" not in prompt.files:
        return None
    instances, depth = (prompt.files[name] for name in SCENE_MAPS)
    things = decode_mask(_read(instances, folder), instances.path)
    distances = decode_grey16(_read(depth, folder), depth.path)
    for picture in (things, distances):
        _require_size(picture, prompt.size, prompt.pair_id)
    return SceneMaps(instances=things, depth=distances)


def _asked(prompt: ReadPrompt, folder: Path) -> tuple[AskedEdit, ...]:
    asked = []
    for place, told in zip(PLACES, prompt.asked, strict=False):
        undone = _picture(prompt.files[f"{place}_undone"], folder)
        _require_size(undone, prompt.size, prompt.pair_id)
        masks = _masks(prompt, f"{place}_", folder)
        asked.append(AskedEdit(undone=undone, masks=masks, **told))
    return tuple(asked)


def _require_size(picture: np.ndarray, size: tuple[int, int], id: str) -> None:
    if picture.shape[:2] != size:
        raise UserError(
            f"a picture of {id!r} has {picture.shape[1]}x{picture.shape[0]} pixels, "
            f"but must have {size[1]}x{size[0]}"
        )


def _picture(file: StoredFile, folder: Path) -> UInt8[np.ndarray, "h w 3"]:
    return decode_image(_read(file, folder), file.path)


def _mask(file: StoredFile, folder: Path) -> Bool[np.ndarray, "h w"]:
    return decode_mask(_read(file, folder), file.path) > 127


def _read(file: StoredFile, folder: Path) -> bytes:
    """The bytes of a file inside the folder, if they are what the record says."""
    root = folder.resolve()
    path = (root / file.path).resolve()
    if not path.is_relative_to(root) or Path(file.path).is_absolute():
        raise UserError(f"the path {file.path!r} leaves the folder {folder}")
    if not path.is_file():
        raise UserError(f"{file.path!r} is missing in {folder}, or is no file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(
            f"{file.path!r} has {path.stat().st_size} bytes, but a picture may have "
            f"{MAX_FILE_BYTES}"
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise UserError(
            f"{file.path!r} is not the picture that its record names: its SHA-256 is "
            "another; write the cases again"
        )
    return data
