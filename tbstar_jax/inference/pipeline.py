"""EditPipeline: one photo and an instruction in, the edited photo out.

    photo -> canvas plan -> padded model image -> source, encoded once per photo
          -> sampler -> decoded image -> back to the canvas
          -> composited with the original pixels outside the edit mask

`preserve` says how far the source is kept:

    off      the decoded image as it is
    latent   kept tokens follow the source's latent, the whole image is decoded
    pixel    latent, and outside the edit mask the original pixels, bit for bit
    estimated   drawn as with off; the edit mask is what differs from the source, and
                outside it are the original pixels: for checkpoints without keep gate

`geometry` says what the model sees of the photos:

    canvas     the canvas contract of `geometry.py`: nothing is stretched
    diffusers  every photo resized to the pixel budget, sides rounded to multiples of
               32, and the output with them: for comparisons with diffusers alone
"""

import dataclasses
import functools
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.array_types import Grid
from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.lora_file import Lightning, lightning_of, parse_lora_file
from tbstar_jax.diffusion.timesteps import lightning_timesteps
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import (
    CanvasPlan,
    from_model,
    mask_from_grid,
    mask_from_model,
    mask_to_grid,
    plan_canvas,
    to_model,
)
from tbstar_jax.inference.color_profile import from_srgb
from tbstar_jax.inference.composite import composite
from tbstar_jax.inference.diffusers_geometry import (
    image_size,
    require_nothing_kept,
    resize_as_diffusers,
    token_grid,
)
from tbstar_jax.inference.editor import EditedBatch, PreparedSource, SamplingOptions
from tbstar_jax.inference.estimate import estimate_region
from tbstar_jax.inference.image_file import SourceImage, source_from_array
from tbstar_jax.inference.loaded_model import LoadedModel, load_model, make_ready
from tbstar_jax.inference.preserve import Preserve, choose_preserve
from tbstar_jax.inference.text_to_image import start
from tbstar_jax.model.attention import AttentionKernel
from tbstar_jax.model.conditioner.qwen25_config import Qwen25VLConfig
from tbstar_jax.model.conditioner.qwen25_processor import Positions
from tbstar_jax.model.pattern_shifting import COLLECTION as PATTERN_SHIFTING

_log = logging.getLogger(__name__)

Geometry: TypeAlias = Literal["canvas", "diffusers"]

SHIPPED_WEIGHTS = Path(__file__).parent.parent / "weights" / "tiny"
_NUM_CACHED_SOURCES = 4


@dataclasses.dataclass(frozen=True)
class EditResult:
    """An edited photo.

    Attributes:
      image: `[h w 3]` uint8 at the canvas size, in the source's colour profile.
      edit_mask: `[h w]` uint8, 255 where the edit was allowed to change pixels.
      keep_probability: the gate's p on the token grid, or None without a gate.
      latent: what was decoded, packed, `[n c]`.
    """

    image: UInt8[np.ndarray, "h w 3"]
    edit_mask: UInt8[np.ndarray, "h w"]
    keep_probability: Float[np.ndarray, "rows columns"] | None
    latent: Float[np.ndarray, "n c"]


class EditPipeline:
    """A loaded model that edits photos; keeps the last few photos' source caches."""

    def __init__(
        self, model: Weights | LoadedModel, lightning: Lightning | None = None
    ) -> None:
        """Takes a model.

        Args:
          model: from `load_model`; or weights with the byte-level conditioner.
          lightning: the LoRA merged into it that sets steps, guidance and times.

        Raises:
          UserError: the model has never learned to read sources.
        """
        if isinstance(model, Weights):
            model = make_ready(model.config, model.parts)
        self._model = model
        self._lightning = lightning
        self._sources: OrderedDict[str, PreparedSource] = OrderedDict()
        config = model.config
        if (
            isinstance(config.conditioner, Qwen25VLConfig)
            and config.transformer.source_attention == "cached"
            and PATTERN_SHIFTING not in model.parts
        ):
            raise UserError(
                "this is a text-to-image checkpoint, which has never seen a source; "
                "train stage 1 on it (python -m experiments.stage1 --set base=FOLDER), "
                "or take a checkpoint that edits, such as Qwen-Image-Edit-2511"
            )

    @classmethod
    def from_checkpoint(
        cls,
        directory: Path | None = None,
        loras: Sequence[str] = (),
        *,
        positions: Positions = "mrope",
        dtype: Any | None = None,
        mesh: Mesh | None = None,
        attention: AttentionKernel | None = None,
    ) -> "EditPipeline":
        """Loads a weights folder, or a public checkpoint in the diffusers layout.

        Args:
          directory: the folder; None for the `tiny` weights in the package.
          loras: LoRA files to merge into the base, `FILE` or `FILE:scale`. A Lightning
            LoRA sets steps, guidance and times, which is logged.
          positions: how Qwen2.5-VL counts the cells of images; `sequential` is for
            comparisons with diffusers on transformers 5 alone.
          dtype: to keep weights and compute in; None is float32 for `tiny` and
            `small`, and what the transformer is stored in for public checkpoints.
          mesh: devices to share the weights, from `make_mesh`; None is the first one.
          attention: its implementation; None is the fastest for device and dtype.

        Raises:
          UserError: there is no such folder or file, one is damaged, or a LoRA does not
            fit the base.
        """
        files = [parse_lora_file(text) for text in loras]
        lightning = lightning_of(files)
        model = load_model(
            SHIPPED_WEIGHTS if directory is None else directory,
            files,
            positions=positions,
            dtype=dtype,
            mesh=mesh,
            attention=attention,
        )
        if lightning is not None:
            # A warning, so that it is seen where nobody set up logging.
            _log.warning(
                "%s is a Lightning LoRA: %d steps, guidance 1, shift ln 3 without "
                "stretch",
                lightning.path,
                lightning.num_steps,
            )
        return cls(model, lightning)

    @property
    def max_photos(self) -> int | None:
        """How many photos an edit may have, references included; None: any number."""
        return self._model.max_photos

    def __call__(
        self,
        image: SourceImage | UInt8[np.ndarray, "h w 3"],
        instruction: str,
        *,
        references: Sequence[SourceImage | UInt8[np.ndarray, "_ _ 3"]] = (),
        mask: UInt8[np.ndarray, "mh mw"] | None = None,
        seed: int = 0,
        num_steps: int | None = None,
        guidance: float | None = None,
        preserve: str | None = None,
        geometry: str = "canvas",
        noise: Float[np.ndarray, "n c"] | None = None,
    ) -> EditResult:
        """Edits a photo by instruction.

        Args:
          image: a photo from `open_image`, or sRGB pixels. Its size is the canvas.
          instruction: what to change, in Chinese or English.
          references: further photos the instruction may speak of, for models that take
            several; the prompt numbers them from 2.
          mask: 255 where the edit may change pixels; None leaves it to the keep gate.
          seed: of the noise; the same seed gives the same edit.
          num_steps: sampling steps; None is the model's or the Lightning LoRA's.
          guidance: guidance scale, 1 for none; the model's default (or 1 with a
            Lightning LoRA) if None.
          preserve: see the module docstring; None is `pixel` if something says what to
            keep (a mask or the keep gate), else `off`.
          geometry: see the module docstring. With `diffusers` the output has the last
            photo's shape, is sRGB, and nothing is preserved.
          noise: packed, to start from instead of the seed's; as diffusers' `latents`.

        Returns:
          The edited photo and its edit mask.

        Raises:
          UserError: an instruction, aspect ratio, mask, noise, number of photos, steps,
            guidance or `preserve` that this model cannot take.
        """
        source, photos = self._photos([image, *references])
        if geometry == "diffusers":
            preserve = require_nothing_kept(mask, preserve)
        elif geometry != "canvas":
            raise UserError(
                f"geometry must be one of {', '.join(get_args(Geometry))}, not "
                f"{geometry}"
            )
        options, how = self._options(instruction, mask, num_steps, guidance, preserve)
        generate = functools.partial(
            self._generate,
            photos=photos,
            instruction=instruction,
            options=options,
            seed=seed,
            noise=noise,
        )
        if geometry == "diffusers":
            return self._edit_as_diffusers(photos, generate)
        return self._edit_on_canvas(source, photos, mask, how, generate)

    def _edit_as_diffusers(
        self,
        photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        generate: Callable[..., EditedBatch],
    ) -> EditResult:
        """Photos resized as the public pipelines do; nothing is preserved."""
        area = self._model.config.pixel_budget
        images = [resize_as_diffusers(photo, area) for photo in photos]
        edited = generate(images, grid=token_grid(images[-1]), kept=None)
        drawn = np.asarray(edited.image[0])
        everywhere = np.full(drawn.shape[:2], 255, np.uint8)
        return EditResult(drawn, everywhere, None, np.asarray(edited.latent[0]))

    def _edit_on_canvas(
        self,
        source: SourceImage,
        photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        mask: UInt8[np.ndarray, "mh mw"] | None,
        how: Preserve,
        generate: Callable[..., EditedBatch],
    ) -> EditResult:
        """Our own geometry: the photo's canvas, and its pixels where they are kept."""
        budget = self._model.config.pixel_budget
        plans = [plan_canvas(*image_size(photo), budget) for photo in photos]
        images = [to_model(*pair) for pair in zip(photos, plans, strict=True)]
        plan = plans[0]
        kept = None if mask is None else ~mask_to_grid(mask, plan)
        edited = generate(images, grid=plan.grid, kept=kept)
        canvas = from_model(np.asarray(edited.image[0]), plan)
        p = edited.keep_probability
        keep_probability = None if p is None else np.asarray(p[0])
        if how == "estimated":
            prepared = self._prepare(images, plan.grid)
            unedited = self._model.editor.round_trip(self._model.parts, prepared)
            drawn = np.asarray(edited.image[0])
            region = estimate_region(drawn, np.asarray(unedited[0]))
            edit_mask = mask_from_model(region, plan)
        else:
            edit_mask = _edit_mask(mask, keep_probability, how, plan)
        if how in ("pixel", "estimated"):
            result = composite(source, canvas, edit_mask)
        else:
            result = from_srgb(canvas, source.icc_profile, source.color_mode)
        latent = np.asarray(edited.latent[0])
        return EditResult(result, edit_mask, keep_probability, latent)

    def _generate(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        *,
        photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        grid: Grid,
        instruction: str,
        options: SamplingOptions,
        kept: Bool[np.ndarray, "rows columns"] | None,
        seed: int,
        noise: Float[np.ndarray, "n c"] | None,
    ) -> EditedBatch:
        """Edits `images`, which are `photos` as the model sees them."""
        model = self._model
        channels = model.config.transformer.in_channels
        begin = start(noise, seed, grid[0] * grid[1], channels)
        strength = None
        if kept is not None:
            strength = jnp.asarray(kept.reshape(1, -1), jnp.float32)
        text, unconditional = model.read(
            instruction, photos, is_guided=options.guidance_scale != 1
        )
        return model.editor.generate(
            model.parts,
            self._prepare(images, grid),
            text,
            begin,
            options,
            strength,
            unconditional=unconditional,
        )

    def _photos(
        self, images: Sequence[SourceImage | UInt8[np.ndarray, "_ _ 3"]]
    ) -> tuple[SourceImage, list[UInt8[np.ndarray, "_ _ 3"]]]:
        """The photo that is edited, and the sRGB pixels of all."""
        limit = self.max_photos
        if limit is not None and len(images) > limit:
            raise UserError(
                f"this checkpoint takes at most {limit} of the {len(images)} photos; "
                "leave some references out"
            )
        sources = [
            source_from_array(x) if isinstance(x, np.ndarray) else x for x in images
        ]
        return sources[0], [source.srgb for source in sources]

    def _options(
        self,
        instruction: str,
        mask: np.ndarray | None,
        num_steps: int | None,
        guidance: float | None,
        preserve: str | None,
    ) -> tuple[SamplingOptions, Preserve]:
        """The sampler's options, and how to preserve, checked."""
        config = self._model.config
        has_gate = "consistency" in self._model.parts
        if not instruction.strip():
            raise UserError(
                "the instruction is empty; say what to change, for example "
                '"make the mug blue"'
            )
        has_mask = mask is not None
        how = choose_preserve(preserve, has_gate=has_gate, has_mask=has_mask)
        if num_steps is not None and num_steps < 1:
            raise UserError(f"the number of steps must be at least 1, not {num_steps}")
        default_steps, default_guidance = config.num_steps, config.guidance_scale
        timesteps = self._model.timesteps
        if self._lightning is not None:
            self._lightning.require(num_steps, guidance)
            default_steps, default_guidance = self._lightning.num_steps, 1.0
            timesteps = lightning_timesteps()
        options = SamplingOptions(
            num_steps=default_steps if num_steps is None else num_steps,
            guidance_scale=default_guidance if guidance is None else guidance,
            use_gate=how in ("latent", "pixel") and not has_mask,
            timesteps=timesteps,
        )
        return options, how

    def _prepare(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], grid: Grid
    ) -> PreparedSource:
        """Encodes photos, or finds them among the last few: the pixels are the key."""
        digest = hashlib.sha256(repr((grid, [x.shape for x in images])).encode())
        for image in images:
            digest.update(image.tobytes())
        key = digest.hexdigest()
        if key not in self._sources:
            if len(self._sources) == _NUM_CACHED_SOURCES:
                self._sources.popitem(last=False)
            batch = [image[None] for image in images]
            self._sources[key] = self._model.editor.prepare(
                self._model.parts, *batch, grid=grid
            )
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
