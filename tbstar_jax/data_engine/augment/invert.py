"""An edit undone is an edit too: source and target swap, the request is turned around.

The inverse of a removal by inpainting is the best addition there is: the real photo
becomes the target. A pair is inverted only where what was there before can be named,
from its facts, or where the set brought the inverse request along, in
`provenance["inverse_en"]` and `["inverse_zh"]`. Nothing is guessed.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tbstar_jax.data_engine.augment.inverse_facts import Inverse, inverse_of
from tbstar_jax.data_engine.augment.offspring import is_usable, offspring
from tbstar_jax.data_engine.augment.paraphrase.slots import phrases
from tbstar_jax.data_engine.facts import Facts, Language, facts_of
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made, Reject
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

MAX_TEXTS = 32
"""Most inverse requests taken from a set, per language."""


def invert(record: EditRecord, max_bytes: int) -> EditRecord | None:
    """Turns a pair around.

    Args:
      record: any.
      max_bytes: longest instruction of the grammar, in UTF-8 bytes.

    Returns:
      The inverse pair, with the same encoded images the other way round and the same
      mask; None where it was rejected, has several sources, sizes that differ, or an
      inverse that nobody can word. What this pair asked for is noted as the inverse
      request of the new one.

    Raises:
      UserError: facts or inverse requests of the record are not readable.
    """
    if not is_usable(record) or len(set(record.image_sizes())) != 1:
        return None
    brought_en, brought_zh = (
        _brought(record, name) for name in ("inverse_en", "inverse_zh")
    )
    inverse = inverse_of(record.task, facts_of(record))
    if inverse is None:
        return None
    english = brought_en or _worded(inverse, "en", max_bytes)
    chinese = brought_zh or _worded(inverse, "zh", max_bytes)
    if not english and not chinese:
        return None
    notes = {
        "inverse_en": list(record.instructions_en),
        "inverse_zh": list(record.instructions_zh),
    }
    return offspring(
        record,
        key=f"{record.key}-inverse",
        transform="inverse",
        parents=[record],
        source_images=(record.target_image,),
        target_image=record.source_images[0],
        instructions_en=english,
        instructions_zh=chinese,
        task=inverse.task,
        facts=inverse.facts,
        notes=notes,
    )


def _worded(inverse: Inverse, language: Language, max_bytes: int) -> tuple[str, ...]:
    if inverse.facts == Facts():
        return ()
    found = phrases(inverse.task, inverse.facts, language)
    return tuple(one.text for one in found if len(one.text.encode()) <= max_bytes)


def _brought(record: EditRecord, name: str) -> tuple[str, ...]:
    """Inverse requests that came with the record: a text, or a list of them."""
    value = record.provenance.get(name, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise UserError(
            f"{name} of record {record.key!r} must be a text or a list of texts"
        )
    return tuple(text.strip() for text in texts[:MAX_TEXTS] if text.strip())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Invert(PlainMethod):
    """Adds the inverse of every pair that has one.

    Attributes:
      max_bytes: longest instruction of the grammar, in UTF-8 bytes.
    """

    name = "invert"
    max_bytes: int

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """The record, then its inverse where it has one."""
        yield record
        try:
            inverse = invert(record, self.max_bytes)
        except UserError as error:
            yield Reject(row=f"{record.key} ({self.name})", reason=str(error))
            return
        if inverse is not None:
            yield inverse
