"""Every preset reads a tiny set written in the convention of its source."""

import json

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.collect.presets import (
    PRESETS,
    preset_by_name,
    preset_source,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_mask
from tbstar_jax.tasks import TASK_IDS
from tests.support import foreign_sets as sets

IN, OUT, OUT2 = sets.jpeg(1), sets.jpeg(2), sets.png(3)


def collected(name, path, num=1, **options):
    records, rejects = sets.collect(preset_source(name, str(path), **options))
    assert rejects == []
    assert len(records) == num
    preset = preset_by_name(name)
    for record in records:
        assert record.provenance["licence"] == preset.licence
        assert record.provenance["commercial"] == preset.commercial
        assert record.provenance["method"] == "import"
        assert record.provenance["origin"] == name
    return records


def assert_pair(record, source, target, instructions):
    assert record.source_images == source
    assert record.target_image == target
    assert record.instructions_en == instructions


def test_imgedit_single_and_multi_turn(tmp_path):
    sets.write_files(tmp_path, {"a/in.jpg": IN, "a/1.jpg": OUT, "a/2.png": OUT2})
    single = {
        "input_images": ["a/in.jpg"],
        "output_images": ["a/1.jpg"],
        "prompt": "Add a lamp to the table.",
        "task": "add",
    }
    sets.write_parquet(tmp_path / "add.parquet", [single])
    (record,) = collected("imgedit", tmp_path / "add.parquet")
    assert_pair(record, (IN,), OUT, ("Add a lamp to the table.",))
    assert record.task == "object_add"

    turn = {"prompt": "Now make it red.", "input_images": ["a/1.jpg"]}
    turns = [
        {k: single[k] for k in ("input_images", "output_images", "prompt")},
        {**turn, "output_images": ["a/2.png"]},
    ]
    sets.write_parquet(tmp_path / "multi.parquet", [{"data": turns}])
    first, second = collected("imgedit", tmp_path / "multi.parquet", 2)
    assert_pair(first, (IN,), OUT, ("Add a lamp to the table.",))
    assert_pair(second, (OUT,), OUT2, ("Now make it red.",))
    assert [r.provenance["turn"] for r in (first, second)] == [0, 1]
    assert first.provenance["chain_id"] == second.provenance["chain_id"] != ""
    assert first.scene == second.scene


def test_imgedit_with_its_images_in_an_archive(tmp_path):
    row = {
        "input_images": ["x/in.jpg"],
        "output_images": ["x/out.jpg"],
        "prompt": "Go.",
    }
    sets.write_parquet(tmp_path / "t" / "remove.parquet", [row])
    sets.write_tar(tmp_path / "x.tar", [("x/in.jpg", IN), ("x/out.jpg", OUT)])
    images = str(tmp_path / "x.tar")
    (record,) = collected("imgedit", tmp_path / "t", images=images)
    assert_pair(record, (IN,), OUT, ("Go.",))


def test_omniedit(tmp_path):
    row = {
        "omni_edit_id": "task_obj_add_1",
        "task": "addition",
        "src_img": sets.as_struct(IN, "a.jpg"),
        "edited_img": sets.as_struct(OUT),
        "edited_prompt_list": ["Add a hat.", "Put a hat on.", "Add a hat."],
        "sc_score_1": 9.5,
        "o_score": 8,
        "sc_reasoning": "none",
    }
    sets.write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", [row])
    (record,) = collected("omniedit", tmp_path)
    assert_pair(record, (IN,), OUT, ("Add a hat.", "Put a hat on."))
    assert record.task == "object_add"
    assert scores_of(record) == {"origin/sc_score_1": 9.5, "origin/o_score": 8.0}
    assert record.provenance["row"] == "data/train-00000-of-00001.parquet row 0"


def test_ultraedit_with_a_mask(tmp_path):
    mask = np.zeros((24, 32), np.uint8)
    mask[4:8, 5:9] = 255
    row = {
        "source_image": sets.as_struct(IN),
        "edited_image": sets.as_struct(OUT),
        "edit_prompt": "Turn the sky green",
        "mask_image": sets.as_struct(sets.encoded(mask, "PNG", "RGB")),
        "clip_sim_image": 0.75,
        "ssim": float("nan"),
    }
    sets.write_parquet(tmp_path / "a.parquet", [row])
    (record,) = collected("ultraedit", tmp_path)
    assert_pair(record, (IN,), OUT, ("Turn the sky green",))
    np.testing.assert_array_equal(decode_mask(record.change_mask), mask)
    assert scores_of(record) == {"origin/clip_sim_image": 0.75}


def test_magicbrush_groups_turns_and_reads_painted_masks(tmp_path):
    before = sets.photo(1) // 2
    painted = np.dstack([before, np.full(before.shape[:2], 255, np.uint8)])
    painted[3:6, 2:12, 3] = 0
    rows = [
        {
            "img_id": "327701",
            "turn_index": turn,
            "source_img": sets.as_struct(sets.encoded(before)),
            "mask_img": sets.as_struct(sets.encoded(painted)),
            "instruction": f"step {turn}",
            "target_img": sets.as_struct(sets.png(10 + turn)),
        }
        for turn in (1, 2)
    ]
    sets.write_parquet(tmp_path / "a.parquet", rows)
    first, second = collected("magicbrush", tmp_path, 2)
    changed = np.zeros((24, 32), np.uint8)
    changed[3:6, 2:12] = 255
    np.testing.assert_array_equal(decode_mask(first.change_mask), changed)
    assert [r.provenance["turn"] for r in (first, second)] == [0, 1]
    assert first.provenance["chain_id"] == second.provenance["chain_id"]
    assert first.scene == second.scene


def test_hq_edit_keeps_the_way_back(tmp_path):
    row = {
        "input": "a street",
        "output": "a street at night",
        "input_image": sets.as_struct(IN),
        "output_image": sets.as_struct(OUT),
        "edit": "Make it night.",
        "inverse_edit": "Make it day.",
    }
    sets.write_parquet(tmp_path / "a.parquet", [row])
    (record,) = collected("hq-edit", tmp_path)
    assert_pair(record, (IN,), OUT, ("Make it night.",))
    assert record.provenance["inverse_en"] == ["Make it day."]
    assert record.provenance["commercial"] is False


def test_nhr_edit(tmp_path):
    folder = tmp_path / "train"
    names = ("images/00/image_1_original.jpg", "images/00/image_1_edited_0.jpg")
    sets.write_files(folder, dict(zip(names, (IN, OUT), strict=True)))
    row = {
        "sample_id": "1-0",
        "source_file_name": names[0],
        "edited_file_name": names[1],
        "edit_instruction": "Remove the cup",
        "augmented_instructions": ["Take the cup away"],
        "category": "removal",
        "style": "photo",
    }
    sets.write_jsonl(folder / "metadata.jsonl", [row])
    (record,) = collected("nhr-edit", folder)
    assert_pair(record, (IN,), OUT, ("Remove the cup", "Take the cup away"))
    assert record.task == "object_remove"
    assert record.provenance["columns"] == {"sample_id": "1-0", "style": "photo"}


def test_pico_banana_after_its_mapping_script(tmp_path):
    names = ("openimages/train_0/0000.jpg", "images/positive-edit/1.png")
    sets.write_files(tmp_path, dict(zip(names, (IN, OUT2), strict=True)))
    row = {
        "open_image_input_url": "https://example.invalid/0000_o.jpg",
        "text": "Remove the red flag at the left of the stage.",
        "output_image": names[1],
        "edit_type": "Remove an existing object",
        "summarized_text": "Remove the flag.",
        "local_input_image": names[0],
    }
    sets.write_jsonl(tmp_path / "sft.jsonl", [row])
    (record,) = collected("pico-banana", tmp_path / "sft.jsonl")
    texts = ("Remove the red flag at the left of the stage.", "Remove the flag.")
    assert_pair(record, (IN,), OUT2, texts)
    assert record.task == "object_remove"
    assert record.provenance["commercial"] is False


def test_gpt_image_edit_conversations(tmp_path):
    sets.write_files(tmp_path / "images", {"a/in.jpg": IN, "a/out.jpg": OUT})
    row = {
        "image": ["a/in.jpg", "a/out.jpg"],
        "conversations": [
            {"from": "human", "value": "<image>\nMake the sofa blue"},
            {"from": "gpt", "value": "<image>"},
        ],
    }
    (tmp_path / "edit.json").write_text(json.dumps([row]))
    images = str(tmp_path / "images")
    (record,) = collected("gpt-image-edit", tmp_path / "edit.json", images=images)
    assert_pair(record, (IN,), OUT, ("Make the sofa blue",))


def test_x2edit_archives_speak_chinese(tmp_path):
    info = {
        "instruction": "把沙发换成蓝色",
        "task": "颜色更改",
        "liqe_score": 4.5,
        "score_7b": "[9, 10]",
        "label": "step1x",
    }
    en = {**info, "instruction": "Remove the dog", "task": "删除主体"}
    members = [
        ("k.1.0.jpg", IN),
        ("k.2.jpg", OUT),
        ("k.json", json.dumps(info).encode()),
        ("m.json", json.dumps(en).encode()),
        ("m.1.jpg", OUT),
        ("m.2.jpg", IN),
    ]
    sets.write_tar(tmp_path / "00.tar", members)
    first, second = collected("x2edit", tmp_path, 2)
    assert (first.source_images, first.target_image) == ((IN,), OUT)
    assert first.instructions_zh == ("把沙发换成蓝色",)
    assert first.instructions_en == ()
    assert first.task == "recolor"
    assert scores_of(first) == {
        "origin/liqe_score": 4.5,
        "origin/score_7b/0": 9.0,
        "origin/score_7b/1": 10.0,
    }
    assert_pair(second, (OUT,), IN, ("Remove the dog",))
    assert second.task == "object_remove"


@pytest.mark.parametrize(
    ("name", "target", "control"),
    [("ai-toolkit", "target", "control"), ("musubi-folder", "images", "controls")],
)
def test_folders_of_equal_stems(tmp_path, name, target, control):
    files = {
        f"{target}/a.png": OUT2,
        f"{target}/a.txt": "make it gold\n",
        f"{target}/sub/b.jpg": OUT,
        f"{target}/sub/b.txt": "变成红色",
        f"{control}/a.jpg": IN,
        f"{control}/sub/b.png": OUT2,
    }
    sets.write_files(tmp_path, files)
    first, second = collected(name, tmp_path, 2)
    assert_pair(first, (IN,), OUT2, ("make it gold",))
    assert second.source_images == (OUT2,)
    assert second.instructions_zh == ("变成红色",)


def test_musubi_lines_with_several_controls(tmp_path):
    sets.write_files(tmp_path, {"i/a.png": OUT2, "c/a.jpg": IN, "c/b.jpg": OUT})
    rows = [
        {"image_path": "i/a.png", "caption": "one", "control_path": "c/a.jpg"},
        {
            "image_path": str(tmp_path / "i/a.png"),
            "caption": "two",
            "control_path_0": "c/a.jpg",
            "control_path_1": "c/b.jpg",
        },
    ]
    sets.write_jsonl(tmp_path / "d.jsonl", rows)
    first, second = collected("musubi", tmp_path / "d.jsonl", 2)
    assert_pair(first, (IN,), OUT2, ("one",))
    assert_pair(second, (IN, OUT), OUT2, ("two",))


def test_diffsynth_tables(tmp_path):
    sets.write_files(tmp_path, {"a.png": OUT2, "b.jpg": IN, "c.jpg": OUT})
    text = 'image,prompt,edit_image\na.png,"make it red, please",b.jpg\n'
    (tmp_path / "metadata.csv").write_text(text)
    (record,) = collected("diffsynth", tmp_path)
    assert_pair(record, (IN,), OUT2, ("make it red, please",))
    row = {"image": "a.png", "prompt": "mix", "edit_image": ["b.jpg", "c.jpg"]}
    sets.write_jsonl(tmp_path / "metadata.jsonl", [row])
    (record,) = collected("diffsynth-jsonl", tmp_path)
    assert_pair(record, (IN, OUT), OUT2, ("mix",))


def test_diffusers_imagefolders(tmp_path):
    sets.write_files(tmp_path / "train", {"0_in.jpg": IN, "0_out.png": OUT2})
    row = {
        "original_image_file_name": "0_in.jpg",
        "edited_image_file_name": "0_out.png",
        "edit_prompt": "add fireworks",
    }
    sets.write_jsonl(tmp_path / "train" / "metadata.jsonl", [row])
    (record,) = collected("diffusers", tmp_path)
    assert_pair(record, (IN,), OUT2, ("add fireworks",))


def test_columns_are_overridden(tmp_path):
    row = {"src": sets.as_struct(IN), "tar_img": OUT, "say": "make it red"}
    sets.write_parquet(tmp_path / "a.parquet", [row])
    overrides = "source=src,target=tar_img,instruction=say"
    (record,) = collected("omniedit", tmp_path, overrides=overrides)
    assert_pair(record, (IN,), OUT, ("make it red",))


def test_presets_are_well_formed():
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    for preset in PRESETS:
        assert preset.fields.source
        assert preset.fields.target
        assert {ours for _, ours in preset.task_names} <= set(TASK_IDS)


def test_an_unknown_preset_is_named():
    with pytest.raises(UserError, match="did you mean 'imgedit'"):
        preset_by_name("img-edit")
