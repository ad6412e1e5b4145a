"""From a photo's canvas to the model's token grid and back, without stretching.

The canvas is the image the user sees; by default it has the photo's size. The model
sees it at `scale` (1 up to the pixel budget, smaller above), extended at the bottom
and right by its own edge pixels to whole tokens: canvas pixel (0, 0) is the padded
image's pixel (0, 0). `scale` is an exact fraction, the same for rows and columns. A
padded image of P rows covers exactly P / scale rows of the (edge-extended) canvas, a
fractional box that Pillow resamples without rounding, so no side is ever stretched.
One resampling rule: Lanczos, antialiased, both ways; at scale 1 nothing is resampled
and padding then cropping is exact.

Sizes are (height, width). A mask is uint8: above 127 edited (we write 255), else kept.
A training pair is never scaled: `CanvasPlan.is_scaled` is False for every record.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image

from tbstar_jax.errors import UserError

MAX_ASPECT_RATIO = 4
"""The longer side over the shorter side, at most."""

OUTPAINT_FILL = 128
"""The grey of a canvas outside the photo, before the model paints it."""


@dataclass(frozen=True, kw_only=True)
class CanvasPlan:
    """How one canvas is shown to the model.

    Attributes:
      canvas: height and width of the canvas, in pixels.
      scale: working pixels per canvas pixel, in (0, 1], the same in both directions.
      padded: height and width of the model's image, multiples of `multiple`.
      multiple: pixels per token side.
    """

    canvas: tuple[int, int]
    scale: Fraction
    padded: tuple[int, int]
    multiple: int

    @property
    def working(self) -> tuple[Fraction, Fraction]:
        """Height and width that the canvas takes in the padded image, in pixels."""
        return self.canvas[0] * self.scale, self.canvas[1] * self.scale

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.padded[0] // self.multiple, self.padded[1] // self.multiple

    @property
    def is_scaled(self) -> bool:
        """Whether the model sees the canvas smaller than it is."""
        return self.scale != 1


def require_canvas(height: int, width: int) -> None:
    """Checks that a canvas can be edited at all.

    Args:
      height: canvas rows, in pixels.
      width: canvas columns, in pixels.

    Raises:
      UserError: an empty canvas or a ratio beyond 4:1.
    """
    if height < 1 or width < 1:
        raise UserError(
            f"an image of {width}x{height} pixels is empty; each side must be at "
            "least 1 pixel"
        )
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise UserError(
            f"an image of {width}x{height} pixels is too elongated; the ratio of its "
            f"sides must lie between 1:{MAX_ASPECT_RATIO} and {MAX_ASPECT_RATIO}:1, "
            "so crop it or extend its canvas"
        )


def plan_canvas(
    height: int, width: int, pixel_budget: int, multiple: int = 16
) -> CanvasPlan:
    """Plans the model's view of a canvas.

    The budget holds for the padded image, since that is what the model computes. Above
    it the largest scale that fits is taken; one side then fills its tokens exactly.

    Args:
      height: canvas rows, in pixels.
      width: canvas columns, in pixels.
      pixel_budget: most pixels of the padded image.
      multiple: pixels per token side.

    Raises:
      UserError: an empty canvas, a ratio beyond 4:1, or a budget below one token.
    """
    require_canvas(height, width)
    if pixel_budget < multiple**2:
        raise UserError(
            f"a pixel budget of {pixel_budget} is below one token of "
            f"{multiple}x{multiple} pixels; raise it"
        )

    def tokens(scale: Fraction) -> tuple[int, int]:
        return math.ceil(scale * height / multiple), math.ceil(scale * width / multiple)

    def fits(scale: Fraction) -> bool:
        rows, columns = tokens(scale)
        return rows * columns * multiple**2 <= pixel_budget

    scale = Fraction(1)
    if not fits(scale):
        # The token counts jump just above the scales that fill a side exactly, so the
        # largest fitting scale is one of these; one token for the longer side fits.
        scale = max(
            candidate
            for side in (height, width)
            for count in range(1, math.ceil(side / multiple) + 1)
            if (candidate := Fraction(count * multiple, side)) < 1 and fits(candidate)
        )
    rows, columns = tokens(scale)
    return CanvasPlan(
        canvas=(height, width),
        scale=scale,
        padded=(rows * multiple, columns * multiple),
        multiple=multiple,
    )


def to_model(
    image: UInt8[np.ndarray, "h w c"], plan: CanvasPlan
) -> UInt8[np.ndarray, "ph pw c"]:
    """Scales a canvas-size image and extends it by its edge pixels to whole tokens."""
    _require_size(image, plan.canvas, "the canvas")
    covered = tuple(Fraction(side) / plan.scale for side in plan.padded)
    extended = np.pad(
        image,
        [
            (0, math.ceil(cover) - side)
            for cover, side in zip(covered, plan.canvas, strict=True)
        ]
        + [(0, 0)],
        mode="edge",
    )
    return _resample(extended, covered, plan.padded)


def from_model(
    image: UInt8[np.ndarray, "ph pw c"], plan: CanvasPlan
) -> UInt8[np.ndarray, "h w c"]:
    """Crops a padded image and scales it back to the canvas; `to_model`'s inverse."""
    _require_size(image, plan.padded, "the padded image")
    return _resample(image, plan.working, plan.canvas)


def mask_to_model(
    mask: UInt8[np.ndarray, "h w"], plan: CanvasPlan
) -> UInt8[np.ndarray, "ph pw"]:
    """Masks the padded image: 255 where any covered canvas pixel is edited, else 0."""
    _require_size(mask, plan.canvas, "the canvas")
    return _cover(mask, plan.padded, 1 / plan.scale)


def mask_from_model(
    mask: UInt8[np.ndarray, "ph pw"], plan: CanvasPlan
) -> UInt8[np.ndarray, "h w"]:
    """Masks the canvas: 255 where any padded pixel over it is edited, else 0."""
    _require_size(mask, plan.padded, "the padded image")
    return _cover(mask, plan.canvas, plan.scale)


def mask_to_grid(
    mask: UInt8[np.ndarray, "h w"], plan: CanvasPlan
) -> Bool[np.ndarray, "rows columns"]:
    """Returns per token whether any canvas pixel under it is edited."""
    rows, columns = plan.grid
    padded = mask_to_model(mask, plan) > 127
    cells = padded.reshape(rows, plan.multiple, columns, plan.multiple)
    return np.any(cells, axis=(1, 3))


def mask_from_grid(
    is_edited: Bool[np.ndarray, "rows columns"], plan: CanvasPlan
) -> UInt8[np.ndarray, "h w"]:
    """Masks the canvas: 255 where a token over it is edited, else 0."""
    cells = np.where(is_edited, 255, 0).astype(np.uint8)
    padded = cells.repeat(plan.multiple, axis=0).repeat(plan.multiple, axis=1)
    return mask_from_model(padded, plan)


def erode(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """Drops the marked pixels within `reach` rows and columns of an unmarked one.

    Beyond the border everything counts as marked. `~erode(~mask, reach)` dilates.
    """
    for _ in range(reach):
        padded = np.pad(mask, 1, constant_values=True)
        rows = padded[:-2] & padded[1:-1] & padded[2:]
        mask = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return mask


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle of pixels inside an image.

    Attributes:
      top: first row.
      left: first column.
      height: rows.
      width: columns.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image or a mask."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


def crop_box(
    image_size: tuple[int, int], offset: tuple[int, int], crop_size: tuple[int, int]
) -> Box:
    """Checks a crop, which is taken after the edit.

    Args:
      image_size: height and width of the edited canvas.
      offset: first row and first column of the crop.
      crop_size: height and width of the crop.

    Raises:
      UserError: the crop is empty or leaves the canvas.
    """
    return _inside(image_size, offset, crop_size, "the crop", "the image")


@dataclass(frozen=True, kw_only=True)
class OutpaintPlan:
    """A photo placed, unscaled, on a larger canvas.

    Attributes:
      canvas: height and width of the canvas, in pixels.
      photo: where the photo lies on it.
    """

    canvas: tuple[int, int]
    photo: Box


def plan_outpaint(
    photo_size: tuple[int, int], canvas_size: tuple[int, int], offset: tuple[int, int]
) -> OutpaintPlan:
    """Checks where a photo is placed on a larger canvas.

    Args:
      photo_size: height and width of the photo.
      canvas_size: height and width of the canvas.
      offset: canvas row and column of the photo's first pixel.

    Raises:
      UserError: the photo does not lie wholly on the canvas.
    """
    photo = _inside(canvas_size, offset, photo_size, "the photo", "the canvas")
    return OutpaintPlan(canvas=canvas_size, photo=photo)


def place_on_canvas(
    image: Shaped[np.ndarray, "h w *c"], plan: OutpaintPlan, fill: int = OUTPAINT_FILL
) -> Shaped[np.ndarray, "ch cw *c"]:
    """Copies a photo (or one of its planes) to its box; `fill` everywhere else."""
    _require_size(image, (plan.photo.height, plan.photo.width), "the photo")
    canvas = np.full((*plan.canvas, *image.shape[2:]), fill, image.dtype)
    canvas[plan.photo.slices] = image
    return canvas


def outpaint_mask(plan: OutpaintPlan) -> UInt8[np.ndarray, "ch cw"]:
    """Returns the exact mask: 255 outside the photo's box, 0 inside."""
    mask = np.full(plan.canvas, 255, np.uint8)
    mask[plan.photo.slices] = 0
    return mask


def _require_size(
    image: Shaped[np.ndarray, "h w *c"], size: tuple[int, int], name: str
) -> None:
    if image.shape[:2] != size:
        raise UserError(
            f"{name} has {size[1]}x{size[0]} pixels but the given image or mask has "
            f"{image.shape[1]}x{image.shape[0]}; both must have the same size"
        )


def _inside(
    outer: tuple[int, int],
    offset: tuple[int, int],
    inner: tuple[int, int],
    inner_name: str,
    outer_name: str,
) -> Box:
    is_inside = all(
        size >= 1 and start >= 0 and start + size <= limit
        for limit, start, size in zip(outer, offset, inner, strict=True)
    )
    if not is_inside:
        raise UserError(
            f"{inner_name} of {inner[1]}x{inner[0]} pixels at x={offset[1]}, "
            f"y={offset[0]} must lie inside {outer_name} of {outer[1]}x{outer[0]} "
            "pixels"
        )
    return Box(top=offset[0], left=offset[1], height=inner[0], width=inner[1])


def _resample(
    image: UInt8[np.ndarray, "h w c"],
    covered: tuple[Fraction, ...],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "nh nw c"]:
    """Resamples the first `covered` rows and columns to `size`."""
    if all(cover == side for cover, side in zip(covered, size, strict=True)):
        return image[: size[0], : size[1]].copy()
    box = (0.0, 0.0, float(covered[1]), float(covered[0]))
    planes = [
        Image.fromarray(np.ascontiguousarray(image[:, :, channel])).resize(
            (size[1], size[0]), Image.Resampling.LANCZOS, box=box
        )
        for channel in range(image.shape[2])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def _cover(
    mask: UInt8[np.ndarray, "h w"], size: tuple[int, int], pitch: Fraction
) -> UInt8[np.ndarray, "nh nw"]:
    """Marks the new pixels (each `pitch` old ones wide) that touch an edited one.

    Beyond the old mask its edge is repeated, as in the image.
    """
    is_edited = mask > 127
    for axis in (0, 1):
        length = is_edited.shape[axis]
        index = np.arange(size[axis], dtype=np.int64)
        start = index * pitch.numerator // pitch.denominator
        stop = -((index + 1) * -pitch.numerator // pitch.denominator)
        start = np.minimum(start, length - 1)
        stop = np.clip(stop, start + 1, length)
        running = np.cumsum(is_edited, axis=axis, dtype=np.int32)
        zero = np.zeros_like(running.take([0], axis=axis))
        count = np.concatenate([zero, running], axis=axis)
        is_edited = count.take(stop, axis=axis) > count.take(start, axis=axis)
    return np.where(is_edited, 255, 0).astype(np.uint8)
