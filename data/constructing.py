"""`--stage=construct`: pairs from photos, and from nothing; one set per method."""

from data.build_config import BuildConfig, MethodName
from data.models import BasePainter, editor_expert
from data.places import TRAIN, Places
from tbstar_jax.data_engine.construct.classical.expert import ClassicalExpert
from tbstar_jax.data_engine.construct.classical.segmented import SegmentedExpert
from tbstar_jax.data_engine.construct.cutout import CUTOUT_TASKS, CutoutComposite
from tbstar_jax.data_engine.construct.expert import ExpertMethod, TaskShare
from tbstar_jax.data_engine.construct.in_context import InContext
from tbstar_jax.data_engine.construct.in_context_stage import InContextStage
from tbstar_jax.data_engine.construct.instruct import InstructConfig
from tbstar_jax.data_engine.construct.needs import NEEDED
from tbstar_jax.data_engine.construct.protocol import Expert
from tbstar_jax.data_engine.construct.rules import TASKS as RULE_TASKS
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.engine.run import StageReport, run_stage
from tbstar_jax.data_engine.engine.then import ThenStage
from tbstar_jax.data_engine.layout.overlay_method import OverlayMethod
from tbstar_jax.data_engine.layout.stage import LayoutStage
from tbstar_jax.data_engine.stage import Method, Stage
from tbstar_jax.data_engine.store.compact import AsJpeg
from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.data_engine.studio.stage import StudioStage

# Of these a companion is needed, which nothing in the configuration names.
_ALONE = tuple(t for t in CUTOUT_TASKS if t not in ("object_add", "object_remove"))

_ANY_SIDE = 16_384


def construct(
    config: BuildConfig, places: Places, engine: Engine, *, is_rebuild_allowed: bool
) -> list[StageReport]:
    """Makes the pairs of every method.

    Args:
      config: methods and their settings.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether finished sets of other content are replaced.

    Raises:
      UserError: see `run_stage`; that there are photos is checked before, by
        `freshness.check_photos`.
    """
    reports = []
    for name in config.construct.methods:
        stage: Stage | None = _from_photos(config, name, places)
        if stage is None:
            stage = _from_nothing(config, name)
        if config.construct.codec == "jpeg":
            stage = ThenStage(first=stage, method=AsJpeg(), seed=config.seed)
        reports.append(
            run_stage(
                stage,
                places.constructed(name),
                name,
                TRAIN,
                engine=engine,
                is_rebuild_allowed=is_rebuild_allowed,
            )
        )
    return reports


def _from_photos(
    config: BuildConfig, name: MethodName, places: Places
) -> MethodStage | None:
    settings = config.construct
    method: Method
    match name:
        case "overlay":
            # Collecting has scaled what is too large.
            method = OverlayMethod(
                pairs_per_photo=settings.pairs_per_photo,
                max_side=_ANY_SIDE,
                max_instruction_bytes=config.max_instruction_bytes,
            )
        case "expert":
            method = _expert_method(config)
        case "cutout":
            method = CutoutComposite(
                canvas=(settings.size, settings.size),
                tasks=_ALONE,
                pairs_per_photo=settings.pairs_per_photo,
            )
        case _:
            return None
    return MethodStage(
        method=method,
        directory=places.collected("photos"),
        split=TRAIN,
        seed=config.seed,
        query=Query(),
    )


def _expert_method(config: BuildConfig) -> ExpertMethod:
    settings = config.construct
    experts: list[Expert] = []
    if settings.expert.http is not None:
        experts.append(settings.expert.http)
    if settings.expert.editor is not None:
        experts.append(
            editor_expert(settings.expert.editor, settings.expert.editor_tasks)
        )
    if settings.expert.is_classical:
        segmenter = settings.expert.segmenter
        experts.append(
            ClassicalExpert()
            if segmenter is None
            else SegmentedExpert(segmenter=segmenter)
        )
    done = {task for expert in experts for task in expert.tasks}
    asked = NEEDED if config.vlm is not None else RULE_TASKS
    return ExpertMethod(
        experts=tuple(experts),
        shares=tuple(TaskShare(task=t, weight=1.0) for t in asked if t in done),
        vlm=config.vlm,
        instruct=InstructConfig(max_bytes=config.max_instruction_bytes),
        pairs_per_photo=settings.pairs_per_photo,
        num_threads=1 if config.vlm is None else config.vlm.server.max_concurrency,
    )


def _from_nothing(config: BuildConfig, name: MethodName) -> Stage:
    settings = config.construct
    size = (settings.size, settings.size)
    match name:
        case "studio":
            return StudioStage(
                seed=config.seed,
                num_records=settings.num_records,
                records_per_unit=settings.records_per_shard,
                sizes=(size,),
                is_strict=settings.is_strict,
                backend=settings.backend,
                blender=settings.blender,
                max_instruction_bytes=config.max_instruction_bytes,
            )
        case "layout":
            return LayoutStage(
                seed=config.seed,
                num_records=settings.num_records,
                records_per_unit=settings.records_per_shard,
                sizes=(size,),
                max_instruction_bytes=config.max_instruction_bytes,
            )
        case _:
            assert settings.drawing_model is not None  # checked with the settings
            is_ours = str(settings.drawing_model) == "shipped"
            painter = BasePainter(
                folder=settings.drawing_model,
                licence="Apache-2.0" if is_ours else "unknown",
            )
            per_unit = min(settings.records_per_shard, settings.num_records)
            return InContextStage(
                method=InContext(painter=painter, size=size, pairs_per_plan=1),
                num_plans=settings.num_records,
                seed=config.seed,
                plans_per_unit=per_unit,
            )
