"""What is the product: segmentation behind a protocol.

A segmenter says roughly which pixels are the product. GrabCut (Rother et al., 2004)
needs only a box around it, by default the photo without a thin border; any function
that returns a mask or a picture with alpha (rembg and the like) can take its place.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, Float, Shaped, UInt8
from tbstar_jax.data_engine.construct.classical.matte import soften
from tbstar_jax.data_engine.construct.classical.palette import lab_image
from tbstar_jax.data_engine.construct.classical.regions import (
    grown,
    shrunk_within,
)
from tbstar_jax.data_engine.construct.protocol import CannotEdit, Region
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.errors import UserError


@runtime_checkable
class Segmenter(Protocol):
    """Finds the product; picklable, thread-safe."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the output beside the photo."""

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], prior: Region | None
    ) -> Float[np.ndarray, "h w"]:
        """Says how much of every pixel is the product, in [0, 1].

        Args:
          image: the photo.
          prior: a box around the product, if known.

        Raises:
          CannotEdit: no product can be told from the background.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrabCut:
    """Segmentation by colour models and a graph cut.

    Attributes:
      num_rounds: times the colour models are fitted again.
      working_side: longer side at which it runs, in pixels.
      border: share of the photo on every side that is background without a prior.
      min_share: least share of the photo that a product covers.
      max_share: largest share of the photo that a product covers.
      max_cut: largest share of the prior's outline that may run through the product.
      min_contrast: least CIE76 difference between the colours on both sides of the
        product's outline, at the weakest quarter of it.
    """

    num_rounds: int = 5
    working_side: int = 320
    border: float = 0.04
    min_share: float = 0.01
    max_share: float = 0.75
    max_cut: float = 0.08
    min_contrast: float = 12.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings."""
        return fingerprint_of("grabcut", 1, dataclasses.asdict(self))

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], prior: Region | None
    ) -> Float[np.ndarray, "h w"]:
        """Segments the photo, see `Segmenter`."""
        height, width = image.shape[:2]
        scale = min(1.0, self.working_side / max(height, width))
        size = max(8, round(width * scale)), max(8, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        state = self._prior(prior, (height, width), (size[1], size[0]))
        may_be = state == cv2.GC_PR_FGD
        # The colour models start from random clusters: always the same ones.
        cv2.setRNGSeed(0)
        background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
        try:
            cv2.grabCut(
                cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
                state,
                (0, 0, 1, 1),
                background,
                foreground,
                self.num_rounds,
                cv2.GC_INIT_WITH_MASK,
            )
        except cv2.error as error:
            raise CannotEdit(
                "GrabCut found no colours that tell the product from the background"
            ) from error
        is_product = _tidied((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD))
        self._require_inside(is_product, may_be)
        full = cv2.resize(
            is_product.astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_LINEAR,
        )
        alpha = soften(image, full > 0.5, round(1.5 / scale) + 1)
        require_share(alpha, self.min_share, self.max_share)
        self._require_edges(small, is_product)
        return alpha

    def _prior(
        self, prior: Region | None, size: tuple[int, int], working: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        rows, columns = working
        state = np.full(working, cv2.GC_BGD, np.uint8)
        if prior is None:
            top, left = (
                max(1, int(self.border * rows)),
                max(1, int(self.border * columns)),
            )
            state[top : rows - top, left : columns - left] = cv2.GC_PR_FGD
            return state
        down, across = rows / size[0], columns / size[1]
        top, bottom = round(prior.top * down), round(prior.bottom * down)
        left, right = round(prior.left * across), round(prior.right * across)
        state[top:bottom, left:right] = cv2.GC_PR_FGD
        if not (state == cv2.GC_BGD).any():
            raise CannotEdit(
                f"the box of {prior.label!r} is the whole photo, so nothing shows what "
                "the background looks like"
            )
        return state

    def _require_inside(
        self, is_product: Bool[np.ndarray, "h w"], may_be: Bool[np.ndarray, "h w"]
    ) -> None:
        """Declines where the prior cuts the product, or its colours are all around."""
        outline = may_be & ~shrunk_within(may_be, 1)
        cut = float(is_product[outline].mean()) if outline.any() else 0.0
        if cut > self.max_cut:
            raise CannotEdit(
                f"{cut:.0%} of the outline of the product's box (without one: of the "
                f"photo) runs through what was segmented; above {self.max_cut:.0%} the "
                "box cuts the product, or it cannot be told from the background"
            )

    def _require_edges(
        self, image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]
    ) -> None:
        """Declines an outline that runs through even colour: the product goes on."""
        outline = mask & ~shrunk_within(mask, 1)
        lab = lab_image(image)
        sides = [_mean_of(lab, side, 7)[outline] for side in (mask, ~mask)]
        contrast = float(np.quantile(np.linalg.norm(sides[0] - sides[1], axis=1), 0.25))
        if contrast < self.min_contrast:
            raise CannotEdit(
                f"a quarter of the segment's outline has a contrast below "
                f"{contrast:.1f} CIE76; a product's edge has {self.min_contrast:.1f}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InjectedSegmenter:
    """Any function from photo to mask or to a picture with alpha.

    Attributes:
      name: names the function and its version in fingerprints.
      function: RGB photo to `[h w]` mask or `[h w 4]` picture, uint8 or in [0, 1].
    """

    name: str
    function: Callable[[UInt8[np.ndarray, "h w 3"]], Shaped[np.ndarray, "..."]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the name."""
        return fingerprint_of("injected_segmenter", 1, {"name": self.name})

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], prior: Region | None
    ) -> Float[np.ndarray, "h w"]:
        """Segments the photo, see `Segmenter`; the prior cuts off what lies outside."""
        answer: Any = np.asarray(self.function(image))
        if answer.ndim == 3 and answer.shape[2] == 4:
            answer = answer[:, :, 3]
        if answer.shape != image.shape[:2]:
            raise UserError(
                f"the segmenter {self.name!r} answered with shape {answer.shape} for a "
                f"photo of shape {image.shape}; it must give one value per pixel or "
                "RGBA"
            )
        alpha = answer.astype(np.float64) / (255.0 if answer.dtype == np.uint8 else 1.0)
        if not (np.isfinite(alpha).all() and 0 <= alpha.min() and alpha.max() <= 1):
            raise UserError(
                f"the segmenter {self.name!r} answered with values outside [0, 1]"
            )
        if prior is not None:
            inside = np.zeros_like(alpha)
            inside[prior.top : prior.bottom, prior.left : prior.right] = 1.0
            alpha = alpha * inside
        require_share(alpha, 0.01, 0.95)
        return alpha


def require_share(
    alpha: Float[np.ndarray, "h w"], min_share: float, max_share: float
) -> None:
    """Raises `CannotEdit` where a segment is too small or too large to be a product."""
    share = float(alpha.mean())
    if not min_share <= share <= max_share:
        raise CannotEdit(
            f"what was segmented covers {share:.1%} of the photo; a product covers "
            f"between {min_share:.0%} and {max_share:.0%}"
        )


def _mean_of(
    values: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], window: int
) -> Float[np.ndarray, "h w 3"]:
    """Means over a window of the marked pixels alone."""
    weight = mask.astype(np.float64)
    total = cv2.blur(values * weight[:, :, None], (window, window))
    share = cv2.blur(weight, (window, window))
    return total / np.maximum(share, 1e-6)[:, :, None]


def _tidied(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Drops specks beside the product and closes pin holes in it."""
    if not mask.any():
        raise CannotEdit("nothing in the photo stands out from its border")
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    largest = areas[1:].max()
    keep = [label for label in range(1, count) if areas[label] >= 0.08 * largest]
    product = np.isin(labels, keep)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~product).astype(np.uint8), connectivity=4
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    holes = [label for label in range(1, count) if areas[label] < 0.01 * largest]
    product |= np.isin(labels, holes)
    return shrunk_within(grown(product, 1), 1)
