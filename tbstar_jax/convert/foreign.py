"""Files that are not plain safetensors weights, and what to do about each.

Pickles run code when they are opened and are never read; quantised weights would have
to be computed with as their format says, which no part of this package does.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.trees import list_names

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")
_GGUF_START = b"GGUF"
_POINTER_START = b"version https://git-lfs"

# What quantisers add beside or in place of a weight, by the name's ending.
_QUANTISED = (
    (
        "an SVDQuant (Nunchaku) file",
        re.compile(r"(.*\.)?(wscales|wcscales|wtscale|smooth_factor(_orig)?|qweight)"),
    ),
    (
        "an fp8-scaled file",
        re.compile(r"(.*\.)?(scaled_fp8|scale_(weight|input)|(weight|input)_scale)"),
    ),
    (
        "a bitsandbytes file",
        re.compile(r".*\.(absmax|quant_map|nested_absmax|quant_state\..*)"),
    ),
)


def refuse_foreign_file(path: Path) -> None:
    """Refuses a file of another format, told by its name and its first bytes.

    Raises:
      UserError: it is missing, a pickle, GGUF, or the pointer to a file.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; check the path")
    try:
        with path.open("rb") as file:
            start = file.read(len(_POINTER_START))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if path.suffix.lower() in _PICKLES or start.startswith(_PICKLE_STARTS):
        raise UserError(
            f"{path} is a pickle, which can run code when it is opened; use the "
            ".safetensors file of the same weights"
        )
    if path.suffix.lower() == ".gguf" or start.startswith(_GGUF_START):
        raise UserError(
            f"{path} is a GGUF file, whose numbers are quantised; use the BF16 "
            ".safetensors files it was made from"
        )
    if start.startswith(_POINTER_START):
        raise UserError(
            f"{path} is a Git LFS pointer, not the file itself; fetch it with "
            "`git lfs pull`"
        )
    if path.suffix.lower() != ".safetensors":
        raise UserError(
            f"{path} is not a .safetensors file; weights are read from those alone"
        )


def without_safetensors(directory: Path) -> UserError:
    """The error for a folder without safetensors, by what lies there instead."""
    for path in sorted(directory.iterdir()):
        if path.suffix.lower() in (*_PICKLES, ".gguf") and path.is_file():
            try:
                refuse_foreign_file(path)
            except UserError as error:
                return error
    return UserError(
        f"{directory} holds no .safetensors file; download the weights into it"
    )


def refuse_quantised(path: Path, dtype_names: Mapping[str, str]) -> None:
    """Refuses quantised weights, told by tensors' names and dtypes.

    Args:
      path: of the file, for the sentence.
      dtype_names: tensor to dtype, as safetensors spell it.

    Raises:
      UserError: the weights are quantised.
    """
    for what, pattern in _QUANTISED:
        found = sorted(name for name in dtype_names if pattern.fullmatch(name))
        if found:
            raise UserError(_quantised(path, what, found))
    fp8 = sorted(name for name, dtype in dtype_names.items() if dtype.startswith("F8"))
    if fp8:
        raise UserError(_quantised(path, "an fp8 file", fp8))


def _quantised(path: Path, what: str, names: list[str]) -> str:
    return (
        f"{path} is {what} ({list_names(names)}), whose numbers are quantised; use the "
        "BF16 .safetensors files it was made from"
    )
