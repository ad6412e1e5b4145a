"""The closed list of editing tasks: what each changes and what can be proved about it.

Records, benchmark and reports name a task by its `id`. Sixteen come from the taxonomy
of the benchmark; `move` and `identity` complete them. A task is *exact* when the
renderer can draw the one right answer, so that every pixel may be compared with it.
"""

import dataclasses
import difflib
from typing import Literal

from tbstar_jax.errors import UserError

Extent = Literal["local", "global", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One kind of edit.

    Attributes:
      id: the name used in records and reports.
      name_en: name for people, English.
      name_zh: name for people, Chinese.
      extent: `local` edits leave most of the photo alone, `global` ones reach pixels
        everywhere, `none` must change nothing.
      has_exact_target: whether a renderer can draw the one right answer.
    """

    id: str
    name_en: str
    name_zh: str
    extent: Extent
    has_exact_target: bool


def _task(
    id: str, name_en: str, name_zh: str, extent: Extent, has_exact_target: bool
) -> Task:
    return Task(
        id=id,
        name_en=name_en,
        name_zh=name_zh,
        extent=extent,
        has_exact_target=has_exact_target,
    )


TASKS: tuple[Task, ...] = (
    _task("bg_white", "white background", "纯白背景", "global", True),
    _task("bg_scene", "background scene", "场景背景", "global", False),
    _task("recolor", "product colour", "商品换色", "local", True),
    _task("material", "product material", "材质替换", "local", True),
    _task("watermark_remove", "watermark removal", "去除水印", "local", True),
    _task("text_remove", "text removal", "去除文字", "local", True),
    _task("text_replace_en", "English text replacement", "英文改字", "local", True),
    _task("text_replace_zh", "Chinese text replacement", "中文改字", "local", True),
    _task("text_add", "text addition", "添加文字", "local", False),
    _task("object_add", "object addition", "添加物体", "local", False),
    _task("object_remove", "object removal", "去除物体", "local", True),
    _task("object_replace", "object replacement", "替换物体", "local", False),
    _task("light_shadow", "light and shadow", "光影调整", "global", True),
    _task("outpaint", "outpainting", "扩展画面", "global", False),
    _task("layout", "layout of products", "商品排版", "local", True),
    _task("repair_zoom", "repair and detail", "修复与细节", "global", True),
    _task("move", "moving the product", "移动商品", "local", True),
    _task("identity", "no change", "保持不变", "none", True),
)
"""All tasks, in the order reports list them."""

TASK_IDS: tuple[str, ...] = tuple(task.id for task in TASKS)
"""The ids of `TASKS`, in the same order."""


def task_by_id(id: str) -> Task:
    """Finds a task.

    Args:
      id: one of `TASK_IDS`.

    Returns:
      The task with this id.

    Raises:
      UserError: no task has this id; the sentence names the nearest one.
    """
    for task in TASKS:
        if task.id == id:
            return task
    nearest = difflib.get_close_matches(id, TASK_IDS, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "use one of the ids below:"
    raise UserError(
        f"unknown task {id!r}: {hint} The {len(TASK_IDS)} tasks are "
        f"{', '.join(TASK_IDS)}."
    )
