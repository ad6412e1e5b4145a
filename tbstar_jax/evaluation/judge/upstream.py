"""Prompts of the reference programs, from files the user has: none are shipped.

A folder for the VIEScore modes holds `sc.txt` and `pq.txt`, the whole texts as the
reference program sends them, with `<instruction>` where the request goes: for the task
`tie`, `_context_no_delimit`, `_prompts_0shot_two_image_edit_rule` and
`_prompts_0shot_tie_rule_SC` of viescore/vie_prompts.py, joined by newlines; for PQ,
`_context_no_delimit` and `_prompts_0shot_rule_PQ`. A folder for `imgedit` holds the
benchmark's `prompts.json`: a text for every type, with `<edit_prompt>`.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.item import Item
from tbstar_jax.evaluation.judge.modes import Mode
from tbstar_jax.evaluation.judge.rubrics import NOT_SHOWN, Part
from tbstar_jax.vlm.cache import request_key
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

UPSTREAM_MODES: tuple[Mode, ...] = ("vie-2024", "gedit-gpt", "gedit-qwen", "imgedit")
"""Modes that reproduce a program with prompts of its own."""

_MAX_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpstreamRubric:
    """The user's copies.

    Attributes:
      texts: by part, or by type for `imgedit`.
      mode: whose questions.
    """

    texts: Mapping[str, str]
    mode: Mode

    @property
    def label(self) -> str:
        """Whose words they are."""
        return "upstream prompts"

    @property
    def sha256(self) -> str:
        """Names the words, with ours on a second picture that is not shown."""
        return request_key({"texts": dict(self.texts), "second": NOT_SHOWN})

    @property
    def system(self) -> str | None:
        """None: the reference programs send none."""
        return None

    def text(self, part: Part, item: Item) -> str:
        """The words of a question, the request filled in as the programs do.

        Raises:
          UserError: `imgedit` has no text for the item's task.
        """
        if part != "imgedit":
            return self.texts[part].replace("<instruction>", item.instruction)
        if item.task not in self.texts:
            raise UserError(
                f"prompts.json has no text for the type {item.task!r} of "
                f"{item.prompt}; it has {', '.join(sorted(self.texts))}"
            )
        return self.texts[item.task].replace("<edit_prompt>", item.instruction)

    def marks(self, task: str) -> tuple[str, str, str] | None:
        """None: their names stand in the texts."""
        return None


def read_upstream(folder: Path, mode: Mode) -> UpstreamRubric:
    """Reads the user's copies.

    Args:
      folder: as the module says.
      mode: one of `UPSTREAM_MODES`.

    Raises:
      UserError: a file is missing, too large, not a text, or has no place for the
        request.
    """
    if mode == "imgedit":
        path = folder / "prompts.json"
        try:
            texts = read_json(_text(path))
        except NotJsonError as error:
            raise UserError(f"{path} is no JSON: {error}") from error
        if not isinstance(texts, dict) or not all(
            isinstance(text, str) for text in texts.values()
        ):
            raise UserError(f"{path} is no object of texts, one for every type")
        for name, text in texts.items():
            _require_place(text, "<edit_prompt>", f"the text {name!r} of {path}")
        return UpstreamRubric(texts=texts, mode=mode)
    texts = {part: _text(folder / f"{part}.txt") for part in ("sc", "pq")}
    _require_place(texts["sc"], "<instruction>", str(folder / "sc.txt"))
    return UpstreamRubric(texts=texts, mode=mode)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise UserError(f"{path} has {len(data)} bytes; no prompt is that long")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the prompt {path} cannot be read ({type(error).__name__}); put your copy "
            "of the reference program's text there, in UTF-8"
        ) from error


def _require_place(text: str, mark: str, where: str) -> None:
    if mark not in text:
        raise UserError(f"{where} has no {mark}, where the request goes")
