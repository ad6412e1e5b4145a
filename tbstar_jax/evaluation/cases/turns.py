"""Whose turn it is: what cases show is balanced over a split, not left to chance.

Ways of drawing and families of products go round by index. Backgrounds, numbers of
things and languages come in permuted blocks, as patients come to treatments in clinical
trials: in a stratum, each block of as many cases as there are options has every option
once, in an order that is drawn. All options are equally frequent then, and in step with
nothing else that takes turns.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, TypeVar

from tbstar_jax.data_engine.studio.sampling import Wishes, product_families
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Language, Split
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.from_studio import TEXT_TASKS
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.cases.tags import BACKGROUND_CLASSES

Way: TypeAlias = Literal["studio", "layout", "overlay", "closeup", "hard"]

GENERATORS: Mapping[str, tuple[Way, ...]] = {
    "bg_white": ("studio", "layout"),
    "bg_scene": ("studio", "layout"),
    "recolor": ("studio", "layout", "studio", "overlay"),
    "material": ("studio",),
    "watermark_remove": ("overlay", "layout"),
    "text_remove": ("overlay", "studio", "layout"),
    "text_replace_en": ("studio", "overlay", "layout"),
    "text_replace_zh": ("overlay", "studio", "layout"),
    "text_add": ("overlay", "studio", "layout"),
    "object_add": ("studio", "overlay"),
    "object_remove": ("studio", "overlay"),
    "object_replace": ("studio", "overlay"),
    "light_shadow": ("studio", "studio", "layout"),
    "outpaint": ("overlay", "layout"),
    "layout": ("studio", "layout", "studio", "overlay"),
    "repair_zoom": (
        *("overlay", "layout", "studio"),
        *("closeup", "layout", "studio"),
        *("overlay", "layout", "studio"),
    ),
}
"""What draws a task, in turn."""

RENDER_CLASSES: tuple[str, ...] = tuple(
    name for name in BACKGROUND_CLASSES if name != "photo"
)
"""Classes of backgrounds that renders have."""

CARD_CLASSES = ("plain", "pattern", "tiles", "wood", "stone")
"""Classes of backgrounds that cards have."""

_LANGUAGES: tuple[Language, ...] = ("en", "zh")
_EITHER_LANGUAGE = ("text_remove", "text_add", "watermark_remove")
"""Tasks that leave the language of their text open."""
_NUM_ITEMS: Mapping[str, tuple[int, ...]] = {
    "object_add": (1, 2),
    "object_remove": (2, 3),
    "object_replace": (2, 3),
    "layout": (),
}
"""Things in a studio photo of these tasks, none where the edit says how many; one to
three in all others."""
_FAMILY_ROUND = 5
"""Cases of a task in the smallest split that is to have all families alike."""

_Option = TypeVar("_Option", covariant=True)
_OptionsOf: TypeAlias = Callable[[Way, str], tuple[_Option, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turn:
    """What a case shows because it is its turn.

    Attributes:
      way: what draws it.
      background_class: one of `tags.BACKGROUND_CLASSES`.
      family: of the product; None on cards, where it is as it falls.
      num_items: things in the photo; None where the edit says it or where it is as it
        falls.
      language: of the text that the edit is about; None where the task says it.
    """

    way: Way
    background_class: str
    family: str | None
    num_items: int | None
    language: Language | None

    def is_shown_by(self, draft: Draft) -> bool:
        """Whether the text is in the language: some labels are numbers alone."""
        texts = draft.target_texts
        return self.language is None or all(
            text.language == self.language for text in texts
        )

    @property
    def wishes(self) -> Wishes:
        """What the studio is asked for."""
        return Wishes(
            family=self.family,
            backdrops=self.backgrounds,
            num_items=self.num_items,
        )

    @property
    def backgrounds(self) -> tuple[str, ...]:
        """Kinds of background of the class."""
        return BACKGROUND_CLASSES[self.background_class]


def turn_of(split: Split, seed: int, task: str, index: int) -> Turn:
    """Whose turn it is in a case.

    Args:
      split: of the case.
      seed: 0, or what the user gave for the split `fresh`.
      task: of the benchmark.
      index: in its task.
    """
    way = _way_of(split, task, index)

    def drawn(options_of: _OptionsOf[_Option]) -> _Option | None:
        options = options_of(way, task)
        if not options:
            return None
        position = _position(split, task, index, options_of)
        block, place = divmod(position, len(options))
        rng = case_generator(split, seed, f"{way} {options}", block, "turns")
        return options[int(rng.permutation(len(options))[place])]

    background_class = drawn(_classes)
    assert background_class is not None, "all pictures have a background"
    return Turn(
        way=way,
        background_class=background_class,
        family=None if way == "layout" else family_in_turn(split, task, index),
        num_items=drawn(_counts),
        language=drawn(_languages),
    )


def _position(
    split: Split, task: str, index: int, options_of: _OptionsOf[object]
) -> int:
    """How many earlier cases are in the stratum: drawn alike, from the same options."""
    names = case_names(split)
    way = _way_of(split, task, index)
    options = options_of(way, task)
    return sum(
        _way_of(split, *one) == way and options_of(way, one[0]) == options
        for one in names[: names.index((task, index))]
    )


def _way_of(split: Split, task: str, index: int) -> Way:
    """What draws a case; the hard split stacks edits on renders."""
    if split == "hard":
        return "hard"
    return GENERATORS[task][index % len(GENERATORS[task])]


def num_ways(split: Split, task: str) -> int:
    """How many ways of drawing a task take turns."""
    return 1 if split == "hard" else len(GENERATORS[task])


def _num_drawn(split: Split, task: str, way: Way, count: int) -> int:
    """How many of a task's first cases are drawn in a way."""
    return sum(_way_of(split, task, index) == way for index in range(count))


def family_in_turn(split: Split, task: str, index: int) -> str:
    """The product's family of a case: in turn, over those of its task drawn as it is.

    Each way of drawing a task has a turn of its own, else families would go with ways.
    """
    way = _way_of(split, task, index)
    is_labelled = task in TEXT_TASKS and way == "studio"
    families = product_families(has_plate=is_labelled)
    turn = _first_turn(split, task, way) + _num_drawn(split, task, way, index)
    return families[turn % len(families)]


def _first_turn(split: Split, task: str, way: Way) -> int:
    """Turns go on from one another's first cases, so that small splits have all."""
    turn = 0
    for one in BENCHMARK_TASKS:
        for other in _ways(split, one):
            if (one, other) == (task, way):
                return turn
            if other != "layout":
                turn += _num_drawn(split, one, other, _FAMILY_ROUND)
    raise AssertionError(f"{task} is never drawn by {way}")


def _ways(split: Split, task: str) -> list[Way]:
    return ["hard"] if split == "hard" else [*dict.fromkeys(GENERATORS[task])]


def _classes(way: Way, task: str) -> tuple[str, ...]:
    if way == "layout":
        return CARD_CLASSES
    if task == "bg_white":
        return tuple(name for name in RENDER_CLASSES if name != "white")
    return RENDER_CLASSES


def _counts(way: Way, task: str) -> tuple[int, ...]:
    """How many things there may be; none where the edit says it, or nothing does."""
    if way in ("layout", "hard"):
        return ()
    return _NUM_ITEMS.get(task, (1, 2, 3)) if way == "studio" else (1, 2, 3)


def _languages(way: Way, task: str) -> tuple[Language, ...]:
    return _LANGUAGES if task in _EITHER_LANGUAGE and way != "hard" else ()
