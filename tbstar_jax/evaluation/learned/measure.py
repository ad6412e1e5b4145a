"""What learned models measure of an answer; the definitions are here.

    lpips_keep       LPIPS(source, the answer in K and the source elsewhere) / share
                     of K, which is what must be kept, without the guard band
    lpips_edit       LPIPS(reference, the answer in M and the reference elsewhere) /
                     share of M, which is what may change
    dino_prod        cosine of the product's crops, answer and original
    dino_reference   cosine of the whole pictures, answer and reference
    dino_source      cosine of the whole pictures, answer and source
    clip_i_reference, clip_i_source   the same by CLIP
    clip_t           cosine of the answer and a caption of the reference
    clip_dir         cosine of (answer - source) and (caption of the reference - caption
                     of the source), differences of vectors of length 1

Masked LPIPS is GEditBench v2's (modules/lpips_pipe.py); the whole-picture cosines are
MagicBrush's (image_eval.py) and, against the source, Emu Edit's: those are highest for
an answer that does nothing. All are taken on the answer at the reference's size, as it
lies; `dino_prod` alone with its motion undone. The encoders see the middle square, at
the side they take.

The product's original is the source in tasks that leave it alone, else the reference,
which has it as the edit should leave it; where things are added, taken away or replaced
no product is known, and `dino_prod` is NaN. The crop is the square about the box of the
product's mask, a tenth of its longer side wider on each side, and grey outside the
mask: what it shows is the product alone.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.learned.captions import captions_of
from tbstar_jax.evaluation.learned.models import LearnedModels
from tbstar_jax.evaluation.scores.preservation import kept_region
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_pair import Distance

PRODUCT_FROM_SOURCE = frozenset({"bg_white", "bg_scene", "outpaint"})
"""Tasks that leave the product alone, so that the source has the original."""

NO_PRODUCT = frozenset({"object_add", "object_remove", "object_replace"})
"""Tasks whose masks are of what is added, taken away or replaced."""

_MARGIN = 0.1
_GREY = 128

_Vector = Float[np.ndarray, " d"]
_Picture = UInt8[np.ndarray, "h w 3"]
_Given = TypeVar("_Given")


class LearnedMeasure:
    """Measures the answers to one case by the models that are there."""

    def __init__(self, models: LearnedModels, case: Case) -> None:
        """Runs nothing yet: what answers are compared with is embedded for the first.

        Args:
          models: opened.
          case: what was asked.
        """
        self._models = models
        self._case = case

    @functools.cached_property
    def _known(self) -> "_Known":
        return _Known.of(self._models, self._case)

    def __call__(self, answer: _Picture, still: _Picture) -> dict[str, float]:
        """Measures an answer.

        Args:
          answer: of the case's size, as it lies.
          still: the same with its motion undone.

        Returns:
          By name, see above: those of the models that are there. NaN where one does not
          apply (nothing is kept; no product; no caption; no difference), and where a
          model has no answer for a picture.
        """
        return {
            **self._distances(answer),
            **self._dino(answer, still),
            **self._clip(answer),
        }

    def _distances(self, answer: _Picture) -> dict[str, float]:
        lpips, case = self._models.lpips, self._case
        if lpips is None:
            return {}
        kept = kept_region(case.masks.edit)
        return {
            "lpips_keep": masked(lpips, case.source, answer, kept),
            "lpips_edit": masked(lpips, case.reference, answer, case.masks.edit),
        }

    def _dino(self, answer: _Picture, still: _Picture) -> dict[str, float]:
        dino, known = self._models.dino, self._known
        if dino is None:
            return {}
        product = product_of(self._case)
        crop = _embedded(dino, product_crop(still, product[1])) if product else None
        whole = _embedded(dino, answer)
        return {
            "dino_prod": cosine(crop, known.product),
            "dino_reference": cosine(whole, known.dino_reference),
            "dino_source": cosine(whole, known.dino_source),
        }

    def _clip(self, answer: _Picture) -> dict[str, float]:
        clip, known = self._models.clip_image, self._known
        if clip is None:
            return {}
        whole = _embedded(clip, answer)
        found = {
            "clip_i_reference": cosine(whole, known.clip_reference),
            "clip_i_source": cosine(whole, known.clip_source),
        }
        if self._models.clip_text is None:
            return found
        before, after = known.texts
        change = _difference(whole, known.clip_source)
        return {
            **found,
            "clip_t": cosine(whole, after),
            "clip_dir": cosine(change, _difference(after, before)),
        }


def masked(
    distance: Distance,
    original: _Picture,
    answer: _Picture,
    area: Bool[np.ndarray, "h w"],
) -> float:
    """The distance over an area: the original elsewhere, divided by the area's share.

    Args:
      distance: of two pictures.
      original: what the answer is compared with.
      answer: of the same size.
      area: what counts; NaN where it is empty.
    """
    if not area.any():
        return math.nan
    pasted = np.where(area[..., None], answer, original)
    try:
        return distance(original, pasted) / float(area.mean())
    except NoAnswerError:
        return math.nan


def product_crop(
    image: _Picture, mask: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "side side 3"]:
    """The square about a mask, a margin wider; grey outside the mask.

    Args:
      image: sRGB.
      mask: of the product; not empty.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    side = max(height, width) + 2 * math.ceil(_MARGIN * max(height, width))
    crop = np.full((side, side, 3), _GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    here = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    there = crop[top : top + height, left : left + width]
    there[mask[here]] = image[here][mask[here]]
    return crop


def product_of(case: Case) -> tuple[_Picture, Bool[np.ndarray, "h w"]] | None:
    """The picture that has the product as it must be, and where; None without one."""
    asked = {one.task for one in case.asked} or {case.task}
    if asked & NO_PRODUCT:
        return None
    if asked <= PRODUCT_FROM_SOURCE:
        image, mask = case.source, case.masks.product
    else:
        image, mask = case.reference, case.masks.product_after
    if case.photo_box is not None:
        # Outside the photo there is nothing to be kept.
        inside = np.zeros_like(mask)
        inside[case.photo_box.slices] = True
        mask = mask & inside
    return (image, mask) if mask.any() else None


def cosine(one: _Vector | None, other: _Vector | None) -> float:
    """The cosine of an angle, in [-1, 1]; NaN where a vector is absent or zero."""
    if one is None or other is None:
        return math.nan
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    if lengths == 0:
        return math.nan
    return min(1.0, max(-1.0, float(one @ other) / lengths))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Vectors that all answers of a case are compared with; None: there is none."""

    dino_source: _Vector | None
    dino_reference: _Vector | None
    product: _Vector | None
    clip_source: _Vector | None
    clip_reference: _Vector | None
    texts: tuple[_Vector | None, _Vector | None]

    @classmethod
    def of(cls, models: LearnedModels, case: Case) -> "_Known":
        """Embeds pictures, product and captions of a case."""
        product = product_of(case)
        captions = captions_of(case)
        text = models.clip_text
        return cls(
            dino_source=_embedded(models.dino, case.source),
            dino_reference=_embedded(models.dino, case.reference),
            product=_embedded(models.dino, product_crop(*product)) if product else None,
            clip_source=_embedded(models.clip_image, case.source),
            clip_reference=_embedded(models.clip_image, case.reference),
            texts=(
                _embedded(text, captions.source) if captions else None,
                _embedded(text, captions.reference) if captions else None,
            ),
        )


def _embedded(
    embed: Callable[[_Given], _Vector] | None, given: _Given
) -> _Vector | None:
    """What a model makes of a picture or text; None without either."""
    if embed is None:
        return None
    try:
        return embed(given)
    except NoAnswerError:
        return None


def _difference(one: _Vector | None, other: _Vector | None) -> _Vector | None:
    return None if one is None or other is None else one - other
