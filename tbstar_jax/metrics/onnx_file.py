"""An ONNX file on local disk, loaded: what runs its graph, and names its bytes.

An ONNX file is a graph of known operations and their weights: nothing is unpickled and
no code of the file's author runs. It must be one file; weights in further files
(`external data`) are refused, so that its SHA-256 names all that it computes. `onnx`
joins them: `onnx.save(onnx.load("model.onnx"), "one_file.onnx")`. It runs on the CPU
(`onnxruntime`, the extra `onnx`), and gives the same bits every time.
"""

import dataclasses
import functools
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from tbstar_jax.config import to_dict
from tbstar_jax.errors import UserError

_VERSION = 1

FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""Types of numbers that an input may have, as ONNX names them."""

INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
"""Types of numbers that token ids may have."""


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
        places = ("path", "sha256", "max_bytes")
        settings = {k: v for k, v in to_dict(self).items() if k not in places}
        entry = [type(self).__name__, _VERSION, self.digest, settings]
        return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes.

        Raises:
          UserError: it is missing, too large or not the one that `sha256` names.
        """
        _size(self)
        digest = sha256_of(self.path)
        _require_digest(self, digest)
        return digest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input:
    """What a graph takes.

    Attributes:
      name: of the input.
      type: as ONNX names it, e.g. `tensor(float)`.
      shape: sizes; a name, or None, where any comes.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class Session:
    """A loaded file, with its inputs and the one output that is read.

    Attributes:
      path: of the file.
      inputs: in the order of the graph.
    """

    def __init__(self, file: OnnxFile) -> None:
        """Loads it.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, or it lacks the
            output.
        """
        self.path = file.path
        self._session = _loaded(file)
        self.inputs = tuple(
            Input(name=one.name, type=one.type, shape=tuple(one.shape))
            for one in self._session.get_inputs()
        )
        outputs = [one.name for one in self._session.get_outputs()]
        self._output = outputs[0] if file.output is None else file.output
        if self._output not in outputs:
            raise UserError(
                f"{file.path} has no output {self._output!r}; it has "
                f"{', '.join(outputs)}"
            )

    def run(self, *values: Shaped[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        """The output for one array per input, in their order.

        Raises:
          UserError: the graph cannot be run on them, or gives no numbers.
          NoAnswerError: it gives NaN or infinity.
        """
        types = FLOATS | INTEGERS
        feed = {
            one.name: np.ascontiguousarray(value, types[one.type])
            for one, value in zip(self.inputs, values, strict=True)
        }
        try:
            (answer,) = self._session.run([self._output], feed)
        # The errors of onnxruntime have no base class of their own.
        except Exception as error:
            shapes = " and ".join(str(value.shape) for value in values)
            raise UserError(
                f"{self.path} cannot be run on an input of shape {shapes}: "
                f"{_first_line(error)}"
            ) from error
        if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "fiu":
            raise UserError(
                f"the output {self._output!r} of {self.path} is no array of numbers; "
                "name another with `output`"
            )
        with np.errstate(over="ignore"):
            narrow = answer.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise NoAnswerError(f"{self.path} gave NaN or infinity for this input")
        return narrow


def fits(stated: int | str | None, wanted: int) -> bool:
    """Whether a dimension is the wanted one, or whatever comes (a name, or None)."""
    return not isinstance(stated, int) or stated == wanted


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


def sha256_of(path: Path) -> str:
    """SHA-256 of a file that exists, in hexadecimal; taken again when it changed."""
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_digest(file: OnnxFile, digest: str) -> None:
    if file.sha256 is not None and digest != file.sha256.lower():
        raise UserError(
            f"the SHA-256 of {file.path} is {digest}, but the settings ask for "
            f"{file.sha256}; it is another file, or changed on its way"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]
