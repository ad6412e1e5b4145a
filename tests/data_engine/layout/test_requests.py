import collections
from typing import get_args

import pytest

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout.edit import Wording
from tbstar_jax.data_engine.layout.edits import CARD_TASKS, sample_card_edit
from tbstar_jax.data_engine.layout.phrases_en import ENGLISH
from tbstar_jax.data_engine.layout.phrases_zh import CHINESE
from tbstar_jax.data_engine.layout.requests import requests, slots, slots_of
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.errors import UserError

LIMIT = 400


@pytest.fixture(scope="module")
def edits():
    """Many edits of every task; nothing of them is drawn."""
    found = []
    for task in CARD_TASKS:
        num_edits = 60 if task in ("light_shadow", "move") else 12
        for index in range(num_edits):
            rng = record_generator(0, "requests", f"{task} {index}")
            edit = sample_card_edit(rng, task, (64, 64))
            found += [edit] if edit else []
    return found


def test_every_wording_has_phrases_in_both_languages():
    assert set(ENGLISH) == set(CHINESE) == set(get_args(Wording))
    for table in (ENGLISH, CHINESE):
        for wording, phrases in table.items():
            assert len(phrases) == len(set(phrases)) >= 4, wording


def test_every_edit_is_asked_for_in_four_ways_in_each_language(edits):
    seen = set()
    for edit in edits:
        english, chinese = requests(edit.wording, edit.facts, LIMIT)
        assert len(english) >= 4, (edit.wording, english)
        assert len(chinese) >= 4, (edit.wording, chinese)
        for text in (*english, *chinese):
            assert text.strip() == text
            assert "{" not in text
            assert "None" not in text
        assert all(text.isascii() or edit.facts.to_json() for text in english)
        assert all(any("\u4e00" <= c <= "\u9fff" for c in text) for text in chinese)
        seen.add(edit.wording)
    assert seen == set(get_args(Wording))


def test_every_phrase_is_used(edits):
    used = collections.defaultdict(set)
    for edit in edits:
        for language, table in (("en", ENGLISH), ("zh", CHINESE)):
            known = slots(edit.facts, language)
            used[language, edit.wording] |= {
                phrase
                for phrase in table[edit.wording]
                if slots_of(phrase) <= set(known)
            }
    for wording in get_args(Wording):
        assert used["en", wording] == set(ENGLISH[wording])
        assert used["zh", wording] == set(CHINESE[wording])


def test_an_instruction_in_full():
    facts = Facts(
        object_en="arrow logo",
        object_zh="箭头标志",
        color_en="orange",
        color_zh="橙色",
        position="top left",
        new_text="Velta",
    )
    english, chinese = requests("object_add", facts, LIMIT)
    assert english == (
        "add an orange arrow logo in the top left corner",
        "put an arrow logo in the top left corner",
        'place an arrow logo saying "Velta" in the top left corner',
        'we want an orange arrow logo with the text "Velta" in the top left corner',
        "please add an arrow logo in the top left corner, leave everything else",
        "arrow logo in the top left corner",
    )
    assert chinese[0] == "在左上角添加一个橙色箭头标志"
    assert "在左上角加一个写着“Velta”的箭头标志" in chinese


def test_long_instructions_are_left_out(edits):
    for edit in edits:
        texts = [
            text for half in requests(edit.wording, edit.facts, 94) for text in half
        ]
        assert max(len(text.encode()) for text in texts) <= 94
    with pytest.raises(UserError, match="fits into 9 bytes"):
        requests("bg_white", Facts(), 9)
