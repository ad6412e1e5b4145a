"""Cases on a user's own photographs: overlays whose right answer is exact on any photo.

The photos stay where they are; what is recorded of one is the SHA-256 of its file.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.from_layout import draw_overlay, layout_draft
from tbstar_jax.evaluation.cases.make import finish, is_sound
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.geometry import MAX_ASPECT_RATIO
from tbstar_jax.input_pipeline.images import decode_image

PHOTO_TASKS: tuple[str, ...] = (
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "text_add",
    "outpaint",
    "repair_zoom",
)
"""Tasks of which the right answer is known on any photo."""

MAX_BYTES = 64 << 20
"""Largest photo file, in bytes."""

LEAST_SIDE = 128
"""Shorter side of the smallest photo, in pixels."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_ATTEMPTS = 20


def photo_cases(
    photos: Path,
    *,
    seed: int = 0,
    tasks: Sequence[str] = PHOTO_TASKS,
    max_side: int = 1024,
    licence: str = "LicenseRef-user-supplied",
) -> Iterator[Case]:
    """Makes a case of every task on every photo.

    Args:
      photos: a folder with PNG, JPEG and WebP files, or a JSON file with a list of
        their paths, relative to the file or absolute.
      seed: of all that is drawn, at least 0.
      tasks: some of `PHOTO_TASKS`.
      max_side: photos are scaled down to it, pixels.
      licence: SPDX id of the photos.

    Yields:
      Cases, `photo/<task>/<number of the photo>`, photo by photo. A case that finds no
      room on a photo is left out.

    Raises:
      UserError: no photos, one that cannot be used, or an unknown task.
    """
    wrong = [task for task in tasks if task not in PHOTO_TASKS]
    if wrong or not tasks:
        raise UserError(
            f"tasks name {wrong[0] if wrong else 'nothing'!r}, but on photos must be "
            f"some of {', '.join(PHOTO_TASKS)}"
        )
    if seed < 0 or max_side < LEAST_SIDE:
        raise UserError(
            f"seed is {seed} and max_side {max_side}, but must be at least 0 and "
            f"{LEAST_SIDE}"
        )
    paths = _paths(photos)
    for path in paths:
        _read(path, max_side)  # one that cannot be used is known before any is drawn on
    for number, path in enumerate(paths):
        photo, sha256 = _read(path, max_side)
        for task in tasks:
            case = _case(photo, sha256, task, number, seed, licence)
            if case is not None:
                yield case


def _case(
    photo: UInt8[np.ndarray, "h w 3"],
    sha256: str,
    task: str,
    number: int,
    seed: int,
    licence: str,
) -> Case | None:
    # Keyed by the photo itself, so that other photos beside it change nothing.
    stream = f"photo-{sha256}"
    for attempt in range(_ATTEMPTS):
        rng = case_generator("photo", seed, task, 0, f"{stream}-{attempt}")
        drawn = draw_overlay(rng, task, photo, ())
        nothing = np.zeros(photo.shape[:2], bool)
        draft = layout_draft(drawn, nothing) if drawn else None
        if draft is not None and is_sound(draft):
            words = case_generator("photo", seed, task, 0, f"{stream}-words")
            draft = dataclasses.replace(
                draft,
                generator="photo",
                licence=licence,
                tags={**draft.tags, "photo": sha256, "condition": "photo"},
            )
            return finish(draft, "photo", task, number, words)
    return None


def _paths(photos: Path) -> list[Path]:
    if photos.is_dir():
        found = sorted(
            path
            for path in photos.iterdir()
            if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
    elif photos.suffix.lower() == ".json" and photos.is_file():
        found = [photos.parent / name for name in _named(photos)]
    else:
        hint = ""
        if photos.suffix.lower() in _SUFFIXES and photos.is_file():
            hint = f"; for a photo, name its folder, {photos.parent}"
        raise UserError(
            f"{photos} is neither a folder of photos nor a JSON file that lists some"
            f"{hint}"
        )
    if not found:
        raise UserError(
            f"{photos} has no photos: files {', '.join(_SUFFIXES)} directly in it"
        )
    return found


def _named(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_bytes()[:MAX_BYTES])
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise UserError(f"{path} must be a list of paths")
    return names


def _read(path: Path, max_side: int) -> tuple[UInt8[np.ndarray, "h w 3"], str]:
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} is no file of at most {MAX_BYTES} bytes")
    data = path.read_bytes()
    photo = decode_image(data, str(path))
    short, long = sorted(photo.shape[:2])
    is_small = short * min(1.0, max_side / long) < LEAST_SIDE
    if is_small or long > MAX_ASPECT_RATIO * short:
        raise UserError(
            f"{path} has {photo.shape[1]}x{photo.shape[0]} pixels; with a longer side "
            f"of at most {max_side} the shorter one must have {LEAST_SIDE}, and their "
            f"ratio must lie within 1:{MAX_ASPECT_RATIO}"
        )
    if long > max_side:
        rows, columns = (math.floor(s * max_side / long + 0.5) for s in photo.shape[:2])
        image = Image.fromarray(photo)
        photo = np.asarray(image.resize((columns, rows), Image.Resampling.LANCZOS))
    return photo, hashlib.sha256(data).hexdigest()
