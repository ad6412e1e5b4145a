"""The classical expert with a segmentation model that is loaded once per process."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.classical.expert import TASKS, ClassicalExpert
from tbstar_jax.data_engine.construct.classical.segment import InjectedSegmenter
from tbstar_jax.data_engine.construct.protocol import CannotEdit, Edit
from tbstar_jax.data_engine.local_models import Segment, SegmentationModel
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.metrics.onnx_file import NoAnswerError

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentedExpert:
    """`ClassicalExpert`, whose product is what a model says it is.

    Attributes:
      segmenter: the model.
    """

    segmenter: SegmentationModel

    @property
    def name(self) -> str:
        """`classical`."""
        return "classical"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks it can be asked for."""
        return TASKS

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model and of the expert's own settings."""
        settings = {
            "segmenter": self.segmenter.fingerprint,
            "expert": ClassicalExpert().fingerprint,
        }
        return fingerprint_of("segmented", _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Edit]:
        """Loads the model and gives the function that edits.

        Raises:
          UserError: see `SegmentationModel.open`.
        """
        with self.segmenter.open() as segment:
            injected = InjectedSegmenter(
                name=self.segmenter.fingerprint, function=_declining(segment)
            )
            with ClassicalExpert(segmenter=injected).open() as edit:
                yield edit


def _declining(segment: Segment) -> Segment:
    """A photo in which nothing stands out is declined, and does not end the run."""

    def function(photo: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
        try:
            return segment(photo)
        except NoAnswerError as error:
            raise CannotEdit(str(error)) from error

    return function
