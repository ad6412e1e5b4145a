"""In-context pairs: source and target drawn together on one canvas by one model.

A text-to-image model that draws two pictures in one keeps subject and scene alike far
better than in two runs. The canvas is split, and what can go wrong is measured and
becomes a status: another size, an uneven split, halves that are the same, displaced, of
other colours, or different nearly everywhere. Every pair is kept, with its scores, so
that limits can move later.

The model is injected (our base, or any other): a callable from prompt, seed and (rows,
columns) to a picture. A record to be drawn is a plan (`in_context_prompts.py`).
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from tbstar_jax.array_types import Bool, UInt8
from tbstar_jax.data_engine.annotate import KEPT, derived
from tbstar_jax.data_engine.construct.diptych import (
    Layout,
    Split,
    disagreement,
    split,
)
from tbstar_jax.data_engine.construct.in_context_prompts import (
    TEMPLATES,
    captions_of,
)
from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import erode
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.metrics.color import srgb_to_lab
from tbstar_jax.metrics.registration import Registration, register
from tbstar_jax.tasks import task_by_id

Paint: TypeAlias = Callable[[str, int, tuple[int, int]], UInt8[np.ndarray, "h w 3"]]
"""Draws a picture: prompt, seed, (rows, columns)."""

_VERSION = 1
_VISIBLE = 12.0
"""Difference in grey levels, after averaging 3 x 3 pixels, that counts as a change."""
_MIN_AGREEMENT = 0.5
"""Of a registration: little, since a displacement must prove itself afterwards."""


@runtime_checkable
class Painter(Protocol):
    """A text-to-image model; picklable."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides its pictures beside prompt, seed and size."""

    @property
    def licence(self) -> str:
        """Licence of what it draws: SPDX id or name."""

    def open(self) -> AbstractContextManager[Paint]:
        """Loads it, once per process."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InContextLimits:
    """When a drawn pair is kept; the rules in the order they are asked.

    Attributes:
      max_unevenness: largest distance of the gutter from the middle, pixels
        (`rejected:split`).
      min_changed: least share of the picture that differs (`rejected:unchanged`).
      max_changed: largest share of it that differs, for local tasks
        (`rejected:changed_too_much`).
      max_shift: largest displacement of the halves, pixels (`rejected:shift`).
      max_drift: largest median change of L*, a* or b*, for local tasks
        (`rejected:color`).
    """

    max_unevenness: float = 1.0
    min_changed: float = 0.002
    max_changed: float = 0.6
    max_shift: float = 0.5
    max_drift: float = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class InContext:
    """Draws the pairs of plans.

    Attributes:
      painter: the model.
      size: rows and columns of one picture; the canvas is twice as wide or high.
      pairs_per_plan: how many canvases a plan gets, with other seeds and prompts.
      limits: when a pair is kept.
    """

    painter: Painter
    size: tuple[int, int]
    pairs_per_plan: int
    limits: InContextLimits = dataclasses.field(default_factory=InContextLimits)

    @property
    def name(self) -> str:
        """`in_context`."""
        return "in_context"

    @property
    def num_threads(self) -> int:
        """One: the model computes."""
        return 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings and the model."""
        settings = {
            "painter": self.painter.fingerprint,
            "size": self.size,
            "pairs_per_plan": self.pairs_per_plan,
            "limits": dataclasses.asdict(self.limits),
        }
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Loads the model, once per process."""
        with self.painter.open() as paint:
            yield functools.partial(self._pairs, paint)

    def _pairs(
        self, paint: Paint, record: EditRecord, rng: np.random.Generator
    ) -> Iterator[Made]:
        try:
            shown = captions_of(record)
        except UserError as error:
            yield Reject(row=record.key, reason=str(error))
            return
        for index in range(self.pairs_per_plan):
            layouts, languages = get_args(Layout), get_args(Language)
            layout: Layout = layouts[int(rng.integers(len(layouts)))]
            language: Language = languages[int(rng.integers(len(languages)))]
            templates = TEMPLATES[language][layout]
            prompt = templates[int(rng.integers(len(templates)))].format(
                before=shown.before[language], after=shown.after[language]
            )
            seed = int(rng.integers(2**31))
            canvas = paint(prompt, seed, self._canvas_size(layout))
            yield self._record(record, index, canvas, layout, prompt, seed)

    def _canvas_size(self, layout: Layout) -> tuple[int, int]:
        rows, columns = self.size
        return (rows, 2 * columns) if layout == "left_right" else (2 * rows, columns)

    def _record(
        self,
        plan: EditRecord,
        index: int,
        canvas: UInt8[np.ndarray, "h w 3"],
        layout: Layout,
        prompt: str,
        seed: int,
    ) -> EditRecord:
        halves = split(canvas, layout)
        scores = consistency(halves, plan.task)
        is_asked_size = canvas.shape[:2] == self._canvas_size(layout)
        return derived(
            plan,
            key=f"{plan.key}-drawn-{index}",
            transform="construct",
            parents=[plan],
            source_images=(encode_png(halves.source),),
            target_image=encode_png(halves.target),
            provenance={
                "method": self.name,
                "licence": self.painter.licence,
                "painter": self.painter.fingerprint,
                "prompt": prompt,
                "seed": seed,
                "layout": layout,
                "canvas": list(canvas.shape[:2]),
                "gutter": list(halves.gutter),
                "engine_version": _VERSION,
                "scores": {
                    f"in_context/{name}": value for name, value in scores.items()
                },
                "status": decide(scores, is_asked_size, plan.task, self.limits),
            },
        )


def consistency(halves: Split, task: str) -> dict[str, float]:
    """Measures what can be wrong with a drawn pair.

    Args:
      halves: both pictures.
      task: of the pair; where its extent is global, colours may differ anywhere.

    Returns:
      `unevenness` and `shift` in pixels, `changed` as a share of the picture; for
      local tasks `drift` in Lab units.
    """
    changed = changed_region(halves.source, halves.target)
    scores = {
        "unevenness": halves.unevenness,
        "changed": float(changed.mean()),
        "shift": _displacement(halves.source, halves.target, changed),
    }
    if task_by_id(task).extent == "local":
        change = srgb_to_lab(halves.target) - srgb_to_lab(halves.source)
        # A cast reaches the half that changed least; a local edit does not.
        size = np.linalg.norm(change, axis=2)
        rest = change[size <= np.median(size)]
        scores["drift"] = float(np.abs(np.median(rest, axis=0)).max())
    return scores


def _displacement(
    source: UInt8[np.ndarray, "h w 3"],
    target: UInt8[np.ndarray, "h w 3"],
    changed: Bool[np.ndarray, "h w"],
) -> float:
    """How far the target lies from the source, in pixels.

    Registration is asked for the whole picture and for what is alike. An edit may pull
    the one away, and a displaced copy is alike only where it is flat; so an answer of a
    pixel or more counts when undoing it makes the pictures agree better.
    """
    motions = [
        register(source, target, mask, _MIN_AGREEMENT)
        for mask in (None, erode(~changed, 2))
    ]
    found = [motion for motion in motions if motion.is_known]
    least = disagreement(source, target)
    within = [motion.shift for motion in found if _whole(motion) == (0, 0)]
    best = min(within, default=0.0)
    for motion in found:
        rows, columns = _whole(motion)
        if max(abs(rows), abs(columns)) >= min(source.shape[:2]) // 2:
            continue
        error = disagreement(_cut(source, -rows, -columns), _cut(target, rows, columns))
        if error < 0.9 * least:
            best, least = motion.shift, error
    return best


def _whole(motion: Registration) -> tuple[int, int]:
    return round(motion.rows), round(motion.columns)


def _cut(
    image: UInt8[np.ndarray, "h w 3"], rows: int, columns: int
) -> UInt8[np.ndarray, "r c 3"]:
    """Drops the first rows and columns, or the last ones where negative."""
    height, width = image.shape[:2]
    return image[
        max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)
    ]


def decide(
    scores: dict[str, float], is_asked_size: bool, task: str, limits: InContextLimits
) -> str:
    """The status of a pair: `kept`, or `rejected:` and the first rule it breaks.

    Args:
      scores: of `consistency`.
      is_asked_size: whether the model drew a canvas of the size it was asked for.
      task: of the pair.
      limits: the rules' limits.
    """
    is_local = task_by_id(task).extent == "local"
    broken = {
        "size": not is_asked_size,
        "split": scores["unevenness"] > limits.max_unevenness,
        "unchanged": scores["changed"] < limits.min_changed,
        "shift": scores["shift"] > limits.max_shift,
        "color": scores.get("drift", 0.0) > limits.max_drift,
        "changed_too_much": is_local and scores["changed"] > limits.max_changed,
    }
    return next((f"rejected:{rule}" for rule, is_so in broken.items() if is_so), KEPT)


def changed_region(
    source: UInt8[np.ndarray, "h w 3"], target: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Marks where two pictures differ visibly, noise of single pixels aside."""
    difference = target.astype(np.float64) - source
    padded = np.pad(difference, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns = source.shape[:2]
    mean = sum(
        padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)
    )
    return np.abs(np.asarray(mean) / 9).max(axis=2) > _VISIBLE
