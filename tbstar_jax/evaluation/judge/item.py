"""What is judged: a request and the photo it is about, of any benchmark."""

import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.evaluation.cases.case import Prompt


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """A question that is answered yes or no.

    Attributes:
      text: the question.
      answer: what is true of a right edit.
    """

    text: str
    answer: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """One request to an editor.

    Attributes:
      prompt: names it.
      case: prompts of one case are not independent.
      task: means are taken over tasks.
      language: of the instruction.
      instruction: what the editor was told.
      source: the photo before, sRGB.
      checks: for the mode `checklist`.
      object_photo: the second picture that the editor was given; None without one.
    """

    prompt: str
    case: str
    task: str
    language: str
    instruction: str
    source: UInt8[np.ndarray, "h w 3"]
    checks: tuple[Check, ...] = ()
    object_photo: UInt8[np.ndarray, "_ _ 3"] | None = None


def item_of(prompt: Prompt) -> Item:
    """A prompt of our benchmark; its source stands on the canvas of the answer."""
    case = prompt.case
    return Item(
        prompt=prompt.id,
        case=case.id,
        task=case.task,
        language=prompt.language,
        instruction=prompt.instruction,
        source=case.source,
        checks=tuple(
            Check(
                text=question.en if prompt.language == "en" else question.zh,
                answer=question.answer,
            )
            for question in case.questions
        ),
        object_photo=case.object_photo,
    )


def content_of(item: Item, answers: Iterable[UInt8[np.ndarray, "_ _ 3"] | None]) -> str:
    """SHA-256 of all that is judged: request, photos, checks and answers.

    Args:
      item: the request.
      answers: pictures, None for one that does not exist.
    """
    digest = hashlib.sha256()
    texts = [item.prompt, item.task, item.instruction]
    texts += [f"{check.text}{check.answer}" for check in item.checks]
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    for picture in (item.source, *answers):
        _add(digest, picture)
    if item.object_photo is not None:
        # Else it could be taken for one more answer.
        digest.update(b"second picture")
        _add(digest, item.object_photo)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", picture: UInt8[np.ndarray, "_ _ 3"] | None) -> None:
    if picture is None:
        digest.update(b"none")
    else:
        digest.update(repr(picture.shape).encode())
        digest.update(np.ascontiguousarray(picture).tobytes())
