"""From one record to the arrays of one example.

Random are only the language, the paraphrase and whether the instruction is dropped.
Pairs are neither flipped nor recoloured: that would make texts, "left" and colour words
wrong.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import grain
import numpy as np

from tbstar_jax.array_types import Bool, UInt8
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import CanvasPlan, mask_to_model, to_model
from tbstar_jax.input_pipeline.buckets import plan_image
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, image_size
from tbstar_jax.input_pipeline.latents import Arrays, is_context
from tbstar_jax.input_pipeline.records import EditRecord

Tokenize = Callable[[str], np.ndarray]
"""Text to int32 token ids `[k]`; the empty text is the dropped instruction."""

Language = Literal["en", "zh"]

_LATENT_CELLS_PER_TOKEN = 2
_DROPPED = "context_dropped"
_OR_LEFT_OUT = (
    "or leave such pairs out with `python -m data.build --stage=mix --set "
    "mix.max_instruction_bytes=N`"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformConfig:
    """How records become examples.

    Attributes:
      max_tokens: length to which instructions are padded, in tokens.
      pixel_budget: most pixels of one padded image.
      is_mask_required: whether every record must know what changed (stage 2); else a
        record without mask counts as changed everywhere.
      zh_share: how often the instruction is Chinese where both languages are given, in
        [0, 1].
      instruction_dropout: how often the instruction is emptied, for guidance, in
        [0, 1].
    """

    max_tokens: int
    pixel_budget: int
    is_mask_required: bool
    zh_share: float = 0.5
    instruction_dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise UserError(f"max_tokens is {self.max_tokens}, but must be at least 1")
        for name in ("zh_share", "instruction_dropout"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UserError(f"{name} is {value}, but must lie between 0 and 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instruction:
    """The request that an example gets.

    Attributes:
      text: what is tokenised; empty when dropped.
      context_name: its name in a latent set, e.g. `context_zh_1`.
      is_dropped: whether the text was dropped for guidance.
    """

    text: str
    context_name: str
    is_dropped: bool


def draw_instruction(
    record: EditRecord, config: TransformConfig, rng: np.random.Generator
) -> Instruction:
    """Draws language, paraphrase and dropout; always the same number of draws."""
    is_zh = rng.random() < config.zh_share
    position = rng.random()
    is_dropped = rng.random() < config.instruction_dropout
    if is_dropped:
        return Instruction(text="", context_name=_DROPPED, is_dropped=True)
    return choose_instruction(record, "zh" if is_zh else "en", position)


def choose_instruction(
    record: EditRecord, language: Language, position: float = 0.0
) -> Instruction:
    """Takes one paraphrase; of the other language where the asked one has none.

    Args:
      record: the edit pair.
      language: the preferred one.
      position: which paraphrase, as a fraction of their number, in [0, 1).
    """
    texts = {"en": record.instructions_en, "zh": record.instructions_zh}
    if not texts[language]:
        language = "en" if language == "zh" else "zh"
    index = int(position * len(texts[language]))
    return Instruction(
        text=texts[language][index],
        context_name=_context_name(language, index),
        is_dropped=False,
    )


def instruction_texts(record: EditRecord) -> dict[str, str]:
    """Every text an example of this record may get, by its name in a latent set."""
    texts = {_DROPPED: ""}
    for index, text in enumerate(record.instructions_en):
        texts[_context_name("en", index)] = text
    for index, text in enumerate(record.instructions_zh):
        texts[_context_name("zh", index)] = text
    return texts


def _context_name(language: Language, index: int) -> str:
    return f"context_{language}_{index}"


def make_example(
    record: EditRecord,
    instruction: Instruction,
    config: TransformConfig,
    tokenize: Tokenize,
    latents: Arrays | None = None,
    num_context_tokens: int = 0,
) -> dict[str, np.ndarray]:
    """Makes the arrays of one example.

    With latents, `target_latent` and `source_latent_k` take the place of the images; a
    set for text-to-image may hold the targets' alone. Contexts take the place of the
    tokens; without them source images stay, because the conditioner looks at them.

    Args:
      record: the edit pair.
      instruction: which request it gets.
      config: sizes and what is required.
      tokenize: text to token ids.
      latents: the record's arrays from a latent set.
      num_context_tokens: length to which contexts are padded.

    Returns:
      `target_image`, `source_image_k` uint8 `[h w 3]`; `change_mask` bool `[h w]`;
      `is_instruction_dropped` bool; `instruction_tokens` int32 `[m]` and
      `num_instruction_tokens` int32, or `context` `[m d]` and `num_context_tokens`
      int32 where the latents hold contexts.

    Raises:
      UserError: a damaged image, a mask or latents that do not fit, a text too long.
    """
    place = f"record {record.key!r}"
    images = {"target_image": record.target_image}
    for number, data in enumerate(record.source_images, start=1):
        images[f"source_image_{number}"] = data
    names = () if latents is None else tuple(latents)
    has_context = any(map(is_context, names))
    has_source_latents = any(name.startswith("source_latent_") for name in names)
    example: dict[str, np.ndarray] = {}
    plans: dict[str, CanvasPlan] = {}
    for name, data in images.items():
        label = f"{name} of {place}"
        plan = plan_image(image_size(data, label), config.pixel_budget, label)
        plans[name] = plan
        if latents is not None and (name == "target_image" or has_source_latents):
            latent_name = name.replace("_image", "_latent")
            example[latent_name] = _latent(latents, latent_name, plan, place)
        is_read = name != "target_image" and not (has_context and has_source_latents)
        if latents is None or is_read:
            example[name] = to_model(decode_image(data, label), plan)
    edited = plans.get("source_image_1", plans["target_image"])
    example["change_mask"] = _change_mask(record, edited, config.is_mask_required)
    example["is_instruction_dropped"] = np.array(instruction.is_dropped)
    if latents is not None and has_context:
        name = instruction.context_name
        example.update(_context(latents, name, num_context_tokens, place))
    else:
        example.update(_instruction(instruction, config.max_tokens, tokenize, place))
    return example


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomExample(grain.transforms.RandomMap):
    """`make_example` with a drawn instruction, as a Grain transformation."""

    config: TransformConfig
    tokenize: Tokenize
    num_context_tokens: int

    def random_map(
        self, element: tuple[EditRecord, Arrays | None], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Makes one example; `element` is a record and its latents, if any."""
        record, latents = element
        instruction = draw_instruction(record, self.config, rng)
        return make_example(
            record,
            instruction,
            self.config,
            self.tokenize,
            latents,
            self.num_context_tokens,
        )


def _change_mask(
    record: EditRecord, plan: CanvasPlan, is_required: bool
) -> Bool[np.ndarray, "h w"]:
    """Pads the mask like the image it describes; True = changed."""
    if not record.change_mask and is_required:
        raise UserError(
            f"record {record.key!r} has no change mask, but stage 2 needs one; add it "
            "or use the set in stage 1"
        )
    mask: UInt8[np.ndarray, "h w"] = np.full(plan.canvas, 255, np.uint8)
    if record.change_mask:
        mask = decode_mask(record.change_mask, f"change_mask of record {record.key!r}")
    try:
        return mask_to_model(mask, plan) > 127
    except UserError as error:
        raise UserError(f"change_mask of record {record.key!r}: {error}") from error


def _instruction(
    instruction: Instruction, max_tokens: int, tokenize: Tokenize, place: str
) -> dict[str, np.ndarray]:
    try:
        tokens = np.asarray(tokenize(instruction.text), np.int32)
    except UserError as error:
        raise UserError(
            f"the instruction of {place}: {error}, {_OR_LEFT_OUT}"
        ) from error
    if len(tokens) > max_tokens:
        raise UserError(
            f"the instruction of {place} has {len(tokens)} tokens, but at most "
            f"{max_tokens} fit; shorten it, {_OR_LEFT_OUT}"
        )
    return {
        "instruction_tokens": np.pad(tokens, (0, max_tokens - len(tokens))),
        "num_instruction_tokens": np.array(len(tokens), np.int32),
    }


def _latent(latents: Arrays, name: str, plan: CanvasPlan, place: str) -> np.ndarray:
    rows, columns = plan.grid
    expected = (_LATENT_CELLS_PER_TOKEN * rows, _LATENT_CELLS_PER_TOKEN * columns)
    if name not in latents or latents[name].shape[:2] != expected:
        found = latents[name].shape if name in latents else "absent"
        raise UserError(
            f"{name} of {place} must have {expected} rows and columns, but is {found}; "
            "compute the latents again"
        )
    return latents[name]


def _context(
    latents: Arrays, name: str, num_tokens: int, place: str
) -> dict[str, np.ndarray]:
    if name not in latents:
        raise UserError(
            f"the latents of {place} lack {name}: its texts were changed since; "
            "compute them again"
        )
    context = latents[name]
    return {
        "context": np.pad(context, ((0, num_tokens - len(context)), (0, 0))),
        "num_context_tokens": np.array(len(context), np.int32),
    }
