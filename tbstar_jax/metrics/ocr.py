"""The Tesseract program, run once: what the pair filter and the benchmark share."""

import os
import shutil
import subprocess
from typing import Literal

from tbstar_jax.errors import UserError


def find_tesseract() -> str | None:
    """Returns the path of the program; None where it is not installed."""
    return shutil.which("tesseract")


def tesseract_version(program: str) -> str:
    """Returns the first line of `tesseract --version`, e.g. `tesseract 5.3.0`.

    Raises:
      UserError: it does not run.
    """
    return _run([program, "--version"], b"", 30.0).partition("\n")[0].strip()


def tesseract_languages(program: str) -> frozenset[str]:
    """Returns what the program can read, e.g. `eng`, `chi_sim`.

    Raises:
      UserError: it does not run.
    """
    lines = _run([program, "--list-langs"], b"", 30.0).splitlines()
    return frozenset(line.strip() for line in lines[1:] if line.strip())


def run_tesseract(
    program: str,
    image: bytes,
    *,
    languages: str,
    layout: int,
    seconds: float,
    form: Literal["txt", "tsv"],
) -> str:
    """Returns what the program writes about a picture.

    Args:
      program: its path.
      image: an encoded picture; a TIFF of several pages gives as many texts,
        form feeds between them.
      languages: as Tesseract names them, e.g. `chi_sim+eng`.
      layout: page segmentation mode: 6 a block, 7 a line, 11 words anywhere.
      seconds: after which it is ended.
      form: `txt`, or `tsv`, a table of words.

    Raises:
      UserError: it fails, or takes longer.
    """
    command = [program, "-", "-", "-l", languages, "--psm", str(layout), form]
    return _run(command, image, seconds)


def _run(command: list[str], data: bytes, seconds: float) -> str:
    # Its threads cost more than they gain on pictures as small as these.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        result = subprocess.run(
            command,
            input=data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"tesseract took longer than {seconds:g} s; the picture may be too large"
        ) from error
    except OSError as error:
        raise UserError(f"cannot run {command[0]}: {error.strerror}") from error
    if result.returncode:
        reason = result.stderr.decode(errors="replace").strip()[:200]
        raise UserError(f"tesseract failed ({result.returncode}): {reason}")
    return result.stdout.decode(errors="replace")
