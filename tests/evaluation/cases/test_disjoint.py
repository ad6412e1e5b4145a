"""No case is one that training may have seen: other keys, other scenes, other words."""

import dataclasses
import hashlib
import json
from typing import get_args

import numpy as np

from tbstar_jax.data_engine.construct.rules import NEW_TEXTS
from tbstar_jax.data_engine.fonts.loader import require_coverage
from tbstar_jax.data_engine.layout import vocabulary as layout_words
from tbstar_jax.data_engine.layout.bases import sample_backdrop, sample_card
from tbstar_jax.data_engine.layout.card import card_digest
from tbstar_jax.data_engine.render import sampling as flat
from tbstar_jax.data_engine.render.scene import LABEL_TEXTS, WATERMARK_TEXTS
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.data_engine.studio import sampling as studio_words
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, sample_edit
from tbstar_jax.data_engine.studio.scene import Scene, scene_digest
from tbstar_jax.evaluation.cases import vocabulary
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.draft import Wording
from tbstar_jax.evaluation.cases.from_studio import sample_shot_edit
from tbstar_jax.evaluation.cases.hard import STUDIO_TASKS
from tbstar_jax.evaluation.cases.overlaid import plain_scene
from tbstar_jax.evaluation.cases.phrases import PHRASES
from tbstar_jax.evaluation.cases.retext import draw_renaming
from tbstar_jax.evaluation.cases.seeds import case_generator, case_key
from tbstar_jax.evaluation.cases.splits import SPLITS, case_names, size_of
from tbstar_jax.evaluation.cases.turns import turn_of

_SIZE = (128, 128)


def _benchmark_texts() -> list[str]:
    pairs = (
        *vocabulary.HEADLINES,
        *vocabulary.NOTES,
        *vocabulary.BADGES,
        *vocabulary.MARKS,
        *vocabulary.BRANDS,
    )
    singles = (*vocabulary.PRICES, *vocabulary.LABELS_EN, *vocabulary.LABELS_ZH)
    return [text for words in pairs for text in (words.en, words.zh)] + [*singles]


def _training_texts() -> set[str]:
    pairs = (
        *layout_words.HEADLINES,
        *layout_words.NOTES,
        *layout_words.BADGES,
        *layout_words.MARKS,
        *layout_words.BRANDS,
    )
    singles = (
        *layout_words.PRICES,
        *studio_words.TEXTS_EN,
        *studio_words.TEXTS_ZH,
        *LABEL_TEXTS,
        *WATERMARK_TEXTS,
        *(text for texts in NEW_TEXTS.values() for text in texts),
    )
    return {text for words in pairs for text in (words.en, words.zh)} | {*singles}


def _bare(scene: Scene) -> str:
    """Digest of a scene without what is printed in it, at one size."""
    items = tuple(dataclasses.replace(item, label=None) for item in scene.items)
    return scene_digest(dataclasses.replace(scene, items=items, size=_SIZE))


def test_no_text_of_the_benchmark_is_one_of_training() -> None:
    ours = _benchmark_texts()
    assert len(ours) == len({text.lower() for text in ours})
    theirs = {text.lower() for text in _training_texts()}
    assert not [text for text in ours if text.lower() in theirs]


def test_the_font_has_every_text() -> None:
    for text in (*_benchmark_texts(), "¥", "$"):
        require_coverage(text)


def test_a_renaming_keeps_texts_apart_and_prices_in_order() -> None:
    for seed in range(20):
        renaming = draw_renaming(np.random.default_rng(seed))
        for field in dataclasses.fields(renaming):
            words = getattr(renaming, field.name)
            assert len(set(words.values())) == len(words), field.name
        amounts = [float(renaming.prices[old]) for old in layout_words.PRICES]
        assert amounts == sorted(amounts)
        pairs = {words.en: words.zh for words in vocabulary.HEADLINES}
        for old in layout_words.HEADLINES:
            assert pairs[renaming.headlines[old.en]] == renaming.headlines[old.zh]


def test_cases_print_texts_of_the_benchmark_alone(smoke: tuple[Case, ...]) -> None:
    ours = set(_benchmark_texts())
    for case in smoke:
        texts = [text for one in case.target_texts for text in (one.old, one.new)]
        texts += [one.text for one in case.kept_texts]
        for text in texts:
            assert text is None or text in ours or text[1:] in ours, (case.id, text)


def test_keys_are_of_another_form_than_those_of_training() -> None:
    keys = {
        case_key(split, seed, task, index, "scene-0")
        for split in SPLITS
        for seed in (0, 1)
        for task, index in case_names(split)
    }
    for key in keys:
        parts = json.loads(key)
        # `record_generator` hashes [seed, method, key]; the flat renderer hashes
        # "space/seed/index/stream" with a space that is a name.
        assert len(parts) == 7
        assert isinstance(parts[0], str)
        assert key.startswith(b'["tbstar_jax.evaluation.cases", ')
    theirs = {
        json.dumps([seed, method, key]).encode()
        for seed in range(3)
        for method in ("studio", "layout", "overlay")
        for key in ("0", "studio-0-0", "layout-0-00000000")
    }
    assert not keys & theirs
    expected = hashlib.sha256(case_key("mini", 0, "recolor", 2, "words")).digest()
    words = np.frombuffer(expected, "<u4").tolist()
    again = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    drawn = case_generator("mini", 0, "recolor", 2, "words").random(4)
    assert np.array_equal(drawn, again.random(4))


def test_no_scene_is_one_of_training() -> None:
    ours: set[str] = set()
    for split in ("smoke", "mini", "dev", "test", "hard"):
        for task, index in case_names(split):
            size, turn = size_of(split, index), turn_of(split, 0, task, index)
            rng = case_generator(split, 0, task, index, "scene-0")
            is_edited = turn.way == "studio" and task != "repair_zoom"
            if turn.way == "layout":
                backdrop = sample_backdrop(rng, kinds=turn.backgrounds)
                ours.add(card_digest(sample_card(rng, _SIZE, backdrop)))
            elif is_edited or (turn.way == "hard" and task in STUDIO_TASKS):
                edit = sample_shot_edit(rng, task, size, turn.wishes, turn.language)
                ours |= {_bare(edit.before), _bare(edit.after)}
            else:
                ours.add(_bare(plain_scene(rng, size, turn.wishes)))
    assert len(ours) > 1400
    theirs: set[str] = set()
    for index in range(200):
        rng = record_generator(index % 4, "studio", str(index))
        rng.integers(1)
        edit = sample_edit(rng, EDIT_TASKS[index % len(EDIT_TASKS)], _SIZE)
        theirs |= {_bare(edit.before), _bare(edit.after)}
        key = f"layout-{index % 4}-{index:08d}"
        rng = record_generator(index % 4, "layout", key)
        theirs.add(card_digest(sample_card(rng, _SIZE)))
        for space in ("base", "stage1", "stage2", "heldout"):
            rng = flat.generator(space, 0, index, "scene")
            theirs.add(_bare(sample_edit(rng, "recolor", _SIZE).before))
    assert len(theirs) > 1200
    assert not ours & theirs


def test_every_wording_says_the_same_in_both_languages() -> None:
    assert set(PHRASES) == set(get_args(Wording))
    bound = {"a_new_background": "new_background", "a_thing": "thing"}
    bound |= {"a_new_thing": "new_thing"}
    for wording, phrases in PHRASES.items():
        for english, chinese in (*phrases.cores, phrases.terse):
            slots = [
                {bound.get(slot, slot) for slot in _slots(text)} - {"measure"}
                for text in (english, chinese)
            ]
            assert slots[0] == slots[1], (wording, english)


def _slots(phrase: str) -> list[str]:
    return [piece.split("}")[0] for piece in phrase.split("{")[1:]]
