"""A request that already holds: the answer is the picture itself.

The edited picture of a pair fulfils its own request, so asking again must change
nothing. That holds for requests that name a state (white background, a colour, no
watermark); a request for more (add, move, enlarge) can be fulfilled again, so those
pairs, like photos without an edit, are asked to stay as they are.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tbstar_jax.data_engine.annotate import is_photo, status_of
from tbstar_jax.data_engine.augment.offspring import offspring
from tbstar_jax.data_engine.augment.paraphrase.lexicon import color_ids
from tbstar_jax.data_engine.augment.paraphrase.slots import phrases
from tbstar_jax.data_engine.augment.pictures import encode_mask, has_one_source
from tbstar_jax.data_engine.augment.premise import gone_words, says_any
from tbstar_jax.data_engine.facts import Facts, Language, facts_of
from tbstar_jax.data_engine.plain_method import PlainMethod
from tbstar_jax.data_engine.stage import Made, Reject
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import image_size
from tbstar_jax.input_pipeline.records import EditRecord

STATE_TASKS: tuple[str, ...] = (
    *("bg_white", "bg_scene", "recolor", "material", "watermark_remove"),
    *("text_remove", "text_replace_en", "text_replace_zh", "object_remove"),
)
"""Tasks whose request is fulfilled for good once it is fulfilled."""


def identity_pair(record: EditRecord) -> EditRecord:
    """Makes the pair of a picture with itself.

    Args:
      record: a pair, whose edited picture is taken, or a photo.

    Returns:
      A pair of task `identity` with an empty mask. It is asked for what the record was
      asked for, as far as that holds now and presupposes nothing that is gone;
      otherwise to stay as it is.

    Raises:
      UserError: facts or images are not readable.
    """
    picture = record.source_images[0] if is_photo(record) else record.target_image
    english, chinese = _requests(record)
    rows, columns = image_size(picture, f"picture of record {record.key!r}")
    return offspring(
        record,
        key=f"{record.key}-identity",
        transform="identity",
        parents=[record],
        source_images=(picture,),
        target_image=picture,
        change_mask=encode_mask(np.zeros((rows, columns), bool)),
        instructions_en=english,
        instructions_zh=chinese,
        task="identity",
    )


def _requests(record: EditRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not is_photo(record) and _is_fulfilled(record):
        english = _held(record, record.instructions_en, "en")
        chinese = _held(record, record.instructions_zh, "zh")
        if english or chinese:
            return english, chinese
    english, chinese = (
        tuple(one.text for one in phrases("identity", Facts(), language))
        for language in ("en", "zh")
    )
    return english, chinese


def _is_fulfilled(record: EditRecord) -> bool:
    """Whether asking again asks for nothing, as far as the record tells."""
    facts = facts_of(record)
    match record.task:
        case "object_remove":
            # Of several, another one could be meant the second time.
            return bool(facts.object_en or facts.object_zh) and not facts.new_count
        case "text_remove":
            return facts.text is not None
        case _:
            return record.task in STATE_TASKS


def _held(
    record: EditRecord, texts: tuple[str, ...], language: Language
) -> tuple[str, ...]:
    """The texts that hold on the edited picture."""
    if record.task.endswith("_remove"):
        # A removed thing is named by any request to remove it; that is no premise.
        return texts
    gone = gone_words(record, language)
    if gone is None:
        return ()
    if record.task == "recolor" and not gone:
        # Two colours are the old one and the new one, whichever is which.
        return tuple(text for text in texts if len(set(color_ids(text))) == 1)
    return tuple(text for text in texts if not says_any(text, gone, record.task))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity(PlainMethod):
    """Adds an identity pair to a share of the records.

    Attributes:
      share: of the records that get one, drawn per record, in [0, 1].
    """

    name = "identity"
    share: float

    def __post_init__(self) -> None:
        """Checks the share.

        Raises:
          UserError: out of range.
        """
        if not 0 <= self.share <= 1:
            raise UserError(f"the share of identity pairs is {self.share}, not 0 to 1")

    def transform(self, record: EditRecord, rng: np.random.Generator) -> Iterable[Made]:
        """The record, then its identity pair where one is drawn."""
        yield record
        is_drawn = rng.random() < self.share
        is_rejected = status_of(record).startswith("rejected")
        can_be_used = is_photo(record) or has_one_source(record)
        if not is_drawn or is_rejected or not can_be_used or record.task == "identity":
            return
        try:
            yield identity_pair(record)
        except UserError as error:
            yield Reject(row=f"{record.key} ({self.name})", reason=str(error))
