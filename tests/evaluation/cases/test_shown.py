"""The second picture of a case: when there is one, what it shows, how it is stored."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.data_engine.studio.sampling import product_families
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.from_studio import sample_shot_edit
from tbstar_jax.evaluation.cases.make import is_shown, make_case, style_of
from tbstar_jax.evaluation.cases.shown import packshot
from tbstar_jax.evaluation.cases.store import load_cases, write_cases
from tbstar_jax.evaluation.cases.turns import GENERATORS, family_in_turn

TASKS = ("object_add", "object_replace")


@pytest.fixture(scope="module")
def shown():
    return [make_case("mini", "object_add", 0), make_case("mini", "object_replace", 2)]


def turns(task):
    """Numbers of the test split's cases whose thing is shown."""
    return [index for index in range(40) if is_shown(task, index)]


def test_half_of_the_renders_of_two_tasks_have_one():
    assert [task for task in BENCHMARK_TASKS if turns(task)] == list(TASKS)
    for task in TASKS:
        found = turns(task)
        assert len(found) == 10
        assert all(GENERATORS[task][index % 2] == "studio" for index in found)
    # The smallest splits have both kinds of both tasks.
    assert turns("object_add")[:2] == [0, 4]
    assert turns("object_replace")[:1] == [2]


@pytest.mark.parametrize("task", TASKS)
def test_neither_styles_nor_families_go_with_it(task):
    found = turns(task)
    others = [i for i in range(0, 40, 2) if i not in found]
    for indices in (found, others):
        styles = Counter(style_of(task, index) for index in indices)
        assert min(styles.values()) >= 2
        assert len(styles) == 4
        families = {family_in_turn("test", task, index) for index in indices}
        assert len(families) >= 10
    assert len(product_families(has_plate=False)) == 12


def test_the_words_speak_of_it_where_it_is_and_nowhere_else(shown):
    for case in shown:
        assert case.object_photo is not None
        english, chinese = case.instructions["en"], case.instructions["zh"]
        assert "second picture" in english or "picture 2" in english
        assert "第二张图" in chinese or "图2" in chinese
        noun = case.facts.new_object_en or case.facts.object_en
        assert noun in english
    for task, index in (("object_add", 1), ("object_add", 2), ("object_replace", 0)):
        case = make_case("mini", task, index)
        assert case.object_photo is None
        assert "picture 2" not in case.instructions["en"]
        assert "second picture" not in case.instructions["en"]


def test_it_shows_the_thing_alone_on_white_and_whole(shown):
    for case in shown:
        picture = case.object_photo
        assert picture.shape == case.source.shape
        is_thing = (picture != 255).any(axis=2)
        assert 0.02 < is_thing.mean() < 0.6
        edges = (is_thing[0], is_thing[-1], is_thing[:, 0], is_thing[:, -1])
        assert not np.concatenate(edges).any()


def test_it_is_the_thing_of_the_reference():
    rng = np.random.default_rng(5)
    edit = sample_shot_edit(rng, "object_add", (96, 96))
    (number,) = edit.touched_after
    scene = packshot(edit)
    (item,) = scene.items
    assert item == dataclasses.replace(edit.after.items[number], x=0.0, z=0.0)
    frame = render(scene)
    background = frame.coverage[0] == 0
    assert (frame.image[background] == 255).all()
    assert frame.coverage[0].max() == 1.0


def test_it_is_part_of_what_a_case_is(shown):
    case = shown[0]
    other = dataclasses.replace(case, object_photo=case.object_photo[::-1])
    none = dataclasses.replace(case, object_photo=None)
    assert len({case_digest(one) for one in (case, other, none)}) == 3


def test_it_is_stored_as_the_second_input(shown, tmp_path):
    write_cases(shown, tmp_path)
    lines = (tmp_path / "cases.jsonl").read_text().splitlines()
    inputs = json.loads(lines[0])["inputs"]
    assert [one["role"] for one in inputs] == ["photo", "object"]
    assert inputs[1]["path"] == "pictures/mini/object_add/000/object.png"
    for case, again in zip(shown, load_cases(tmp_path), strict=True):
        assert np.array_equal(case.object_photo, again.object_photo)
        assert case_digest(case) == case_digest(again)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line["inputs"].append(line["inputs"][1]), "perhaps one object"),
        (lambda line: line["inputs"].reverse(), "'role' is 'object'"),
        (lambda line: line["inputs"][1].update(role="photo"), "'role' is 'photo'"),
        (lambda line: line["inputs"][1].update(path="../x.png"), "leaves the folder"),
        (lambda line: line["inputs"][1].update(sha256="0" * 64), "not the picture"),
        (lambda line: line.update(inputs=[]), "a list of one photo"),
        (lambda line: line.update(inputs=line["inputs"][:1]), "show other pictures"),
    ],
)
def test_a_record_with_other_inputs_is_refused(shown, tmp_path, change, said):
    write_cases(shown[:1], tmp_path)
    path = tmp_path / "cases.jsonl"
    first, second = path.read_text().splitlines()
    lines = [json.loads(line) for line in (first, second)]
    change(lines[0])
    if said != "show other pictures":
        change(lines[1])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=said):
        list(load_cases(tmp_path))
