"""Public sets and the folders of other trainers: formats, columns, tasks, licences.

A preset is data. Columns are overridden with `parse_field_map(text, preset.fields)`
where a copy of a set names them otherwise. `commercial` is False where the licence
forbids commercial use and None where the set's card has to be asked: many pictures were
made by models whose terms the set's licence does not settle.
"""

import dataclasses
import difflib

from tbstar_jax.data_engine.collect.field_map import FieldMap, parse_field_map
from tbstar_jax.data_engine.collect.folder_rows import PHOTO_LAYOUT, FolderLayout
from tbstar_jax.data_engine.collect.source import Format, SourceSpec
from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """How a public set or a trainer's folder is read.

    Attributes:
      name: what the command line calls it.
      format: how it is stored.
      fields: its columns.
      layout: for folders.
      task_names: its names of tasks and our ids.
      licence: SPDX id or the licence's name.
      commercial: see above.
    """

    name: str
    format: Format
    fields: FieldMap
    layout: FolderLayout = PHOTO_LAYOUT
    task_names: tuple[tuple[str, str], ...] = ()
    licence: str = "unknown"
    commercial: bool | None = None


_PLAIN_TASKS = (
    ("add", "object_add"),
    ("addition", "object_add"),
    ("remove", "object_remove"),
    ("removal", "object_remove"),
    ("replace", "object_replace"),
    ("swap", "object_replace"),
    ("background", "bg_scene"),
    ("background_change", "bg_scene"),
    ("color", "recolor"),
    ("color_alter", "recolor"),
    ("material_change", "material"),
    ("movement", "move"),
    ("outpaint", "outpaint"),
)

_PICO_TASKS = (
    ("add a new object to the scene", "object_add"),
    ("remove an existing object", "object_remove"),
    ("replace one object category with another", "object_replace"),
    ("add new scene context/background", "bg_scene"),
    ("adjust global lighting (golden hour/fluorescent)", "light_shadow"),
    ("change overall color tone (warm ↔ cool)", "light_shadow"),
    ("add new (handwritten/printed/etc) text", "text_add"),
    ("replace text in signs/posters/billboards", "text_replace_en"),
    ("zoom in", "repair_zoom"),
    ("outpainting (extend canvas beyond boundaries)", "outpaint"),
    ("relocate an object (change its position/spatial relation)", "move"),
)

_X2_TASKS = (
    ("添加主体", "object_add"),
    ("删除主体", "object_remove"),
    ("替换主体", "object_replace"),
    ("背景更改", "bg_scene"),
    ("颜色更改", "recolor"),
    ("材料更改", "material"),
    ("材质更改", "material"),
    ("色调变换", "light_shadow"),
    ("色调迁移", "light_shadow"),
    ("low_leval", "repair_zoom"),
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        name="imgedit",
        format="parquet",
        fields=FieldMap(
            source=("input_images",),
            target="output_images",
            instruction=("prompt",),
            task="task|edit_type",
            turns="data",
            mask="mask_rle",
            mask_kind="rle",
            scores=("score|scores", "clip_score", "aesthetic_score"),
        ),
        task_names=_PLAIN_TASKS,
    ),
    Preset(
        name="omniedit",
        format="parquet",
        fields=FieldMap(
            source=("src_img",),
            target="edited_img",
            instruction=("edited_prompt_list",),
            task="task",
            scores=("sc_score_1", "sc_score_2", "pq_score", "o_score"),
            notes=("omni_edit_id",),
        ),
        task_names=_PLAIN_TASKS,
        licence="MIT",
    ),
    Preset(
        name="ultraedit",
        format="parquet",
        fields=FieldMap(
            source=("source_image",),
            target="edited_image",
            instruction=("edit_prompt",),
            mask="mask_image|mask",
            scores=(
                "clip_sim_source",
                "clip_sim_target",
                "clip_sim_dir",
                "clip_sim_image",
                "dinov2_sim",
                "ssim",
            ),
            notes=("source_caption", "target_caption"),
        ),
        licence="CC-BY-4.0",
    ),
    Preset(
        name="magicbrush",
        format="parquet",
        fields=FieldMap(
            source=("source_img",),
            target="target_img",
            instruction=("instruction",),
            mask="mask_img",
            mask_kind="painted",
            chain="img_id",
            turn="turn_index",
            first_turn=1,
        ),
        licence="CC-BY-4.0",
    ),
    Preset(
        name="hq-edit",
        format="parquet",
        fields=FieldMap(
            source=("input_image",),
            target="output_image",
            instruction=("edit",),
            inverse=("inverse_edit",),
            notes=("input", "output"),
        ),
        licence="CC-BY-NC-4.0",
        commercial=False,
    ),
    Preset(
        name="nhr-edit",
        format="jsonl",
        fields=FieldMap(
            source=("source_file_name|original",),
            target="edited_file_name|edited",
            instruction=("edit_instruction|instruction", "augmented_instructions"),
            task="category|edit_type",
            notes=("sample_id", "style", "kind"),
        ),
        task_names=_PLAIN_TASKS,
        licence="Apache-2.0",
    ),
    Preset(
        name="pico-banana",
        format="jsonl",
        fields=FieldMap(
            source=("local_input_image",),
            target="output_image",
            instruction=("text", "summarized_text"),
            task="edit_type",
            notes=("open_image_input_url",),
        ),
        task_names=_PICO_TASKS,
        licence="CC-BY-NC-ND-4.0",
        commercial=False,
    ),
    Preset(
        name="gpt-image-edit",
        format="json",
        fields=FieldMap(
            source=("image.0",),
            target="image.-1",
            instruction=("conversations.0.value",),
            task="edit_type|task",
        ),
        task_names=_PLAIN_TASKS,
    ),
    Preset(
        name="x2edit",
        format="tar",
        fields=FieldMap(
            source=("1.0.jpg|1.jpg",),
            target="2.jpg",
            instruction=("json.instruction", "json.instruction_zh|json.instruction_cn"),
            task="json.task",
            scores=(
                "json.liqe_score",
                "json.liqe_score_edit",
                "json.liqe_score_clip",
                "json.liqe_score_clip_edit",
                "json.aesthetic_score_v2_5",
                "json.aesthetic_score_v2_5_edit",
                "json.score_7b",
                "json.score",
            ),
            notes=("json.label",),
        ),
        task_names=_X2_TASKS,
    ),
    Preset(
        name="ai-toolkit",
        format="folder",
        fields=FieldMap(source=("control",), target="target", instruction=("caption",)),
        layout=FolderLayout(
            columns=(
                ("target", "target"),
                ("control", "control"),
                ("control", "control_2"),
                ("control", "control_3"),
            )
        ),
    ),
    Preset(
        name="musubi",
        format="jsonl",
        fields=FieldMap(
            source=(
                "control_path|control_path_0",
                *(f"control_path_{k}" for k in range(1, 8)),
            ),
            target="image_path|image_path_0",
            instruction=("caption",),
        ),
    ),
    Preset(
        name="musubi-folder",
        format="folder",
        fields=FieldMap(source=("control",), target="target", instruction=("caption",)),
        layout=FolderLayout(columns=(("target", "images"), ("control", "controls"))),
    ),
    Preset(
        name="diffsynth",
        format="csv",
        fields=FieldMap(
            source=("edit_image",), target="image", instruction=("prompt",)
        ),
    ),
    Preset(
        name="diffsynth-jsonl",
        format="jsonl",
        fields=FieldMap(
            source=("edit_image",), target="image", instruction=("prompt",)
        ),
    ),
    Preset(
        name="diffusers",
        format="jsonl",
        fields=FieldMap(
            source=(
                "original_image_file_name|original_image|source_file_name|cond_image",
                "reference_images_file_names",
            ),
            target="edited_image_file_name|edited_image|file_name|image",
            instruction=("edit_prompt|text|caption|prompt",),
        ),
    ),
)
"""All presets; the folders of trainers come last."""


def preset_by_name(name: str) -> Preset:
    """Finds a preset.

    Raises:
      UserError: there is none of this name.
    """
    known = {preset.name: preset for preset in PRESETS}
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UserError(f"unknown preset {name!r}: {hint}There are {', '.join(known)}.")


def preset_source(
    name: str, path: str, overrides: str = "", images: str = ""
) -> SourceSpec:
    """A source in the convention of a preset.

    Args:
      name: of the preset.
      path: where the set lies.
      overrides: `field=column,...` where this copy names columns otherwise.
      images: see `SourceSpec`.

    Raises:
      UserError: no such preset, or the overrides are not valid.
    """
    preset = preset_by_name(name)
    return SourceSpec(
        path=path,
        format=preset.format,
        fields=parse_field_map(overrides, preset.fields),
        layout=preset.layout,
        images=images,
        task_names=preset.task_names,
        origin=preset.name,
        licence=preset.licence,
        commercial=preset.commercial,
    )
