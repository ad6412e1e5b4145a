"""The benchmark inside a training run: a fixed subset, edited every so many steps.

    draw_subset -> every `BenchmarkConfig.every` steps: pairs -> edits -> scalars

The subset is the first cases of every task, drawn in this process and the same in every
run. Two kinds of prompts are not in it: `outpaint`, which keeps the photo by a mask of
the user's that batched editing does not take, and what the model cannot read, which is
counted: longer instructions than the conditioner takes, and cases with a second picture
where there is one embedding of sources only.

The scores are `score_answer`'s without OCR: letters are compared by their drawings. A
few cases of a small split tell the steps of one run apart, not systems; results come
from `experiments.benchmark`.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Prompt
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.splits import SPLITS, size_of, split_plan
from tbstar_jax.evaluation.heldout import HeldoutEdit, HeldoutPair
from tbstar_jax.evaluation.scores.prompt import score_answer
from tbstar_jax.evaluation.statistics.bootstrap import macro_mean, task_means
from tbstar_jax.evaluation.statistics.sample import sample_of
from tbstar_jax.model.conditioner.byte import ByteConditionerConfig, tokenize
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.training.train_config import BenchmarkConfig

TASKS = tuple(task for task in BENCHMARK_TASKS if task != "outpaint")
"""What is asked while training."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subset:
    """What is asked at every evaluation; `draw_subset` makes it.

    Attributes:
      prompts: at least one, ordered by task, case and language.
      num_left_out: prompts of `TASKS` whose instruction is too long for the model, or
        has more pictures than it takes.
    """

    prompts: tuple[Prompt, ...]
    num_left_out: int

    @property
    def pairs(self) -> list[HeldoutPair]:
        """The prompts, as `edit_pairs` takes them."""
        return [
            HeldoutPair(
                key=prompt.id,
                task=prompt.case.task,
                instruction=prompt.instruction,
                source=prompt.case.source,
                target=prompt.case.reference,
                change_mask=prompt.case.masks.edit,
                references=prompt.case.further_photos,
            )
            for prompt in self.prompts
        ]

    def scalars(self, edits: Sequence[HeldoutEdit]) -> Iterator[tuple[str, float]]:
        """Scores the answers to all prompts.

        Args:
          edits: one per prompt, in order.

        Yields:
          `benchmark/consistency`, `/edit` and `/preservation`, means over tasks of the
          task's mean, in [0, 1]; `benchmark/consistency/<task>` of every task asked;
          `benchmark/num_answers` and `benchmark/num_left_out`.
        """
        records = [
            score_answer(
                prompt,
                edit.image,
                system="training",
                status="ok",
                reader=None,
                output="",
            )
            for prompt, edit in zip(self.prompts, edits, strict=True)
        ]
        for measure in ("consistency", "edit", "preservation"):
            yield f"benchmark/{measure}", macro_mean(sample_of(records, measure))
        tasks = task_means(sample_of(records, "consistency"))
        for task, mean in tasks.items():
            yield f"benchmark/consistency/{task}", mean
        yield "benchmark/num_answers", float(len(records))
        yield "benchmark/num_left_out", float(self.num_left_out)


def draw_subset(
    config: BenchmarkConfig, model: ModelConfig, *, show_progress: bool
) -> Subset:
    """Draws the cases and drops the prompts that the model cannot read.

    Args:
      config: which cases.
      model: whose pixel budget and conditioner bound them; with the byte conditioner.
      show_progress: whether to draw a progress bar.

    Raises:
      UserError: the split has fewer cases, its pictures exceed the pixel budget, or
        every instruction is too long.
    """
    _require_cases(config)
    _require_size(config, model.pixel_budget)
    names = [(task, i) for task in TASKS for i in range(config.cases_per_task)]
    drawn = tqdm(
        names,
        desc=f"drawing the benchmark's {config.split} cases",
        unit="case",
        disable=not show_progress,
    )
    prompts = [
        Prompt(case=case, language=language)
        for case in (make_case(config.split, task, index) for task, index in drawn)
        for language in config.languages
    ]
    conditioner = model.byte_conditioner
    most = model.pattern_shifting.num_source_embeddings or math.inf
    kept = tuple(
        prompt
        for prompt in prompts
        if _is_readable(prompt.instruction, conditioner)
        and 1 + len(prompt.case.further_photos) <= most
    )
    if not kept:
        raise UserError(
            f"none of the {len(prompts)} instructions of evaluation.benchmark fits "
            f"into the {conditioner.max_tokens - 2} UTF-8 bytes that this model's "
            "conditioner takes; leave evaluation.benchmark out"
        )
    return Subset(prompts=kept, num_left_out=len(prompts) - len(kept))


def is_due(step: int, every: int, last_step: int) -> bool:
    """Whether the subset is asked after a global step: every so many, and at last."""
    return step % every == 0 or step == last_step


def _require_cases(config: BenchmarkConfig) -> None:
    available = split_plan(config.split).num_per_task
    if config.cases_per_task > available:
        raise UserError(
            f"evaluation.benchmark.cases_per_task is {config.cases_per_task}, but the "
            f"split {config.split} has {available} of every task; ask for fewer, or "
            "take a larger split"
        )


def _require_size(config: BenchmarkConfig, pixel_budget: int) -> None:
    """Cases are edited at their own size, so that nothing is resampled."""
    rows, columns = size_of(config.split, 0)
    if rows * columns <= pixel_budget:
        return
    fitting = [
        split
        for split in ("smoke", "mini", "dev")
        if SPLITS[split].pixels ** 2 <= pixel_budget
    ]
    advice = (
        f"take a smaller split: {' or '.join(fitting)}"
        if fitting
        else "no split is small enough, so leave evaluation.benchmark out"
    )
    raise UserError(
        f"evaluation.benchmark.split={config.split} has pictures of {columns}x{rows} "
        f"pixels, above this model's budget of {pixel_budget} pixels; {advice}"
    )


def _is_readable(text: str, conditioner: ByteConditionerConfig) -> bool:
    try:
        tokenize(text, conditioner)
    except UserError:
        return False
    return True
