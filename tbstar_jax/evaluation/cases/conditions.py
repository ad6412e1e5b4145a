"""How a case's pictures were taken: clean, with a camera's noise, or from a JPEG.

    noise   grain of one exposure, strongest at middle grey and none where the sensor
            is saturated: the source, the reference and every half-way picture carry
            the same, so that kept pixels stay equal and a pure white stays pure white
    jpeg    the source went through a mild JPEG; the reference keeps its pixels and has
            fresh ones where the edit drew something, as an exact editor's answer has

Both leave what an instruction permits to change, and what it must not, as they were: a
pixel in which two of the clean pictures are alike is alike in the taken ones.
"""

import dataclasses
import io
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from tbstar_jax.data_engine.render.sampling import uniform
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.draft import Draft, Wording

Condition: TypeAlias = Literal["clean", "noise", "jpeg"]
"""How a picture was taken."""

Photo: TypeAlias = UInt8[np.ndarray, "h w 3"]

GRAIN = (1.5, 3.0)
"""Standard deviation of the noise at middle grey, levels of 255: lowest, highest."""

QUALITIES = (88, 95)
"""Of a mild JPEG, as Pillow counts them: lowest, highest."""

_DEGRADING: tuple[Wording, ...] = ("sharpen", "closeup")
"""What the camera did is what these edits are about."""


def condition_of(draft: Draft, task: str, index: int, num_generators: int) -> Condition:
    """The condition of a case: half of them clean, in every generator in turn.

    Args:
      draft: what was drawn. Only renders have grain: flat drawings never saw a sensor.
      task: of the benchmark; half of the tasks begin with a clean case.
      index: in its task.
      num_generators: of the task, which take turns by index.
    """
    if draft.asks[0].wording in _DEGRADING:
        return "clean"
    turn = index // num_generators + BENCHMARK_TASKS.index(task)
    if turn % 2 == 0:
        return "clean"
    is_render = draft.generator == "studio"
    return "noise" if is_render and turn % 4 == 1 else "jpeg"


def taken(draft: Draft, condition: Condition, rng: np.random.Generator) -> Draft:
    """The draft with pictures that were taken like this, and the tag `condition`.

    Args:
      draft: with clean pictures.
      condition: how they are taken.
      rng: of the grain, and of how much there is.
    """
    draft = dataclasses.replace(draft, tags={**draft.tags, "condition": condition})
    match condition:
        case "clean":
            return draft
        case "noise":
            grain = uniform(rng, *GRAIN) * rng.standard_normal(draft.source.shape)
            return _each(draft, lambda picture: grained(picture, grain))
        case "jpeg":
            low, high = QUALITIES
            quality = int(rng.integers(low, high + 1))
            taken_source = _sent(draft, quality)
            return _each(
                draft,
                lambda picture: np.where(
                    np.any(picture != draft.source, axis=2, keepdims=True),
                    picture,
                    taken_source,
                ),
            )


def grained(picture: Photo, grain: Float[np.ndarray, "h w 3"]) -> Photo:
    """Adds noise.

    Args:
      picture: sRGB.
      grain: levels of 255 at middle grey; black and full levels get none.
    """
    level = picture / 255.0
    noisy = picture + 2.0 * np.sqrt(level * (1.0 - level)) * grain
    return np.rint(np.clip(noisy, 0.0, 255.0)).astype(np.uint8)


def as_jpeg(picture: Photo, quality: int, *, keeps_chroma: bool = False) -> Photo:
    """A picture after a JPEG.

    Args:
      picture: sRGB.
      quality: as Pillow counts it, 1 to 95.
      keeps_chroma: 4:4:4 instead of 4:2:0, which cameras and shops write.
    """
    written = io.BytesIO()
    subsampling = 0 if keeps_chroma else 2
    Image.fromarray(picture).save(
        written, "JPEG", quality=quality, subsampling=subsampling
    )
    return np.array(Image.open(written))


def _sent(draft: Draft, quality: int) -> Photo:
    """The source, its photo after a JPEG; what lies around an outpainting's is none."""
    if draft.photo_box is None:
        return as_jpeg(draft.source, quality)
    sent = draft.source.copy()
    place = draft.photo_box.slices
    sent[place] = as_jpeg(np.ascontiguousarray(draft.source[place]), quality)
    return sent


def _each(draft: Draft, take: Callable[[Photo], Photo]) -> Draft:
    """The draft with all of its pictures taken."""
    return dataclasses.replace(
        draft,
        source=take(draft.source),
        reference=take(draft.reference),
        asked=tuple(
            dataclasses.replace(one, undone=take(one.undone)) for one in draft.asked
        ),
    )
