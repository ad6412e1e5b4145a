"""The command `tbstar-edit`: one photo, or a folder of photos, edited by instruction.

    tbstar-edit in.jpg "make the mug matte black" -o out.png
    tbstar-edit photos/ "remove the watermark" -o edited/

Everything that can be wrong with the input is found before the weights are loaded.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8
from tqdm import tqdm

from tbstar_jax.convert.lora_file import lightning_of, parse_lora_file
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.geometry import Box, crop_box, plan_outpaint, require_canvas
from tbstar_jax.inference.cli_arguments import Attention, Preserve, make_parser
from tbstar_jax.inference.image_decode import READ_SUFFIXES
from tbstar_jax.inference.image_file import (
    SourceImage,
    crop_source,
    open_image,
    open_mask,
    outpaint_source,
    require_writable,
    save_image,
    save_mask,
    share_identical_on_disk,
)


@runtime_checkable
class Edit(Protocol):
    """An edited photo: what of `EditResult` the command writes."""

    @property
    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        """The edit, of the canvas's size, in the photo's own profile."""

    @property
    def edit_mask(self) -> UInt8[np.ndarray, "h w"]:
        """255 where pixels may differ from the photo's."""


@runtime_checkable
class EditFunction(Protocol):
    """What edits: an `EditPipeline`, or a function with its signature."""

    def __call__(
        self,
        image: SourceImage,
        instruction: str,
        *,
        references: Sequence[SourceImage],
        mask: UInt8[np.ndarray, "h w"] | None,
        seed: int,
        num_steps: int | None,
        guidance: float | None,
        preserve: Preserve | None,
    ) -> Edit:
        """Edits one photo; None leaves a choice to the checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What the model is loaded from and how it runs; None is the default of each.

    Attributes:
      checkpoint: directory; the shipped weights if None.
      loras: merged into the base.
      mesh: `4x2`; the first device if None.
      attention: implementation; the fastest for the device if None.
    """

    checkpoint: Path | None
    loras: Sequence[str]
    mesh: str | None
    attention: Attention | None


LoadEdit = Callable[[Loading], EditFunction]
"""Loads what edits."""


@dataclass(frozen=True, kw_only=True)
class EditOptions:
    """The command line, parsed; sizes and offsets are (height, width), (row, column).

    None means: not given, so the checkpoint's or the photo's own value.
    """

    input: Path
    instruction: str
    output: Path
    references: Sequence[Path]
    mask: Path | None
    mask_out: Path | None
    seed: int
    steps: int | None
    guidance: float | None
    preserve: Preserve | None
    checkpoint: Path | None
    loras: Sequence[str]
    mesh: str | None
    attention: Attention | None
    convert: bool
    crop: tuple[int, int, int, int] | None
    canvas: tuple[int, int] | None
    offset: tuple[int, int] | None
    overwrite: bool

    @property
    def loading(self) -> Loading:
        """What the model is loaded from."""
        return Loading(
            checkpoint=self.checkpoint,
            loras=self.loras,
            mesh=self.mesh,
            attention=self.attention,
        )

    def __post_init__(self) -> None:
        if not self.instruction.strip():
            raise UserError("the instruction is empty; say in words what to change")
        if self.seed < 0:
            raise UserError(f"--seed is {self.seed} but must be at least 0")
        if self.steps is not None and self.steps < 1:
            raise UserError(f"--steps is {self.steps} but must be at least 1")
        if self.guidance is not None and not 0 <= self.guidance < math.inf:
            raise UserError(f"--guidance is {self.guidance} but must be at least 0")
        inputs = (self.input, self.mask, *self.references)
        taken = {path.resolve() for path in inputs if path}
        for path in filter(None, (self.output, self.mask_out)):
            if path.resolve() in taken:
                raise UserError(
                    f"{path} is named twice; give each input and output its own name"
                )
            taken.add(path.resolve())
        if self.mask_out is not None and self.mask_out.suffix.lower() != ".png":
            raise UserError(f"--mask-out writes a .png, not {self.mask_out}")
        if self.offset is not None and self.canvas is None:
            raise UserError("--offset places the photo on a --canvas, which is missing")
        if self.input.is_dir():
            for name in ("mask", "mask_out"):
                if getattr(self, name) is not None:
                    raise UserError(
                        f"--{name.replace('_', '-')} is for one photo, but "
                        f"{self.input} is a folder"
                    )
        elif self.overwrite:
            raise UserError(
                f"--overwrite is for folders; {self.input} is one photo, whose output "
                "is always replaced"
            )


@dataclass(frozen=True, kw_only=True)
class Job:
    """One photo, checked and ready to be edited.

    Attributes:
      source: the canvas: the photo, or the photo placed on a larger grey one.
      references: further photos the instruction may speak of.
      is_photo: which of the canvas's pixels are the photo's own.
      mask: what may be edited; None leaves it to the model.
      crop: the part of the edited canvas that is written.
      output: the file to write.
    """

    source: SourceImage
    references: Sequence[SourceImage]
    is_photo: Bool[np.ndarray, "h w"]
    mask: UInt8[np.ndarray, "h w"] | None
    crop: Box
    output: Path


def main() -> int:
    """Runs the command with the process's arguments; returns its exit status."""
    return run_command(lambda arguments: run(arguments, _load_pipeline))


def run(arguments: Sequence[str], load_edit: LoadEdit) -> None:
    """Runs the command.

    Args:
      arguments: those after the program's name.
      load_edit: called once, after everything else has been checked.

    Raises:
      UserError: a wrong argument or photo; in a folder, after all photos were tried.
    """
    options = EditOptions(**vars(make_parser().parse_args(arguments)))
    lightning = lightning_of(map(parse_lora_file, options.loras))
    if lightning is not None:
        lightning.require(options.steps, options.guidance)
    if options.input.is_dir():
        _edit_folder(options, load_edit)
        return
    job = _prepare(options.input, options.output, options)
    _edit_photo(job, options, load_edit(options.loading))


def _load_pipeline(loading: Loading) -> EditFunction:
    # Imported here, for it takes seconds: help and errors should not.
    from tbstar_jax.inference.pipeline import EditPipeline
    from tbstar_jax.parallel.mesh import (
        ensure_virtual_devices,
        make_mesh,
        parse_mesh,
    )

    mesh = None
    if loading.mesh is not None:
        shape = parse_mesh(loading.mesh)
        ensure_virtual_devices(shape.num_devices)
        mesh = make_mesh(shape)
    return EditPipeline.from_checkpoint(
        loading.checkpoint, loading.loras, mesh=mesh, attention=loading.attention
    )


def _prepare(photo: Path, output: Path, options: EditOptions) -> Job:
    """Reads a photo and checks all that can be wrong before any weight is loaded."""
    source = open_image(photo, convert=options.convert)
    require_writable(output, source)
    is_photo, mask = np.ones(source.size, bool), None
    if options.canvas is not None:
        size = options.canvas
        centre = ((size[0] - source.size[0]) // 2, (size[1] - source.size[1]) // 2)
        plan = plan_outpaint(source.size, size, options.offset or centre)
        source, mask = outpaint_source(source, plan)
        is_photo = mask == 0
    if options.mask is not None:
        given = open_mask(options.mask, source.size)
        mask = given if mask is None else np.maximum(mask, given)
    require_canvas(*source.size)
    crop = options.crop or (0, 0, *source.size)
    return Job(
        source=source,
        references=[open_image(x, convert=options.convert) for x in options.references],
        is_photo=is_photo,
        mask=mask,
        crop=crop_box(source.size, offset=crop[:2], crop_size=crop[2:]),
        output=output,
    )


def _edit_photo(job: Job, options: EditOptions, edit: EditFunction) -> None:
    """Edits, writes and reports one photo."""
    result = edit(
        job.source,
        options.instruction,
        references=job.references,
        mask=job.mask,
        seed=options.seed,
        num_steps=options.steps,
        guidance=options.guidance,
        preserve=options.preserve,
    )
    box = job.crop.slices
    reference = crop_source(job.source, job.crop)
    warning = save_image(job.output, result.image[box], reference)
    if warning is not None:
        _say(f"warning: {warning}", is_error=True)
    share = share_identical_on_disk(job.output, reference, job.is_photo[box])
    _say(f"{job.output}: {_percent(share)} of the photo's pixels are bit-identical")
    if options.mask_out is not None:
        save_mask(options.mask_out, result.edit_mask[box])
        _say(f"{options.mask_out}: edit mask, white = edited")


def _edit_folder(options: EditOptions, load_edit: LoadEdit) -> None:
    """Edits every photo of a folder; one that fails is reported and passed over."""
    outputs = _folder_outputs(options.input, options.output)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {options.output}: {error.strerror}"
        ) from error
    waiting = [
        (photo, output)
        for photo, output in outputs.items()
        if options.overwrite or not output.exists()
    ]
    num_skipped, num_failed = len(outputs) - len(waiting), 0
    edit = load_edit(options.loading) if waiting else None
    for photo, output in tqdm(waiting, unit="photo", disable=None):
        assert edit is not None  # there is a photo, so it was loaded
        try:
            _edit_photo(_prepare(photo, output, options), options, edit)
        except UserError as error:
            _say(f"error: {error}", is_error=True)
            num_failed += 1
    if num_skipped:
        _say(
            f"{num_skipped} of {len(outputs)} outputs in {options.output} already "
            "existed and were left; use --overwrite to replace them"
        )
    if num_failed:
        raise UserError(
            f"{num_failed} of {len(outputs)} photos in {options.input} could not be "
            "edited; the reasons are above"
        )


def _folder_outputs(folder: Path, output: Path) -> dict[Path, Path]:
    """Names a lossless output for every photo of a folder."""
    photos = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in READ_SUFFIXES
    )
    if not photos:
        raise UserError(
            f"{folder} holds no photos; their suffixes are {', '.join(READ_SUFFIXES)}"
        )
    names: dict[str, Path] = {}
    for photo in photos:
        other = names.setdefault(photo.stem, photo)
        if other != photo:
            raise UserError(
                f"{other} and {photo} would both be written as {photo.stem}.png; "
                "rename one"
            )
    return {photo: output / f"{photo.stem}.png" for photo in photos}


def _say(line: str, is_error: bool = False) -> None:
    """Prints above a progress bar, if there is one."""
    tqdm.write(line, file=sys.stderr if is_error else sys.stdout)


def _percent(share: float) -> str:
    """Rounds down, so that 100 % means all of them; NaN when a crop left none."""
    if math.isnan(share):
        return "none"
    return f"{math.floor(share * 10_000) / 100:.2f} %"
