"""Columns about a photo: size, sharpness, exposure, and what injected scorers say.

The hashes that `dedup` needs are taken in the same pass.

Scores decide nothing here; thresholds are the filter's. A product on white is clipped
at the bright end by intention, and smooth where nothing is: compare within a kind.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from PIL import Image

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.annotate import with_scores
from tbstar_jax.data_engine.collect.hash_index import first_image, with_hashes
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import EditRecord

NORMAL_SIDE = 512
"""Longer side, in pixels, at which sharpness is measured; smaller photos stay."""

_VERSION = 1
_CLIPPED_DARK = 2
_CLIPPED_BRIGHT = 253

Score: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], float]
"""From a photo to a number, e.g. how pleasing it is; thread-safe."""


@runtime_checkable
class Scorer(Protocol):
    """A model that scores photos; picklable, its weights are local files."""

    @property
    def name(self) -> str:
        """What its score is called, e.g. `aesthetic`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights and settings."""

    def open(self) -> AbstractContextManager[Score]:
        """Loads it, once per process."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quality:
    """A method that adds scores and hashes of a record's first image.

    Attributes:
      scorers: further scores, e.g. an aesthetic one.
    """

    scorers: tuple[Scorer, ...] = ()

    @property
    def name(self) -> str:
        """The method's name."""
        return "quality"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the version and of the scorers."""
        scorers = {scorer.name: scorer.fingerprint for scorer in self.scorers}
        return fingerprint_of(self.name, _VERSION, scorers)

    @property
    def num_threads(self) -> int:
        """It computes and never waits."""
        return 1

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Loads the scorers."""
        with contextlib.ExitStack() as stack:
            opened = {
                scorer.name: stack.enter_context(scorer.open())
                for scorer in self.scorers
            }

            def transform(
                record: EditRecord, rng: np.random.Generator
            ) -> Iterable[Made]:
                del rng
                return [_scored(record, opened)]

            yield transform


def _scored(record: EditRecord, scorers: Mapping[str, Score]) -> Made:
    try:
        photo = decode_image(first_image(record), f"the first image of {record.key}")
    except UserError as error:
        return Reject(row=record.key, reason=str(error))
    more = {name: score(photo) for name, score in scorers.items()}
    finite = {name: value for name, value in more.items() if np.isfinite(value)}
    scored = with_scores(record, {**quality_scores(photo), **finite})
    return with_hashes(scored, photo)


def quality_scores(photo: UInt8[np.ndarray, "h w 3"]) -> dict[str, float]:
    """Measures a photo.

    Args:
      photo: RGB, 0..255.

    Returns:
      `rows` and `columns` in pixels; `aspect`, columns over rows; `sharpness`, the
      variance of the luma's Laplacian with the longer side at `NORMAL_SIDE`, in squared
      levels; `mean_luma`, 0..255; `clipped_dark` and `clipped_bright`, shares of pixels
      within two levels of black and white.
    """
    luma = Image.fromarray(photo).convert("L")
    # How many pixels have each of the 256 levels.
    histogram = np.array(luma.histogram())
    shares = histogram / histogram.sum()
    rows, columns = photo.shape[:2]
    return {
        "rows": float(rows),
        "columns": float(columns),
        "aspect": columns / rows,
        "sharpness": _sharpness(luma),
        "mean_luma": float(shares @ np.arange(256)),
        "clipped_dark": float(shares[: _CLIPPED_DARK + 1].sum()),
        "clipped_bright": float(shares[_CLIPPED_BRIGHT:].sum()),
    }


def _sharpness(luma: Image.Image) -> float:
    scale = NORMAL_SIDE / max(luma.size)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in luma.size]
        luma = luma.resize((size[0], size[1]), Image.Resampling.BOX)
    return float(_laplacian(np.asarray(luma, np.float32)).var(dtype=np.float64))


def _laplacian(luma: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    padded = np.pad(luma, 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return around - 4 * luma
