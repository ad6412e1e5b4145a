"""A server that edits, asked over one of the data engine's two HTTP protocols."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.construct.http_expert import HttpExpert
from tbstar_jax.data_engine.construct.protocol import CannotEdit, EditRequest
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import Answer, CannotAnswer
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Language, Prompt
from tbstar_jax.geometry import OutpaintPlan, outpaint_mask, place_on_canvas
from tbstar_jax.vlm.server import ServerConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An HTTP endpoint.

    Outpainting is asked for with the photo on its grey canvas and, since no instruction
    says where the photo lies, the mask of the rest. No other request has a mask. A
    case's second picture goes with the photo; whether the server looks at it is its own
    affair.

    Attributes:
      name: what reports call it.
      server: where it is; `max_reply_bytes` must hold a picture.
      protocol: `openai_edits` or `json`, see `construct/http_expert.py`.
      model: as the server names it.
      seed: sent with every request, plus the number of the sample.
    """

    name: str
    server: ServerConfig
    protocol: Literal["openai_edits", "json"]
    model: str
    seed: int

    @property
    def num_threads(self) -> int:
        """Prompts in flight: as many as the server may be asked at once."""
        return self.server.max_concurrency

    def describe(self) -> Mapping[str, str]:
        """Address, protocol, model and seed."""
        return {
            "endpoint": self.server.base_url,
            "protocol": self.protocol,
            "model": self.model,
            "seed": str(self.seed),
        }

    @contextlib.contextmanager
    def open(self) -> Iterator[Answer]:
        """Reads the server's key.

        Raises:
          UserError: its environment variable is empty.
        """
        asks = {
            language: self._expert(language).connect(must_be_up=True)
            for language in ("en", "zh")
        }

        def answer(prompt: Prompt, sample: int) -> UInt8[np.ndarray, "h w 3"]:
            photo, mask = _asked(prompt)
            request = EditRequest(
                task=prompt.case.task,
                instruction_en=prompt.instruction,
                instruction_zh=prompt.instruction,
                regions=(),
                parameters={},
                mask=mask,
                references=prompt.case.further_photos,
            )
            try:
                image, _ = asks[prompt.language](photo, request, self.seed + sample)
            except CannotEdit as error:
                raise CannotAnswer(
                    error.reason, is_final=not error.is_garbled
                ) from error
            except UserError as error:
                # The server did not answer now; the other prompts may fare better.
                raise CannotAnswer(str(error), is_final=False) from error
            return image

        yield answer

    def _expert(self, language: Language) -> HttpExpert:
        return HttpExpert(
            name="endpoint",
            server=self.server,
            protocol=self.protocol,
            model=self.model,
            tasks=BENCHMARK_TASKS,
            language=language,
        )


def _asked(
    prompt: Prompt,
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"] | None]:
    """The photo that is sent, and its mask where the canvas grows."""
    case = prompt.case
    if case.photo_box is None:
        return case.source, None
    plan = OutpaintPlan(canvas=case.size, photo=case.photo_box)
    return place_on_canvas(case.photo, plan), outpaint_mask(plan)
