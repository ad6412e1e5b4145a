"""What `data.build` is told: one frozen configuration, a section per stage."""

import dataclasses
from pathlib import Path
from typing import Literal

from tbstar_jax.data_engine.collect.field_map import parse_field_map
from tbstar_jax.data_engine.collect.presets import preset_source
from tbstar_jax.data_engine.collect.source import Format, SourceSpec, guess_format
from tbstar_jax.data_engine.construct.http_expert import HttpExpert
from tbstar_jax.data_engine.filter.rules import STAGE_1, Profile
from tbstar_jax.data_engine.language import MAX_INSTRUCTION_BYTES
from tbstar_jax.data_engine.local_models import (
    AestheticModel,
    EmbeddingModel,
    SegmentationModel,
)
from tbstar_jax.data_engine.studio.blender.process import BlenderSettings
from tbstar_jax.errors import UserError
from tbstar_jax.vlm.client import VlmConfig

MethodName = Literal["overlay", "expert", "cutout", "studio", "layout", "in_context"]

OF_PHOTOS: tuple[MethodName, ...] = ("overlay", "expert", "cutout")
"""Methods that start from collected photos; the others start from nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One source of photos or pairs.

    Attributes:
      path: a file, or a folder that holds the files of the format.
      preset: a public set or another trainer's convention, e.g. `omniedit`; None: the
        fields below say it.
      format: None: told by the names of the files.
      fields: `source=..,target=..,instruction=..`: columns, or the preset's overridden.
      images: folder or archive with the files that rows name; empty: where the table
        lies.
      licence: SPDX id or name, for rows that name none; None: the preset's, or unknown.
    """

    path: str
    preset: str | None = None
    format: Format | None = None
    fields: str = ""
    images: str = ""
    licence: str | None = None

    def spec(self) -> SourceSpec:
        """The source as collecting takes it.

        Raises:
          UserError: an unknown preset, fields that are not valid, or files whose format
            cannot be told.
        """
        if self.preset is not None:
            spec = preset_source(self.preset, self.path, self.fields, self.images)
        else:
            kind = self.format or guess_format(self.path)
            spec = SourceSpec(path=self.path, format=kind, images=self.images)
            if self.fields:
                fields = parse_field_map(self.fields, spec.fields)
                spec = dataclasses.replace(spec, fields=fields)
        if self.licence is not None:
            spec = dataclasses.replace(spec, licence=self.licence)
        return spec


@dataclasses.dataclass(frozen=True, kw_only=True)
class CollectConfig:
    """Collecting.

    Attributes:
      sources: what to read.
      rows_per_shard: records per file.
      keeps_alpha: keep transparency, for cut-outs.
      max_pixels: larger pictures are scaled down to so many, as training never does:
        its pixel budget must not be smaller.
      max_distance: bits of 64 in which the perceptual hashes of duplicates may differ.
      min_side: least pixels of a photo's shorter side, else it is rejected.
      max_aspect: largest ratio of a photo's sides, likewise.
      min_sharpness: least score `sharpness`, likewise.
      aesthetic: a model that scores photos, noted as `aesthetic`; None: no score.
      min_aesthetic: least score `aesthetic` of a photo, else it is rejected, also when
        the model has none for it; None: scores decide nothing.
    """

    sources: tuple[SourceConfig, ...] = ()
    rows_per_shard: int = 512
    keeps_alpha: bool = False
    max_pixels: int = 1024 * 1024
    max_distance: int = 6
    min_side: int = 64
    max_aspect: float = 4.0
    min_sharpness: float = 0.0
    aesthetic: AestheticModel | None = None
    min_aesthetic: float | None = None

    def __post_init__(self) -> None:
        if self.min_aesthetic is not None and self.aesthetic is None:
            raise UserError(
                f"collect.min_aesthetic is {self.min_aesthetic}, but nothing scores "
                'photos; name a model with --set \'collect.aesthetic={"model": '
                '{"path": "FILE.onnx"}}\''
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpertConfig:
    """Who edits photos for the method `expert`.

    Attributes:
      is_classical: image processing without weights.
      segmenter: a model that finds the product for it; None: GrabCut.
      editor: a weights folder or public checkpoint of ours; None: no model of ours.
      editor_tasks: what the editor is asked for.
      http: a server that edits; asked first.
    """

    is_classical: bool = True
    segmenter: SegmentationModel | None = None
    editor: Path | None = None
    editor_tasks: tuple[str, ...] = ("bg_white", "recolor", "object_remove")
    http: HttpExpert | None = None

    def __post_init__(self) -> None:
        if self.segmenter is not None and not self.is_classical:
            raise UserError(
                "construct.expert.segmenter finds products for the classical expert, "
                "which is off; leave it out, or set construct.expert.is_classical=true"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConstructConfig:
    """Constructing.

    Attributes:
      methods: what makes pairs; each makes a set of its own.
      pairs_per_photo: of the methods that start from photos.
      num_records: pairs of each method that starts from nothing.
      size: pixels per side of the pictures that are drawn.
      records_per_shard: of the methods that start from nothing.
      codec: of the pairs; `jpeg` takes a third of the space and serves stage 1 alone.
      is_strict: in the studio, leave every pixel outside the edited things alone; else
        light and shadow reach further.
      backend: of the studio; `jax` agrees with `numpy` to one level of 255; `blender`
        looks most like a photo and takes longest.
      blender: the interpreter that has it, and its settings.
      expert: who edits photos.
      drawing_model: a weights folder or checkpoint that draws for `in_context`.
    """

    methods: tuple[MethodName, ...] = ("overlay", "expert", "studio", "layout")
    pairs_per_photo: int = 2
    num_records: int = 1000
    size: int = 512
    records_per_shard: int = 250
    codec: Literal["png", "jpeg"] = "png"
    is_strict: bool = True
    backend: Literal["numpy", "jax", "blender"] = "numpy"
    blender: BlenderSettings = dataclasses.field(default_factory=BlenderSettings)
    expert: ExpertConfig = ExpertConfig()
    drawing_model: Path | None = None

    def __post_init__(self) -> None:
        if len(set(self.methods)) < len(self.methods) or not self.methods:
            raise UserError(
                f"construct.methods is {','.join(self.methods) or 'empty'}; name every "
                "method once, at least one"
            )
        if "in_context" in self.methods and self.drawing_model is None:
            raise UserError(
                "the method in_context draws with a text-to-image model; name its "
                "folder with --set construct.drawing_model=FOLDER"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterConfig:
    """Filtering.

    Attributes:
      profile: limits, and which rules flag instead of rejecting.
      ocr_languages: read texts with the program tesseract, e.g. `chi_sim+eng`; None
        compares their edges.
      embedder: an image encoder, for the score `embedding_similarity` and its limits;
        None: no such score.
      is_judged: ask the vision-language model for a score, too.
      num_examples: pictures per rule in the report.
    """

    profile: Profile = STAGE_1
    ocr_languages: str | None = None
    embedder: EmbeddingModel | None = None
    is_judged: bool = False
    num_examples: int = 4

    def __post_init__(self) -> None:
        limits = dataclasses.asdict(self.profile.limits)
        asked = [one.limit for one in self.profile.overrides if one.value is not None]
        asked += [name for name, value in limits.items() if value is not None]
        similar = [name for name in asked if name.endswith("_embedding_similarity")]
        if similar and self.embedder is None:
            raise UserError(
                f"{similar[0]} is set, but nothing embeds pictures; name a model with "
                '--set \'filter.embedder={"model": {"path": "FILE.onnx"}}\''
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Augmenting.

    Attributes:
      identity_share: records that also become a request which already holds.
      feather: pixels over which a pasted-back edit fades in, inside its mask.
      max_edits: edits that are composed into one pair, at most.
      max_turns: of a chain.
      num_texts: phrasings per language.
      is_rewritten: ask the vision-language model for phrasings, too.
    """

    identity_share: float = 0.05
    feather: int = 0
    max_edits: int = 2
    max_turns: int = 3
    num_texts: int = 6
    is_rewritten: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixConfig:
    """Mixing.

    Attributes:
      test_share: scenes that become the held-out set, in [0, 1).
      held_out: further sets (split `test`) whose scenes are never trained on.
      is_commercial_only: leave out what is not known to allow commercial use.
      max_instruction_bytes: leave out pairs with a longer instruction, in UTF-8: what
        the model that is to be trained takes, 94 for `tiny`; None: no limit.
    """

    is_commercial_only: bool = False
    test_share: float = 0.02
    held_out: tuple[Path, ...] = ()
    max_instruction_bytes: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.test_share < 1:
            raise UserError(
                f"mix.test_share is {self.test_share}, but must be at least 0 and "
                "below 1"
            )
        if self.max_instruction_bytes is not None and self.max_instruction_bytes < 1:
            raise UserError(
                f"mix.max_instruction_bytes is {self.max_instruction_bytes}, but must "
                "be at least 1, or null for no limit"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """Everything that decides the sets.

    Attributes:
      seed: of all random numbers, 0 or more.
      max_instruction_bytes: longest instruction that construct and augment make, in
        UTF-8; what was collected keeps its own.
      vlm: the vision-language model; None: rules alone.
      collect, construct, filter, augment, mix: of the stages..
    """

    seed: int = 0
    max_instruction_bytes: int = MAX_INSTRUCTION_BYTES
    vlm: VlmConfig | None = None
    collect: CollectConfig = CollectConfig()
    construct: ConstructConfig = ConstructConfig()
    filter: FilterConfig = FilterConfig()
    augment: AugmentConfig = AugmentConfig()
    mix: MixConfig = MixConfig()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"the seed is {self.seed}, but must be 0 or more")
        if not 20 <= self.max_instruction_bytes <= 10_000:
            raise UserError(
                f"max_instruction_bytes is {self.max_instruction_bytes}, but must be "
                "20 to 10000"
            )
        asks = {
            "filter.is_judged": self.filter.is_judged,
            "augment.is_rewritten": self.augment.is_rewritten,
        }
        for name, is_asked in asks.items():
            if is_asked and self.vlm is None:
                raise UserError(f"{name} asks a model; name one with --set vlm=...")
