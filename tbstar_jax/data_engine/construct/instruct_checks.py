"""What a language model's instructions must be before anybody acts on them.

Both languages say the same (numbers, quoted texts, brands, colours, positions), each in
its own language, within bounds; a request names what its task needs and where; a finer
wording keeps all that the coarse one said and may add what the images show.
"""

import dataclasses
from collections import Counter
from typing import Literal

from tbstar_jax.data_engine.augment.paraphrase.checks import (
    brand_words,
    problem,
    quotes,
    unquoted,
)
from tbstar_jax.data_engine.augment.paraphrase.lexicon import (
    color_ids,
    goal_color_ids,
    numbers,
    position_ids,
)
from tbstar_jax.data_engine.construct.needs import LIGHTS, PLACED, missing
from tbstar_jax.data_engine.construct.protocol import EditRequest, Region
from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.errors import UserError
from tbstar_jax.vlm.schema import NotValidError

THOUSANDTHS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A box in thousandths of the photo's height and width."""

    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        rows = 0 <= self.top < self.bottom <= THOUSANDTHS
        if not (rows and 0 <= self.left < self.right <= THOUSANDTHS):
            raise ValueError("the box does not lie within 0 to 1000")

    def in_pixels(self, label: str, height: int, width: int) -> Region:
        """The pixels it touches: at least one."""
        top, left = self.top * height // THOUSANDTHS, self.left * width // THOUSANDTHS
        return Region(
            label=label,
            top=top,
            left=left,
            bottom=max(top + 1, -(-self.bottom * height // THOUSANDTHS)),
            right=max(left + 1, -(-self.right * width // THOUSANDTHS)),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """A model's request: whether it is possible, how it is said, what it names.

    The fields behind the region are those of `Facts`, and null where not named;
    `new_light` is an id of `needs.LIGHTS`.
    """

    is_possible: bool
    instruction_en: str
    instruction_zh: str
    region: Place | None
    object_en: str | None
    object_zh: str | None
    color_en: str | None
    color_zh: str | None
    new_color_en: str | None
    new_color_zh: str | None
    new_material_en: str | None
    new_material_zh: str | None
    new_object_en: str | None
    new_object_zh: str | None
    new_background_en: str | None
    new_background_zh: str | None
    text: str | None
    new_text: str | None
    direction: Literal["left", "right", "up", "down", "all sides"] | None
    new_light: str | None

    def facts(self, known: Facts) -> Facts:
        """What the request states, over what was known of the photo.

        Raises:
          UserError: a field holds what `Facts` does not accept.
        """
        spoken = ("is_possible", "instruction_en", "instruction_zh", "region")
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in (*spoken, "new_light")
        }
        named = {name: value for name, value in values.items() if value is not None}
        if self.new_light is not None:
            english, chinese = LIGHTS[self.new_light]
            named |= {"new_light_en": english, "new_light_zh": chinese}
        if self.object_en in (None, known.object_en):
            return dataclasses.replace(known, **named)
        # What is known is of the product, not of another thing that is edited.
        return Facts(brands=known.brands, **named)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTexts:
    """The request in a finer wording, one text per style."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextLimits:
    """What holds for every instruction.

    Attributes:
      max_bytes: longest, in UTF-8 bytes.
      brands: names kept verbatim.
    """

    max_bytes: int
    brands: tuple[str, ...]


def check_draft(draft: Draft, task: str, known: Facts, limits: TextLimits) -> None:
    """Checks a request.

    Args:
      draft: the model's.
      task: it was asked for.
      known: of the photo.
      limits: of its texts.

    Raises:
      NotValidError: what is wrong; an impossible request is not wrong.
    """
    if not draft.is_possible:
        return
    _check_text(draft.instruction_en, "en", limits)
    _check_text(draft.instruction_zh, "zh", limits)
    wrong = problem(draft.instruction_en, draft.instruction_zh, limits.brands)
    if wrong is not None:
        raise NotValidError(f"English and Chinese differ in a {wrong}")
    if draft.new_light is not None and draft.new_light not in LIGHTS:
        raise NotValidError(f"there is no light {draft.new_light[:40]!r}")
    try:
        facts = draft.facts(known)
    except UserError as error:
        raise NotValidError(str(error)) from error
    lacking = missing(task, facts)
    if lacking is not None:
        raise NotValidError(f"{lacking} is not named")
    if task in PLACED and draft.region is None:
        raise NotValidError("the box around what is edited is missing")
    for text in (draft.instruction_en, draft.instruction_zh):
        if facts.new_text is not None and facts.new_text not in quotes(text):
            raise NotValidError("an instruction does not quote the new text")
    if task in ("text_replace_en", "text_replace_zh"):
        _check_new_text(task, facts.new_text or "")


def check_fine(
    fine: FineTexts, request: EditRequest, num_styles: int, limits: TextLimits
) -> None:
    """Checks the finer wording of a request.

    Args:
      fine: the model's.
      request: the coarse one.
      num_styles: texts per language.
      limits: of its texts.

    Raises:
      NotValidError: what is wrong.
    """
    languages: tuple[tuple[Language, tuple[str, ...], str], ...] = (
        ("en", fine.en, request.instruction_en),
        ("zh", fine.zh, request.instruction_zh),
    )
    new_color = request.parameters.get("new_color", "")
    for language, texts, coarse in languages:
        if len(texts) != num_styles or len({t.strip() for t in texts}) != num_styles:
            raise NotValidError(f"{language} must hold {num_styles} different texts")
        for text in texts:
            _check_text(text, language, limits)
            lost = what_is_lost(coarse, text, new_color, limits.brands)
            if lost is not None:
                raise NotValidError(f"a text of {language} loses a {lost}")


def what_is_lost(
    coarse: str, fine: str, new_color: str, brands: tuple[str, ...]
) -> str | None:
    """What a finer wording of the same language left out or turned round.

    Args:
      coarse: the request.
      fine: its finer wording, which may say more.
      new_color: the colour something shall become, in English; empty for none.
      brands: names to keep beside those recognised by their capitals.

    Returns:
      The first of quote, number, brand, colour and position, or None.
    """
    if Counter(quotes(coarse)) - Counter(quotes(fine)):
        return "quote"
    first, second = unquoted(coarse), unquoted(fine)
    if Counter(numbers(first)) - Counter(numbers(second)):
        return "number"
    names = brand_words(first) | {brand for brand in brands if brand in first}
    if any(name not in second for name in names):
        return "brand"
    if set(color_ids(first)) - set(color_ids(second)):
        return "colour"
    wanted = set(color_ids(new_color)) or set(goal_color_ids(first))
    found = set(goal_color_ids(second))
    if wanted and found and not wanted & found:
        return "colour"
    if position_ids(first) - position_ids(second):
        return "position"
    return None


def _check_text(text: str, language: Language, limits: TextLimits) -> None:
    if not text.strip() or not text.strip().isprintable():
        raise NotValidError(f"a text of {language} is empty or more than one line")
    if len(text.strip().encode()) > limits.max_bytes:
        raise NotValidError(f"a text of {language} has over {limits.max_bytes} bytes")
    if language_of(text) != language:
        raise NotValidError(f"a text of {language} is in another language")


def _check_new_text(task: str, text: str) -> None:
    has_ideographs = any("\u3400" <= letter <= "\u9fff" for letter in text)
    if has_ideographs != (task == "text_replace_zh"):
        raise NotValidError(f"the new text {text[:40]!r} is in the wrong script")
