"""`learned.yaml`: which weights measure, and what their variant is called.

    lpips:
      name: LPIPS AlexNet 0.1
      path: weights/lpips_alex.onnx
    dino:
      name: DINOv2 ViT-B/14
      path: weights/dinov2_vitb14.onnx
      normalisation: imagenet
    clip_image:
      name: CLIP ViT-B/32
      path: weights/clip_image.onnx
      normalisation: clip
      sha256: 8f2c...          # optional: refuse any other file
    clip_text:
      name: CLIP ViT-B/32
      path: weights/clip_text.onnx
      tokenizer: weights/tokenizer.json

Paths are relative to where the command runs. Numbers of other weights are other
numbers, so the name stands in every header and the hashes in the provenance.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.settings_file import read_settings
from tbstar_jax.metrics.onnx_file import OnnxFile
from tbstar_jax.metrics.onnx_model import OnnxImageModel
from tbstar_jax.metrics.onnx_pair import OnnxPairModel
from tbstar_jax.metrics.onnx_text import OnnxTextModel

MEASURES_VERSION = 1
"""Raised whenever the same picture and weights would get another number."""

SECTIONS = ("lpips", "dino", "clip_image", "clip_text")

_MAX_NAME = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """Weights in an ONNX file.

    Attributes:
      name: of the variant, for headers, e.g. `DINOv2 ViT-B/14`.
      path: of the file.
      sha256: what its bytes must be; None: whatever lies there.
      output: that is read; None: the first.
    """

    name: str
    path: Path
    sha256: str | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        shown = self.name.strip()
        if not shown or not shown.isprintable() or len(self.name) > _MAX_NAME:
            raise UserError(
                f"the name of {self.path} is {self.name[:80]!r}; it must be one line "
                f"of 1 to {_MAX_NAME} characters"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistanceConfig(Variant):
    """LPIPS.

    Attributes:
      normalisation: what the values are: `half` is [-1, 1], as LPIPS takes; `unit`
        [0, 1], where it was exported with `normalize=True`.
      side: see `OnnxPairModel`.
    """

    normalisation: Literal["half", "unit"] = "half"
    side: int | None = None

    def model(self) -> OnnxPairModel:
        """What is run."""
        return OnnxPairModel(
            path=self.path,
            sha256=self.sha256,
            output=self.output,
            side=self.side,
            values="unit" if self.normalisation == "unit" else "signed",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(Variant):
    """An encoder of pictures: DINO, or CLIP's part for pictures.

    Attributes:
      normalisation: see `OnnxImageModel`; `imagenet` for DINO, `clip` for CLIP.
      side: likewise.
    """

    normalisation: Literal["imagenet", "clip", "half", "unit"]
    side: int | None = None

    def model(self) -> OnnxImageModel:
        """What is run."""
        return OnnxImageModel(
            path=self.path,
            sha256=self.sha256,
            output=self.output,
            side=self.side,
            normalisation=self.normalisation,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextConfig(Variant):
    """CLIP's part for texts.

    Attributes:
      tokenizer: its `tokenizer.json`.
      tokenizer_sha256: what its bytes must be; None: whatever lies there.
    """

    tokenizer: Path
    tokenizer_sha256: str | None = None

    def model(self) -> OnnxTextModel:
        """What is run."""
        file = OnnxFile(path=self.path, sha256=self.sha256, output=self.output)
        return OnnxTextModel(
            file=file,
            tokenizer=self.tokenizer,
            tokenizer_sha256=self.tokenizer_sha256,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedConfig:
    """The weights that are there; a section that is None has no columns.

    Attributes:
      lpips: `lpips_keep`, `lpips_edit`.
      dino: `dino_prod`, `dino_reference`, `dino_source`.
      clip_image: `clip_i_reference`, `clip_i_source`.
      clip_text: with `clip_image`, `clip_t` and `clip_dir`.
    """

    lpips: DistanceConfig | None = None
    dino: EncoderConfig | None = None
    clip_image: EncoderConfig | None = None
    clip_text: TextConfig | None = None

    def __post_init__(self) -> None:
        if not self.sections():
            raise UserError(
                f"no weights are named; name at least one of {', '.join(SECTIONS)}"
            )
        if self.clip_text is not None and self.clip_image is None:
            raise UserError(
                "clip_text has no effect without clip_image, which its texts are "
                "compared with; add that, or drop clip_text"
            )
        for section in self.sections().values():
            section.model()

    def sections(self) -> dict[str, DistanceConfig | EncoderConfig | TextConfig]:
        """What is named, by section."""
        named = {name: getattr(self, name) for name in SECTIONS}
        return {name: found for name, found in named.items() if found is not None}

    def pinned(self) -> "LearnedConfig":
        """The same, with the SHA-256 that every file has now: no other will be read.

        Raises:
          UserError: a file is missing, too large or not the one that was named.
        """
        changes: dict[str, Any] = {
            name: _pinned(found) for name, found in self.sections().items()
        }
        return dataclasses.replace(self, **changes)

    def fingerprint(self) -> str:
        """SHA-256 of all that decides the numbers: not of names and places.

        Raises:
          UserError: as `pinned`.
        """
        models = {
            name: found.model().fingerprint for name, found in self.sections().items()
        }
        entry = json.dumps([MEASURES_VERSION, models], sort_keys=True)
        return hashlib.sha256(entry.encode()).hexdigest()

    def provenance(self) -> dict[str, dict[str, str]]:
        """By section, what a report says of it: `name`, hashes, `fingerprint`.

        Raises:
          UserError: as `pinned`.
        """
        told = {}
        for name, found in self.pinned().sections().items():
            told[name] = {"name": found.name, "sha256": str(found.sha256)}
            if isinstance(found, TextConfig):
                told[name]["tokenizer_sha256"] = str(found.tokenizer_sha256)
            own = f"{MEASURES_VERSION} {found.model().fingerprint}"
            told[name]["fingerprint"] = hashlib.sha256(own.encode()).hexdigest()
        return told


def _pinned(found: Variant) -> Variant:
    file = OnnxFile(path=found.path, sha256=found.sha256)
    pinned = dataclasses.replace(found, sha256=file.digest)
    if isinstance(pinned, TextConfig):
        digest = pinned.model().tokenizer_digest
        return dataclasses.replace(pinned, tokenizer_sha256=digest)
    return pinned


def read_learned(path: Path) -> LearnedConfig:
    """Reads `learned.yaml`, or a JSON file of the same keys.

    Raises:
      UserError: not readable, an unknown key (naming the nearest) or a wrong value.
    """
    return read_settings(path, LearnedConfig, "learned metrics")
