"""One scene of the benchmark: the photo, the right edit, and all that is known of both.

A case is asked twice, in English and in Chinese: two prompts of one scene, which
statistics keep together. Everything has the canvas of the answer: an outpainting's
source already stands on the larger canvas (`photo_box` says where), and only `photo` is
what a system is given. Boxes are pixels of the canvas.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.geometry import Box

Language: TypeAlias = Literal["en", "zh"]
Quad: TypeAlias = tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]
"""Corners (row, column) in pixels of the canvas, pixel (0, 0) spans 0 to 1: as the text
is read its top left, top right, bottom right and bottom left."""

LightChange: TypeAlias = Literal["warmth", "direction", "shadow", "softness", "falloff"]
"""What of the light changes: its colour, where it comes from, whether things cast
shadows, how soft and dark those are, whether it falls off over the picture (dark
corners, a glow from one side)."""
Split: TypeAlias = Literal["smoke", "mini", "dev", "test", "fresh", "hard", "photo"]
GroundTruth: TypeAlias = Literal["exact", "attributes", "keep"]
"""What the reference proves: every pixel; the attributes that were asked for, in one of
several good drawings; or only that the rest is kept."""

BENCHMARK_TASKS: tuple[str, ...] = (
    "bg_white",
    "bg_scene",
    "recolor",
    "material",
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "text_add",
    "object_add",
    "object_remove",
    "object_replace",
    "light_shadow",
    "outpaint",
    "layout",
    "repair_zoom",
)
"""Ids of `tbstar_jax.tasks`, in the order of reports."""

GROUND_TRUTH: Mapping[str, GroundTruth] = {
    "bg_white": "exact",
    "bg_scene": "keep",
    "recolor": "attributes",
    "material": "attributes",
    "watermark_remove": "exact",
    "text_remove": "exact",
    "text_replace_en": "attributes",
    "text_replace_zh": "attributes",
    "text_add": "keep",
    "object_add": "keep",
    "object_remove": "exact",
    "object_replace": "keep",
    "light_shadow": "attributes",
    "outpaint": "keep",
    "layout": "exact",
    "repair_zoom": "exact",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptText:
    """Something written outside the edit, the same in source and reference.

    Attributes:
      text: the characters.
      language: of the text; None for numbers and prices.
      box: of its ink.
    """

    text: str
    language: Language | None
    box: Box


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetText:
    """A text that the edit writes, replaces or takes away.

    Attributes:
      old: what the source says; None where the text is new.
      new: what the reference says; None where the text is taken away.
      language: of `new`, or of `old` where it is taken away; None for numbers.
      box: of the ink, in source and reference together.
      ink: its colour, sRGB 0..255, in the picture that has it (the reference's first).
      quad: the smallest rectangle around the same ink along the text: of a flat
        overlay at the angle it is printed at, of a print on a product in three
        dimensions that of the smallest area. It may lean out of the canvas. None: the
        corners of `box`.
    """

    old: str | None
    new: str | None
    language: Language | None
    box: Box
    ink: tuple[int, int, int]
    quad: Quad | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetObject:
    """A thing that the edit adds, takes away, replaces, moves or resizes.

    Attributes:
      id: of the thing in its scene, `item-<number>`, or of the part in its card.
      kind: its class: a product's or prop's family, or the kind of a part.
      name: what the instruction calls it, English.
      before: where the source has it; None where it does not.
      after: where the reference has it; None where it does not.
    """

    id: str
    kind: str
    name: str
    before: Box | None
    after: Box | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetColor:
    """The colour that a recolouring asks for: of the paint, not of its shading.

    Attributes:
      part: id of what gets it, as in `TargetObject`.
      rgb: sRGB, 0..255.
      name: what the instruction calls it, English.
    """

    part: str
    rgb: tuple[int, int, int]
    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetLight:
    """The light before and after an edit of it.

    Attributes:
      change: what of it changes.
      before: the scene's parameters in the source. In three dimensions `azimuth` and
        `elevation` (degrees; negative azimuths are the left), `warmth` (-1 bluish to 1
        orange), `softness` (penumbra over distance), `key`, `fill`, `shadow` (darkness,
        0 to 1); in a card `side`, `shadow` (0 or 1), `falloff`, `strength` (0 to 1), as
        far as it has them.
      after: the same in the reference.
    """

    change: LightChange
    before: Mapping[str, float | str]
    after: Mapping[str, float | str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """A yes-no question about the right edit, for a judge that answers checklists.

    Attributes:
      en: the question, English.
      zh: the question, Chinese.
      answer: what is true of the reference.
      kind: what it is about.
    """

    en: str
    zh: str
    answer: bool
    kind: Literal["edit", "keep", "text", "count", "color"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Masks:
    """True where it applies; all of the canvas's size.

    Attributes:
      edit: what the instruction permits to change; holds every pixel in which source
        and reference differ.
      product: the product, or what is edited, in the source.
      product_after: the same in the reference.
      shadow: shadows that the edit adds, takes away or moves; empty where it does not.
      text: ink of the texts that the edit is about, in source and reference; empty
        without one.
    """

    edit: Bool[np.ndarray, "h w"]
    product: Bool[np.ndarray, "h w"]
    product_after: Bool[np.ndarray, "h w"]
    shadow: Bool[np.ndarray, "h w"]
    text: Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SceneMaps:
    """What a renderer knows of a scene besides its pixels.

    Of the render before the edit, on the whole canvas: overlays hide nothing of it, and
    it goes on where the photo of an outpainting ends.

    Attributes:
      instances: what most of a pixel shows: 0 the backdrop, k + 1 the thing that
        `TargetObject` calls `item-k`; item 0 is the product.
      depth: distance from the camera to the nearest thing or ground in a pixel,
        thousandths of the scene's unit (a bottle is about one unit high);
        65535 where there is only the wall, which has no distance.
    """

    instances: UInt8[np.ndarray, "h w"]
    depth: UInt16[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AskedEdit:
    """One of the edits of a case whose instruction asks for several.

    Attributes:
      task: whose measures tell whether it was made; one of `BENCHMARK_TASKS`.
      undone: sRGB, the reference without this edit: all others were made.
      masks: of this edit alone.
      target_texts: that it is about.
      target_objects: likewise.
      target_color: that it asks for, if it recolours.
      target_light: that it asks for, if it is about light.
    """

    task: str
    undone: UInt8[np.ndarray, "h w 3"]
    masks: Masks
    target_texts: tuple[TargetText, ...]
    target_objects: tuple[TargetObject, ...]
    target_color: TargetColor | None = None
    target_light: TargetLight | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A scene.

    Attributes:
      id: `<split>/<task>/<index>`, e.g. `mini/recolor/003`; also names its cluster.
      task: one of `BENCHMARK_TASKS`.
      split: which set it belongs to.
      index: from 0, in its task.
      generator: what drew it.
      instructions: by language.
      style: how they are worded.
      source: sRGB, on the canvas of the answer.
      reference: the right edit, or one of them.
      masks: regions.
      photo_box: where the photo lies on the canvas; None: it is the canvas.
      facts: the words of the edit.
      kept_texts: outside the edit.
      target_texts: that the edit is about.
      target_objects: likewise.
      questions: for checklists.
      tags: what slices are made by: names to short values.
      licence: SPDX id of the pictures.
      target_color: that the edit asks for, if it recolours.
      target_light: that the edit asks for, if it is about light.
      asked: the edits where the instruction asks for two to four, the task's first;
        else empty. The other fields are about all of them together.
      object_photo: a second picture that a system is given, which the instruction
        calls so: what is to be added, alone on white. None: there is none.
      scene: what the renderer knows of the source; None: it is a card or a user's
        photo.
    """

    id: str
    task: str
    split: Split
    index: int
    generator: Literal["studio", "layout", "overlay", "photo"]
    instructions: Mapping[Language, str]
    style: Literal["imperative", "merchant", "terse", "verbose"]
    source: UInt8[np.ndarray, "h w 3"]
    reference: UInt8[np.ndarray, "h w 3"]
    masks: Masks
    photo_box: Box | None
    facts: Facts
    kept_texts: tuple[KeptText, ...]
    target_texts: tuple[TargetText, ...]
    target_objects: tuple[TargetObject, ...]
    questions: tuple[Question, ...]
    tags: Mapping[str, str]
    licence: str
    target_color: TargetColor | None = None
    target_light: TargetLight | None = None
    asked: tuple[AskedEdit, ...] = ()
    object_photo: UInt8[np.ndarray, "_ _ 3"] | None = None
    scene: SceneMaps | None = None

    @property
    def photo(self) -> UInt8[np.ndarray, "_ _ 3"]:
        """What a system is given."""
        if self.photo_box is None:
            return self.source
        return self.source[self.photo_box.slices]

    @property
    def further_photos(self) -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
        """What a system is given besides it, in the order the instruction counts."""
        return () if self.object_photo is None else (self.object_photo,)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that an answer must have."""
        return self.source.shape[0], self.source.shape[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prompt:
    """A case in one language: what is asked once.

    Attributes:
      case: the scene.
      language: of the instruction.
    """

    case: Case
    language: Language

    @property
    def id(self) -> str:
        """`<case id>/<language>`; files of answers are named `<this>.png`."""
        return f"{self.case.id}/{self.language}"

    @property
    def instruction(self) -> str:
        """What the system is told."""
        return self.case.instructions[self.language]
