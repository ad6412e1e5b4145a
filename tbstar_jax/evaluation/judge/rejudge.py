"""The pictures of an earlier run judged again: by another judge, or at another date."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.agreement import Difference, difference
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.item import content_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.run import Work, judge_all, read_records


def rejudge(
    config: JudgeConfig,
    previous: Path,
    work_of: Callable[[Judgement], Work],
    path: Path,
    label: str,
) -> tuple[list[Judgement], Difference]:
    """Judges again exactly what an earlier run has judged.

    Replies are kept in a folder of their own, `<cache>/<label>`: with the earlier ones
    at hand, the same judge would only be read from them again. The same label goes on
    with an interrupted run, and with `replay` repeats it without a server.

    Args:
      config: the judge now.
      previous: the journal of the earlier run.
      work_of: the edit behind an earlier judgement.
      path: the journal to write.
      label: names this run, e.g. its date: letters, digits, dots and hyphens.

    Returns:
      The new judgements, by system and prompt, and how they differ from the earlier.

    Raises:
      UserError: nothing was judged before, or by several judges and none of them this
        one; an edit has changed since, the label names no folder, or the server
        answers nothing.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", label):
        raise UserError(
            f"the label {label[:64]!r} names no folder; write e.g. a date, 2026-11-26"
        )
    # In the journal, they stand in the order of the replies.
    records = sorted(
        read_records(previous, Judgement).values(),
        key=lambda one: (one.system, one.prompt),
    )
    earlier = [one for one in records if one.status == "ok"]
    if not earlier:
        raise UserError(f"{previous} holds no judged picture")
    judges = {one.judge for one in earlier}
    if len(judges) > 1:
        own = config.fingerprint()
        earlier = [one for one in earlier if one.judge == own]
        if not earlier:
            raise UserError(
                f"{previous} holds judgements of {len(judges)} judges, none of which "
                "is this one; compare with one of them"
            )
    if config.cache is not None:
        config = dataclasses.replace(config, cache=config.cache / label)
    judgements = judge_all(Judge(config), _unchanged(earlier, work_of), path)
    return judgements, difference(earlier, judgements)


def _unchanged(
    earlier: Iterable[Judgement], work_of: Callable[[Judgement], Work]
) -> Iterator[Work]:
    for one in earlier:
        work = work_of(one)
        if content_of(work.item, (work.answer,)) != one.content:
            raise UserError(
                f"the picture of {one.system} for {one.prompt}, or its prompt, is not "
                "what was judged before; a second judgement would say nothing about "
                "the judge"
            )
        yield work
