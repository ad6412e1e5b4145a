"""Blender as another process: requests and answers over its pipes.

Blender's licence is the GPL; what it draws is not covered by it. It runs in a process
of its own, which knows nothing of this package, and whatever happens to that process
becomes one sentence here.
"""

import contextlib
import dataclasses
import json
import math
import os
import selectors
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from jaxtyping import Float32

from tbstar_jax.errors import UserError

SCRIPT = Path(__file__).with_name("render_scene.py")
"""What the process runs."""

PROTOCOL = 1

_MAX_MESSAGE = 1 << 20
_LAST_WORDS = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlenderSettings:
    """How Blender draws.

    Attributes:
      python: an interpreter that has the package `bpy`; None for this one, where the
        extra `blender` brings it (Python 3.13).
      samples: light paths per pixel, before denoising.
      num_threads: of each process.
      timeout_seconds: longest wait for a picture, or for the process to start.
    """

    python: Path | None = None
    samples: int = 32
    num_threads: int = 1
    timeout_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a number that is not positive.
        """
        for name in ("samples", "num_threads", "timeout_seconds"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise UserError(f"{name} is {value}, but must be above 0")


class BlenderProcess:
    """A running renderer; a context manager."""

    def __init__(self, settings: BlenderSettings, script: Path = SCRIPT) -> None:
        """Starts it and waits until it is ready.

        Args:
          settings: which interpreter, and how long to wait.
          script: what it runs.

        Raises:
          UserError: there is no such interpreter, it lacks `bpy`, or it does not answer
            as it should.
        """
        self._settings = settings
        self._python = str(settings.python or sys.executable)
        self._folder = tempfile.TemporaryDirectory(prefix="blender-")
        self._errors: IO[bytes] = (Path(self._folder.name) / "stderr").open("w+b")
        try:
            self._process = subprocess.Popen(
                [self._python, "-I", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                # The denoiser would take every core beside the renderer's.
                env={**os.environ, "OIDN_NUM_THREADS": str(settings.num_threads)},
            )
        except OSError as error:
            self._clear()
            raise UserError(
                f"Blender's interpreter {self._python} cannot be started "
                f"({error.strerror}); name one that has the package bpy"
            ) from None
        try:
            hello = self._receive()
            self.renderer = self._greeted(hello)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "BlenderProcess":
        """The process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends it."""
        self.close()

    def render(
        self, request: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> Float32[np.ndarray, "h w channels"]:
        """Draws one scene.

        Args:
          request: as `request.request_of` makes it.
          arrays: likewise.

        Returns:
          Linear colour, distance, and per item its share of the pixel, of its ink, of
          its text's ink and of its text's room: `4 + 4 items` channels.

        Raises:
          UserError: the process ended, did not answer in time, reported an error, or
            answered with something else.
        """
        rows, columns = request["size"]
        shape = (rows, columns, 4 + 4 * len(request["items"]))
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name)
            for key, array in arrays.items():
                np.save(folder / f"{key}.npy", array, allow_pickle=False)
            self._errors.truncate(0)
            self._send(
                request
                | {
                    "folder": str(folder),
                    "samples": self._settings.samples,
                    "num_threads": self._settings.num_threads,
                    "seed": 0,
                }
            )
            answer = self._receive()
            if "error" in answer:
                raise self._failed(f"reported {str(answer['error'])[:_LAST_WORDS]!r}")
            if answer.get("is_done") is not True:
                raise self._failed(f"answered {str(answer)[:80]!r} to a scene")
            return self._result(folder / "result.npy", shape)

    def close(self) -> None:
        """Ends the process and removes its files; may be called again."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self._clear()

    def _clear(self) -> None:
        self._errors.close()
        self._folder.cleanup()

    def _greeted(self, hello: dict[str, Any]) -> str:
        if "missing" in hello:
            raise UserError(
                f"{self._python} cannot import bpy ({str(hello.get('reason'))[:200]}); "
                "install it with `pip install -e '.[blender]'` on Python 3.13, or in "
                "an environment of its own, named as blender.python"
            )
        if hello.get("protocol") != PROTOCOL:
            raise self._failed(
                f"greeted with {str(hello)[:80]!r}, but protocol {PROTOCOL} is spoken"
            )
        return str(hello.get("renderer"))[:80]

    def _result(
        self, path: Path, shape: tuple[int, ...]
    ) -> Float32[np.ndarray, "h w channels"]:
        """Reads a picture, after checks that bound what is read."""
        wanted = 4 * math.prod(shape)
        size = path.stat().st_size if path.is_file() else 0
        if not wanted < size < wanted + 4096:
            raise self._failed(
                f"left a picture of {size} bytes, but one of {shape} numbers has "
                f"{wanted} and a header"
            )
        try:
            made = np.load(path, allow_pickle=False)
        except (ValueError, EOFError):
            raise self._failed("left a picture that cannot be read") from None
        if (
            not isinstance(made, np.ndarray)
            or made.shape != shape
            or made.dtype != np.float32
            or not np.isfinite(made).all()
        ):
            raise self._failed(
                f"left a picture that is not {shape} finite float32 numbers"
            )
        return made

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, allow_nan=False).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack(">I", len(data)) + data)
            self._process.stdin.flush()
        except OSError:
            raise self._failed("ended") from None

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._settings.timeout_seconds
        (length,) = struct.unpack(">I", self._read(4, deadline))
        if length > _MAX_MESSAGE:
            raise self._failed(
                f"announced an answer of {length} bytes, above {_MAX_MESSAGE}"
            )
        data = self._read(length, deadline)
        try:
            message = json.loads(data)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise self._failed(f"answered with {data[:40]!r}, which is no JSON object")
        return message

    def _read(self, length: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        data = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while len(data) < length:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise self._failed(
                        f"did not answer within {self._settings.timeout_seconds:g} "
                        "seconds; raise timeout_seconds or draw smaller pictures"
                    )
                piece = os.read(pipe, length - len(data))
                if not piece:
                    raise self._failed("ended")
                data += piece
        return data

    def _failed(self, what: str) -> UserError:
        """One sentence, with the exit code and the last words if there are any."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        code = self._process.poll()
        self._process.kill()
        ended = "" if code is None else f" (exit code {code})"
        return UserError(
            f"the Blender process {what}{ended}{self._last_words()}".rstrip()
        )

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4096))
        text = self._errors.read().replace(b"\0", b"").decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"; its last words: {lines[-1][:_LAST_WORDS]}" if lines else ""
