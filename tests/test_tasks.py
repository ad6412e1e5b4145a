import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.tasks import TASK_IDS, TASKS, task_by_id


def test_the_eighteen_ids_are_those_of_the_design():
    assert TASK_IDS == (
        *("bg_white", "bg_scene", "recolor", "material", "watermark_remove"),
        *("text_remove", "text_replace_en", "text_replace_zh", "text_add"),
        *("object_add", "object_remove", "object_replace", "light_shadow"),
        *("outpaint", "layout", "repair_zoom", "move", "identity"),
    )


def test_every_task_is_found_by_its_id():
    assert tuple(task_by_id(task.id) for task in TASKS) == TASKS


def test_names_are_unique_in_both_languages():
    assert len({task.name_en for task in TASKS}) == len(TASKS)
    assert len({task.name_zh for task in TASKS}) == len(TASKS)


def test_only_identity_changes_nothing():
    assert [task.id for task in TASKS if task.extent == "none"] == ["identity"]


def test_an_unknown_id_names_the_nearest_one():
    with pytest.raises(UserError, match="did you mean 'recolor'"):
        task_by_id("recolour")


def test_an_id_like_no_other_lists_all():
    with pytest.raises(UserError, match="repair_zoom, move, identity"):
        task_by_id("xyzzy")
