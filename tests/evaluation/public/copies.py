"""Small copies of the suites, with photos and words of our own."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(level, height=6, width=8):
    image = np.full((height, width, 3), level, np.uint8)
    image[0, 0] = (255, 0, level)
    return image


def png(image):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    return data.getvalue()


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def gedit_row(number, task="color_alter", language="en", **fields):
    return {
        "task_type": task,
        "key": f"k{number}",
        "instruction": f"make it {number}",
        "instruction_language": language,
        "input_image": {"bytes": png(picture(number)), "path": None},
        "Intersection_exist": number % 2 == 0,
        **fields,
    }


def gedit_parquet(folder, rows, row_group_size=2):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "train-0.parquet", row_group_size=row_group_size)
    return folder


def gedit_arrow(folder, rows, open_writer=pa.ipc.new_stream):
    """As `save_to_disk` leaves it, with its JSON files beside."""
    folder = folder / "train"
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    with open_writer(folder / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    (folder / "state.json").write_text("{}")
    return folder.parent


def gedit_jsonl(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(rows):
        save(folder / f"{number}.png", picture(number))
        lines.append(json.dumps({**row, "input_image": f"{number}.png"}) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines))
    return folder


def imgedit(folder, entries, name="basic_edit.json"):
    """Entries: key to type, or to a whole entry."""
    content = {}
    for key, entry in entries.items():
        if isinstance(entry, str):
            entry = {"id": f"things/{key}.jpg", "prompt": "edit it", "edit_type": entry}
            save(folder / "original_images" / entry["id"], picture(10))
        content[key] = entry
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder


def kwai(folder, tasks, marks=("甲", "乙", "丙", "丁")):
    """Tasks: name to numbers of photos, one per item."""
    lines = []
    for task, counts in tasks.items():
        entries = []
        for number, count in enumerate(counts):
            names = [f"images/{task}/{number:04d}_{k}.jpg" for k in range(count)]
            for name in names:
                save(folder / name, picture(10))
            entries.append({"prompt": "换颜色", "id": f"{number:04d}", "images": names})
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / f"{task}.json").write_text(json.dumps(entries))
        lines.append(
            json.dumps(
                {
                    "task_id": task,
                    "judge_prompt": f"{task}: <edit_prompt>",
                    "dimension_names_cn": list(marks),
                }
            )
        )
    (folder / "judge").mkdir(parents=True, exist_ok=True)
    (folder / "judge" / "task_judge_prompts.jsonl").write_text("\n".join(lines))
    return folder


def textedit(folder, rows, category="1.1.1"):
    """Rows: (name, old text, new text)."""
    prompts = folder / "eval_prompts" / "fullset"
    prompts.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, old, new) in enumerate(rows):
        paths = [f"{category}/image/{kind}/{name}.0.png" for kind in ("original", "gt")]
        for level, path in enumerate(paths):
            save(folder / "data" / path, picture(level))
        lines.append(
            json.dumps(
                {
                    "id": number,
                    "prompt": f"{old} to {new}",
                    "original_image": paths[0],
                    "gt_image": paths[1],
                    "source_text": old,
                    "target_text": new,
                }
            )
        )
    (prompts / f"{category}.jsonl").write_text("\n".join(lines))
    return folder


def paintbench(folder, problems):
    """Problems: (task, number, photo, right answer)."""
    for task, number, photo, reference in problems:
        stem = folder / task / f"{number:03d}"
        save(stem.with_name(f"{stem.name}_input.png"), photo)
        save(stem.with_name(f"{stem.name}_answer.png"), reference)
        meta = {"instruction": "paint it", "task": task, "problem_id": number}
        stem.with_name(f"{stem.name}.json").write_text(json.dumps(meta))
    return folder


def kontext(folder, keys):
    test = folder / "test"
    for key in keys:
        save(test / "images" / f"{key[:4]}.jpg", picture(10))
    lines = [
        json.dumps(
            {
                "file_name": f"images/{key[:4]}.jpg",
                "instruction": "edit it",
                "category": "Text Editing",
                "key": key,
            }
        )
        for key in keys
    ]
    (test / "metadata.jsonl").write_text("\n".join(lines))
    return folder
