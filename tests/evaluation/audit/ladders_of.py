"""Ladders that tests share, and scorers whose answers are known."""

import dataclasses
import functools
import graphlib

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.audit.ladders import COPY, EXACT, FAINT, case_ladder
from tbstar_jax.evaluation.cases.case import KeptText, TargetText
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.geometry import Box
from tests.evaluation.text.written import plate
from tests.support.benchmark_cases import case

PLATE = Box(top=76, left=10, height=14, width=60)


@functools.cache
def smoke_ladder(task):
    """Of a case of the smoke split, 128 x 128 pixels."""
    return case_ladder(make_case("smoke", task, 0))


@functools.cache
def square_case(index=0):
    """A red square becomes blue; below it stands a striped text that is kept."""
    plain = case(
        index=index,
        size=96,
        facts=Facts(
            object_en="box", object_zh="盒子", new_color_en="blue", new_color_zh="蓝色"
        ),
        kept_texts=(KeptText(text="IIIII", language="en", box=PLATE),),
    )
    pictures = {}
    for name in ("source", "reference"):
        picture = getattr(plain, name).copy()
        picture[PLATE.top - 4 : PLATE.top + 18, 6:74] = 240
        picture[PLATE.slices][:, ::6] = 20
        picture[PLATE.slices][:, 1::6] = 20
        pictures[name] = picture
    return dataclasses.replace(plain, **pictures)


@functools.cache
def square_ladder(index=0):
    return case_ladder(square_case(index))


def printed_case():
    """A text is replaced on a white plate."""
    reference, box = plate("SALE 20", size=(64, 160))
    source, _ = plate("SALE 30", size=(64, 160))
    edit = np.zeros((64, 160), bool)
    edit[16:48, 20:140] = True
    base = case(task="text_replace_en", size=64)
    masks = dataclasses.replace(
        base.masks,
        edit=edit,
        product=edit,
        product_after=edit,
        shadow=~edit & False,
        text=edit,
    )
    text = TargetText(
        old="SALE 30", new="SALE 20", language="en", box=box, ink=(30, 30, 34)
    )
    return dataclasses.replace(
        base, source=source, reference=reference, masks=masks, target_texts=(text,)
    )


def places(ladder):
    """A score per step that agrees with every known pair: exact has the highest."""
    below = {step.name: set() for step in ladder.steps}
    for better, worse in ladder.pairs:
        below[better].add(worse)
    order = [name for name in graphlib.TopologicalSorter(below).static_order()]
    scores = {name: float(place) for place, name in enumerate(order)}
    scores[EXACT] = scores[COPY] = scores[FAINT] = float(len(order))
    return scores


class Oracle:
    """Knows the order."""

    def __call__(self, ladders, folder):
        return {
            "oracle": {
                (ladder.case.id, step): score
                for ladder in ladders
                for step, score in places(ladder).items()
            }
        }


@dataclasses.dataclass(frozen=True)
class Given:
    """Scores by a function of ladder and step."""

    score: object
    column: str = "given"

    def __call__(self, ladders, folder):
        return {
            self.column: {
                (ladder.case.id, step.name): self.score(ladder, step)
                for ladder in ladders
                for step in ladder.steps
            }
        }
