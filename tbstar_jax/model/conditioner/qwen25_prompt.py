"""The prompts of the Qwen-Image family, letter by letter, and their image sizes.

A prompt is `before + pictures + instruction + after`. The hidden states of the first
`num_dropped` tokens, which are those of `before`, are no context. Both are constants of
the public pipelines:

    TEXT_TO_IMAGE  Qwen-Image, -2512       no picture
    EDIT           Qwen-Image-Edit         one picture, of about 1024 x 1024 pixels
    EDIT_PLUS      -Edit-2509, -Edit-2511  numbered pictures, of about 384 x 384 pixels
"""

import dataclasses
import math

from tbstar_jax.errors import UserError
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig

IMAGE_MARK = "<|image_pad|>"
"""Stands once per picture in the text, and once per cell among the tokens."""

DROPPED_INSTRUCTION = " "
"""What guidance's unconditional branch reads: the public pipelines' negative prompt."""

_VISION = f"<|vision_start|>{IMAGE_MARK}<|vision_end|>"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """How instruction and pictures become a prompt.

    Attributes:
      before: text in front of the pictures.
      num_dropped: tokens of `before` in the public tokenizer.
      picture: text of one picture, `{}` being its number from 1.
      max_pictures: how many the prompt may have; None for any number.
      picture_area: area a picture is resized to, in pixels.
    """

    before: str
    num_dropped: int
    picture: str
    max_pictures: int | None
    picture_area: int

    def render(self, instruction: str, num_pictures: int) -> str:
        """The prompt's text, one `IMAGE_MARK` per picture.

        Raises:
          UserError: more pictures than the prompt may have, or an image mark in the
            instruction.
        """
        if self.max_pictures is not None and num_pictures > self.max_pictures:
            raise UserError(
                f"this prompt takes at most {self.max_pictures} source images, not "
                f"{num_pictures}; leave some out"
            )
        if IMAGE_MARK in instruction:
            raise UserError(
                f"the instruction contains {IMAGE_MARK}, which stands for a source "
                "image; remove it"
            )
        pictures = "".join(self.picture.format(i + 1) for i in range(num_pictures))
        return f"{self.before}{pictures}{instruction}{_AFTER}"


def _before(system: str) -> str:
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"


_EDIT_SYSTEM = (
    "Describe the key features of the input image (color, shape, size, texture, "
    "objects, background), then explain how the user's text instruction should alter "
    "or modify the image. Generate a new image that meets the user's requirements "
    "while maintaining consistency with the original input where appropriate."
)

TEXT_TO_IMAGE = PromptTemplate(
    before=_before(
        "Describe the image by detailing the color, shape, size, texture, quantity, "
        "text, spatial relationships of the objects and background:"
    ),
    num_dropped=34,
    picture="",
    max_pictures=0,
    picture_area=0,
)

EDIT = PromptTemplate(
    before=_before(_EDIT_SYSTEM),
    num_dropped=64,
    picture=_VISION,
    max_pictures=1,
    picture_area=1024 * 1024,
)

EDIT_PLUS = PromptTemplate(
    before=_before(_EDIT_SYSTEM),
    num_dropped=64,
    picture=f"Picture {{}}: {_VISION}",
    max_pictures=None,
    picture_area=384 * 384,
)


def template_of(config: Qwen25VLConfig, *, has_sources: bool) -> PromptTemplate:
    """The prompt a checkpoint was trained with."""
    if not has_sources:
        return TEXT_TO_IMAGE
    match config.edit_prompt:
        case "edit":
            return EDIT
        case "edit_plus":
            return EDIT_PLUS


def picture_size(height: int, width: int, area: int) -> tuple[int, int]:
    """Size a picture is resized to before the image processor sees it.

    About `area` pixels at the picture's aspect ratio, both sides rounded to a multiple
    of 32: the public pipelines' `calculate_dimensions`.

    Args:
      height: of the source, in pixels.
      width: of the source, in pixels.
      area: in pixels.

    Returns:
      Height and width in pixels.

    Raises:
      UserError: an image so narrow that a side would vanish.
    """
    ratio = width / height
    exact_width = math.sqrt(area * ratio)
    size = round(exact_width / ratio / 32) * 32, round(exact_width / 32) * 32
    if not all(size):
        raise UserError(
            f"a source image of {width} x {height} pixels is too narrow to be "
            f"described at {area} pixels; crop it"
        )
    return size
