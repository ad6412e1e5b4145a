"""The slices of a case: closed lists of short values, so that tables stay small.

Bounds of what is measured lie about where the split `dev` falls into parts of equal
size, so that every slice has cases enough.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.layout.placement import contrast
from tbstar_jax.evaluation.cases.case import TargetText
from tbstar_jax.evaluation.cases.draft import Draft

BACKGROUND_CLASSES: Mapping[str, tuple[str, ...]] = {
    "white": ("white",),
    "plain": ("plain", "gradient", "duo", "split", "arc", "alcove"),
    "wood": (
        "wood",
        "herringbone",
        "panels",
        "slats",
        "shelf",
        "rattan",
        "basketweave",
    ),
    "stone": ("marble", "concrete", "terrazzo", "travertine", "pebbles", "brick"),
    "tiles": ("tiles", "subway", "hexagons", "mosaic", "scales", "pegboard"),
    "cloth": ("linen", "curtain", "silk", "tufted", "kraft", "cork"),
    "pattern": (
        *("stripes", "dots", "gingham", "checkers", "chevron", "tartan", "argyle"),
        *("waves", "squares", "sunburst", "rays"),
    ),
    "nature": ("sand", "grass", "snow", "water", "foliage"),
    "metal": ("metal", "corrugated"),
    "room": ("bokeh", "window"),
    "photo": ("photo",),
}
"""Classes of backgrounds: of renders and cards by their kind."""

_LIGHT_DAMAGE, _HEAVY_DAMAGE = 42.0, 70.0
_SMALL_TEXT, _LARGE_TEXT = 0.07, 0.10
"""Heights of texts, of the shorter side."""
_LOW_CONTRAST, _HIGH_CONTRAST = 1.6, 2.6


def case_tags(draft: Draft, style: str) -> dict[str, str]:
    """Names to values, all of them always there.

    Args:
      draft: the case; `photo`, the SHA-256 of a user's photo, is kept too.
      style: of the instruction.
    """
    known = dict(draft.tags)
    photo = {"photo": known["photo"]} if "photo" in known else {}
    return photo | {
        "generator": draft.generator,
        "style": style,
        "kind": draft.asks[0].wording,
        "family": known.get("family", "unknown"),
        "background": known.get("background", "photo"),
        "background_class": background_class(known.get("background", "photo")),
        "num_objects": _count(int(known.get("num_objects", "0"))),
        "condition": known.get("condition", "clean"),
        "damage": known.get("damage", "none"),
        "damage_level": _damage_level(draft),
        "script": _script(draft.target_texts),
        "text_height": _height(draft.target_texts, min(draft.source.shape[:2])),
        "edit_share": _share(float(draft.masks.edit.mean())),
        "contrast": _contrast(draft.source, draft.masks.product),
        "difficulty": known.get("difficulty", "normal"),
        "color": draft.asks[0].facts.new_color_en or "none",
    }


def background_class(kind: str) -> str:
    """Which of `BACKGROUND_CLASSES` a kind of background is of."""
    return next(name for name, kinds in BACKGROUND_CLASSES.items() if kind in kinds)


def _damage_level(draft: Draft) -> str:
    """How far damage and marks are from what they hide, root mean square of levels."""
    if "damage" not in draft.tags:
        return "none"
    change = np.abs(draft.source.astype(np.int16) - draft.reference).max(axis=2)
    marked = change[draft.masks.edit].astype(np.float64)
    level = float(np.sqrt(np.mean(marked**2))) if marked.size else 0.0
    if level < _LIGHT_DAMAGE:
        return "light"
    return "middle" if level < _HEAVY_DAMAGE else "heavy"


def _count(count: int) -> str:
    return "1" if count <= 1 else "2" if count == 2 else "3+"


def _script(texts: Sequence[TargetText]) -> str:
    kinds = {"number" if text.language is None else text.language for text in texts}
    return "none" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"


def _height(texts: Sequence[TargetText], shorter_side: int) -> str:
    """Of the lowest text, as a share of the picture's shorter side."""
    if not texts:
        return "none"
    share = min(text.box.height for text in texts) / shorter_side
    if share < _SMALL_TEXT:
        return "<7%"
    return "7-10%" if share < _LARGE_TEXT else ">=10%"


def _share(share: float) -> str:
    if share < 0.05:
        return "<5%"
    return "5-15%" if share < 0.15 else "15-40%" if share < 0.40 else ">=40%"


def _contrast(
    picture: UInt8[np.ndarray, "h w 3"], product: Bool[np.ndarray, "h w"]
) -> str:
    """Contrast of the product's mean colour with the rest's, as the web counts it."""
    if not product.any() or product.all():
        return "none"
    inside, outside = (
        picture[mask].astype(np.float64).mean(axis=0) for mask in (product, ~product)
    )
    ratio = contrast(_rgb(inside), _rgb(outside))
    if ratio < _LOW_CONTRAST:
        return "low"
    return "middle" if ratio < _HIGH_CONTRAST else "high"


def _rgb(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = np.rint(color).tolist()
    return int(red), int(green), int(blue)
