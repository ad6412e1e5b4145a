"""The classical expert: from a request to the function that fulfils it, or declines.

What it reads of a request, by task:

    object_remove               the object: regions or mask
    watermark_remove, text_remove   regions, where strokes are looked for, or a mask,
                                which is filled as it is
    text_replace_en, text_replace_zh   one region; `new_text`
    recolor                     `new_color`; one region around the product helps
    bg_white                    one region around the product helps
    bg_scene                    `background`; likewise
    light_shadow                `light`: one of `relight.LIGHTS`

The photo keeps every bit outside the mask that comes back, and a request's mask bounds
every edit. For the two background tasks the mask may stand for a segmentation: what it
does not mark is the product.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, UInt8
from tbstar_jax.data_engine.construct.classical.background import (
    background_named,
    with_background,
)
from tbstar_jax.data_engine.construct.classical.inpaint import (
    InpaintSettings,
    remove_thing,
)
from tbstar_jax.data_engine.construct.classical.palette import color_named
from tbstar_jax.data_engine.construct.classical.recolor import (
    RecolorSettings,
    recolored,
)
from tbstar_jax.data_engine.construct.classical.regions import (
    allowed_region,
    boxes_mask,
    pasted_back,
)
from tbstar_jax.data_engine.construct.classical.relight import relit
from tbstar_jax.data_engine.construct.classical.retext import RetextSettings, retexted
from tbstar_jax.data_engine.construct.classical.segment import (
    GrabCut,
    Segmenter,
    require_share,
)
from tbstar_jax.data_engine.construct.classical.strokes import (
    StrokeSettings,
    erase_strokes,
    find_strokes,
)
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    Edit,
    EditedPhoto,
    EditRequest,
    Region,
)
from tbstar_jax.data_engine.stage import fingerprint_of

TASKS: tuple[str, ...] = (
    "object_remove",
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "recolor",
    "bg_white",
    "bg_scene",
    "light_shadow",
)
"""Ids of the tasks it can be asked for."""

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassicalExpert:
    """Edits by image processing alone; thread-safe, the same bytes every time.

    Attributes:
      segmenter: finds the product.
      inpaint: how things are removed.
      strokes: what counts as text.
      retext: how text is replaced.
      recolor: when a product can be recoloured.
      shadow: darkness of the shadow on a new background, in [0, 1).
      stops: strength of a change of light, in stops.
    """

    segmenter: Segmenter = dataclasses.field(default_factory=GrabCut)
    inpaint: InpaintSettings = dataclasses.field(default_factory=InpaintSettings)
    strokes: StrokeSettings = dataclasses.field(default_factory=StrokeSettings)
    retext: RetextSettings = dataclasses.field(default_factory=RetextSettings)
    recolor: RecolorSettings = dataclasses.field(default_factory=RecolorSettings)
    shadow: float = 0.35
    stops: float = 0.8

    @property
    def name(self) -> str:
        """`classical`."""
        return "classical"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks it can be asked for."""
        return TASKS

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings and the segmenter."""
        settings = {
            "segmenter": self.segmenter.fingerprint,
            "inpaint": dataclasses.asdict(self.inpaint),
            "strokes": dataclasses.asdict(self.strokes),
            "retext": dataclasses.asdict(self.retext),
            "recolor": dataclasses.asdict(self.recolor),
            "shadow": self.shadow,
            "stops": self.stops,
        }
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Edit]:
        """Gives the function that edits; OpenCV then uses one thread per call."""
        cv2.setNumThreads(1)
        yield self.edit

    def edit(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        request: EditRequest,
        rng: np.random.Generator,
    ) -> EditedPhoto:
        """Edits a photo.

        Args:
          image: the photo.
          request: what to do.
          rng: draws grain and textures.

        Returns:
          The edit, and the mask of exactly the pixels that differ.

        Raises:
          CannotEdit: another task, or something that it needs is missing.
        """
        edited, reach = self._edited(image, request, rng)
        return pasted_back(image, edited, reach)

    def _edited(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        request: EditRequest,
        rng: np.random.Generator,
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """The edit, and where it may reach."""
        size = image.shape[0], image.shape[1]
        allowed, reach = allowed_region(request, size), _bounds(request, size)
        match request.task:
            case "object_remove":
                _require_place(request)
                return remove_thing(image, allowed, reach, self.inpaint, rng), reach
            case "watermark_remove" | "text_remove":
                _require_place(request)
                strokes = allowed
                if request.mask is None:
                    strokes = find_strokes(image, allowed, self.strokes)
                return erase_strokes(image, strokes, reach, rng), reach
            case "text_replace_en" | "text_replace_zh":
                _require_one_region(request)
                box, text = boxes_mask(request, size), _parameter(request, "new_text")
                return retexted(image, box, allowed, text, self.retext, rng), allowed
            case "recolor":
                color = color_named(_parameter(request, "new_color"))
                alpha = self.segmenter(image, _prior(request)) * reach
                return recolored(image, alpha, color, self.recolor), reach
            case "bg_white" | "bg_scene":
                return self._before_background(image, request, rng), reach
            case "light_shadow":
                light = _parameter(request, "light")
                return relit(image, light, self.stops), allowed
            case _:
                raise CannotEdit(
                    f"the classical expert has no edit for task {request.task!r}; its "
                    f"tasks are {', '.join(TASKS)}"
                )

    def _before_background(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        request: EditRequest,
        rng: np.random.Generator,
    ) -> UInt8[np.ndarray, "h w 3"]:
        is_white = request.task == "bg_white"
        description = "white" if is_white else _parameter(request, "background")
        background = background_named(description, int(rng.integers(2**31)))
        if request.mask is None:
            alpha = self.segmenter(image, _prior(request))
        else:
            alpha = 1.0 - request.mask.astype(np.float64) / 255.0
            require_share(alpha, 0.01, 0.95)
        return with_background(
            image,
            alpha,
            background,
            shadow=self.shadow,
            light="left" if rng.random() < 0.5 else "right",
        )


def _bounds(request: EditRequest, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """What only a mask bounds: soft borders and backgrounds reach beyond a box."""
    if request.mask is None:
        return np.ones(size, dtype=bool)
    return request.mask > 0 if request.task.startswith("bg_") else request.mask > 127


def _parameter(request: EditRequest, name: str) -> str:
    value = request.parameters.get(name, "").strip()
    if not value:
        raise CannotEdit(f"task {request.task!r} needs the parameter {name!r}")
    return value


def _prior(request: EditRequest) -> Region | None:
    if len(request.regions) > 1:
        raise CannotEdit(
            f"the request has {len(request.regions)} boxes, but one product is edited "
            "at a time"
        )
    return request.regions[0] if request.regions else None


def _require_place(request: EditRequest) -> None:
    if request.mask is None and not request.regions:
        raise CannotEdit(
            f"task {request.task!r} needs the box or the mask of what is removed; the "
            "request has neither"
        )


def _require_one_region(request: EditRequest) -> None:
    if len(request.regions) != 1:
        raise CannotEdit(
            f"replacing a text needs one box around it; the request has "
            f"{len(request.regions)}"
        )
