"""Small hand-made cases of the benchmark: a red square on a grey, textured floor."""

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.evaluation.cases.case import Case, Masks, Prompt, TargetObject
from tbstar_jax.geometry import Box


def case(task="recolor", index=0, size=64, split="smoke", photo_box=None, **changes):
    """A case whose reference turns the red square blue."""
    rng = np.random.default_rng(index)
    source = rng.integers(100, 156, (size, size, 3)).astype(np.uint8)
    square = np.zeros((size, size), bool)
    square[size // 4 : size // 2, size // 4 : size // 2] = True
    source[square] = (200, 30, 30)
    reference = source.copy()
    reference[square] = (30, 30, 200)
    empty = np.zeros_like(square)
    box = Box(top=size // 4, left=size // 4, height=size // 4, width=size // 4)
    fields = {
        "id": f"{split}/{task}/{index:03d}",
        "task": task,
        "split": split,
        "index": index,
        "generator": "studio",
        "instructions": {"en": "make the box blue", "zh": "把盒子改成蓝色"},
        "style": "imperative",
        "source": source,
        "reference": reference,
        "masks": Masks(
            edit=square, product=square, product_after=square, shadow=empty, text=empty
        ),
        "photo_box": photo_box,
        "facts": Facts(object_en="box", object_zh="盒子"),
        "kept_texts": (),
        "target_texts": (),
        "target_objects": (
            TargetObject(id="item-0", kind="box", name="box", before=box, after=box),
        ),
        "questions": (),
        "tags": {"family": "box", "style": "imperative"},
        "licence": "Apache-2.0",
    }
    return Case(**{**fields, **changes})


def prompts(*cases):
    """Both prompts of every case."""
    return [Prompt(case=one, language=lang) for one in cases for lang in ("en", "zh")]
