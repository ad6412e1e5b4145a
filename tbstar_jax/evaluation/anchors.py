"""Answers whose place is known: the rows that every report starts with.

A copy of the input, the reference, the reference after JPEG and after the model's own
VAE (the ceiling of anything that goes through them), and another case's reference.
Their order is a test of the benchmark itself: `check_anchor_order`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.conditions import as_jpeg

Anchor: TypeAlias = Literal[
    "reference", "reference_jpeg75", "reference_vae", "wrong_sample", "copy_input"
]

ANCHORS: tuple[Anchor, ...] = (
    "reference",
    "reference_jpeg75",
    "reference_vae",
    "wrong_sample",
    "copy_input",
)
"""In the order of reports."""

Codec: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "h w 3"]]
"""Encodes and decodes a picture; the size is kept."""

_JPEG_QUALITY = 75
_PERFECT, _NOTHING = 0.99, 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorScores:
    """Means over the same cases, each in [0, 1].

    Attributes:
      edit: of E.
      preservation: of P.
      consistency: of C.
    """

    edit: float
    preservation: float
    consistency: float


def copy_input(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    """The photo, unchanged, on the canvas of the answer."""
    return case.source


def reference(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    """The right edit."""
    return case.reference


def reference_jpeg75(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    """The right edit after JPEG of quality 75, chroma subsampled as Pillow does."""
    return as_jpeg(case.reference, _JPEG_QUALITY)


def reference_vae(case: Case, codec: Codec) -> UInt8[np.ndarray, "h w 3"]:
    """The right edit after a model's encoder and decoder.

    Raises:
      UserError: the codec returned another size.
    """
    image = codec(case.reference)
    if image.shape != case.reference.shape:
        raise UserError(
            f"the codec returned {image.shape[1]}x{image.shape[0]} pixels for "
            f"{case.reference.shape[1]}x{case.reference.shape[0]}; it must keep the "
            "size"
        )
    return image


def wrong_sample(case: Case, other: Case) -> UInt8[np.ndarray, "h w 3"]:
    """The reference of another case; `CaseFolder.next_of_same_size` says of which.

    Args:
      case: what was asked.
      other: whose right edit is given as the answer.

    Raises:
      UserError: the other case has another size.
    """
    if other.size != case.size:
        raise UserError(
            f"case {other.id} has {other.size[1]}x{other.size[0]} pixels and case "
            f"{case.id} {case.size[1]}x{case.size[0]}; the anchor wrong_sample needs "
            "another case of the same size"
        )
    return other.reference


def check_anchor_order(rows: Mapping[Anchor, AnchorScores]) -> list[str]:
    """Says what is wrong with the benchmark, judged by its anchors.

    The reference is perfect; a copy keeps everything and edits nothing; a codec costs
    something and less than not editing; another sample keeps less than any of these and
    is less consistent than the reference after a codec. Anchors that are absent are
    not judged.

    Args:
      rows: means by anchor, all over the same cases.

    Returns:
      One sentence per violation, none if the order holds.
    """
    found = []

    def demand(is_true: bool, sentence: str) -> None:
        if not is_true:
            found.append(sentence)

    for anchor, row in rows.items():
        for score in dataclasses.fields(row):
            value = getattr(row, score.name)
            demand(
                0 <= value <= 1, f"{score.name} of {anchor} is {value}, not in [0, 1]"
            )
    best = rows.get("reference")
    if best is not None:
        for score in dataclasses.fields(best):
            value = getattr(best, score.name)
            demand(
                value >= _PERFECT,
                f"{score.name} of reference is {value:.3f}, below {_PERFECT}",
            )
    copy = rows.get("copy_input")
    if copy is not None:
        for name, value in (("edit", copy.edit), ("consistency", copy.consistency)):
            demand(
                value <= _NOTHING,
                f"{name} of copy_input is {value:.3f}, above {_NOTHING}",
            )
    for score_name, better, worse in _ORDER:
        first, second = rows.get(better), rows.get(worse)
        if first is None or second is None:
            continue
        values = getattr(first, score_name), getattr(second, score_name)
        demand(
            values[0] >= values[1],
            f"{score_name} of {better} is {values[0]:.3f}, below the {values[1]:.3f} "
            f"of {worse}",
        )
    return found


_ORDER: tuple[tuple[str, Anchor, Anchor], ...] = (
    ("edit", "reference", "reference_jpeg75"),
    ("edit", "reference", "reference_vae"),
    ("edit", "reference_jpeg75", "copy_input"),
    ("edit", "reference_vae", "copy_input"),
    ("preservation", "copy_input", "reference_jpeg75"),
    ("preservation", "copy_input", "reference_vae"),
    ("preservation", "reference_jpeg75", "wrong_sample"),
    ("preservation", "reference_vae", "wrong_sample"),
    ("consistency", "reference", "reference_jpeg75"),
    ("consistency", "reference", "reference_vae"),
    ("consistency", "reference_jpeg75", "wrong_sample"),
    ("consistency", "reference_vae", "wrong_sample"),
    ("consistency", "wrong_sample", "copy_input"),
)
"""Score, anchor that has at least as much of it, anchor that has no more."""
