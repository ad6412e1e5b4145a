"""Which LoRA file, at which scale, and whether it was distilled to a few steps.

Everything here reads names and headers only, so that a command can refuse a file before
it loads anything.

Lightning LoRAs were distilled for 4 or 8 steps without guidance, on times shifted by
`mu = ln 3` at every resolution and not stretched (`lightning_timesteps`). Nothing in
their tensors says so: as everywhere in the field, the file's name or the title in its
metadata does.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tbstar_jax.errors import UserError

_TITLES = ("modelspec.title", "ss_output_name", "title", "name")
_DISTILLED = re.compile(
    r"lightning|turbo|distill|(?<![a-z])(?:lcm|dmd2?)(?![a-z])", re.IGNORECASE
)
_STEPS = re.compile(r"(?<![0-9])([0-9]+)[-_ ]?steps?", re.IGNORECASE)
_LIGHTNING_STEPS = (4, 8)
_LN_3 = math.log(3.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraFile:
    """A LoRA file as it was asked for.

    Attributes:
      path: a safetensors file.
      scale: multiplies the update on top of the file's own alpha / rank; not 0.
    """

    path: Path
    scale: float

    def __post_init__(self) -> None:
        """Raises UserError for a scale without effect or a file of another kind."""
        if not math.isfinite(self.scale) or self.scale == 0:
            raise UserError(
                f"the scale of {self.path} is {self.scale:g}; it must be finite and, "
                "to have an effect, not 0"
            )
        if self.path.suffix.lower() != ".safetensors":
            raise UserError(
                f"{self.path} is not a .safetensors file; the form is FILE.safetensors "
                "or FILE.safetensors:scale, and other formats, which can run code "
                "when they are opened or hold quantised numbers, are not read"
            )


def parse_lora_file(text: str) -> LoraFile:
    """Reads `FILE` or `FILE:scale`.

    Raises:
      UserError: a scale of 0, or a file that is no safetensors file.
    """
    path, separator, number = text.rpartition(":")
    try:
        scale = float(number) if separator else 1.0
    except ValueError:
        path, separator, scale = "", "", 1.0
    return LoraFile(path=Path(path if separator else text), scale=scale)


def read_metadata(path: Path) -> dict[str, str]:
    """The text entries of a safetensors header.

    Raises:
      UserError: there is no such file, or it is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def file_sha256(path: Path) -> str:
    """Names a file by its bytes: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lightning:
    """What a step-distilled LoRA has to be sampled with.

    Attributes:
      path: of the file.
      num_steps: 4 or 8; guidance is 1, the times are `lightning_timesteps`.
    """

    path: Path
    num_steps: int

    def require(self, num_steps: int | None, guidance: float | None) -> None:
        """Refuses settings the LoRA was not distilled for.

        Args:
          num_steps: asked for; None leaves it to the LoRA.
          guidance: asked for; None leaves it to the LoRA.

        Raises:
          UserError: either is another than the LoRA's.
        """
        if num_steps not in (None, self.num_steps):
            raise UserError(
                f"{self.path} was distilled for {self.num_steps} steps, not "
                f"{num_steps}; leave the number of steps out, or the LoRA"
            )
        if guidance not in (None, 1):
            raise UserError(
                f"{self.path} was distilled to need no guidance, and guidance="
                f"{guidance:g} would spoil its pictures; leave the guidance out, or "
                "the LoRA"
            )


def lightning_of(files: Iterable[LoraFile]) -> Lightning | None:
    """How edits with these LoRAs have to be sampled, if one of them says.

    Raises:
      UserError: a file cannot be read, a Lightning LoRA does not say for how many
        steps, or two of them disagree.
    """
    found: list[Lightning] = []
    for file in files:
        titles = _titles(file.path, read_metadata(file.path))
        if not any("lightning" in title.lower() for title in titles):
            continue
        steps = {int(n) for title in titles for n in _STEPS.findall(title)}
        known = sorted(steps.intersection(_LIGHTNING_STEPS))
        if len(known) != 1:
            raise UserError(
                f"{file.path} calls itself a Lightning LoRA, but neither its name nor "
                "its metadata says whether for 4 or 8 steps; put `4steps` or `8steps` "
                "into its name"
            )
        found.append(Lightning(path=file.path, num_steps=known[0]))
    if len({lightning.num_steps for lightning in found}) > 1:
        raise UserError(
            f"{found[0].path} was distilled for {found[0].num_steps} steps and "
            f"{found[-1].path} for {found[-1].num_steps}; use one of them"
        )
    return found[0] if found else None


def refuse_distilled_files(files: Sequence[LoraFile]) -> None:
    """Refuses step-distilled LoRAs as a part of what is trained.

    Training on all times undoes a distillation and learns from its errors; the usual
    outcome are grey pictures.

    Raises:
      UserError: a file says that it is distilled, or cannot be read.
    """
    for file in files:
        titles = _titles(file.path, read_metadata(file.path))
        word = next(filter(None, map(_DISTILLED.search, titles)), None)
        if word is not None:
            raise UserError(
                f"{file.path} is a step-distilled LoRA (its name or title says "
                f"`{word[0]}`), which cannot be trained on or continued: train without "
                "it and add it when editing"
            )


def refuse_distilled_base(directory: Path) -> None:
    """Refuses a step-distilled checkpoint as the base of training.

    Args:
      directory: a weights folder, or a folder in the diffusers layout.

    Raises:
      UserError: its scheduler or its name is that of a distilled checkpoint.
    """
    reason = None
    word = _DISTILLED.search(directory.name)
    if word is not None:
        reason = f"its name says `{word[0]}`"
    elif _has_lightning_scheduler(directory / "scheduler" / "scheduler_config.json"):
        reason = "its scheduler is that of Lightning: shift ln 3 and no terminal"
    if reason is not None:
        raise UserError(
            f"{directory} is a step-distilled checkpoint ({reason}), which cannot be "
            "trained on; use the checkpoint it was distilled from"
        )


def _has_lightning_scheduler(path: Path) -> bool:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        shifts = (float(config["base_shift"]), float(config["max_shift"]))
        terminal = config["shift_terminal"]
    except (OSError, ValueError, KeyError, TypeError):
        # No scheduler, or one of another kind, which others have to judge.
        return False
    return terminal is None and all(abs(s - _LN_3) < 1e-3 for s in shifts)


def _titles(path: Path, metadata: Mapping[str, str]) -> list[str]:
    return [path.name, *(metadata[key] for key in _TITLES if key in metadata)]
