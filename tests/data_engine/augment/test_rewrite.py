"""Paraphrase as a method: originals stay, failures are counted, lengths are kept."""

import contextlib
import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.augment.paraphrase.rewrite import Paraphrase
from tbstar_jax.data_engine.augment.paraphrase.slots import phrases
from tbstar_jax.data_engine.facts import Facts, with_facts
from tbstar_jax.data_engine.stage import Method, Reject
from tbstar_jax.errors import UserError
from tests.support.rendered_pairs import rendered, scene_with_everything

FACTS = Facts(
    object_en="mug",
    object_zh="马克杯",
    color_en="red",
    color_zh="红色",
    new_color_en="blue",
    new_color_zh="蓝色",
)
RECORD = dataclasses.replace(
    with_facts(rendered(scene_with_everything(0), "recolor"), FACTS),
    instructions_en=("make the red mug blue",),
    instructions_zh=(),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """A rewriter that answers every request with the same texts, or not at all."""

    texts: tuple[str, ...] | None
    asked: list[str] = dataclasses.field(default_factory=list)
    fingerprint: str = "answers"
    num_threads: int = 3

    @contextlib.contextmanager
    def open(self):
        def rewrite(text):
            self.asked.append(text)
            if self.texts is None:
                raise UserError("no answer")
            return self.texts

        yield rewrite


def run(method, record=RECORD, seed=0):
    with method.open() as transform:
        return list(transform(record, np.random.default_rng(seed)))


def test_the_grammar_fills_both_languages_up_to_the_number():
    (made,) = run(Paraphrase(num_texts=5, max_bytes=94))
    assert made.key == RECORD.key
    assert made.instructions_en[0] == "make the red mug blue"
    assert len(set(made.instructions_en)) == len(set(made.instructions_zh)) == 5
    allowed = {one.text for one in phrases("recolor", FACTS, "en")}
    assert set(made.instructions_en) <= allowed
    assert made.provenance["paraphrase"] == {"grammar": 9, "dropped": {}}
    assert made.target_image == RECORD.target_image


def test_few_texts_come_from_different_manners():
    record = dataclasses.replace(RECORD, instructions_en=())
    (made,) = run(Paraphrase(num_texts=4, max_bytes=94), record)
    style_of = {one.text: one.style for one in phrases("recolor", FACTS, "en")}
    assert len({style_of[text] for text in made.instructions_en}) == 4


def test_the_same_generator_gives_the_same_texts_and_another_one_others():
    method = Paraphrase(num_texts=4, max_bytes=94)
    assert run(method, seed=1) == run(method, seed=1)
    drawn = {run(method, seed=seed)[0].instructions_en for seed in range(8)}
    assert len(drawn) > 1


def test_long_phrases_are_dropped_and_counted_but_never_the_original():
    (made,) = run(Paraphrase(num_texts=20, max_bytes=20))
    new = made.instructions_en[1:] + made.instructions_zh
    assert made.instructions_en[0] == "make the red mug blue"  # 21 bytes
    assert new
    assert max(len(text.encode()) for text in new) <= 20
    num_phrases = sum(len(phrases("recolor", FACTS, one)) for one in ("en", "zh"))
    notes = made.provenance["paraphrase"]
    assert notes["dropped"] == {"length": num_phrases - len(new)}
    assert notes["grammar"] == len(new)


def test_rewritten_texts_are_checked_counted_and_sorted_by_language():
    answers = Answers(
        texts=(
            "turn the red mug into a blue one",
            "把红色马克杯变成蓝色",
            "turn the red mug into a green one",
            "turn the mug into a blue one",
            "turn the left red mug into a blue one",
            " ",
            "turn the red mug into a blue one ",
            "please, " * 3
            + "turn the red mug into a blue one, it would be so nice of you",
        )
    )
    record = with_facts(RECORD, Facts())
    (made,) = run(Paraphrase(num_texts=9, max_bytes=60, rewriter=answers), record)
    assert answers.asked == ["make the red mug blue"]
    assert made.instructions_en == (
        "make the red mug blue",
        "turn the red mug into a blue one",
    )
    assert made.instructions_zh == ("把红色马克杯变成蓝色",)
    assert made.provenance["paraphrase"] == {
        "model": 2,
        "dropped": {"color": 2, "position": 1, "empty": 1, "length": 1},
    }


def test_the_model_and_the_grammar_take_turns():
    answers = Answers(
        texts=(
            "turn the red mug into a blue one",
            "paint the red mug blue",
            "the red mug has to become blue",
        )
    )
    (made,) = run(Paraphrase(num_texts=4, max_bytes=94, rewriter=answers))
    assert made.instructions_en[1] == "turn the red mug into a blue one"
    assert made.instructions_en[3] == "paint the red mug blue"
    grammar = {one.text for one in phrases("recolor", FACTS, "en")}
    assert made.instructions_en[2] in grammar


def test_a_request_without_an_answer_is_counted_and_the_record_kept():
    method = Paraphrase(num_texts=2, max_bytes=94, rewriter=Answers(texts=None))
    (made,) = run(method, with_facts(RECORD, Facts()))
    assert made.instructions_en == RECORD.instructions_en
    assert made.provenance["paraphrase"] == {"unanswered": 1, "dropped": {}}


def test_without_facts_the_grammar_is_silent():
    bare = with_facts(dataclasses.replace(RECORD, task="watermark_remove"), Facts())
    (made,) = run(Paraphrase(num_texts=9, max_bytes=94), bare)
    assert made.instructions_en == RECORD.instructions_en
    assert made.instructions_zh == ()


def test_listed_brands_hold_for_the_model():
    texts = (
        "turn the red acme mug into a blue one",
        "turn the red mug into a blue one",
    )
    record = dataclasses.replace(
        with_facts(RECORD, Facts(brands=("acme",))),
        instructions_en=("make the red acme mug blue",),
    )
    method = Paraphrase(num_texts=9, max_bytes=94, rewriter=Answers(texts=texts))
    (made,) = run(method, record)
    assert texts[0] in made.instructions_en
    assert made.provenance["paraphrase"]["dropped"] == {"brand": 1}


def test_photos_pass_and_unreadable_facts_are_named():
    photo = dataclasses.replace(RECORD, target_image=b"", instructions_en=())
    method = Paraphrase(num_texts=2, max_bytes=94)
    assert run(method, photo) == [photo]
    broken = dataclasses.replace(RECORD, provenance={"facts": {"count": -1}})
    first, reject = run(method, broken)
    assert first is broken
    assert isinstance(reject, Reject)
    assert "count is -1" in reject.reason


def test_it_is_a_method_named_by_its_settings_and_model():
    method = Paraphrase(num_texts=2, max_bytes=94)
    assert isinstance(method, Method)
    asking = dataclasses.replace(method, rewriter=Answers(texts=()))
    longer = dataclasses.replace(method, max_bytes=95)
    assert len({method.fingerprint, asking.fingerprint, longer.fingerprint}) == 3
    assert (method.num_threads, asking.num_threads) == (1, 3)
    with pytest.raises(UserError, match="num_texts is 0"):
        Paraphrase(num_texts=0, max_bytes=94)
