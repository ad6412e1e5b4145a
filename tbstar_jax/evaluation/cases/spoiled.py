"""Photos that a camera spoiled: blur, noise, a colour cast; the clean render is right.

A blur lies on the product alone, so that the rest is to be kept. Noise and casts reach
every pixel: there only what the picture shows can be kept, not its pixels.
"""

from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float, UInt8

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.render.sampling import choose, uniform
from tbstar_jax.data_engine.studio import words
from tbstar_jax.data_engine.studio.sampling import Wishes
from tbstar_jax.evaluation.cases.case import Masks
from tbstar_jax.evaluation.cases.draft import Ask, Draft, no_mask
from tbstar_jax.evaluation.cases.from_studio import kept_texts, scene_tags
from tbstar_jax.evaluation.cases.overlaid import plain_shot
from tbstar_jax.evaluation.cases.scene_maps import scene_maps
from tbstar_jax.geometry import erode

Photo = UInt8[np.ndarray, "h w 3"]
Spoil: TypeAlias = Literal["blur", "noise", "cast"]

SPOILS: tuple[Spoil, ...] = get_args(Spoil)
"""Kinds of damage."""

_SEEN = 0.5
_CASTS = (
    ("yellow color cast", "偏黄色调", (1.06, 1.0, 0.76)),
    ("blue color cast", "偏蓝色调", (0.80, 0.96, 1.08)),
    ("green color cast", "偏绿色调", (0.86, 1.05, 0.86)),
)


def spoiled_draft(
    rng: np.random.Generator, size: tuple[int, int], wishes: Wishes, kind: Spoil
) -> Draft:
    """Draws a product photo and spoils it.

    Args:
      rng: source of random numbers.
      size: rows and columns, pixels.
      wishes: what the photo is to show.
      kind: of the damage.
    """
    shot = plain_shot(rng, size, wishes)
    clean = shot.pair.source
    product = shot.pair.before.coverage[0] > _SEEN
    thing = words.thing(shot.edit.before.items[0])
    edit = np.ones(size, bool)
    match kind:
        case "blur":
            sigma = min(size) * uniform(rng, 0.010, 0.016)
            edit = ~erode(shot.pair.before.coverage[0] == 0, round(sigma))
            source = np.where(edit[:, :, None], blurred(clean, sigma), clean)
            defect = (
                f"blur of the {thing['object_en']}",
                f"{thing['object_zh']}上的模糊",
            )
        case "noise":
            grain = rng.normal(0.0, uniform(rng, 14.0, 26.0), clean.shape)
            source = _rounded(clean + grain)
            defect = "noise", "噪点"
        case "cast":
            english, chinese, gains = choose(rng, _CASTS)
            source = _rounded(clean * np.asarray(gains))
            defect = english, chinese
    facts = Facts(defect_en=defect[0], defect_zh=defect[1], **thing)
    return Draft(
        generator="studio",
        asks=(Ask(wording="sharpen", facts=facts),),
        source=source,
        reference=clean,
        masks=Masks(
            edit=edit,
            product=product,
            product_after=product,
            shadow=no_mask(size),
            text=no_mask(size),
        ),
        kept_texts=kept_texts(shot, edit),
        target_texts=(),
        target_objects=(),
        tags={**scene_tags(shot.edit), "damage": kind},
        scene=scene_maps(shot.pair.before),
    )


def blurred(picture: Photo, sigma: float) -> Photo:
    """A Gaussian blur with repeated edges.

    Args:
      picture: sRGB.
      sigma: of the kernel, pixels.
    """
    reach = max(1, round(3 * sigma))
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    once = _along_rows(picture.astype(np.float64), kernel)
    return _rounded(_along_rows(once.swapaxes(0, 1), kernel).swapaxes(0, 1))


def _along_rows(
    values: Float[np.ndarray, "h w 3"], kernel: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "h w 3"]:
    reach = len(kernel) // 2
    rows = len(values)
    padded = np.pad(values, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    made = np.zeros_like(values)
    for k, weight in enumerate(kernel):
        made += weight * padded[k : k + rows]
    return made


def _rounded(values: Float[np.ndarray, "h w 3"]) -> Photo:
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
