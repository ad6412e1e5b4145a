"""What each mode sends, and on which scale it is answered.

vie-2024    VIEScore's GPT-4o path (viescore/mllm_tools/openai.py): text, then images;
            JPEG at Pillow's default quality; 1,400 tokens; no system message; neither
            temperature nor seed. SC sees source and edit and the instruction, PQ the
            edit alone and no instruction.
gedit-gpt   the same after the edit was resized to the source's size, whatever its
            shape (GEdit-Bench/test_gedit_score.py).
gedit-qwen  GEdit-Bench's Qwen2.5-VL path: images, then text; PNG; greedy; seed 42; 512
            tokens; edit resized as above.
imgedit     three marks from 1 to 5, in lines of text; text, then PNG; neither
            temperature nor seed (Benchmark/Basic/basic_bench.py).
pairwise    which of two edits is better, asked in both orders.
checklist   yes-no questions of the case, in one call.
strict      VIEScore's questions as JSON with a schema, reasons first, asked again at
            another seed when an answer cannot be read.

A case's second picture is sent last by `pairwise`, `checklist` and `strict` (SC); in
the other modes, which have no place for it, a sentence says that it is not shown.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal[
    "vie-2024",
    "gedit-gpt",
    "gedit-qwen",
    "imgedit",
    "pairwise",
    "checklist",
    "strict",
]
Order: TypeAlias = Literal["text_first", "images_first"]
Format: TypeAlias = Literal["png", "jpeg"]
Sampling: TypeAlias = Literal["pinned", "server"]
Structured: TypeAlias = Literal["schema", "object", "prompt"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How a mode asks.

    Attributes:
      order: whether the text or the images come first.
      format: of the images.
      quality: of JPEG, 1 to 95; Pillow's default is 75. No meaning for PNG.
      max_side: longer images are made smaller, in pixels; None sends them as they are.
      is_resized: the edit is resized to the source's size first, shape ignored.
      max_tokens: longest answer.
      sampling: `pinned` sends temperature and seed; `server` leaves both to the server.
      temperature: where pinned.
      seed: of the first question; the i-th again has seed + i.
      re_asks: further questions at most, when an answer cannot be read.
      structured: how JSON is asked for; free text where a mode wants none.
    """

    order: Order
    format: Format
    quality: int
    max_side: int | None
    is_resized: bool
    max_tokens: int
    sampling: Sampling
    temperature: float
    seed: int
    re_asks: int
    structured: Structured


_VIE = Settings(
    order="text_first",
    format="jpeg",
    quality=75,
    max_side=None,
    is_resized=False,
    max_tokens=1400,
    sampling="server",
    temperature=0.0,
    seed=0,
    re_asks=1,
    structured="prompt",
)
_STRICT = Settings(
    order="text_first",
    format="png",
    quality=75,
    max_side=1536,
    is_resized=False,
    max_tokens=1024,
    sampling="pinned",
    temperature=0.0,
    seed=0,
    re_asks=3,
    structured="schema",
)

SETTINGS: Mapping[Mode, Settings] = {
    "vie-2024": _VIE,
    "gedit-gpt": dataclasses.replace(_VIE, is_resized=True),
    "gedit-qwen": dataclasses.replace(
        _VIE,
        order="images_first",
        format="png",
        is_resized=True,
        max_tokens=512,
        sampling="pinned",
        seed=42,
        re_asks=0,
    ),
    "imgedit": dataclasses.replace(_VIE, format="png", max_tokens=1024, re_asks=0),
    "pairwise": _STRICT,
    "checklist": _STRICT,
    "strict": _STRICT,
}
"""Each mode as its authors run it, or as we do."""

JSON_MODES: tuple[Mode, ...] = ("pairwise", "checklist", "strict")
"""Modes whose answers have a schema."""

VIE_MODES: tuple[Mode, ...] = ("vie-2024", "gedit-gpt", "gedit-qwen", "strict")
"""Modes that give SC, PQ and O in [0, 10]."""

SCALES: Mapping[Mode, tuple[float, float]] = {
    **dict.fromkeys(VIE_MODES, (0.0, 10.0)),
    "imgedit": (1.0, 5.0),
    "checklist": (0.0, 1.0),
}
"""Ends of the overall score; `pairwise` has none."""
