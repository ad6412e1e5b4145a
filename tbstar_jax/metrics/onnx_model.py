"""Models in ONNX files on local disk: from a picture, or a vector, to numbers.

An ONNX file is a graph of known operations and their weights: nothing is unpickled and
no code of the file's author runs. It must be one file; weights in further files
(`external data`) are refused, so that its SHA-256 names all that it computes. `onnx`
joins them: `onnx.save(onnx.load("model.onnx"), "one_file.onnx")`. It runs on the CPU
(`onnxruntime`, the extra `onnx`), and gives the same bits every time.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from tbstar_jax.config import to_dict
from tbstar_jax.errors import UserError

_VERSION = 1
_MAX_SIDE = 4096
_INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

_MEAN_AND_STD = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}

Resize = Literal["crop", "stretch"]

RunImage: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float32[np.ndarray, "..."]]
"""From an RGB picture, 0..255, to the model's answer, all finite; thread-safe.

Raises `NoAnswerError`, or `UserError` where the model itself cannot be run so.
"""

RunVector: TypeAlias = Callable[[Float[np.ndarray, " d"]], Float32[np.ndarray, "..."]]
"""From a vector to the model's answer; otherwise as `RunImage`."""


class NoAnswerError(UserError):
    """A model that works has no answer for this one picture, e.g. it gave NaN."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """An ONNX file, and what is taken from it.

    Attributes:
      path: of the file.
      sha256: what its bytes must be, in hexadecimal; None: whatever lies there.
      output: name of the output that is read; None: the first.
      max_bytes: a larger file is refused; ONNX itself ends at 2 GiB.
      threads: per process, which are the parallelism of the data engine.
    """

    path: Path
    sha256: str | None = None
    output: str | None = None
    max_bytes: int = 2**31
    threads: int = 1

    def __post_init__(self) -> None:
        if self.sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", self.sha256):
            raise UserError(
                f"sha256 of {self.path} is {self.sha256!r}; it must have 64 "
                "hexadecimal digits"
            )
        for name in ("max_bytes", "threads"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, but must be >= 1")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes and of the settings; not of where it lies.

        Raises:
          UserError: it is missing, too large or not the one that `sha256` names.
        """
        size = _size(self)
        digest = _digest(self.path, size, self.path.stat().st_mtime_ns)
        _require_digest(self, digest)
        places = ("path", "sha256", "max_bytes")
        settings = {k: v for k, v in to_dict(self).items() if k not in places}
        entry = [type(self).__name__, _VERSION, digest, settings]
        return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxVectorModel(OnnxFile):
    """A model `[1 d] -> any shape`, e.g. a head on an embedding."""

    @contextlib.contextmanager
    def open(self) -> Iterator[RunVector]:
        """Loads it.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, or its inputs or
            outputs are others.
        """
        session = _Session(self, "[1, numbers]", ndim=2)

        def run(vector: Float[np.ndarray, " d"]) -> Float32[np.ndarray, "..."]:
            return session.run(vector[None])

        yield run


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxImageModel(OnnxFile):
    """A model `[1 3 h w] -> any shape` of one RGB picture.

    The picture, in [0, 1], becomes (picture - mean) / std.

    Attributes:
      side: rows and columns of the input; None: those the file states.
      normalisation: names `mean` and `std`: of ImageNet (DINOv2, U2-Net, BiRefNet), of
        CLIP, 0.5 and 0.5 (SigLIP), or 0 and 1.
      mean: of red, green and blue instead.
      std: likewise.
      resize: `crop` scales the shorter side to the input's by bicubic and crops the
        middle, as CLIP and DINOv2 do; `stretch` scales the whole picture by Lanczos,
        whatever its shape, as rembg does. None: as the use asks: `crop` for embeddings
        and scores, `stretch` for masks.
    """

    side: int | None = None
    normalisation: Literal["imagenet", "clip", "half", "unit"] = "imagenet"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Resize | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side is not None and not 1 <= self.side <= _MAX_SIDE:
            raise UserError(
                f"side of {self.path} is {self.side}; it must be from 1 to {_MAX_SIDE}"
            )
        if self.std is not None and min(self.std) <= 0:
            raise UserError(f"std of {self.path} is {self.std}; it must be above 0")

    @contextlib.contextmanager
    def open(self, use: Resize) -> Iterator[RunImage]:
        """Loads it.

        Args:
          use: how pictures are resized where `resize` is None.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, or its inputs or
            outputs are others.
        """
        session = _Session(self, "[1, 3, rows, columns]", ndim=4)
        size = _input_size(self, session.shape)
        how = self.resize or use
        named = _MEAN_AND_STD[self.normalisation]
        mean = np.array(self.mean or named[0], np.float32)
        std = np.array(self.std or named[1], np.float32)

        def run(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "..."]:
            resized = _cropped(image, size) if how == "crop" else _fitted(image, size)
            levels = resized.astype(np.float32) / np.float32(255)
            return session.run(((levels - mean) / std).transpose(2, 0, 1)[None])

        yield run


class _Session:
    """A loaded file with one input and the one output that is read."""

    def __init__(self, file: OnnxFile, wanted: str, *, ndim: int) -> None:
        self._path = file.path
        self._session = _loaded(file)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            raise UserError(
                f"{file.path} has {len(inputs)} inputs ({names}), but must have one, "
                f"{wanted}; of a joint model export the part for pictures alone"
            )
        self._input = inputs[0].name
        self.shape: list[int | str | None] = list(inputs[0].shape)
        is_one = len(self.shape) == ndim and _fits(self.shape[0], 1)
        if not is_one or inputs[0].type not in _INPUT_TYPES:
            raise UserError(
                f"the input of {file.path} is {inputs[0].type} {self.shape}, but must "
                f"be float {wanted}"
            )
        self._dtype = _INPUT_TYPES[inputs[0].type]
        outputs = [one.name for one in self._session.get_outputs()]
        self._output = outputs[0] if file.output is None else file.output
        if self._output not in outputs:
            raise UserError(
                f"{file.path} has no output {self._output!r}; it has "
                f"{', '.join(outputs)}"
            )

    def run(self, values: Float[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        feed = {self._input: np.ascontiguousarray(values, self._dtype)}
        try:
            (answer,) = self._session.run([self._output], feed)
        # The errors of onnxruntime have no base class of their own.
        except Exception as error:
            raise UserError(
                f"{self._path} cannot be run on an input of shape {values.shape}: "
                f"{_first_line(error)}"
            ) from error
        if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "fiu":
            raise UserError(
                f"the output {self._output!r} of {self._path} is no array of numbers; "
                "name another with `output`"
            )
        with np.errstate(over="ignore"):
            narrow = answer.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise NoAnswerError(f"{self._path} gave NaN or infinity for this picture")
        return narrow


def _loaded(file: OnnxFile) -> Any:
    """The `InferenceSession` of a file.

    What is hashed is what is run: the bytes are read once.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"{file.path} is run by onnxruntime: pip install 'tbstar-jax[onnx]'"
        ) from error
    _size(file)
    content = file.path.read_bytes()
    if file.sha256 is not None:
        _require_digest(file, hashlib.sha256(content).hexdigest())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = file.threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors are raised, too
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Where weights in further files would be looked for: nothing is there.
    with tempfile.TemporaryDirectory() as nowhere:
        key = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(key, nowhere)
        try:
            return onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        # The errors of onnxruntime have no base class of their own.
        except Exception as error:
            raise _not_loaded(file, error) from error


def _not_loaded(file: OnnxFile, error: Exception) -> UserError:
    if "external data" in str(error).lower():
        return UserError(
            f"{file.path} keeps weights in further files, which are refused; make it "
            'one file: onnx.save(onnx.load("model.onnx"), "one_file.onnx")'
        )
    return UserError(
        f"{file.path} is no ONNX file that onnxruntime can load: {_first_line(error)}"
    )


def _size(file: OnnxFile) -> int:
    """The file's size, checked."""
    if not file.path.is_file():
        raise UserError(f"there is no ONNX file {file.path}")
    size = file.path.stat().st_size
    if size > file.max_bytes:
        raise UserError(
            f"{file.path} has {size} bytes; max_bytes allows {file.max_bytes}"
        )
    return size


@functools.lru_cache(maxsize=8)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file, taken again when it was written again."""
    del size, mtime_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_digest(file: OnnxFile, digest: str) -> None:
    if file.sha256 is not None and digest != file.sha256.lower():
        raise UserError(
            f"the SHA-256 of {file.path} is {digest}, but the settings ask for "
            f"{file.sha256}; it is another file, or changed on its way"
        )


def _input_size(
    model: OnnxImageModel, shape: list[int | str | None]
) -> tuple[int, int]:
    """Rows and columns of the input: what the file states, else `side`."""
    if not _fits(shape[1], 3):
        raise UserError(
            f"the input of {model.path} is {shape}, but must be [1, 3, rows, columns]"
        )
    sides = []
    for stated in shape[2:]:
        side = stated if isinstance(stated, int) else model.side
        if side is None:
            raise UserError(
                f"the input of {model.path} is {shape}, which states no size; set "
                "`side`, as the model was trained, e.g. 224"
            )
        if model.side not in (None, side) or not 1 <= side <= _MAX_SIDE:
            raise UserError(
                f"the input of {model.path} is {shape}, which is not side="
                f"{model.side} or not from 1 to {_MAX_SIDE} pixels"
            )
        sides.append(side)
    return sides[0], sides[1]


def _fits(stated: int | str | None, wanted: int) -> bool:
    """Whether a dimension is the wanted one, or whatever comes (a name, or None)."""
    return not isinstance(stated, int) or stated == wanted


def _cropped(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = image.shape[:2]
    scale = min(height / size[0], width / size[1])
    rows, columns = size[0] * scale, size[1] * scale
    top, left = (height - rows) / 2, (width - columns) / 2
    # Scales the box alone: of a sliver the whole would be a huge picture.
    box = (left, top, min(width, left + columns), min(height, top + rows))
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC, box)
    )


def _fitted(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]
