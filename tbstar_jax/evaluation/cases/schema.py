"""A prompt as a line of JSON, and back.

Fields, one line per prompt:

    id, pair_id            of the prompt; of its case, which the other language shares
    bench_version, split, task, index, seed, lang, generator, licence
    drawn_with             versions of the packages that drew the case: {numpy, pillow}
    instruction, instruction_style
    inputs                 [{path, sha256, role}]: what a system is given: the `photo`
                           to edit and, in some cases, the `object` to put into it, a
                           second picture that the instruction calls so
    reference              {path, sha256, gt_level: exact | attributes | keep}
    masks                  {edit, keep, guard, product, product_after, shadow, text}:
                           {path, sha256}
    size_in, size_out      [rows, columns] of the photo and of the answer
    targets                {text, objects, color, light}, see `schema_targets`, and
                           outpaint: {place_box} or null
    asked                  where the instruction asks for two to four edits: [{task,
                           masks, targets, undone: {path, sha256}}], of each edit alone,
                           the task's first; else absent
    scene                  where the source is a render: {instances, depth}: {path,
                           sha256} of PNG files, see `case.SceneMaps`; else absent
    keep_text              [{box, string, script}]
    facts                  the words of the edit
    tags                   names to values
    questions              [{q, answer, type}] in the prompt's language; yes or no

`masks.keep` is where pixels are compared with the source, `masks.guard` what counts on
neither side: `kept.kept_region` and `kept.guard_region` of `masks.edit`. Boxes are
[top, left, height, width], pixels of the canvas. Paths are relative to the folder of
the file.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import (
    BENCHMARK_TASKS,
    GROUND_TRUTH,
    Case,
    KeptText,
    Language,
    Question,
    Split,
)
from tbstar_jax.evaluation.cases.digest import MASKS
from tbstar_jax.evaluation.cases.fields import Fields
from tbstar_jax.evaluation.cases.hard import NUM_EDITS
from tbstar_jax.evaluation.cases.scene_maps import SCENE_MAPS
from tbstar_jax.evaluation.cases.schema_targets import (
    edges,
    read_language,
    read_targets,
    script,
    target_boxes,
    targets_record,
)
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION
from tbstar_jax.evaluation.cases.wording import STYLES
from tbstar_jax.geometry import Box

LANGUAGES: tuple[Language, ...] = get_args(Language)
PLACES = ("first", "second", "third", "fourth")
"""Of several edits, in names of files."""

ROLES = ("photo", "object")
"""Of the pictures that a system is given, in this order."""

OBJECT_TASKS = ("object_add", "object_replace")
"""Tasks that may have an `object`."""

REGIONS = ("keep", "guard")
"""Masks that follow from `edit`, stored for other readers."""

_KINDS = ("edit", "keep", "text", "count", "color")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of a case.

    Attributes:
      path: relative to the folder of the records, with `/`.
      sha256: of its bytes, hexadecimal.
    """

    path: str
    sha256: str


def prompt_record(
    case: Case,
    language: Language,
    files: Mapping[str, StoredFile],
    seed: int,
    drawn_with: Mapping[str, str],
) -> dict[str, Any]:
    """One line.

    Args:
      case: what is asked.
      language: of the instruction.
      files: `photo`, `reference`, the masks and `REGIONS` by name; `object` and
        `SCENE_MAPS` where the case has them; with several edits also `first_undone`,
        `second_undone`, ..., and the masks of each, named likewise.
      seed: the case was drawn with; 0 where there is none.
      drawn_with: versions of the packages that drew it.
    """
    stored = {name: dataclasses.asdict(file) for name, file in files.items()}
    inputs = [{**stored[role], "role": role} for role in ROLES if role in stored]
    reference = stored.pop("reference")
    return {
        "id": f"{case.id}/{language}",
        "pair_id": case.id,
        "bench_version": BENCHMARK_VERSION,
        "split": case.split,
        "task": case.task,
        "index": case.index,
        "seed": seed,
        "drawn_with": dict(drawn_with),
        "lang": language,
        "generator": case.generator,
        "licence": case.licence,
        "instruction": case.instructions[language],
        "instruction_style": case.style,
        "inputs": inputs,
        "reference": {**reference, "gt_level": GROUND_TRUTH[case.task]},
        "masks": {name: stored[name] for name in (*MASKS, *REGIONS)},
        "size_in": list(case.photo.shape[:2]),
        "size_out": list(case.size),
        "targets": {
            **targets_record(case),
            "outpaint": (
                None if case.photo_box is None else {"place_box": edges(case.photo_box)}
            ),
        },
        **_optional_records(case, stored),
        "keep_text": [
            {
                "box": edges(one.box),
                "string": one.text,
                "script": script(one.language),
            }
            for one in case.kept_texts
        ],
        "facts": case.facts.to_json(),
        "tags": dict(case.tags),
        "questions": [_question_record(one, language) for one in case.questions],
    }


def _optional_records(
    case: Case, stored: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if case.asked:
        found["asked"] = _asked_records(case, stored)
    if case.scene is not None:
        found["scene"] = {name: stored[name] for name in SCENE_MAPS}
    return found


def _question_record(question: Question, language: Language) -> dict[str, Any]:
    text = question.en if language == "en" else question.zh
    return {"q": text, "answer": question.answer, "type": question.kind}


def _asked_records(
    case: Case, stored: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    return [
        {
            "task": one.task,
            "undone": stored[f"{place}_undone"],
            "masks": {name: stored[f"{place}_{name}"] for name in MASKS},
            "targets": targets_record(one),
        }
        for place, one in zip(PLACES, case.asked, strict=False)
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadPrompt:
    """A line that was read: all of a case but its pictures.

    Attributes:
      pair_id: id of the case.
      language: of the instruction.
      instruction: the text.
      files: as in `prompt_record`.
      size: rows and columns of the answer.
      photo_box: where the photo lies on it.
      drawn_with: versions of the packages that drew it.
      asked: of each of several edits, the arguments of `AskedEdit` but its pictures.
      questions: in this language: text, answer and kind.
      fields: the other arguments of `Case`.
    """

    pair_id: str
    language: Language
    instruction: str
    files: Mapping[str, StoredFile]
    size: tuple[int, int]
    photo_box: Box | None
    drawn_with: Mapping[str, str]
    asked: tuple[Mapping[str, Any], ...]
    questions: tuple[tuple[str, bool, str], ...]
    fields: Mapping[str, Any]


def read_prompt(line: Fields) -> ReadPrompt:
    """Checks a line and takes it apart.

    Args:
      line: the object.

    Raises:
      UserError: a field is missing or holds what it may not.
    """
    case_id, language = _names(line)
    task, split = line.text("task"), line.text("split")
    files = {
        **_inputs(line, task),
        "reference": _file(line.object("reference")),
        **_mask_files(line, (*MASKS, *REGIONS)),
        **_scene_files(line),
    }
    targets = line.object("targets")
    outpaint = targets.raw("outpaint")
    place = None if outpaint is None else targets.object("outpaint").box("place_box")
    fields: dict[str, Any] = {
        "task": task,
        "split": split,
        "index": line.number("index"),
        "generator": line.text("generator", ("studio", "layout", "overlay", "photo")),
        "style": line.text("instruction_style", STYLES),
        "facts": _facts(line),
        "kept_texts": tuple(_kept(one) for one in line.objects("keep_text")),
        **read_targets(targets),
        "tags": line.texts("tags"),
        "licence": line.text("licence"),
    }
    difficulty = fields["tags"].get("difficulty", "normal")
    num_edits = NUM_EDITS.get(difficulty, 1) if split == "hard" else 1
    asked = _asked(line, files, num_edits) if num_edits > 1 else ()
    size = line.size("size_out")
    if line.object("reference").text("gt_level") != GROUND_TRUTH[task]:
        line.object("reference").refuse("gt_level", GROUND_TRUTH[task])
    _require_inside(line, size, place, (fields, *asked))
    photo_size = (place.height, place.width) if place else size
    if line.size("size_in") != photo_size:
        line.refuse("size_in", f"{list(photo_size)}, the size of the photo")
    return ReadPrompt(
        pair_id=case_id,
        language=language,
        instruction=line.text("instruction"),
        files=files,
        size=size,
        photo_box=place,
        drawn_with=line.texts("drawn_with"),
        asked=asked,
        questions=tuple(_question(one) for one in line.objects("questions")),
        fields=fields,
    )


def questions_of(first: ReadPrompt, second: ReadPrompt) -> tuple[Question, ...]:
    """The questions of a case, from its two prompts.

    Raises:
      UserError: the languages ask for other things.
    """
    english, chinese = sorted((first, second), key=lambda one: one.language)
    told = [[one[1:] for one in prompt.questions] for prompt in (english, chinese)]
    if told[0] != told[1]:
        raise UserError(
            f"the two languages of {first.pair_id!r} have other questions; write the "
            "cases again"
        )
    found = []
    for (en, answer, kind), (zh, _, _) in zip(
        english.questions, chinese.questions, strict=True
    ):
        checked: Any = kind
        found.append(Question(en=en, zh=zh, answer=answer, kind=checked))
    return tuple(found)


def _inputs(line: Fields, task: str) -> dict[str, StoredFile]:
    """The photo, and the object where the task has one to put into it."""
    inputs = line.objects("inputs")
    roles = ROLES if task in OBJECT_TASKS else ROLES[:1]
    if not 1 <= len(inputs) <= len(roles):
        line.refuse("inputs", f"a list of one {' and perhaps one '.join(roles)}")
    found = {}
    for role, one in zip(roles, inputs, strict=False):
        one.text("role", (role,))
        found[role] = _file(one)
    return found


def _names(line: Fields) -> tuple[str, Language]:
    """Id of the case and the language, which all names of a line agree on."""
    if line.number("bench_version") != BENCHMARK_VERSION:
        line.refuse("bench_version", f"{BENCHMARK_VERSION}, as this software's")
    language: Any = line.text("lang", LANGUAGES)
    split = line.text("split", get_args(Split))
    task = line.text("task", BENCHMARK_TASKS)
    index = line.number("index", 0, 10**6)
    case_id = f"{split}/{task}/{index:03d}"
    if line.text("pair_id") != case_id:
        line.refuse("pair_id", case_id)
    if line.text("id") != f"{case_id}/{language}":
        line.refuse("id", f"{case_id}/{language}")
    return case_id, language


def _asked(
    line: Fields, files: dict[str, StoredFile], count: int
) -> tuple[Mapping[str, Any], ...]:
    """What is told of each of several edits; adds their files to `files`."""
    edits = [] if line.raw("asked") is None else line.objects("asked")
    if len(edits) != count:
        line.refuse("asked", f"a list of all {count} edits; write the cases again")
    found = []
    for place, one in zip(PLACES, edits, strict=False):
        files[f"{place}_undone"] = _file(one.object("undone"))
        files |= {
            f"{place}_{name}": file for name, file in _mask_files(one, MASKS).items()
        }
        targets = read_targets(one.object("targets"))
        found.append({"task": one.text("task", BENCHMARK_TASKS), **targets})
    return tuple(found)


def _mask_files(fields: Fields, names: Sequence[str]) -> dict[str, StoredFile]:
    masks = fields.object("masks")
    return {name: _file(masks.object(name)) for name in names}


def _scene_files(line: Fields) -> dict[str, StoredFile]:
    if line.raw("scene") is None:
        return {}
    scene = line.object("scene")
    return {name: _file(scene.object(name)) for name in SCENE_MAPS}


def _file(fields: Fields) -> StoredFile:
    sha256 = fields.text("sha256")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        fields.refuse("sha256", "64 hexadecimal digits")
    return StoredFile(path=fields.text("path"), sha256=sha256)


def _facts(line: Fields) -> Facts:
    values = line.raw("facts")
    if not isinstance(values, dict):
        line.refuse("facts", "an object")
    try:
        return Facts.from_json(values)
    except UserError as error:
        raise UserError(f"{line.where}: {error}") from error


def _kept(one: Fields) -> KeptText:
    return KeptText(
        text=one.text("string"), language=read_language(one), box=one.box("box")
    )


def _question(one: Fields) -> tuple[str, bool, str]:
    return one.text("q"), one.flag("answer"), one.text("type", _KINDS)


def _require_inside(
    line: Fields,
    size: tuple[int, int],
    place: Box | None,
    edits: Sequence[Mapping[str, Any]],
) -> None:
    boxes: list[Box | None] = []
    for edit in edits:
        boxes += [one.box for one in edit.get("kept_texts", ())]
        boxes += target_boxes(edit)
    for box in (*boxes, place):
        if box is not None and (
            box.top + box.height > size[0] or box.left + box.width > size[1]
        ):
            raise UserError(
                f"{line.where}: a box of {box.width}x{box.height} pixels at "
                f"x={box.left}, y={box.top} leaves the canvas of {size[1]}x{size[0]}"
            )
