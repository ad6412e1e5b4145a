"""Whether a judge judges as it did: asked before every judged run, or by `canary`."""

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from data.parser import Parser
from experiments.benchmark_flags import RUNS
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.canary import (
    CanaryResult,
    canary_of_run,
    check_canary,
    read_canary,
    run_canary,
    write_canary,
)
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge


def check_judge(config: JudgeConfig) -> CanaryResult:
    """The canary of a judged run (`run.judging.Check`).

    Raises:
      UserError: the judge answers nothing, the record is damaged, or what draws the
        pictures is not installed.
    """
    date = _today()
    if not config.canary:
        return CanaryResult(
            outcome="off", detail="switched off in the judge's file", date=date
        )
    if config.replay or config.mode == "pairwise":
        why = "replies were only replayed" if config.replay else "pairs have no scale"
        return CanaryResult(outcome="not applicable", detail=why, date=date)
    try:
        from tbstar_jax.evaluation.audit.canary import NUM_RUNGS, canary_ladder
    except ModuleNotFoundError as error:
        raise UserError(
            f"the judge's canary is drawn with {error.name}, which is not installed; "
            "install it with `pip install -e '.[data]'`, or write `canary: off` in the "
            "judge's file"
        ) from error
    record = record_of(config)
    found = canary_of_run(config, canary_ladder, NUM_RUNGS, date, record)
    if found.is_good:
        return found
    return dataclasses.replace(found, detail=f"{found.detail} (record: {record})")


def record_of(config: JudgeConfig) -> Path:
    """The file of a judge's first canary: one for all runs."""
    return config.canary_record or RUNS / "canary" / f"{config.fingerprint()}.json"


def canary(argv: Sequence[str]) -> None:
    """Judges fixed pictures of known order; fails where the judge has drifted."""
    # What this draws with may not be installed, which the caller says.
    from tbstar_jax.evaluation.audit.canary import NUM_RUNGS, canary_ladder

    parser = Parser(prog="python -m experiments.benchmark canary", allow_abbrev=False)
    add = parser.add_argument
    add("--judge", type=Path, required=True, metavar="FILE", help="judge.yaml")
    add("--record", type=Path, help="of the first time (default: that of judged runs)")
    options = parser.parse_args(argv)
    config = read_judge(options.judge)
    record = options.record or record_of(config)
    previous = read_canary(record)
    current = run_canary(config, canary_ladder, NUM_RUNGS, _today())
    found = check_canary(previous, current)
    if previous is None:
        write_canary(current, record)
    print(f"{found.detail} ({found.num_rungs} of {found.num_asked} rungs; {record})")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
