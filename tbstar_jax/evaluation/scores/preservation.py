"""What an answer kept of the photo: the measures outside the edit, and P.

The kept region is the complement of the edit mask, dilated by a guard band. There the
answer is compared with the source twice: as it lies, and registered, with one global
shift and zoom undone, which separates "moved" from "changed".

    P = mean over t in {2, 5, 10} of the share of registered pixels within CIEDE2000 t
        x  shift factor  x  zoom factor  x  tile factor  x  structure factor

The motion's factors are 1 up to 0.5 px or 0.2 % and fall linearly to 0 at 8 px or 5 %.
Shares alone count pixels, so that a product that vanished from a wide backdrop would
cost as little as its area: the tile factor is 1 while no tile, an eighth of the longer
side, differs by more than 5 in the mean, and falls linearly to 0 at 50. What was pale
differs little when it is gone: the structure factor is 1 while no such tile lost more
than a quarter of its structure (`structure_lost`), and falls linearly to 1/2 where all
of it is gone. `area` is P without these two, as evaluation.md 4.6 has it.

Where registration fails, the answer is compared as it lies and the factors are 1: what
moved then shows in the shares. Where the edit may change everything, nothing is kept
pixel by pixel and the measures are NaN. All that can be said there is whether things
lie where the reference has them: P is the factors of the motion against the reference
over the whole picture, and 0 where the reference has texture and the answer cannot be
laid on it. A close-up is framed anew, by words that tell no pixels: there the factors
are 1 up to 2 % of the longer side and a zoom of 3 %, and fall to 0 at 15 % each.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.evaluation.cases.kept import kept_region
from tbstar_jax.evaluation.scores.comparison import (
    CURVE,
    THRESHOLDS,
    Comparison,
    tile_side,
)
from tbstar_jax.evaluation.scores.structure import structure_lost
from tbstar_jax.metrics.color import srgb_to_lab
from tbstar_jax.metrics.registration import (
    STILL,
    UNKNOWN,
    Registration,
    has_texture,
    register,
    shown,
    unregistered,
)
from tbstar_jax.metrics.similarity import share_identical

_FREE_TILE, _LOST_TILE = 5.0, 50.0
"""Mean CIEDE2000 of a tile: plainly visible, and as far as black from grey."""
_FREE_LOSS = 0.25
"""Share of a tile's structure: a light blur takes a fifth of it."""
_LOSS_COST = 0.5 / (1 - _FREE_LOSS)
"""Of P, per share beyond: half where all is lost."""

_ALL, _LEAST_GAIN, _CLEAR_GAIN = 0.999, 0.05, 6.0
"""Share of the kept pixels, and decibels: see `_is_moved`."""

_NAN = math.nan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """How far an answer may move.

    Attributes:
      free_shift: pixels that cost nothing.
      lost_shift: pixels at which nothing is left of P.
      free_zoom: difference of the scale from 1 that costs nothing.
      lost_zoom: likewise, at which nothing is left.
    """

    free_shift: float
    lost_shift: float
    free_zoom: float
    lost_zoom: float


IN_PLACE = Limits(free_shift=0.5, lost_shift=8.0, free_zoom=0.002, lost_zoom=0.05)
"""Of an edit of a photo that stays where it is."""


def framing(size: tuple[int, int]) -> Limits:
    """Returns the limits of a close-up; those of zoom lie within what is searched."""
    side = max(size)
    return Limits(
        free_shift=0.02 * side, lost_shift=0.15 * side, free_zoom=0.03, lost_zoom=0.15
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preservation:
    """Measures over the kept region; NaN where nothing is kept.

    Attributes:
      score: P, in [0, 1].
      area: P without the factors of tiles and structure, in [0, 1].
      kept_share: the kept region's share of the canvas.
      psnr_keep: dB against the source; inf where identical.
      ssim_keep: structural similarity, windows wholly inside.
      shift_rows: pixels the answer lies lower; NaN where registration fails.
      shift_columns: pixels it lies further right.
      zoom: its scale.
      psnr_keep_registered: the same as `psnr_keep` after undoing the motion, over what
        the moved answer shows.
      ssim_keep_registered: likewise.
      drift: mean signed change of L*, a*, b*, as it lies.
      ciede2000_keep: mean difference, as it lies.
      curve: shares within each CIEDE2000 of `CURVE`, as it lies.
      curve_registered: the same after undoing the motion.
      tile95: 95th percentile of the means of 32 x 32 tiles, registered.
      worst_tile: the largest mean of tiles of an eighth of the longer side, registered.
      structure_lost: share of structure lost in the worst such tile, registered.
      share_identical: of bit-identical pixels, as it lies.
      undone: the motion that E is measured without; unknown where it is, where it is so
        large that nothing is left of P, and where nothing is kept but for a close-up.
    """

    score: float
    area: float
    kept_share: float
    psnr_keep: float
    ssim_keep: float
    shift_rows: float
    shift_columns: float
    zoom: float
    psnr_keep_registered: float
    ssim_keep_registered: float
    drift: tuple[float, float, float]
    ciede2000_keep: float
    curve: tuple[float, ...]
    curve_registered: tuple[float, ...]
    tile95: float
    worst_tile: float
    structure_lost: float
    share_identical: float
    undone: Registration

    @property
    def shift(self) -> float:
        """Length of the displacement, in pixels."""
        return math.hypot(self.shift_rows, self.shift_columns)

    @property
    def drift_norm(self) -> float:
        """Length of the drift, in Lab units."""
        return math.hypot(*self.drift)

    @property
    def within(self) -> tuple[float, ...]:
        """Shares within CIEDE2000 2, 5 and 10, as it lies."""
        return _at_thresholds(self.curve)

    @property
    def within_registered(self) -> tuple[float, ...]:
        """The same after undoing the motion."""
        return _at_thresholds(self.curve_registered)

    def as_metrics(self) -> dict[str, float]:
        """Returns all measures but P by flat names."""
        metrics = {
            name: getattr(self, name)
            for name in (
                "kept_share",
                "psnr_keep",
                "ssim_keep",
                "psnr_keep_registered",
                "ssim_keep_registered",
                "shift_rows",
                "shift_columns",
                "shift",
                "zoom",
                "drift_norm",
                "ciede2000_keep",
                "tile95",
                "worst_tile",
                "structure_lost",
                "share_identical",
            )
        }
        metrics["preservation_area"] = self.area
        metrics |= dict(zip(("drift_l", "drift_a", "drift_b"), self.drift, strict=True))
        for name, shares in (
            ("keep_within", self.curve),
            ("keep_within_registered", self.curve_registered),
        ):
            for threshold, share in zip(CURVE, shares, strict=True):
                metrics[f"{name}_{threshold:g}"] = share
        return metrics


def _at_thresholds(curve: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(curve[CURVE.index(threshold)] for threshold in THRESHOLDS)


def preservation(
    source: UInt8[np.ndarray, "h w 3"],
    reference: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    edit: Bool[np.ndarray, "h w"],
    *,
    is_reframed: bool = False,
) -> Preservation:
    """Measures what an answer kept.

    Args:
      source: the photo, on the canvas of the answer.
      reference: the right edit; asked only where nothing is kept.
      edited: the answer, of the same size.
      edit: what the instruction permits to change.
      is_reframed: whether it asks for a close-up; then nothing is kept.
    """
    kept = kept_region(edit)
    if not kept.any():
        return _nothing_kept(reference, edited, is_reframed=is_reframed)
    lab = srgb_to_lab(source)
    motion = register(source, edited, kept)
    raw = Comparison.of(source, lab, edited, kept)
    registered, visible = raw, kept
    if motion.is_known and not motion.is_still:
        both = kept & shown((kept.shape[0], kept.shape[1]), motion)
        if both.any():
            back = unregistered(edited, motion, fill=source)
            moved = Comparison.of(source, lab, back, both)
            if _is_moved(raw, moved):
                registered, visible = moved, both
            else:
                motion = STILL
    lost = structure_lost(
        lab[..., 0], registered.lab[..., 0], visible, tile_side(visible)
    )
    area = float(np.mean(_at_thresholds(registered.curve))) * factor(motion)
    return Preservation(
        score=area * _tile_factor(registered.worst_tile) * _structure_factor(lost),
        area=area,
        kept_share=float(kept.mean()),
        psnr_keep=raw.psnr,
        ssim_keep=raw.ssim,
        shift_rows=motion.rows,
        shift_columns=motion.columns,
        zoom=motion.zoom,
        psnr_keep_registered=registered.psnr,
        ssim_keep_registered=registered.ssim,
        drift=raw.drift,
        ciede2000_keep=raw.mean,
        curve=raw.curve,
        curve_registered=registered.curve,
        tile95=registered.tile95,
        worst_tile=registered.worst_tile,
        structure_lost=lost,
        share_identical=float(share_identical(source, edited, kept)),
        undone=motion if factor(motion) > 0 else UNKNOWN,
    )


def factor(motion: Registration, limits: Limits = IN_PLACE) -> float:
    """Returns what a motion leaves of P: shift factor times zoom factor, in [0, 1].

    1 where the motion is unknown.
    """
    if not motion.is_known:
        return 1.0
    return _ramp(motion.shift, limits.free_shift, limits.lost_shift) * _ramp(
        abs(motion.zoom - 1), limits.free_zoom, limits.lost_zoom
    )


def _is_moved(raw: "Comparison", moved: "Comparison") -> bool:
    """Whether a motion that registration found is there.

    A pattern of lines fits itself in many places, and a soft picture, slightly blurred,
    is matched a little better by one that is not. To undo a motion must gain something;
    where nothing visible differs as it lies, much: true motions of such pictures gain
    ten decibels and more.
    """
    least = _LEAST_GAIN if _at_thresholds(raw.curve)[0] < _ALL else _CLEAR_GAIN
    return moved.psnr - raw.psnr >= least


def _tile_factor(worst: float) -> float:
    """1 where no tile counts enough pixels."""
    return 1.0 if math.isnan(worst) else _ramp(worst, _FREE_TILE, _LOST_TILE)


def _structure_factor(lost: float) -> float:
    """Likewise."""
    return 1.0 if math.isnan(lost) else 1.0 - max(0.0, lost - _FREE_LOSS) * _LOSS_COST


def _ramp(value: float, free: float, lost: float) -> float:
    return min(1.0, max(0.0, (lost - value) / (lost - free)))


def _nothing_kept(
    reference: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    *,
    is_reframed: bool,
) -> Preservation:
    motion = register(reference, edited)
    is_lost = not motion.is_known and has_texture(reference)
    size = (reference.shape[0], reference.shape[1])
    limits = framing(size) if is_reframed else IN_PLACE
    score = 0.0 if is_lost else factor(motion, limits)
    return Preservation(
        score=score,
        area=score,
        kept_share=0.0,
        psnr_keep=_NAN,
        ssim_keep=_NAN,
        shift_rows=_NAN,
        shift_columns=_NAN,
        zoom=_NAN,
        psnr_keep_registered=_NAN,
        ssim_keep_registered=_NAN,
        drift=(_NAN, _NAN, _NAN),
        ciede2000_keep=_NAN,
        curve=(_NAN,) * len(CURVE),
        curve_registered=(_NAN,) * len(CURVE),
        tile95=_NAN,
        worst_tile=_NAN,
        structure_lost=_NAN,
        share_identical=_NAN,
        undone=motion if is_reframed and score > 0 else UNKNOWN,
    )
