"""Spoiled pictures of a case, and which of them is certainly better than which.

    exact               >  defect, weakest level  >  ...  >  strongest level
    exact               >  half edit  >  no change
    right text redrawn  >  wrong text
    weakest level of a defect of the whole picture  >  half edit

The order is partial: whether a strong defect is worse than half an edit, or one defect
than another, is a matter of taste, and nothing is said of it. Defects of the whole
picture are not set against the half edit where the task itself is about light or about
damage. Everything is a function of the case alone.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.evaluation.audit import local, whole, wording
from tbstar_jax.evaluation.audit.local import DoesNotApplyError
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.conditions import as_jpeg
from tbstar_jax.metrics.color import ciede2000, srgb_to_lab

DefectName: TypeAlias = Literal[
    "shift",
    "zoom",
    "warm cast",
    "cold cast",
    "darker",
    "blur",
    "jpeg",
    "noise",
    "kept region redone",
    "lost text",
    "wrong colour",
    "over-edit",
    "wrong text",
    "extra object",
    "wrong shadow",
    "half edit",
    "no change",
]

EXACT, COPY, FAINT = "exact", "exact again", "jpeg q95"
"""The reference, the same pixels once more, and an invisible change of it."""

REDRAWN = "right text redrawn"
HALF, NO_CHANGE = "half edit", "no change"

MIN_VISIBLE_SHARE = 0.0005
"""Of the canvas: a local defect that changes less of it visibly is left out."""

_VISIBLE = 3.0
"""CIEDE2000 of a change that is visible in place."""

_ABOUT_DAMAGE = ("light_shadow", "repair_zoom")

_Draw: TypeAlias = Callable[
    [Case, float, np.random.Generator], UInt8[np.ndarray, "h w 3"]
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Defect:
    """One way to spoil the right edit.

    Attributes:
      name: in the table.
      levels: what the table says of each -> the amount, weakest first.
      draw: spoils the reference by an amount; raises `DoesNotApplyError`.
      is_whole: whether it reaches every pixel and leaves the edit done.
      is_graded: whether a stronger level is certainly worse than a weaker one: not so
        of two wrong colours, or of discs in different places.
      clean: the picture that is right but for the defect.
    """

    name: DefectName
    levels: Mapping[str, float]
    draw: _Draw
    is_whole: bool = False
    is_graded: bool = True
    clean: str = EXACT

    def step(self, level: str) -> str:
        """Name of the picture of one of its levels."""
        return f"{self.name} {level}".strip()


def _half(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    del amount, rng
    return local.half(case)


def _no_change(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    del amount, rng
    return case.source


def _whole(name: DefectName, unit: str, draw: _Draw, *amounts: float) -> Defect:
    levels = {unit.format(f"{amount:g}"): amount for amount in amounts}
    return Defect(name=name, levels=levels, draw=draw, is_whole=True)


def _local(
    name: DefectName,
    unit: str,
    draw: _Draw,
    *amounts: float,
    is_graded: bool = True,
) -> Defect:
    like = _whole(name, unit, draw, *amounts)
    return dataclasses.replace(like, is_whole=False, is_graded=is_graded)


DEFECTS: tuple[Defect, ...] = (
    _whole("shift", "{} px", whole.shift, 0.5, 2.0, 6.0),
    _whole("zoom", "{} %", whole.zoom, 1.0, 3.0),
    _whole("warm cast", "{} levels", whole.warm, 4.0, 12.0),
    _whole("cold cast", "{} levels", whole.cold, 4.0, 12.0),
    _whole("darker", "{} %", whole.darker, 3.0, 15.0),
    _whole("blur", "{} px", whole.blur, 0.7, 2.0),
    _whole("jpeg", "q{}", whole.jpeg, 75.0, 25.0),
    _whole("noise", "{} levels", whole.noise, 3.0, 12.0),
    _local("kept region redone", "{} %", local.redone, 10.0, 33.0),
    Defect(name="lost text", levels={"1": 1.0, "all": math.inf}, draw=local.lost_text),
    _local("wrong colour", "{} deg", local.wrong_color, 60.0, 180.0, is_graded=False),
    _local("over-edit", "{} %", local.over_edit, 1.0, 4.0, is_graded=False),
    Defect(
        name="wrong text",
        levels={"1 character": 1.0, "all": math.inf},
        draw=wording.wrong_text,
        clean=REDRAWN,
    ),
    _local("extra object", "{} %", local.extra_object, 1.0, 4.0, is_graded=False),
    _local("wrong shadow", "{} %", local.wrong_shadow, 50.0, 100.0),
    Defect(name="half edit", levels={"": 0.5}, draw=_half),
    Defect(name="no change", levels={"": 0.0}, draw=_no_change),
)
"""All defects, in the order of the table."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One picture.

    Attributes:
      name: `exact`, `exact again`, `jpeg q95`, `right text redrawn`, or defect and
        level.
      image: sRGB of the case's size.
    """

    name: str
    image: UInt8[np.ndarray, "h w 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaseLadder:
    """All pictures of a case.

    Attributes:
      case: what was asked.
      steps: names are unique.
      pairs: (better, worse), names of steps.
      left_out: step -> why the case has no such picture.
    """

    case: Case
    steps: tuple[Step, ...]
    pairs: tuple[tuple[str, str], ...]
    left_out: Mapping[str, str]

    def image(self, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of a step."""
        return next(step.image for step in self.steps if step.name == name)


def case_ladder(case: Case) -> CaseLadder:
    """Draws every picture of a case, the same to the last bit whoever asks."""
    images = {
        EXACT: case.reference,
        COPY: case.reference.copy(),
        FAINT: as_jpeg(case.reference, 95, keeps_chroma=True),
    }
    left_out: dict[str, str] = {}
    try:
        images[REDRAWN] = wording.redrawn(case)
    except DoesNotApplyError as error:
        left_out[REDRAWN] = str(error)
    for defect in DEFECTS:
        for level, amount in defect.levels.items():
            name = defect.step(level)
            try:
                images[name] = _drawn(case, defect, amount, images)
            except DoesNotApplyError as error:
                left_out[name] = str(error)
    return CaseLadder(
        case=case,
        steps=tuple(Step(name=name, image=image) for name, image in images.items()),
        pairs=_pairs(case.task, frozenset(images)),
        left_out=left_out,
    )


def _drawn(
    case: Case,
    defect: Defect,
    amount: float,
    images: Mapping[str, UInt8[np.ndarray, "h w 3"]],
) -> UInt8[np.ndarray, "h w 3"]:
    # One stream for all levels: the same defect, stronger.
    rng = record_generator(0, "audit", f"{case.id} {defect.name}")
    image = defect.draw(case, amount, rng)
    clean = images[defect.clean]
    if np.array_equal(image, clean):
        raise DoesNotApplyError("it would change nothing")
    if not defect.is_whole and _visible_share(clean, image) < MIN_VISIBLE_SHARE:
        raise DoesNotApplyError("it would hardly be visible")
    return image


def _visible_share(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "h w 3"]
) -> float:
    differs = np.any(first != second, axis=2)
    colors = (srgb_to_lab(image[differs]) for image in (first, second))
    return float(np.count_nonzero(ciede2000(*colors) > _VISIBLE)) / differs.size


def _pairs(task: str, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The order among the pictures that there are."""
    pairs = []
    for defect in DEFECTS:
        steps = [step for step in map(defect.step, defect.levels) if step in names]
        pairs += [(defect.clean, step) for step in steps]
        pairs += itertools.pairwise(steps) if defect.is_graded else ()
        if defect.is_whole and steps and task not in _ABOUT_DAMAGE:
            pairs.append((steps[0], HALF))
    pairs.append((HALF, NO_CHANGE))
    return tuple(pair for pair in pairs if names.issuperset(pair))
