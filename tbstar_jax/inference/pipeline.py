"""EditPipeline: one photo and an instruction in, the edited photo out.

    photo -> canvas plan -> padded model image -> source, encoded once per photo
          -> sampler -> decoded image -> back to the canvas
          -> composited with the original pixels outside the edit mask

`preserve` says how far the source is kept:

    off      the decoded image as it is
    latent   kept tokens follow the source's latent, the whole image is decoded
    pixel    latent, and outside the edit mask the original pixels, bit for bit
"""

import dataclasses
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from tbstar_jax.convert.folder import Weights, load_weights
from tbstar_jax.convert.lora import read_loras
from tbstar_jax.convert.lora_file import Lightning, lightning_of, parse_lora_file
from tbstar_jax.convert.lora_merge import merge_loras
from tbstar_jax.diffusion.timesteps import TimestepConfig, lightning_timesteps
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import (
    CanvasPlan,
    from_model,
    mask_from_grid,
    mask_to_grid,
    plan_canvas,
    to_model,
)
from tbstar_jax.inference.color_profile import from_srgb
from tbstar_jax.inference.composite import composite
from tbstar_jax.inference.editor import Editor, PreparedSource, SamplingOptions
from tbstar_jax.inference.image_file import SourceImage, source_from_array

_log = logging.getLogger(__name__)

Preserve: TypeAlias = Literal["off", "latent", "pixel"]

SHIPPED_WEIGHTS = Path(__file__).parent.parent / "weights" / "tiny"
_NUM_CACHED_SOURCES = 4


@dataclasses.dataclass(frozen=True)
class EditResult:
    """An edited photo.

    Attributes:
      image: `[h w 3]` uint8 at the canvas size, in the source's colour profile.
      edit_mask: `[h w]` uint8, 255 where the edit was allowed to change pixels.
      keep_probability: the gate's p on the token grid, or None without a gate.
    """

    image: UInt8[np.ndarray, "h w 3"]
    edit_mask: UInt8[np.ndarray, "h w"]
    keep_probability: Float[np.ndarray, "rows columns"] | None


class EditPipeline:
    """A loaded model that edits photos; keeps the last few photos' source caches."""

    def __init__(self, weights: Weights, lightning: Lightning | None = None) -> None:
        self._weights = weights
        self._lightning = lightning
        self._editor = Editor(weights.config)
        # fp32 arithmetic whatever the stored dtype: identities hold on every platform.
        self._parts = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float32), weights.parts
        )
        self._sources: OrderedDict[str, PreparedSource] = OrderedDict()

    @classmethod
    def from_checkpoint(
        cls, directory: Path | None = None, loras: Sequence[str] = ()
    ) -> "EditPipeline":
        """Loads a weights folder.

        Args:
          directory: the folder; None for the `tiny` weights in the package.
          loras: LoRA files to merge into the base, `FILE` or `FILE:scale`. A Lightning
            LoRA sets steps, guidance and times, which is logged.

        Raises:
          UserError: there is no such folder or file, one is damaged, or a LoRA does not
            fit the base.
        """
        files = [parse_lora_file(text) for text in loras]
        lightning = lightning_of(files)
        weights = load_weights(SHIPPED_WEIGHTS if directory is None else directory)
        num_layers = weights.config.transformer.num_layers
        weights = merge_loras(weights, read_loras(files, num_layers))
        if lightning is not None:
            # A warning, so that it is seen where nobody set up logging.
            _log.warning(
                "%s is a Lightning LoRA: %d steps, guidance 1, shift ln 3 without "
                "stretch",
                lightning.path,
                lightning.num_steps,
            )
        return cls(weights, lightning)

    def __call__(
        self,
        image: SourceImage | UInt8[np.ndarray, "h w 3"],
        instruction: str,
        *,
        mask: UInt8[np.ndarray, "mh mw"] | None = None,
        seed: int = 0,
        num_steps: int | None = None,
        guidance: float | None = None,
        preserve: str | None = None,
    ) -> EditResult:
        """Edits a photo by instruction.

        Args:
          image: a photo from `open_image`, or sRGB pixels. Its size is the canvas.
          instruction: what to change, in Chinese or English.
          mask: 255 where the edit may change pixels; None leaves it to the keep gate.
          seed: of the noise; the same seed gives the same edit.
          num_steps: sampling steps; the model's default (or the Lightning LoRA's) if
            None.
          guidance: guidance scale, 1 for none; the model's default (or 1 with a
            Lightning LoRA) if None.
          preserve: see the module docstring; None is `pixel` if something says what to
            keep (a mask or the keep gate), else `off`.

        Returns:
          The edited photo and its edit mask.

        Raises:
          UserError: an empty or too long instruction, an aspect ratio or mask that does
            not fit, steps or guidance that a Lightning LoRA was not made for, or a
            `preserve` for which nothing says what to keep.
        """
        source = source_from_array(image) if isinstance(image, np.ndarray) else image
        options, how = self._options(instruction, mask, num_steps, guidance, preserve)
        plan = plan_canvas(*source.size, self._weights.config.pixel_budget)
        prepared = self._prepare(to_model(source.srgb, plan))
        strength = None
        if mask is not None:
            kept = ~mask_to_grid(mask, plan)
            strength = jnp.asarray(kept.reshape(1, -1), jnp.float32)
        edited = self._editor.generate(
            self._parts,
            prepared,
            (instruction,),
            jax.random.key(seed)[None],
            options,
            strength,
        )
        canvas = from_model(np.asarray(edited.image[0]), plan)
        p = edited.keep_probability
        keep_probability = None if p is None else np.asarray(p[0])
        edit_mask = _edit_mask(mask, keep_probability, how, plan)
        if how == "pixel":
            result = composite(source, canvas, edit_mask)
        else:
            result = from_srgb(canvas, source.icc_profile, source.color_mode)
        return EditResult(result, edit_mask, keep_probability)

    def _options(
        self,
        instruction: str,
        mask: np.ndarray | None,
        num_steps: int | None,
        guidance: float | None,
        preserve: str | None,
    ) -> tuple[SamplingOptions, Preserve]:
        """The sampler's options, and how to preserve, checked.

        The choices are checked here and not by type alone: they come from users.
        """
        config = self._weights.config
        has_gate = "consistency" in self._parts
        if not instruction.strip():
            raise UserError(
                "the instruction is empty; say what to change, for example "
                '"make the mug blue"'
            )
        has_mask = mask is not None
        how: Preserve
        match preserve:
            case None:
                how = "pixel" if has_gate or has_mask else "off"
            case "off" | "latent" | "pixel":
                how = preserve
            case _:
                raise UserError(
                    f"preserve must be one of {', '.join(get_args(Preserve))}, "
                    f"not {preserve}"
                )
        if how == "off" and has_mask:
            raise UserError(
                "preserve=off edits every pixel, so a mask (or a larger canvas, which "
                "comes with one) has no effect; leave one of the two out"
            )
        if how != "off" and not has_gate and not has_mask:
            raise UserError(
                f"preserve={how} needs to know what to keep: this checkpoint has "
                "no keep gate (stage 2), so give a mask or use preserve=off"
            )
        if num_steps is not None and num_steps < 1:
            raise UserError(f"the number of steps must be at least 1, not {num_steps}")
        default_steps, default_guidance = config.num_steps, config.guidance_scale
        timesteps = TimestepConfig()
        if self._lightning is not None:
            self._lightning.require(num_steps, guidance)
            default_steps, default_guidance = self._lightning.num_steps, 1.0
            timesteps = lightning_timesteps()
        options = SamplingOptions(
            num_steps=default_steps if num_steps is None else num_steps,
            guidance_scale=default_guidance if guidance is None else guidance,
            use_gate=how != "off" and not has_mask,
            timesteps=timesteps,
        )
        return options, how

    def _prepare(self, image: UInt8[np.ndarray, "h w 3"]) -> PreparedSource:
        """Encodes a photo, or finds it among the last few: the pixels are the key."""
        key = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
        if key not in self._sources:
            if len(self._sources) == _NUM_CACHED_SOURCES:
                self._sources.popitem(last=False)
            self._sources[key] = self._editor.prepare(self._parts, image[None])
        self._sources.move_to_end(key)
        return self._sources[key]


def _edit_mask(
    mask: UInt8[np.ndarray, "h w"] | None,
    keep_probability: Float[np.ndarray, "rows columns"] | None,
    preserve: Preserve,
    plan: CanvasPlan,
) -> UInt8[np.ndarray, "h w"]:
    """255 where pixels may differ from the source."""
    if preserve == "off":
        return np.full(plan.canvas, 255, np.uint8)
    if mask is not None:
        return np.where(mask > 127, 255, 0).astype(np.uint8)
    assert keep_probability is not None
    return mask_from_grid(keep_probability <= np.float32(0.5), plan)
