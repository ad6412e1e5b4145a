"""The step that measures a pair, and warps its target back when it lies askew."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.annotate import annotated, is_photo, scores_of, with_scores
from tbstar_jax.data_engine.filter.align import Alignment, align, warped_back
from tbstar_jax.data_engine.filter.colors import color_name_error, named_color
from tbstar_jax.data_engine.filter.measure import pair_scores, sharpness
from tbstar_jax.data_engine.filter.region import TOLERANCE, difference, outside_of
from tbstar_jax.data_engine.filter.rules import PREFIX
from tbstar_jax.data_engine.filter.text import noted_texts, text_kept
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.data_engine.store.codecs import is_lossless_file
from tbstar_jax.data_engine.text_reader import Reader
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord

_VERSION = 3
_MAX_ASPECT_ERROR = 0.01
"""|log| of the ratio of aspect ratios up to which a target is scaled to be measured."""
_REDRAWN_TASKS = (
    "bg_white",
    "bg_scene",
    "object_add",
    "object_remove",
    "object_replace",
    "move",
    "layout",
    "outpaint",
    "repair_zoom",
)
"""Tasks in which what is inside the region is another thing, or in another place."""

_Tool = TypeVar("_Tool", covariant=True)

Embedder: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, " d"]]
"""Gives a picture a vector, of any length but zero."""

Judge: TypeAlias = Callable[[EditRecord], Mapping[str, float]]
"""Gives a pair scores, e.g. `overall`; thread-safe, and slow if it is a server."""


@runtime_checkable
class Opener(Protocol[_Tool]):
    """Loads an injected tool once per process; picklable."""

    @property
    def fingerprint(self) -> str:
        """Names the tool and its weights."""

    def open(self) -> AbstractContextManager[_Tool]:
        """Loads it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasurePairs:
    """The method `filter`: adds the scores of the package's list to every pair.

    A target displaced by more than `max_kept_shift` and at most `max_warped_shift` is
    warped back by one resampling, its revealed border filled from the source, measured
    again, and its transform noted as `warp`. Photos pass unchanged.

    Attributes:
      max_kept_shift: pixels.
      max_warped_shift: pixels.
      max_warped_zoom_px: displacement by zoom above which nothing is warped, since a
        translation would not repair it.
      reader: OCR; edges are compared without it.
      embedder: for `filter/embedding_similarity`.
      judge: for `judge/...`.
      num_threads: records in flight per process.
    """

    max_kept_shift: float = 0.25
    max_warped_shift: float = 8.0
    max_warped_zoom_px: float = 0.5
    reader: Opener[Reader] | None = None
    embedder: Opener[Embedder] | None = None
    judge: Opener[Judge] | None = None
    num_threads: int = 1

    @property
    def name(self) -> str:
        """See `Method`."""
        return "filter"

    @property
    def fingerprint(self) -> str:
        """See `Method`; the number of threads decides nothing."""
        tools = {
            name: tool.fingerprint if tool else None
            for name, tool in (
                ("reader", self.reader),
                ("embedder", self.embedder),
                ("judge", self.judge),
            )
        }
        limits = [self.max_kept_shift, self.max_warped_shift, self.max_warped_zoom_px]
        return fingerprint_of(self.name, _VERSION, {"limits": limits, **tools})

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """See `Method`."""
        # Processes are the parallelism; threads inside OpenCV would fight over cores.
        cv2.setNumThreads(1)
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(self.reader.open()) if self.reader else None
            judge = stack.enter_context(self.judge.open()) if self.judge else None
            embedder = (
                stack.enter_context(self.embedder.open()) if self.embedder else None
            )

            def transform(
                record: EditRecord, rng: np.random.Generator
            ) -> Iterable[Made]:
                del rng  # nothing here is random
                if is_photo(record) or not record.source_images:
                    return [record]
                try:
                    measured = self._measured(record, reader, embedder)
                except UserError as error:
                    return [Reject(row=record.key, reason=str(error))]
                if judge is not None:
                    said = judge(measured)
                    judged = {f"judge/{name}": value for name, value in said.items()}
                    measured = with_scores(measured, _finite(judged))
                return [measured]

            yield transform

    def _measured(
        self, record: EditRecord, reader: Reader | None, embedder: Embedder | None
    ) -> EditRecord:
        source, target, mask = decoded_pair(record)
        scores = _size_scores(source, target) | {
            "lossless": float(
                all(
                    is_lossless_file(data)
                    for data in (record.source_images[0], record.target_image)
                )
            ),
            "region_declared": float(mask is not None),
        }
        if scores["aspect_error"] <= _MAX_ASPECT_ERROR:
            has_own_size = source.shape == target.shape
            target = _scaled(target, source.shape)
            found = align(source, target, mask, record.task not in _REDRAWN_TASKS)
            aligned, as_it_came = 0.0, target
            if has_own_size and self._is_due(found, _zoom_px(found, source.shape)):
                aligned = found.shift
                target = warped_back(source, target, found.rows, found.columns)
                record = dataclasses.replace(
                    annotated(record, transform="warp"),
                    target_image=encode_png(target),
                )
                found = align(source, target, mask, record.task not in _REDRAWN_TASKS)
            scores |= _shift_scores(found, aligned, source.shape)
            is_known = mask is not None or math.isfinite(found.shift)
            region = found.region if is_known else np.ones_like(found.region)
            scores |= pair_scores(source, target, region, mask is not None)
            scores |= sharpness(source, as_it_came, outside_of(region))
            if aligned:
                # Resampling leaves no pixel equal, which says nothing of the pair.
                scores.pop("identical_share", None)
            scores |= _meaning_scores(record, source, target, region, reader)
        if embedder is not None:
            scores["embedding_similarity"] = _cosine(embedder(source), embedder(target))
        brought = {
            name: value
            for name, value in scores_of(record).items()
            if not name.startswith(PREFIX)  # what an earlier measurement said
        }
        return with_scores(
            annotated(record, scores=brought),
            _finite({PREFIX + name: value for name, value in scores.items()}),
        )

    def _is_due(self, found: Alignment, zoom_px: float) -> bool:
        """Whether warping back is called for; never when a value is NaN."""
        is_moved = self.max_kept_shift < found.shift <= self.max_warped_shift
        return is_moved and zoom_px <= self.max_warped_zoom_px


def decoded_pair(
    record: EditRecord,
) -> tuple[
    UInt8[np.ndarray, "h w 3"],
    UInt8[np.ndarray, "th tw 3"],
    Bool[np.ndarray, "h w"] | None,
]:
    """Decodes the first source, the target and the mask of a pair.

    Raises:
      UserError: one cannot be decoded, or the mask has another size than its source.
    """
    source = decode_image(
        record.source_images[0], f"source_images[0] of {record.key!r}"
    )
    target = decode_image(record.target_image, f"target_image of {record.key!r}")
    if not record.change_mask:
        return source, target, None
    mask = decode_mask(record.change_mask, f"change_mask of {record.key!r}") > 127
    if mask.shape != source.shape[:2]:
        raise UserError(
            f"change_mask of record {record.key!r} is {mask.shape} (rows, columns), "
            f"but its source is {source.shape[:2]}"
        )
    return source, target, mask


def _size_scores(
    source: UInt8[np.ndarray, "h w 3"], target: UInt8[np.ndarray, "th tw 3"]
) -> dict[str, float]:
    rows, columns = (
        b / a for a, b in zip(source.shape, target.shape[:2], strict=False)
    )
    return {
        "aspect_error": abs(math.log(columns / rows)),
        "size_ratio": math.sqrt(rows * columns),
    }


def _scaled(
    target: UInt8[np.ndarray, "th tw 3"], shape: tuple[int, ...]
) -> UInt8[np.ndarray, "h w 3"]:
    if target.shape == shape:
        return target
    is_smaller = target.shape[0] > shape[0]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return cv2.resize(target, (shape[1], shape[0]), interpolation=how)


def _zoom_px(found: Alignment, shape: tuple[int, ...]) -> float:
    return abs(found.zoom - 1) * max(shape) / 2


def _shift_scores(
    found: Alignment, aligned: float, shape: tuple[int, ...]
) -> dict[str, float]:
    return {
        "shift_px": found.shift,
        "shift_rows": found.rows,
        "shift_columns": found.columns,
        "shift_confidence": found.confidence,
        "aligned_px": aligned,
        "zoom": found.zoom,
        "zoom_px": _zoom_px(found, shape),
    }


def _meaning_scores(
    record: EditRecord,
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    region: Bool[np.ndarray, "h w"],
    reader: Reader | None,
) -> dict[str, float]:
    texts = noted_texts(record.provenance, source.shape)
    scores = {}
    # Without a mask nothing says that an edge that changed was not meant to.
    if record.change_mask or texts or reader is not None:
        outside = outside_of(region)
        is_equal = outside.any() and (source[outside] == target[outside]).all()
        # What is equal lost no text, whatever edges a box shows of the region.
        scores["text_kept"] = (
            1.0 if is_equal else text_kept(source, target, outside, texts, reader)
        )
    color = named_color(record) if record.task == "recolor" else None
    if color is not None:
        changed = region & (difference(source, target) > TOLERANCE)
        scores["color_name_error"] = color_name_error(target, changed, color)
    return scores


def _cosine(first: Float[np.ndarray, " d"], second: Float[np.ndarray, " d"]) -> float:
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else math.nan


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if math.isfinite(value)}
