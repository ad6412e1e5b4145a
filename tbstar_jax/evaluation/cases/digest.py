"""What a case is, as one hash."""

import hashlib
import json

import numpy as np

from tbstar_jax.evaluation.cases.case import Case, Masks

MASKS = ("edit", "product", "product_after", "shadow", "text")
"""Names of the fields of `Masks`."""


def case_digest(case: Case) -> str:
    """SHA-256 over pixels, masks and instructions, hexadecimal.

    Whoever scores with the same digests has the same questions and the same answers.
    """
    digest = hashlib.sha256()
    box = case.photo_box
    edges = None if box is None else [box.top, box.left, box.height, box.width]
    words = [case.id, list(case.size), edges, sorted(case.instructions.items())]
    digest.update(json.dumps(words, ensure_ascii=True).encode())
    digest.update(np.ascontiguousarray(case.source).tobytes())
    digest.update(np.ascontiguousarray(case.reference).tobytes())
    if case.object_photo is not None:
        digest.update(repr(case.object_photo.shape).encode())
        digest.update(np.ascontiguousarray(case.object_photo).tobytes())
    _add_masks(digest, case.masks)
    for one in case.asked:
        digest.update(one.task.encode())
        digest.update(np.ascontiguousarray(one.undone).tobytes())
        _add_masks(digest, one.masks)
    return digest.hexdigest()


def _add_masks(digest: "hashlib._Hash", masks: Masks) -> None:
    for name in MASKS:
        digest.update(np.packbits(getattr(masks, name)).tobytes())
