"""The slices of a case: closed lists of short values, so that tables stay small."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.layout.placement import contrast
from tbstar_jax.evaluation.cases.case import TargetText
from tbstar_jax.evaluation.cases.draft import Draft


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
        "num_objects": _count(int(known.get("num_objects", "0"))),
        "condition": known.get("condition", "clean"),
        "damage": known.get("damage", "none"),
        "script": _script(draft.target_texts),
        "text_height": _height(draft.target_texts),
        "edit_share": _share(float(draft.masks.edit.mean())),
        "contrast": _contrast(draft.source, draft.masks.product),
        "difficulty": known.get("difficulty", "normal"),
        "color": draft.asks[0].facts.new_color_en or "none",
    }


def _count(count: int) -> str:
    return "1" if count <= 1 else "2" if count == 2 else "3" if count == 3 else "4+"


def _script(texts: Sequence[TargetText]) -> str:
    kinds = {"number" if text.language is None else text.language for text in texts}
    return "none" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"


def _height(texts: Sequence[TargetText]) -> str:
    if not texts:
        return "none"
    least = min(text.box.height for text in texts)
    return "<12" if least < 12 else "12-31" if least < 32 else ">=32"


def _share(share: float) -> str:
    if share < 0.05:
        return "<5%"
    return "5-25%" if share < 0.25 else "25-75%" if share < 0.75 else ">=75%"


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
    return "low" if ratio < 1.5 else "middle" if ratio < 4.0 else "high"


def _rgb(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = np.rint(color).tolist()
    return int(red), int(green), int(blue)
