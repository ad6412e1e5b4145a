"""Several edits in one instruction, each drawn on the pictures below it.

At the bottom lies an edit of the scene, above it one to three edits of overlays. Every
level is drawn twice, unedited on the unedited picture below it and edited on the edited
one; drawn unedited on what is otherwise edited it gives the picture that lacks this
edit alone:

    level   source      reference    lacks level 1
      2     before 2    after 2      after 2
      1     before 1    after 1      before 1
      0     before 0    after 0      after 0

An outpainting is the last level: what its photo does not show is greyed at the end.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.layout.card import Placed, Rect
from tbstar_jax.data_engine.layout.drawing import Drawing, reach
from tbstar_jax.data_engine.layout.naming import noun_of
from tbstar_jax.data_engine.layout.pairs import Drawn
from tbstar_jax.data_engine.render.layers import compose
from tbstar_jax.evaluation.cases.case import AskedEdit, KeptText, Masks
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.from_layout import layout_draft
from tbstar_jax.evaluation.cases.from_studio import Shot, kept_texts, studio_draft
from tbstar_jax.evaluation.cases.overlaid import covered, taken_by
from tbstar_jax.evaluation.cases.regions import without
from tbstar_jax.geometry import place_on_canvas

Photo = UInt8[np.ndarray, "h w 3"]

_SEEN, _LEAST_SEEN = 16, 0.001
"""Levels, and share of the canvas, by which each of several edits changes the
reference."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Level:
    """One edit of several, as if it were alone.

    Attributes:
      task: whose measures tell whether it was made; None for overlays that nothing
        edits.
      draft: all that is known of it.
      drawn: its overlays; None for the edit of the scene.
    """

    task: str | None
    draft: Draft
    drawn: Drawn | None


class Stack:
    """An edit of a scene and the overlays above it, lowest first."""

    def __init__(self, shot: Shot, task: str, draft: Draft) -> None:
        """Begins with an edit of a scene.

        Args:
          shot: its renders.
          task: of the benchmark.
          draft: all that is known of it.
        """
        self._shot = shot
        self._taken = taken_by(shot)
        self.levels: tuple[Level, ...] = (Level(task=task, draft=draft, drawn=None),)
        self.source: Photo = shot.pair.source
        self.reference: Photo = shot.pair.target

    @property
    def taken(self) -> tuple[Rect, ...]:
        """Where no further part may lie, as shares of the canvas."""
        return self._taken

    def add(self, drawn: Drawn, task: str | None) -> bool:
        """Puts overlays on top.

        Args:
          drawn: on `source`, outside `taken`.
          task: of their edit; None where nothing edits them.

        Returns:
          Whether they can be told: every text can be read, and no other is like it.
        """
        draft = layout_draft(drawn, self.levels[0].draft.masks.product)
        if draft is None:
            return False
        level = Level(task=task, draft=self._cleared(draft, drawn), drawn=drawn)
        if any(_is_mistaken(level, other) for other in self.levels):
            return False
        parts = (*drawn.edit.before.parts, *drawn.edit.after.parts)
        rects = [part.rect for part in parts if isinstance(part, Placed)]
        self._taken = (*self._taken, *dict.fromkeys(rects))
        self.levels = (*self.levels, level)
        self.source = drawn.source.picture()
        self.reference = _over(drawn.target, self.reference)
        return True

    def _cleared(self, draft: Draft, drawn: Drawn) -> Draft:
        """The draft; what an instruction leaves open ends at the overlays below."""
        below = np.zeros_like(draft.masks.edit)
        for level in self.levels:
            if level.drawn is not None:
                below |= covered(level.drawn)
        changed = reach(drawn.source, drawn.target)
        if drawn.edit.window is not None or not below.any():
            return draft
        permitted = changed | without(draft.masks.edit, below)
        return dataclasses.replace(
            draft, masks=dataclasses.replace(draft.masks, edit=permitted)
        )

    def draft(self, order: Sequence[int]) -> Draft | None:
        """All that is known of the edits together.

        Args:
          order: numbers of the levels that are edited, as they are asked for; the
            first is the task's.

        Returns:
          The draft, or None where one of several edits cannot be seen.
        """
        first = self.levels[order[0]].draft
        edits = [self._edit(number) for number in order]
        if len(edits) > 1 and not all(
            is_seen(one.undone, self.reference) for one in edits
        ):
            return None
        masks = [self._in_the_open(number) for number in range(len(self.levels))]
        edit, shadow, text = (
            np.any([getattr(one, name) for one in masks], axis=0)
            for name in ("edit", "shadow", "text")
        )
        ordered = [self.levels[number].draft for number in order]
        return dataclasses.replace(
            first,
            generator=self.levels[-1].draft.generator,
            asks=tuple(ask for one in ordered for ask in one.asks),
            source=self._windowed(self.source),
            reference=self.reference,
            masks=Masks(
                edit=edit,
                product=first.masks.product,
                product_after=first.masks.product_after,
                shadow=shadow,
                text=text,
            ),
            photo_box=self.levels[-1].draft.photo_box,
            kept_texts=self._kept_texts(edit),
            target_texts=tuple(text for one in ordered for text in one.target_texts),
            target_objects=tuple(
                thing for one in ordered for thing in one.target_objects
            ),
            target_color=next(
                (one.target_color for one in ordered if one.target_color), None
            ),
            target_light=next(
                (one.target_light for one in ordered if one.target_light), None
            ),
            tags={
                name: value
                for level in reversed(self.levels)
                for name, value in level.draft.tags.items()
            },
            asked=tuple(edits) if len(edits) > 1 else (),
            scene=self.levels[0].draft.scene,
        )

    def _edit(self, number: int) -> AskedEdit:
        level = self.levels[number]
        assert level.task is not None, "an edit that is asked for has a task"
        return AskedEdit(
            task=level.task,
            undone=self._without(number),
            masks=self._in_the_open(number),
            target_texts=level.draft.target_texts,
            target_objects=level.draft.target_objects,
            target_color=level.draft.target_color,
            target_light=level.draft.target_light,
        )

    def _without(self, number: int) -> Photo:
        """The reference without the edit of one level."""
        level = self.levels[number]
        if level.draft.photo_box is not None:
            return self._windowed(self.reference)
        pair = self._shot.pair
        picture = pair.source if number == 0 else pair.target
        for k, other in enumerate(self.levels):
            if other.drawn is not None:
                drawing = other.drawn.source if k == number else other.drawn.target
                picture = _over(drawing, picture)
        return picture

    def _windowed(self, picture: Photo) -> Photo:
        """The picture, grey where an outpainting's photo does not reach."""
        top = self.levels[-1].drawn
        if top is None or top.edit.window is None:
            return picture
        window = top.edit.window
        return place_on_canvas(picture[window.photo.slices], window)

    def _in_the_open(self, number: int) -> Masks:
        """Regions of an edit, as far as the overlays above let them change."""
        masks = self.levels[number].draft.masks
        # What an opaque overlay hides does not change, whatever happens below it.
        is_open = np.ones(masks.edit.shape, bool)
        for level in self.levels[number + 1 :]:
            if level.drawn is not None:
                is_open &= (
                    level.drawn.source.shows_backdrop()
                    | level.drawn.target.shows_backdrop()
                )
        return dataclasses.replace(
            masks, edit=masks.edit & is_open, shadow=masks.shadow & is_open
        )

    def _kept_texts(self, edit: Bool[np.ndarray, "h w"]) -> tuple[KeptText, ...]:
        """What stands outside all edits, and under no overlay."""
        kept: list[KeptText] = []
        hidden = edit
        for level in reversed(self.levels):
            if level.drawn is None:
                kept = [*kept_texts(self._shot, hidden), *kept]
                continue
            kept = [
                *(
                    one
                    for one in level.draft.kept_texts
                    if not hidden[one.box.slices].any()
                ),
                *kept,
            ]
            hidden = hidden | covered(level.drawn)
        return tuple(kept)


def begin(shot: Shot, task: str) -> Stack | None:
    """A stack with an edit of a scene; None where its text cannot be read."""
    draft = studio_draft(shot, task)
    return Stack(shot, task, draft) if draft else None


def is_seen(undone: Photo, reference: Photo) -> bool:
    """Whether a picture without one of the edits shows that it is missing."""
    change = np.abs(undone.astype(np.int16) - reference).max(axis=2)
    return float(np.mean(change >= _SEEN)) >= _LEAST_SEEN


def _over(drawing: Drawing, below: Photo) -> Photo:
    """The layers of a drawing over another picture than they were drawn on."""
    return compose(below.astype(np.float64) / 255.0, drawing.above())


def _is_mistaken(level: Level, other: Level) -> bool:
    """Whether an edit of one level could as well mean something on another."""
    texts = [_said(one) for one in (level, other)]
    if (texts[0][0] & (texts[1][0] | texts[1][1])) or (texts[1][0] & texts[0][1]):
        return True
    named = [_named(one) for one in (level, other)]
    return bool(
        (named[0][0] & (named[1][0] | named[1][1])) or (named[1][0] & named[0][1])
    )


def _said(level: Level) -> tuple[set[str], set[str]]:
    """Texts that an edit is about, and those that it keeps."""
    about = {
        text
        for one in level.draft.target_texts
        for text in (one.old, one.new)
        if text is not None
    }
    return about, {one.text for one in level.draft.kept_texts}


def _named(level: Level) -> tuple[set[str], set[str]]:
    """Nouns with places of the parts that an edit is about, and of the others."""
    if level.drawn is None:
        return set(), set()
    before, after = level.drawn.edit.before, level.drawn.edit.after
    about: set[str] = set()
    others: set[str] = set()
    for part in (*before.parts, *after.parts):
        if isinstance(part, Placed):
            is_about = before.part(part.id) != after.part(part.id)
            (about if is_about else others).add(f"{noun_of(part).en} {part.place}")
    return about, others - about
